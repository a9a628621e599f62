"""Files of other formats among the books: each is told by its first bytes, and said by name."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from llama_data.stages.books.formats import HEAD, foreign_archive, foreign_format

FOREIGN = {
    "WET": b"WARC/1.0\r\nWARC-Type: warcinfo\r\n",
    "MediaWiki": b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">',
    "Stack Exchange": b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\n<posts>\n  <row Id="1" />',
    "XML": b'<?xml version="1.0"?>\n<!-- a play -->\n<TEI xmlns="x">',
    "HTML": b'\r\n<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">\n<HTML>',
    "HTML page": b"<!-- saved -->\n<html lang=en><head>",
    "an HTML": b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y">\n<html>',
    "JSON": b'{"id": 1, "text": "A book."}\n{"id": 2}\n',
    "JSON;": b'[\n  {"id": 1},\n  {"id": 2}\n]',
    "PDF": b"%PDF-1.4\n%\xe2\xe3",
    "PostScript": b"%!PS-Adobe-3.0\n",
    "RTF": b"{\\rtf1\\ansi",
    "EPUB": b"PK\3\4\x14\0\0\0\0\0" + bytes(20) + b"mimetypeapplication/epub+zip",
    "zip archive": b"PK\3\4\x14\0\0\0\x08\0" + bytes(20) + b"book.txt",
    ".gz": gzip.compress(b"text"),
    "7z": b"7z\xbc\xaf\x27\x1c\0\4",
    "Kindle": b"A_Book" + bytes(54) + b"BOOKMOBI",
    "tar": bytes(257) + b"ustar\0",
    "office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "image": b"\x89PNG\r\n\x1a\n",
}
TEXTS = [
    b"",
    b"WARCRAFT was his trade.",
    b"<http://www.example.org/>\n\nA book.",
    b"<<THIS ELECTRONIC VERSION OF THE COMPLETE WORKS>>",
    b"<i>Dramatis person\xe6</i>",
    b"< 5 years later >",
    b"[Illustration: a ship]\n\nCHAPTER I",
    b'["Small Print" V.12.08.93]',
    b"{1} See the note.",
    b"{The king enters.}",
    b"BZh, said the bee.",
    b"GIFTS OF THE SEA",
    b"PK was his name.",
    b"%PDFs are not books.",
    b"HTML was born in 1990: <html> began each page.",
]


@pytest.mark.parametrize(("word", "data"), FOREIGN.items(), ids=FOREIGN.keys())
def test_other_formats_are_named(word: str, data: bytes) -> None:
    found = foreign_format(data + b"\n" * HEAD)
    assert found is not None
    assert word.removesuffix(" page").removeprefix("an ") in found


@pytest.mark.parametrize("data", TEXTS)
def test_texts_are_texts(data: bytes) -> None:
    assert foreign_format(data) is None


def test_archives_of_other_formats() -> None:
    assert "EPUB" in str(foreign_archive({"mimetype", "META-INF/container.xml", "a.txt"}))
    assert "office" in str(foreign_archive({"[Content_Types].xml", "word/document.xml"}))
    assert foreign_archive({"a.txt", "META-INF/x.xml"}) is None


def test_every_one_is_a_failed_row_and_the_run_goes_on(run_stage: Any, prose: Any) -> None:
    files = {f"{index}.txt": data for index, data in enumerate(FOREIGN.values())}
    out = run_stage(files | {"wet.txt.gz": gzip.compress(FOREIGN["WET"] + b"x" * 70_000), "good.txt": prose("g", 100)})
    outcomes = out.outcomes()
    assert outcomes.pop("good.txt") == ("kept", None)
    assert set(outcomes.values()) == {("failed", "wrong_format")}
    assert len(outcomes) == len(FOREIGN) + 1
    assert all(row["detail"] for row in out.ledger if row["outcome"] == "failed")


def test_a_file_of_another_format_is_named_before_its_length(run_stage: Any, prose: Any) -> None:
    files = {"wet.txt": FOREIGN["WET"] + b"x" * 9_000, "long.txt": b"x" * 9_000, "good.txt": prose("g", 50)}
    assert run_stage(files, max_book_bytes=8_000).outcomes() == {
        "wet.txt#0": ("failed", "wrong_format"),
        "long.txt#0": ("failed", "too_long"),
        "good.txt": ("kept", None),
    }
