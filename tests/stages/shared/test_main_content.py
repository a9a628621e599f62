"""The main content of HTML pages: what stays, what goes, what is bounded, and what a source records of a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from resiliparse.parse.html import HTMLTree
from warc_writer import http, page, record

from llama_data.pipeline.core.document import Outcome, verdict
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.custom import pages
from llama_data.stages.custom.jobs import Settings, reader
from llama_data.stages.custom.pages import titled
from llama_data.stages.shared import main_content
from llama_data.stages.shared.html import MAIN, check_extractor, html_text
from llama_data.stages.shared.main_content import keep_lists, main_text

MENU = '<ul><li><a href="/">Home</a></li><li><a href="/b">Old mills of the river</a></li></ul>'


def main(body: str) -> str:
    """The main content of a page of this body, without its line for the title."""
    made = html_text(f"<html><head><title>T</title></head><body>{body}</body></html>".encode(), None, MAIN)
    return made.decode().partition("\n")[2]


def test_what_structures_a_text_stays_and_what_frames_a_page_goes() -> None:
    found = main(
        f"<header><nav>{MENU}</nav></header><h1>The mill</h1>{MENU}<p>It turns.</p>"
        "<ol><li>one</li><li>two</li></ol><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<pre>if x:\n    y</pre><footer>Imprint</footer>"
    )
    assert found == "The mill\n\nIt turns.\n\n  1. one\n  2. two\na\t\tb\n1\t\t2\nif x:\n    y"


@pytest.mark.parametrize("around", ["{}", "<div>{}</div>", "<main><article>{}</article></main>"])
def test_a_list_stays_wherever_it_stands_and_a_menu_goes(around: str) -> None:
    inner = "<p>Before</p><ul><li>turns all day</li><li>stands<ul><li>by the river</li></ul></li></ul><p>After</p>"
    kept = "Before\n\n  • turns all day\n  • stands\n    • by the river\n\nAfter"
    assert main(around.format(inner)) == kept
    assert main(around.format(f"<p>Before</p>{MENU}<p>After</p>")) == "Before\n\nAfter"


def test_a_list_is_a_menu_when_half_of_its_characters_are_links() -> None:
    def made(linked: int, plain: int) -> str:
        return f"<p>x</p>\n<ul>\n  <li><a href=x>{'b' * linked}</a> {'c' * plain}</li>\n</ul>"

    assert main(made(49, 51)) == f"x\n\n  • {'b' * 49} {'c' * 51}"
    assert main(made(50, 50)) == "x"
    assert main(made(51, 49)) == "x"


@pytest.mark.parametrize(
    "page",
    [
        "<ul><li>a",  # never closed
        "a</ul>b",  # never opened
        "<!-- <ul> --><p>a</p></ul>",
        "<script>'<ul>'</script><p>a</p></ul>",
        "<ulx><li>a</ulx>",
    ],
)
def test_what_is_no_whole_list_is_left_as_it_is(page: str) -> None:
    assert keep_lists(page) == page


def test_a_list_that_is_called_a_menu_goes_and_one_whose_name_only_holds_the_word_stays() -> None:
    assert main('<p>x</p><ul class="nav"><li>not a link but a menu</li></ul>') == "x"
    assert main('<p>x</p><ul role="menu"><li>not a link but a menu</li></ul>') == "x"
    assert main('<p>x</p><ul class="navy"><li>the fleet</li></ul>') == "x\n\n  • the fleet"


def test_work_is_bounded_by_size_times_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    def deep(times: int) -> str:
        return "<body>" + "<div>" * times + "x" * 100

    size = len(deep(10))
    monkeypatch.setattr(main_content, "MAX_WORK", 10 * size)
    assert main_text(deep(10), HTMLTree.parse(deep(10))) == "x" * 100
    with pytest.raises(RecordError, match="nested 11 deep") as found:
        main_text(deep(11), HTMLTree.parse(deep(11)))
    assert found.value.reason == Reason.too_complex
    side_by_side = "<body>" + "<div>x</div>" * 100  # many, and none in another
    assert main_text(side_by_side, HTMLTree.parse(side_by_side)).count("x") == 100


@pytest.mark.parametrize("unit", ["<!--", "<script ", "<ul ", "<ul><a ", "<", "<ul><", "</ul>", "<a>"])
def test_a_page_of_nothing_but_beginnings_takes_no_longer_than_others(unit: str) -> None:
    """Where each looked for its end in vain, such a page of some megabytes would take hours."""
    page = unit * (400_000 // len(unit))
    assert len(keep_lists(page)) >= len(page)
    assert len(keep_lists(f"<ul>{page}</ul>")) >= len(page)


def test_the_title_is_not_said_twice() -> None:
    assert titled("The mill - Old places", "The mill\n\nIt turns.") == "The mill\n\nIt turns."
    assert titled("The mill", "It turns.") == "The mill\n\nIt turns."
    assert titled("", "It turns.") == "It turns."
    assert titled("The mill", "") == ""
    assert titled("The  Mill", "\nthe mill\nIt turns.") == "\nthe mill\nIt turns."


def test_a_heading_that_the_title_repeats_is_looked_for_below_what_leads_to_it() -> None:
    way = "  • Old places\n\n"
    assert titled("The mill", f"{way}The mill\n\nIt turns.") == f"{way}The mill\n\nIt turns."
    for title in ("The mill | Fords", "The mill | Ford", "Fords | The mill"):  # 16 and 15 characters, the heading 8
        assert titled(title, f"{way}The mill\n\nIt turns.") == f"{way}The mill\n\nIt turns."
    longer = "The mill | Ripley"
    assert titled(longer, f"{way}The mill\n\nIt turns.") == f"{longer}\n\n{way}The mill\n\nIt turns."
    before = "line\n" * (pages.HEADING_LINES - 1)
    assert titled("The mill", f"{before}The mill") == f"{before}The mill"
    assert titled("The mill", f"line\n{before}The mill") == f"The mill\n\nline\n{before}The mill"


def test_an_extractor_that_would_not_be_asked_or_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="content: main"):
        check_extractor("all", "trafilatura")
    monkeypatch.setitem(__import__("sys").modules, "trafilatura", None)
    with pytest.raises(ValueError, match=r"pip install \"llama-data\[trafilatura\]\""):
        check_extractor("main", "trafilatura")
    with pytest.raises(ValueError, match="not warc"):
        Settings(inputs=("x",), format="jsonl", content="main")


def test_trafilatura_gives_the_same_however_often_it_is_asked() -> None:
    pytest.importorskip("trafilatura", reason="trafilatura is not installed")
    html = f"<body>{MENU}<article>{'<p>The mill by the river turns all day, as it always has.</p>' * 3}</article>"
    texts = {main_content.trafilatura_text(html) for _ in range(8)}
    assert len(texts) == 1
    assert "mill by the river" in texts.pop()


def rows(tmp_path: Path, data: bytes, name: str, **settings: Any) -> list[Any]:
    path = tmp_path / name
    path.write_bytes(data)
    split = Split(str(path), name, len(data))
    return list(reader(Settings(inputs=("*",), **settings), [[split]], "web").read(split))


@pytest.mark.parametrize("format", ["warc", "auto"])
def test_a_source_reads_pages_and_records_what_was_said_of_them(tmp_path: Path, format: str) -> None:
    html = '<html lang="de-AT"><title>Die Mühle</title><body><p>Sie dreht sich.</p></body></html>'.encode()
    fields = {"Content-Language": "de, en"}
    wet = record(b"Title\nText of a page.\n", 3, kind="conversion", content="text/plain")
    gone = record(http(html, status="404 Not Found"), 1)
    data = record(http(html, status="203 Copy", fields=fields), 0) + gone + page(2, length="x") + wet
    first, second, third, last = rows(tmp_path, data, "a.warc", format=format, content="main")
    assert (first.id, first.text) == ("web/a.warc#0", "Die Mühle\n\nSie dreht sich.")
    said = {"http_status": 203, "content_type": "text/html", "content_language": "de, en", "html_language": "de-AT"}
    where = {"url": "http://example.org/0", "title": "Die Mühle", "date": "2020-01-01T00:00:00Z"}
    expected = said | where if format == "warc" else {}  # of a file that is only found to be WARC the recipe says which
    assert {name: first.metadata.get(name) for name in expected} == expected
    rejected, failed = verdict(second), verdict(third)
    assert rejected is not None
    assert failed is not None
    assert (rejected.outcome, rejected.reason, rejected.detail) == (Outcome.rejected, "http_status", "404")
    assert second.metadata["url"] == "http://example.org/1"
    assert failed.outcome is Outcome.failed
    assert last.text == "Title\nText of a page.\n"


def test_pages_are_chosen_by_what_was_said_of_them(tmp_path: Path) -> None:
    data = b"".join(
        record(http(b"<html><body>x", fields={"Content-Language": name}), number)
        for number, name in enumerate(["de", "en"])
    )
    found = rows(tmp_path, data, "a.warc", format="warc", where={"content_language": ("en",)})
    assert [str(one.reason) if (one := verdict(doc)) else "kept" for doc in found] == ["row_not_chosen", "kept"]


@pytest.mark.parametrize("sign", ["”", "文", "\u2212", "✓", "…", "ࠀ", "\ud7fb", "\uffe5"])
def test_a_character_alone_between_tags_stays(sign: str) -> None:
    """resiliparse takes each of three bytes for the picture of an icon font."""
    assert main(f"<p>a “<a href=x>mill</a>{sign} <b> {sign} </b><i>&#{ord(sign)};</i>b</p>") == (
        f"a “mill{sign} {sign} {sign}b"
    )
    made = html_text(f"<html><head><title>{sign}</title></head><body><p>a{sign}".encode(), None, MAIN).decode()
    assert made == f"{sign}\na{sign}"


@pytest.mark.parametrize("sign", ["\ue000", "\uf8ff", "\u200b", "\u2022", "\u25bc", "\u21a9", "\ufffc", "&bull;"])
def test_pictures_and_ornaments_alone_between_tags_go(sign: str) -> None:
    assert main(f"<p>a <i>{sign}</i>b</p>") == "a b"


PROSE = "It turns all day, and old people say that it has always done so, in wet years and in dry ones. "


@pytest.mark.parametrize("name", ["class='entry share'", "id=header", "class=sidebar", "class='main-menu wrap'"])
def test_an_element_that_holds_the_text_frames_nothing_whatever_it_is_called(name: str) -> None:
    text = f"<p>{PROSE * 8}</p>" * 3
    nav = "<div id=footer><p>Imprint</p></div>"
    assert main(f"<div><div><div><div {name}><h1>The mill</h1>{text}</div>{nav}</div></div></div>") == (
        "The mill\n\n" + "\n\n".join([(PROSE * 8).strip()] * 3)
    )


@pytest.mark.parametrize("name", ["class=cookie-notice", "id=footer"])
def test_long_notices_are_no_text(name: str) -> None:
    assert main(f"<div><p>The mill.</p><div {name}>{f'<p>{PROSE * 8}</p>' * 3}</div></div>") == "The mill."


def test_little_text_in_a_frame_is_left_where_it_is() -> None:
    def framed(characters: int) -> str:
        return main(f"<div><div><div><div id=header><p>{'x' * characters}</p></div></div></div></div>")

    assert framed(main_content.SCARCE) == ""
    assert framed(main_content.SCARCE + 1) == "x" * (main_content.SCARCE + 1)
