"""Many WET records at once: gzip members inflated together and framed in one pass, exactly or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from deflate import DeflateError, gzip_decompress
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

_NAMES = (*FIELDS, b"warc-type", b"content-length")
_NAME_BYTES = np.frombuffer(b"".join(_NAMES), np.uint8)
_NAME_BOUNDS = np.cumsum([0, *map(len, _NAMES)])
_CONVERSION = np.frombuffer(b"conversion", np.uint8)
_PAGE, _OTHER, _UNUSUAL = 0, 1, 2
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
def _frame(data, begins, names, bounds, conversion, limit, states, bodies, spans):  # type: ignore[no-untyped-def]
    """Frame one record for each stretch between ``begins``; False when a length does not come out exactly.

    A record is _UNUSUAL when its header is not plain ``Name: value`` lines ended by CR LF: then nothing is said of it.
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
        start, last = field[count - 2, 0], field[count - 2, 1]
        states[n] = 0 if start >= 0 and _same(data, start, last, conversion, 0, conversion.size) else 1
        bodies[n, 0], bodies[n, 1] = body, end - 4
        spans[n] = field[: count - 2]
    return True


def inflate(data: bytes, bounds: Sequence[int], sizes: Sequence[int]) -> bytes | None:
    """The gzip members between ``bounds``, and eight bytes more; None when one has not the size that it states."""
    view = memoryview(data)
    parts: list[bytearray | bytes] = []
    for (start, end), size in zip(pairwise(bounds), sizes, strict=True):
        try:
            part = gzip_decompress(view[start:end], size)
        except DeflateError:
            return None
        if len(part) != size:
            return None
        parts.append(part)
    parts.append(_TAIL)
    return b"".join(parts)


def frame(data: bytes, sizes: Sequence[int], offsets: Sequence[int], limit: int) -> WetBatch | bool:
    """The pages of ``data`` (and eight bytes more), a record for each size.

    False: a length does not come out exactly. True: a header is unusual and has to be read by its rules.
    """
    begins = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=begins[1:])
    states = np.empty(len(sizes), np.int64)
    bodies = np.empty((len(sizes), 2), np.int64)
    spans = np.empty((len(sizes), len(FIELDS), 2), np.int64)
    source = np.frombuffer(data, np.uint8)
    if not _frame(source, begins, _NAME_BYTES, _NAME_BOUNDS, _CONVERSION, limit, states, bodies, spans):
        return False
    if (states == _UNUSUAL).any():
        return True
    pages = np.flatnonzero(states == _PAGE)
    return WetBatch(data, [offsets[page] for page in pages.tolist()], bodies[pages], spans[pages])
