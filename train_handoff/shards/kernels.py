"""The compiled pass of ``file``. Apart, so that who reads rows one after the other starts without numba."""

from __future__ import annotations

import numba


@numba.njit(cache=True, nogil=True)
def copy_rows(data, offsets, out, at):  # type: ignore[no-untyped-def]
    """Copy ``data[offsets[i]:]`` to the row ``out[at[i]]``."""
    size = out.shape[1]
    for i in range(offsets.size):
        out[at[i], :] = data[offsets[i] : offsets[i] + size]
