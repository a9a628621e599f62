"""What a file is that is no text of a book, told from its first bytes."""

from __future__ import annotations

import re
from collections.abc import Collection

from llama_data.pipeline.core.files import compression_of

_MAGIC = (
    (b"WARC/", "a WARC or WET file of web pages; the commoncrawl stage reads it"),
    (b"%PDF-", "a PDF; extract its text first"),
    (b"%!PS", "PostScript; extract its text first"),
    (b"{\\rtf", "RTF; save it as plain text first"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an office program; save it as plain text first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it first"),
    (b"AT&TFORM", "DjVu; extract its text first"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89PNG\r\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a program"),
)
_EPUB = "an EPUB; convert it to plain text first"
_PLACES = (
    (60, b"BOOKMOBI", "a Kindle book; convert it to plain text first"),
    (257, b"ustar", "a tar; unpack it first"),
)
_SPACE = b"\xef\xbb\xbf \t\r\n"
_XML = re.compile(
    rb"(?:<\?xml\b[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE\s+(?!html)[^>\[]*(?:\[[^\]]*\])?\s*>\s*)*<(!doctype\s+html|[a-z_][\w:.-]*)",
    re.I | re.S,
)
_ROOTS = {
    b"mediawiki": "a MediaWiki XML dump; the wikipedia stage reads it",
    b"posts": "a Stack Exchange XML dump; the stackexchange stage reads it",
}
_HTML = (b"html", b"!doctype html", b"head", b"body")
_JSON = re.compile(rb"(?:\[\s*)?\{\s*\"[^\"\n]{1,100}\"\s*:")
HEAD = 4_000
"""So many bytes tell what a file is."""


def foreign_format(data: bytes) -> str | None:
    """What a file that begins so is, and what to do, when it is not the plain text of a book; None when it may be."""
    data = data[:HEAD]
    for magic, what in _MAGIC:
        if data.startswith(magic):
            return what
    for place, magic, what in _PLACES:
        if data.startswith(magic, place):
            return what
    if data.startswith(b"PK\3\4"):
        return _EPUB if b"application/epub+zip" in data[:200] else "a zip archive; its name must end with .zip"
    suffix = compression_of(data)
    if suffix:
        return f"compressed; its name must end with {suffix}"
    head = data.lstrip(_SPACE)
    if head.startswith(b"%PDF-"):
        return "a PDF; extract its text first"
    if head.startswith(b"<"):
        return _markup(head)
    return "JSON; a source of your own reads it (`sources:`, format jsonl or json)" if _JSON.match(head) else None


def foreign_archive(names: Collection[str]) -> str | None:
    """What a zip archive with members of these names is, when it is no folder of files; None when it may be."""
    if "META-INF/container.xml" in names:
        return _EPUB
    return "a document of an office program; save it as plain text first" if "[Content_Types].xml" in names else None


def _markup(head: bytes) -> str | None:
    """HTML or XML; text may begin with something in angle brackets too, such as an address or <<a notice>>."""
    found = _XML.match(head)
    if found is None:
        return None
    root = found.group(1).lower()
    if root in _HTML:
        return "an HTML page; extract its text first"
    if head.lower().startswith(b"<?xml") or root in _ROOTS:
        return _ROOTS.get(root, "XML; extract its text first")
    return None
