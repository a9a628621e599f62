"""Rules, settings and the whole job."""

from __future__ import annotations

import bz2
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llama_data.pipeline.core.document import make_document, notes_of, verdict
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia import jobs
from llama_data.stages.wikipedia.jobs import DOMAIN, Settings
from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.reader import Page
from llama_data.stages.wikipedia.rules import CleanWikitext, SelectArticles


def document(text: str = "Text", **more: Any) -> Any:
    fields = {"namespace": "0", "redirect": False, "model": "wikitext", "hidden_prefixes": frozenset[str]()}
    metadata = {"title": "T", "language": "en", **{key: value for key, value in more.items() if key not in fields}}
    page = make_document(Page, domain=DOMAIN, id="wikipedia/en/1", text=text, source="f#1", **metadata)
    for name, value in fields.items():
        setattr(page, name, more.get(name, value))
    return page


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"language": "ja"}, Reason.language_not_chosen),
        ({"namespace": "10"}, Reason.other_namespace),
        ({"redirect": True}, Reason.redirect),
        ({"text": "#REDIRECT [[Other]]"}, Reason.redirect),
        ({"text": "#перенаправление [[Другое]]"}, Reason.redirect),
        ({"text": "# redirect lists are ordinary text"}, None),
        ({"model": "javascript"}, Reason.wrong_format),
        ({"text": " \n "}, Reason.empty_text),
        ({"text": "A may be:\n* B\n{{Disambiguation}}"}, None),
    ],
)
def test_articles_are_selected(changes: dict[str, Any], reason: Reason | None) -> None:
    assert SelectArticles(languages=LANGUAGES).judge(document(**changes)) is reason


TEMPLATES = ["{{disambiguation}}", "{{ Disambig |geo}}", "{{Begriffsklärung}}", "{{Rozcestník}}"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_disambiguation_pages_can_be_left_out(template: str) -> None:
    rule = SelectArticles(languages=LANGUAGES, disambiguation=False)
    assert rule.judge(document(f"A:\n{template}")) is Reason.disambiguation
    assert rule.judge(document("A {{other}}")) is None


@pytest.mark.parametrize(
    "page",
    [
        "{{Infobox person\n| name = A\n}}",
        "{{nobody knows this}}",
        "{{Infobox x}}\n{| class=y\n| z\n|}\n[[Category:C]]",
        "<gallery>\nA.jpg|b\n</gallery>\n== References ==\n* x",
        "<!-- never closed\n\nText.",
    ],
)
def test_a_page_without_running_text_is_rejected_with_its_reason(page: str) -> None:
    assert CleanWikitext().judge(document(page)) is Reason.empty_after_cleaning


def test_what_an_unclosed_comment_hides_is_in_the_ledger() -> None:
    doc = document("Text. <!-- never closed")
    assert CleanWikitext().judge(doc) is None
    assert (doc.text, notes_of(doc)["unclosed_comment"]) == ("Text.", 17)
    plain = document("Text. <!-- closed -->")
    assert CleanWikitext().judge(plain) is None
    assert "unclosed_comment" not in notes_of(plain)


def test_pages_that_are_empty_after_cleaning_or_too_long_go() -> None:
    assert CleanWikitext().judge(document("{{Infobox|a=b}}\n[[Category:x]]")) is Reason.empty_after_cleaning
    rule = CleanWikitext(min_chars=4, max_page_chars=10)
    assert rule.judge(document("'''abc'''")) is Reason.too_short
    assert rule.judge(document("'''abcd'''")) is None
    assert rule.judge(document("abcdefghijk")) is Reason.too_complex


def test_a_rejected_page_keeps_its_text() -> None:
    doc = document("{{Infobox}}")
    list(CleanWikitext().run(iter([doc])))
    assert doc.text == "{{Infobox}}"
    assert verdict(doc) is not None


def test_the_title_can_be_the_first_line() -> None:
    doc = document("'''T''' is.")
    CleanWikitext(title="first_line").judge(doc)
    assert doc.text == "T\n\nT is."


def test_the_languages_are_llamas_twenty() -> None:
    assert len(LANGUAGES) == 20
    assert list(LANGUAGES) == sorted(LANGUAGES)


@pytest.mark.parametrize("wrong", [{"title": "top"}, {"min_chars": -1}, {"unknown": 1}])
def test_settings_refuse_what_they_do_not_know(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def dump_page(number: int, text: str, ns: int = 0, redirect: str = "") -> str:
    return (
        f"<page><title>P {number}</title><ns>{ns}</ns><id>{number}</id>{redirect}"
        f"<revision><timestamp>2022-07-01T00:00:00Z</timestamp><text>{text}</text></revision></page>"
    )


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    pages = [dump_page(n, f"'''P''' is {{{{lang|de|Wort}}}} {n}.") for n in range(1, 30)]
    pages += [dump_page(30, "", redirect='<redirect title="x"/>'), dump_page(31, "t", ns=10)]
    pages.append(dump_page(32, "{{Infobox}}"))
    packed = [bz2.compress("".join(pages[at : at + 4]).encode()) for at in range(0, len(pages), 4)]
    german = folder / "dewiki-1-pages-articles-multistream.xml.bz2"
    german.write_bytes(bz2.compress(b"<mediawiki>") + b"".join(packed))
    (folder / "jawiki-1-pages-articles.xml").write_text("<mediawiki>" + dump_page(1, "x") + "<page><id>", "utf-8")
    return folder


@pytest.mark.parametrize("max_task_bytes", [1, 500, 10**9])
def test_rows_out_equal_records_in_for_any_number_of_tasks(
    dumps: Path, tmp_path: Path, run_domain: Any, max_task_bytes: int
) -> None:
    documents, ledger, _ = run_domain(jobs, dumps, tmp_path / "out", max_task_bytes=max_task_bytes)
    assert len(ledger) == 32 + 2
    assert len({row["id"] for row in ledger}) == len(ledger)
    assert Counter(row["reason"] for row in ledger) == {
        None: 29,
        "redirect": 1,
        "other_namespace": 1,
        "empty_after_cleaning": 1,
        "language_not_chosen": 1,
        "truncated_file": 1,
    }
    assert [row["outcome"] for row in ledger].count("failed") == 1
    assert [doc["id"] for doc in documents] == [f"wikipedia/de/{n}" for n in range(1, 30)]
    assert documents[4]["text"] == "P is Wort 5."
    assert documents[4]["metadata"] == {
        "domain": "wikipedia",
        "source": "dewiki-1-pages-articles-multistream.xml.bz2#5",
        "title": "P 5",
        "url": "https://de.wikipedia.org/wiki/P_5",
        "language": "de",
        "timestamp": "2022-07-01T00:00:00Z",
        "page_id": 5,
    }


@pytest.mark.parametrize("name", ["multistream-index.txt.bz2", "multistream-index7.txt-p1p41242.bz2"])
def test_the_index_of_a_dump_is_no_dump(dumps: Path, tmp_path: Path, run_domain: Any, name: str) -> None:
    index = dumps / f"dewiki-1-pages-articles-{name}"
    index.write_bytes(bz2.compress(b"11:1:P 1\n11:2:P 2\n"))
    documents, ledger, _ = run_domain(jobs, dumps, tmp_path / "out")
    assert len(ledger) == 32 + 2
    assert documents[0]["id"] == "wikipedia/de/1"  # no label: there is one dump of this wiki
    for path in (dumps / "dewiki-1-pages-articles-multistream.xml.bz2", dumps / "jawiki-1-pages-articles.xml"):
        path.unlink()
    with pytest.raises(InputError, match="only indexes"):
        run_domain(jobs, dumps, tmp_path / "again")


def test_links_to_files_go_by_the_names_that_the_dump_says(dumps: Path, tmp_path: Path, run_domain: Any) -> None:
    names = '<siteinfo><namespace key="6">ファイル</namespace><namespace key="14">カテゴリ</namespace></siteinfo>'
    page = dump_page(1, "x[[ファイル:a.jpg|thumb|b]]y[[カテゴリ:c]]")
    (dumps / "jawiki-1-pages-articles.xml").write_text(f"<mediawiki>{names}{page}", "utf-8")
    documents = run_domain(jobs, dumps, tmp_path / "out", languages=("ja",)).documents
    assert [doc["text"] for doc in documents] == ["xy"]


def test_other_languages_can_be_chosen(dumps: Path, tmp_path: Path, run_domain: Any) -> None:
    documents = run_domain(jobs, dumps, tmp_path / "out", languages=("ja",), title="first_line").documents
    assert [(doc["id"], doc["text"]) for doc in documents] == [("wikipedia/ja/1", "P 1\n\nx")]
