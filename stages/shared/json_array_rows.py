"""Rows of files that are one JSON array of objects, or several: read in pieces, a broken element costs itself."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import read_pieces
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.json_rows import DAMAGED, MAX_LINE, parse_object, record_error
from llama_data.stages.shared.utf8 import utf8_pieces

# A whole string, a bracket, or the quote of a string that does not end in what has been read.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}"]', re.DOTALL)
_OPENER = {b"}": b"{", b"]": b"["}
_BETWEEN = b" \t\r\n,[]" + BOM_UTF8


def json_array_rows(path: str, compression: str | None = None) -> Iterator[tuple[int, dict[str, Any] | RecordError]]:
    """Yield (element number from 1, object) for every object of the array; an error in place of anything else.

    An object whose brackets do not fit ends where an object can no longer stand in it, and costs itself; one in which
    an array or a string is not closed may cost what follows.

    Raises:
        InputError: there is no such file.
    """
    yield from enumerate(_elements(path, compression), 1)


def _elements(path: str, compression: str | None) -> Iterator[dict[str, Any] | RecordError]:
    scanner = _Scanner()
    try:
        for piece in utf8_pieces(read_pieces(path, compression), json=True):
            yield from scanner.feed(piece)
            if scanner.held > MAX_LINE:
                # What waits may hold elements that are whole.
                yield from scanner.scan()
            if scanner.held > MAX_LINE:
                detail = f"an element is longer than {MAX_LINE} bytes; what follows was not read"
                yield RecordError(Reason.too_complex, detail)
                return
    except DAMAGED as error:
        yield from scanner.scan()
        yield record_error(error)
    else:
        yield from scanner.close()


class _Scanner:
    """Cuts objects out of bytes that come in pieces; an object that is not closed ends where the next must begin.

    ``held``: how many bytes wait for the rest of their element."""

    def __init__(self) -> None:
        self.held = 0
        self._waiting: list[bytes] = []
        self._fresh = 0
        self._data = b""
        self._next = 0
        self._stack = bytearray()
        self._arrays = 0

    def feed(self, piece: bytes) -> Iterator[dict[str, Any] | RecordError]:
        """The elements that the piece completes. Long ones are looked at again only when their length has doubled."""
        self._waiting.append(piece)
        self._fresh += len(piece)
        self.held = len(self._data) + self._fresh
        if self._fresh >= len(self._data):
            yield from self.scan()

    def close(self) -> Iterator[dict[str, Any] | RecordError]:
        """The last elements, and an error when the file does not end with its array."""
        yield from self.scan()
        if self._stack or self._arrays or self._data.strip(_BETWEEN):
            yield RecordError(Reason.truncated_file, "the file ends inside the array")

    def scan(self) -> Iterator[dict[str, Any] | RecordError]:
        """The elements that are whole in what was fed."""
        data = b"".join([self._data, *self._waiting])
        self._waiting, self._fresh = [], 0
        begin, position, stack = 0, self._next, self._stack
        for token in _TOKENS.finditer(data, self._next):
            kind = token.group()
            if kind == b'"':
                position = token.start()
                break
            position = token.end()
            if kind == b"{" or (kind == b"[" and stack):
                if kind == b"{" and stack[-1:] == kind and not _after_colon(data, token.start()):
                    # No object stands where a name is due: the one before was not closed, and this is the next.
                    stack.clear()
                if not stack:
                    yield from _strays(data[begin : token.start()])
                    begin = token.start()
                stack += kind
            elif stack and kind in _OPENER:
                # What was opened inside and not closed ends with what it stands in.
                opened = stack.rfind(_OPENER[kind])
                del stack[max(opened, 0) :]
                if opened < 0:
                    # The end of the array, and the element was not closed.
                    position = token.start()
                    self._arrays = max(self._arrays - 1, 0)
                if not stack:
                    yield parse_object(data[begin:position])
                    begin = position = token.end()
            elif kind == b"}":
                yield parse_object(data[begin:position])
                begin = position
            elif kind in (b"[", b"]"):
                self._arrays = max(self._arrays + (1 if kind == b"[" else -1), 0)
                yield from _strays(data[begin:position])
                begin = position
        self._data, self._next = data[begin:], position - begin
        self.held = len(self._data)


def _after_colon(data: bytes, at: int) -> bool:
    """True when the last character before a place, spaces aside, is a colon."""
    while at > 0 and data[at - 1] in b" \t\r\n":
        at -= 1
    return data[at - 1 : at] == b":"


def _strays(between: bytes) -> Iterator[RecordError]:
    """What stands between two elements and is no object."""
    found = between.strip(_BETWEEN)
    if found:
        yield RecordError(Reason.invalid_json, f"expected an object, found {found[:40].decode('utf-8', 'replace')}")
