"""Pages of WARC files: what is a page, why another is none, and the text of HTML."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from warc_writer import FORMS, arc, arc_begin, html, http, page, record

from llama_data.pipeline.core.document import Outcome, verdict
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.commoncrawl.reader import CommonCrawlReader
from llama_data.stages.shared.html import MAX_LISTS, html_text

HTML = b"<html><title>T</title><body><p>An old mill.</p></body></html>"


def read(path: Path, data: bytes) -> list[tuple[str, str, str]]:
    """For each row: what became of it, why, the first line of its text or the detail."""
    path.write_bytes(data)
    rows = []
    for doc in CommonCrawlReader(splits=[Split(str(path), path.name, len(data))], title="keep").read(
        Split(str(path), path.name, len(data))
    ):
        found = verdict(doc)
        if found is None:
            rows.append((str(Outcome.kept), "", doc.text.split("\n")[0]))
        else:
            rows.append((str(found.outcome), str(found.reason), found.detail))
    return rows


def one(tmp_path: Path, made: bytes) -> tuple[str, str, str]:
    """The row of a single record, the same in a plain file and in a compressed one."""
    [row] = read(tmp_path / "a.warc", made)
    assert read(tmp_path / "a.warc.gz", gzip.compress(made)) == [row]
    return row


KEPT = ("kept", "", "T")


@pytest.mark.parametrize(
    ("status", "row"),
    [
        *((code, KEPT) for code in ("200 OK", "201 Created", "202 Accepted", "203 Copy", "200")),
        *(
            (f"{code} x", ("rejected", "http_status", code))
            for code in (
                "204",
                "206",
                "301",
                "302",
                "304",
                "400",
                "403",
                "404",
                "410",
                "451",
                "500",
                "503",
                "999",
                "000",
            )
        ),
    ],
)
def test_an_error_or_a_redirect_is_rejected_with_its_status(tmp_path: Path, status: str, row: Any) -> None:
    assert one(tmp_path, record(http(HTML, status=status))) == row


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("text/html", KEPT),
        ("TEXT/HTML;charset=utf-8", KEPT),
        ("application/xhtml+xml; charset=utf-8", KEPT),
        ("application/vnd.wap.xhtml+xml", KEPT),
        (None, KEPT),
        ("", KEPT),
        ("*/*", KEPT),
        ("unknown/unknown", KEPT),
        ("text/plain", ("rejected", "not_a_page", "text/plain")),
        ("application/json; charset=utf-8", ("rejected", "not_a_page", "application/json")),
        ("image/png", ("rejected", "not_a_page", "image/png")),
    ],
)
def test_what_is_no_html_is_no_page(tmp_path: Path, kind: str | None, row: Any) -> None:
    assert one(tmp_path, record(http(HTML, kind=kind))) == row


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b"<!DOCTYPE html><title>T</title>", True),
        (b"\n <!-- a --> <HTML ><title>T</title>", True),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<html><title>T</title>", True),
        (b"<title>T</title>", True),
        (b"<p>T", True),
        (b"<?xml version='1.0'?><rss></rss>", False),
        (b"T is a letter, <p> is a tag", False),
        (b"%PDF-1.4 <html>", False),
        (b"{}", False),
        (b"", False),
    ],
)
def test_a_body_of_no_type_is_a_page_when_it_looks_like_one(tmp_path: Path, body: bytes, kept: bool) -> None:
    outcome, reason, _ = one(tmp_path, record(http(body, kind=None)))
    assert (outcome, reason) == (("kept", "") if kept else ("rejected", "not_a_page"))


def test_a_type_that_the_crawler_found_counts_where_the_server_says_none(tmp_path: Path) -> None:
    for kind, row in (("text/html", KEPT), ("text/plain", ("rejected", "not_a_page", "text/plain"))):
        fields = {"WARC-Identified-Payload-Type": kind}
        assert one(tmp_path, record(http(HTML, kind=None), fields=fields)) == row
        assert one(tmp_path, record(http(HTML), fields=fields)) == KEPT


def test_resources_and_other_records(tmp_path: Path) -> None:
    rows = [
        (record(HTML, kind="resource", content="text/html; charset=utf-8"), KEPT),
        (record(HTML, kind="resource", content=None), KEPT),
        (record(b"log", kind="resource", content="text/plain"), ("rejected", "not_a_page", "text/plain")),
        (record(HTML, content="text/html"), KEPT),
        (record(HTML), KEPT),
        (record(b"192.0.2.1", content="text/dns"), ("rejected", "not_a_page", "text/dns")),
        (record(b"T\ntext\n", kind="conversion", content="text/plain"), KEPT),
        (record(b"T\ntext\n", kind="conversion", content=None), KEPT),
        (record(HTML, kind="conversion", content="text/html"), KEPT),
        (record(b"x", kind="conversion", content="image/png"), ("rejected", "not_a_page", "image/png")),
    ]
    for made, row in rows:
        assert one(tmp_path, made) == row
    outcome, reason, detail = one(tmp_path, record(b"nothing of HTTP"))
    assert (outcome, reason) == ("failed", "damaged_record")
    assert "status line" in detail


def test_a_file_is_read_by_what_it_holds_and_not_by_its_name(tmp_path: Path) -> None:
    wet = [record(b"WET %d\ntext\n" % number, number, kind="conversion", content="text/plain") for number in range(3)]
    mixed = [wet[0], page(1), wet[1], record(http(b"", status="404 x"), 2), wet[2]]
    expected = [
        ("kept", "", "WET 0"),
        ("kept", "", "Page 1"),
        ("kept", "", "WET 1"),
        ("rejected", "http_status", "404"),
    ]
    expected.append(("kept", "", "WET 2"))
    for name in ("a.warc.gz", "a.wet.gz", "a.wet", "a"):
        for form in FORMS.values():
            assert read(tmp_path / name, form(mixed)) == expected


def test_the_lines_of_all_pages_are_hashed(tmp_path: Path) -> None:
    wet = record(b"T\n" + b"a\nb\n" * 99, kind="conversion", content="text/plain")
    data = gzip.compress(wet) + gzip.compress(page(1)) + gzip.compress(record(http(b"", status="404 x")))
    path = tmp_path / "a.warc.gz"
    path.write_bytes(data)
    split = Split(str(path), path.name, len(data))
    found = [len(lines.offsets) - 1 for lines in CommonCrawlReader(splits=[split]).hashes(split, 300)]
    assert found == [1, 1]


def test_the_row_of_what_is_no_page_has_its_address(tmp_path: Path) -> None:
    made = [record(http(HTML, status="404 x"), 4), record(http(HTML, kind="image/png"), 5), record(b"", 6, kind="odd")]
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(made))
    split = Split(str(path), path.name, 1)
    docs = list(CommonCrawlReader(splits=[split]).read(split))
    assert [doc.metadata["url"] for doc in docs] == [f"http://example.org/{number}" for number in (4, 5, 6)]


def test_a_broken_body_is_a_failed_row(tmp_path: Path) -> None:
    fields = {"Content-Encoding": "gzip"}
    bad = gzip.compress(HTML * 50)[:40] + b"\xff" * 40
    outcome, reason, _ = one(tmp_path, record(http(bad, fields=fields)))
    assert (outcome, reason) == ("failed", "damaged_record")
    # What is no page need not be unpacked.
    assert one(tmp_path, record(http(bad, kind="image/png", fields=fields)))[:2] == ("rejected", "not_a_page")


def test_arc_records_are_pages(tmp_path: Path) -> None:
    data = arc_begin() + arc(http(html(1)), 1) + arc(http(b"", status="302 x"), 2) + arc(html(3), 3)
    assert read(tmp_path / "a.arc", data) == [
        ("kept", "", "Page 1"),
        ("rejected", "http_status", "302"),
        ("kept", "", "Page 3"),
    ]


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd"])
def test_no_fault_ends_the_reading_or_gives_an_id_twice(tmp_path: Path, form: str) -> None:
    fields = {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
    packed = gzip.compress(html(2))
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    records = [
        page(1), record(http(chunks, fields=fields), 2), record(http(html(3), end="\n", kind=None), 3),
        record(html(4), 4, kind="resource", content="text/html"), record(http(b"x" * 50, status="404 x"), 5), page(6),
    ]  # fmt: skip
    data = FORMS[form](records)
    rng = random.Random(form)
    path = tmp_path / "a.warc"
    for _ in range(170):
        made = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(made))
            end = at + rng.choice([1, 1, 3, 30, 300])
            made[at:end] = rng.choice([b"", made[at:end] * 2, rng.randbytes(len(made[at:end])), b"\r\n", b"\0" * 9])
        path.write_bytes(made)
        split = Split(str(path), path.name, len(made))
        docs = list(CommonCrawlReader(splits=[split]).read(split))
        assert docs
        assert len({doc.id for doc in docs}) == len(docs)
        assert not any(found.reason is Reason.broken_reader for doc in docs if (found := verdict(doc)) is not None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<title> a\n b </title><p>c", "a b\nc"),
        ("<p>a&#x80;b&#150;c&amp;lt;d&nbsp;e", "\na€b\u2013c&lt;d\xa0e"),
        ("<p>a&#0;b&#xD800;c&#x110000;", "\na\ufffdb\ufffdc\ufffd"),
        ("<p>a<br>b<br/>c", "\na\nb\nc"),
        ("<pre>\n a  b\n\tc</pre>", "\n a  b\n\tc"),
        ("<p>a<script>x<b></script><style>y</style><template><p>z</template>b", "\nab"),
        ("<p>a<!-- x -->b", "\nab"),
        ("<table><tr><td>a<td>b<table><tr><td>c</table><tr><td>d</table>", "\na\t\tb\nc\nd"),
        ("<details><summary>a</summary>b</details>", "\na\nb"),
        ("<fieldset><legend>a</legend>b</fieldset>", "\na\nb"),
        ("<figure><img alt=x><figcaption>a</figcaption><pre>b</pre></figure>c", "\na\nb\nc"),
        ("<p>a\0b", "\nab"),
        ("", "\n"),
    ],
)
def test_the_text_of_html(body: str, text: str) -> None:
    assert html_text(body.encode(), "utf-8").decode() == text


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "ol", "a", "p", "svg", "template"])
def test_deep_nesting_is_read(tag: str) -> None:
    found = html_text(f"<title>T</title><{tag}>".encode() * 30_000 + b"x", None)
    assert len(found) < 1_000_000


def test_lists_nested_too_deep_lose_their_bullets_and_no_text() -> None:
    for opened in ("<ul><li>", "<OL >\n<li class=a>"):
        for depth, bullets in ((MAX_LISTS, True), (MAX_LISTS + 1, False)):
            text = html_text(("".join(f"{opened}w{number}" for number in range(depth))).encode(), None).decode()
            assert [line.split()[-1] for line in text.split("\n") if line.strip()] == [f"w{n}" for n in range(depth)]
            assert (("• " in text) or ("1. " in text)) == bullets
    # Many lists beside each other are no deeper than one.
    assert html_text(b"<ul><li>w</ul>" * 500, None).decode().count("• ") == 500


def test_any_bytes_are_some_text() -> None:
    rng = random.Random(3)
    for size in (1, 10, 1000):
        for _ in range(60):
            html_text(rng.randbytes(size), None).decode()
            html_text(b"<html><p>" + rng.randbytes(size) + b"<b>", "utf-8").decode()
