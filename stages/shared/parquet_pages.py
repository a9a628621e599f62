"""What the pages of a parquet file say of their sizes, before a decoder makes room for them.

A page is decompressed whole. Its header is a struct in Thrift's compact protocol (parquet-format, PageHeader): field 1
is its type, 2 its size in memory, 3 its size in the file; what else there is, is stepped over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

DICTIONARY = 2
_HEAD = 4 << 10
_MOST_HEAD = 16 << 20  # statistics of a page may hold whole values
_TYPE, _SIZE, _STORED = 1, 2, 3
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_DEEPEST = 16


class Page(NamedTuple):
    """A page's type, and its size in bytes when it is decompressed."""

    kind: int
    size: int


def pages_of(stream: BinaryIO, column: Any) -> Iterator[Page]:
    """The pages of a column chunk (pyarrow's metadata of it), up to one whose header cannot be read."""
    at = column.data_page_offset
    if column.has_dictionary_page and 0 < (column.dictionary_page_offset or 0) < at:
        at = column.dictionary_page_offset
    end = at + column.total_compressed_size
    while 0 <= at < end:
        found = _header(stream, at)
        if found is None:
            return
        page, length, stored = found
        yield page
        at += length + stored


def _header(stream: BinaryIO, at: int) -> tuple[Page, int, int] | None:
    """The page whose header stands at an offset, the header's length, and the page's own in the file."""
    size = _HEAD
    while True:
        stream.seek(at)
        data = stream.read(size)
        reader = _Compact(data)
        try:
            fields = reader.numbers()
        except IndexError:
            if len(data) < size or size >= _MOST_HEAD:
                return None
            size *= 16
            continue
        except ValueError:
            return None
        if fields.get(_STORED, -1) < 0 or fields.get(_SIZE, -1) < 0:
            return None
        return Page(fields.get(_TYPE, -1), fields[_SIZE]), reader.at, fields[_STORED]


class _Compact:
    """Reads Thrift's compact protocol. IndexError: the bytes end early; ValueError: they are none."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def numbers(self) -> dict[int, int]:
        """The whole numbers among the fields of the struct that begins here, by their ids."""
        found: dict[int, int] = {}
        for field, kind in self._fields():
            if kind in (_I16, _I32, _I64):
                value = self._varint()
                found[field] = value >> 1 ^ -(value & 1)
            else:
                self._skip(kind, 0)
        return found

    def _fields(self) -> Iterator[tuple[int, int]]:
        field = 0
        while True:
            head = self.data[self.at]
            self.at += 1
            if head == 0:
                return
            if head >> 4:
                field += head >> 4
            else:
                value = self._varint()
                field = value >> 1 ^ -(value & 1)
            yield field, head & 15

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number without an end")

    def _step(self, size: int) -> None:
        self.at += size
        if self.at > len(self.data):
            raise IndexError

    def _skip(self, kind: int, depth: int, *, element: bool = False) -> None:
        if depth > _DEEPEST:
            raise ValueError("too deep")
        if kind in (_TRUE, _FALSE):
            self._step(1 if element else 0)
        elif kind == _BYTE:
            self._step(1)
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _DOUBLE:
            self._step(8)
        elif kind == _BINARY:
            self._step(self._varint())
        elif kind in (_LIST, _SET):
            head = self.data[self.at]
            self.at += 1
            for _ in range(head >> 4 if head >> 4 < 15 else self._varint()):
                self._skip(head & 15, depth + 1, element=True)
        elif kind == _STRUCT:
            for _, inner in self._fields():
                self._skip(inner, depth + 1)
        else:
            raise ValueError(f"a field of type {kind}")
