"""The bytes of a text file as UTF-8, whatever Unicode encoding its first bytes say."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

# The mark of UTF-32 in little-endian order begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF8: "",
}
_ZEROS = {"000x": "utf-32-be", "x000": "utf-32-le", "0x0x": "utf-16-be", "x0x0": "utf-16-le"}
_HEAD = 4


def encoding_of(head: bytes, *, json: bool = False) -> tuple[str, int]:
    """The encoding that the first bytes of a file name ("": UTF-8), and the length of the mark that names it.

    ``json``: also without a mark, by the zeros beside the first characters of JSON, which are ASCII (RFC 4627,
    section 3).
    """
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name, len(mark)
    zeros = "".join("0" if byte == 0 else "x" for byte in head[:_HEAD])
    return _ZEROS.get(zeros, "") if json else "", 0


def utf8_pieces(pieces: Iterable[bytes], *, json: bool = False) -> Iterator[bytes]:
    """The bytes of a file in UTF-8, without a byte order mark at their beginning.

    What is no text in UTF-16 or UTF-32 comes out as bytes that are no UTF-8, and costs the record in which it stands.
    """
    iterator = iter(pieces)
    head = b""
    try:
        while len(head) < _HEAD and (piece := next(iterator, b"")):
            head += piece
    except Exception:
        # What stands before damage is given first.
        yield head
        raise
    encoding, mark = encoding_of(head, json=json)
    if not encoding:
        if head[mark:]:
            yield head[mark:]
        yield from iterator
        return
    decoder = codecs.getincrementaldecoder(encoding)(_KEEP)
    yield decoder.decode(head[mark:]).encode("utf-8", "surrogatepass")
    for piece in iterator:
        yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


_KEEP = "llama-data-lone-surrogate"


def _lone_surrogate(error: UnicodeError) -> tuple[str, int]:
    """Stands for what cannot be decoded: a surrogate alone, which no UTF-8 has."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ud800", error.end


codecs.register_error(_KEEP, _lone_surrogate)
