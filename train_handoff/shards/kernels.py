"""The compiled pass of ``file``. Apart, so that who reads rows one after the other starts without numba."""

from __future__ import annotations

import numba


@numba.njit(cache=True, nogil=True)
def copy_rows(data, offsets, out, at):  # type: ignore[no-untyped-def]
    """Copy ``data[offsets[i]:]`` to the row ``out[at[i]]``.

    Byte by byte between two views, which the compiler makes one copy of; an assignment of slices takes three times as
    long, as it asks whether they overlap, and indexes into the whole keep the loop as it is.
    """
    size = out.shape[1]
    for i in range(offsets.size):
        source, target = data[offsets[i] : offsets[i] + size], out[at[i]]
        for j in range(size):
            target[j] = source[j]
