"""Many WET records at once: gzip members inflated together and framed in one pass, exactly or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from deflate import DeflateError, crc32, gzip_decompress
from numba import njit
from numpy.typing import NDArray

FIELDS = (
    b"warc-target-uri",
    b"warc-date",
    b"warc-block-digest",
    b"warc-record-id",
    b"warc-identified-content-language",
)
"""The header fields that are kept, in the order of a batch's ``spans``."""

_NAMES = (*FIELDS, b"warc-segment-number", b"content-type", b"warc-type", b"content-length")
_NAME_BYTES = np.frombuffer(b"".join(_NAMES), np.uint8)
_NAME_BOUNDS = np.cumsum([0, *map(len, _NAMES)])
_CONVERSION = np.frombuffer(b"conversion", np.uint8)
_SILENT = (b"warcinfo", b"request", b"metadata", b"revisit")
_SILENT_BYTES = np.frombuffer(b"".join(_SILENT), np.uint8)
_SILENT_BOUNDS = np.cumsum([0, *map(len, _SILENT)])
_TEXT = np.frombuffer(b"text/plain", np.uint8)
_PAGE, _OTHER, _UNUSUAL = 0, 1, 2
_GZIP = re.compile(rb"\x1f\x8b\x08")
_TAIL = bytes(8)


class WetBatch(NamedTuple):
    """The pages of a stretch of a file.

    ``data``: its decompressed bytes, and eight more; ``offsets``: where the pages' gzip members begin in the file;
    ``bodies``: begin and end of each page in ``data``; ``spans``: those of its FIELDS, -1 where absent.
    """

    data: bytes
    offsets: list[int]
    bodies: NDArray[np.int64]
    spans: NDArray[np.int64]

    def fields(self, count: int = len(FIELDS)) -> Iterator[list[str | None]]:
        """The first ``count`` of the FIELDS of every page."""
        data = self.data
        for spans in self.spans[:, :count].tolist():
            yield [data[a:b].decode("utf-8", "replace") if a >= 0 else None for a, b in spans]


@njit(cache=True, nogil=True)
def _same(data, start, end, text, first, last):  # type: ignore[no-untyped-def]
    """True when ``data[start:end]``, lower-cased as ASCII, is ``text[first:last]``."""
    if end - start != last - first:
        return False
    for k in range(end - start):
        byte = data[start + k]
        if byte >= 65 and byte <= 90:
            byte += 32
        if byte != text[first + k]:
            return False
    return True


@njit(cache=True, nogil=True)
def _kind(data, fields, conversion, text, silent, silent_bounds):  # type: ignore[no-untyped-def]
    """What a record is by its last fields: _PAGE for a conversion to plain text, _OTHER where there is no page."""
    segment, content, kind = fields[-4], fields[-3], fields[-2]
    start, last = kind[0], kind[1]
    if start < 0:
        return 2
    if _same(data, start, last, conversion, 0, conversion.size):
        typed = content[0] < 0 or (
            content[1] - content[0] >= text.size and _same(data, content[0], content[0] + text.size, text, 0, text.size)
        )
        bare = fields[0, 0] < 0 or data[fields[0, 0]] != 60  # the address between angle brackets has to be cut out
        return 0 if typed and bare and segment[0] < 0 else 2
    for name in range(silent_bounds.size - 1):
        if _same(data, start, last, silent, silent_bounds[name], silent_bounds[name + 1]):
            return 1
    return 2


@njit(cache=True, nogil=True)
def _frame(  # type: ignore[no-untyped-def]
    data, begins, names, bounds, conversion, text, silent, silent_bounds, limit, states, bodies, spans
):
    """Frame one record for each stretch between ``begins``; False when a length does not come out exactly.

    A record is _UNUSUAL when its header is not plain ``Name: value`` lines ended by CR LF, and when it is of a type
    that is neither a page of WET nor no page at all: then nothing is said of it.
    """
    count = bounds.size - 1
    field = np.empty((count, 2), np.int64)
    for n in range(begins.size - 1):
        at, end = begins[n], begins[n + 1]
        states[n] = 2
        if end - at < 8 or not (
            data[at] == 87 and data[at + 1] == 65 and data[at + 2] == 82 and data[at + 3] == 67 and data[at + 4] == 47
        ):
            continue
        field[:] = -1
        first = True
        body = np.int64(-1)
        while at < end:
            stop = at
            colon = np.int64(-1)
            plain = True
            while stop < end and data[stop] != 10:
                byte = data[stop]
                if colon < 0:
                    if byte == 58:
                        colon = stop
                    elif (byte <= 32 and byte != 13) or byte >= 0x80:
                        plain = False
                stop += 1
            if stop in (end, at) or data[stop - 1] != 13:
                break
            if stop - 1 == at:
                body = stop + 1
                break
            if not first:
                if not plain or colon < 0:
                    break
                start, last = colon + 1, stop - 1
                while start < last and (data[start] == 32 or data[start] == 9):
                    start += 1
                while start < last and (data[last - 1] == 32 or data[last - 1] == 9):
                    last -= 1
                if start < last and (
                    data[start] <= 32 or data[start] >= 0x80 or data[last - 1] <= 32 or data[last - 1] >= 0x80
                ):
                    break
                for name in range(count):
                    if _same(data, at, colon, names, bounds[name], bounds[name + 1]):
                        field[name, 0], field[name, 1] = start, last
            first = False
            at = stop + 1
        start, last = field[count - 1, 0], field[count - 1, 1]
        if body < 0 or start < 0 or last - start == 0 or last - start > 18:
            continue
        length = np.int64(0)
        for k in range(start, last):
            if data[k] < 48 or data[k] > 57:
                length = np.int64(-1)
                break
            length = length * 10 + (np.int64(data[k]) - 48)
        if length < 0 or length > limit:
            continue
        if body + length + 4 != end or not (
            data[end - 4] == 13 and data[end - 3] == 10 and data[end - 2] == 13 and data[end - 1] == 10
        ):
            return False
        states[n] = _kind(data, field, conversion, text, silent, silent_bounds)
        bodies[n, 0], bodies[n, 1] = body, end - 4
        spans[n] = field[: spans.shape[1]]
    return True


def member_bounds(data: bytes, whole: bool) -> list[int]:
    """Where members begin in ``data``, up to the first that may not; with its end when it is the ``whole`` rest.

    A member may begin where a gzip header without optional fields stands, which is what every WET writer puts before
    a record. Anything else that looks like a header is compressed bytes or another writer's: the member before it has
    to be read by itself.
    """
    # Not in the last eight bytes: a header is ten.
    starts = np.array([found.start() for found in _GZIP.finditer(data, 0, max(len(data) - 6, 0))], np.int64)
    source = np.frombuffer(data, np.uint8)
    odd = np.flatnonzero((source[starts + 3] != 0) | ~np.isin(source[starts + 8], (0, 2, 4)))
    if odd.size:
        return starts[: odd[0]].tolist()  # type: ignore[no-any-return]
    return [*starts.tolist(), len(data)] if whole else starts.tolist()


def inflate(data: bytes, bounds: Sequence[int], sizes: Sequence[int]) -> bytes | None:
    """The gzip members between ``bounds``, and eight bytes more; None when one is not all that stands there.

    What it unpacks to must have the size and the checksum that stand at its end: the member may end earlier, before
    one whose first bytes are damaged.
    """
    view = memoryview(data)
    parts: list[bytearray | bytes] = []
    for (start, end), size in zip(pairwise(bounds), sizes, strict=True):
        try:
            part = gzip_decompress(view[start:end], size)
        except DeflateError:
            return None
        if len(part) != size or crc32(part) != int.from_bytes(view[end - 8 : end - 4], "little"):
            return None
        parts.append(part)
    parts.append(_TAIL)
    return b"".join(parts)


def frame(data: bytes, sizes: Sequence[int], offsets: Sequence[int], limit: int) -> WetBatch | bool:
    """The pages of ``data`` (and eight bytes more), a record for each size.

    False: a length does not come out exactly. True: a record is unusual and has to be read by the rules for it.
    """
    begins = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=begins[1:])
    states = np.empty(len(sizes), np.int64)
    bodies = np.empty((len(sizes), 2), np.int64)
    spans = np.empty((len(sizes), len(FIELDS), 2), np.int64)
    source = np.frombuffer(data, np.uint8)
    names = (_NAME_BYTES, _NAME_BOUNDS, _CONVERSION, _TEXT, _SILENT_BYTES, _SILENT_BOUNDS)
    if not _frame(source, begins, *names, limit, states, bodies, spans):
        return False
    if (states == _UNUSUAL).any():
        return True
    pages = np.flatnonzero(states == _PAGE)
    return WetBatch(data, [offsets[page] for page in pages.tolist()], bodies[pages], spans[pages])
