"""The jobs over the Template namespace, and what they change in the articles."""

from __future__ import annotations

import bz2
import json
from html import escape
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.wikipedia import jobs
from llama_data.stages.wikipedia.template_pages import read_templates, template_records
from llama_data.stages.wikipedia.templates.store import StoredRecords


def page(number: int, title: str, text: str, ns: int = 0, more: str = "", model: str = "wikitext") -> str:
    return (
        f"<page><title>{escape(title)}</title><ns>{ns}</ns><id>{number}</id>{more}<revision><model>{model}</model>"
        f'<text xml:space="preserve">{escape(text)}</text></revision></page>'
    )


ARTICLES = [
    page(n, f"Article {n}", f"It was {{{{deg|{n}}}}} & {{{{tmp|{n}}}}} {{{{rare|{n}}}}} there.") for n in range(1, 9)
]
TEMPLATES = [
    page(20, "Template:Deg", "{{{1}}} °C<noinclude>how & why</noinclude>", 10),
    page(21, "Template:Tmp", "", 10, more='<redirect title="Template:Deg" />'),
    page(22, "Template:Tmp/doc", "documentation", 10),
    page(23, "Module:Deg", "return 1", 828, model="Scribunto"),
    page(24, "Template:Styles.css", "a {}", 10, model="sanitized-css"),
    page(25, "Template:Late", "{{{1}}}", 10),
]


def dump(folder: Path, name: str, pages: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    packed = [bz2.compress("".join(pages[at : at + 3]).encode()) for at in range(0, len(pages), 3)]
    (folder / name).write_bytes(bz2.compress(b"<mediawiki>") + b"".join(packed) + bz2.compress(b"</mediawiki>"))


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    dump(tmp_path / "in", "enwiki-1-pages-articles-multistream.xml.bz2", [*ARTICLES, *TEMPLATES])
    dump(tmp_path / "in", "frwiki-1-pages-articles.xml.bz2", [page(1, "Un", "Il fait {{deg|3}} ici.")])
    return tmp_path / "in"


EXPECTED = [f"It was {n} °C & {n} °C there." for n in range(1, 9)]


@pytest.mark.parametrize("max_task_bytes", [1, 400, 10**9])
def test_articles_are_shown_by_their_own_wikis_templates(
    dumps: Path, tmp_path: Path, run_domain: Any, max_task_bytes: int
) -> None:
    output = run_domain(jobs, dumps, tmp_path / "out", max_task_bytes=max_task_bytes)
    assert [doc["text"] for doc in output.documents if "/en/" in doc["id"]] == EXPECTED
    assert [doc["text"] for doc in output.documents if "/fr/" in doc["id"]] == ["Il fait ici."]
    assert len(output.ledger) == len(ARTICLES) + len(TEMPLATES) + 1
    assert [row["reason"] for row in output.ledger].count("other_namespace") == len(TEMPLATES)


def test_the_ledger_names_unknown_templates(dumps: Path, tmp_path: Path, run_domain: Any) -> None:
    rows = {row["id"]: row for row in run_domain(jobs, dumps, tmp_path / "out").ledger}
    row = rows["wikipedia/en/1"]
    assert row["templates_unknown"] == 1
    assert json.loads(row["templates_unknown_names"]) == {"Rare": 1}
    assert json.loads(row["templates_lost_names"]) == {"Rare": 1}
    assert json.loads(rows["wikipedia/fr/1"]["templates_lost_names"]) == {"Deg": 1}
    assert rows["wikipedia/en/20"]["templates_unknown_names"] is None


def test_definitions_can_be_turned_off(dumps: Path, tmp_path: Path, run_domain: Any) -> None:
    output = run_domain(jobs, dumps, tmp_path / "out", template_definitions=None)
    assert [doc["text"] for doc in output.documents if doc["id"] == "wikipedia/en/3"] == ["It was & there."]
    settings = jobs.Settings(template_definitions=None)
    context = RunContext(input=str(dumps), output=str(tmp_path / "out"))
    assert jobs.jobs(settings, context)[0].name == "wikipedia/documents"


def test_no_definitions_are_gathered_for_languages_that_are_not_chosen(dumps: Path, tmp_path: Path) -> None:
    context = RunContext(input=str(dumps), output=str(tmp_path / "out"))
    first, second, last, *_ = jobs.jobs(jobs.Settings(languages=("fr",)), context)
    assert second.tasks == 1
    assert first.tasks == last.tasks == 2
    assert jobs.jobs(jobs.Settings(languages=("de",)), context)[0].name == "wikipedia/documents"


def test_damage_costs_its_page_only(tmp_path: Path) -> None:
    dump(tmp_path / "in", "enwiki-1.xml.bz2", [TEMPLATES[0], "<page><title>x</title>", TEMPLATES[5]])
    [split] = list_inputs(str(tmp_path / "in"), ("*.bz2",))
    assert [title for title, _ in read_templates(split)] == ["Deg", "Late"]


def test_only_pages_of_the_template_namespace_are_read() -> None:
    article = page(1, "A: B", "text with <ns>10</ns> in it")
    assert list(template_records([article.encode(), TEMPLATES[5].encode()])) == [("Late", "T{{{1}}}")]


def test_the_work_folder_holds_one_file_a_language(dumps: Path, tmp_path: Path, run_domain: Any) -> None:
    run_domain(jobs, dumps, tmp_path / "out")
    work = RunContext(input="", output=str(tmp_path / "out")).work("wikipedia")
    assert sorted(path.name for path in Path(work).glob("*.templates")) == ["en.templates"]
    with StoredRecords(f"{work}/en.templates") as found:
        assert len(found) == 3
