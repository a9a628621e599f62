"""Compiled passes of the mix's order, for ``order``. Apart, so that who only reads a mix starts without numba."""

from __future__ import annotations

import numba
import numpy as np

from llama_data.pipeline.kernels.hashing import mix64


@numba.njit(cache=True, nogil=True)
def assign(weights, credit, late, part, taken, out, out_within, every, marks):  # type: ignore[no-untyped-def]
    """Advance the assignment by ``out.size`` rows, or by ``every * len(marks)`` rows when ``out`` is empty.

    ``credit``: w*k - W*taken. ``late`` + ``part``: deadline of a domain's next row, (taken + 1 - 1/m) * W / w
    with m = 2n - 2, as whole part and fraction. ``marks[i]`` receives ``taken`` after ``every * (i + 1)`` rows.
    """
    n = weights.size
    total = weights.sum()
    m = max(2 * n - 2, 1)
    numerator = np.empty(n, np.int64)
    step = np.empty(n, np.int64)
    step_rest = np.empty(n, np.int64)
    for d in range(n):
        numerator[d] = part[d]
        step[d] = total // weights[d]
        step_rest[d] = (total % weights[d]) * m
    rows = out.size if out.size else every * marks.shape[0]
    for k in range(rows):
        best = -1
        best_late = np.int64(0)
        best_part = 0.0
        for d in range(n):
            credit[d] += weights[d]
            if credit[d] * m >= total or n == 1:
                fraction = numerator[d] / (weights[d] * m)
                if best < 0 or late[d] < best_late or (late[d] == best_late and fraction < best_part):
                    best, best_late, best_part = d, late[d], fraction
        credit[best] -= total
        late[best] += step[best]
        numerator[best] += step_rest[best]
        if numerator[best] >= weights[best] * m:
            numerator[best] -= weights[best] * m
            late[best] += 1
        if out.size:
            out[k] = best
            out_within[k] = taken[best]
        taken[best] += 1
        if marks.shape[0] and (k + 1) % every == 0:
            marks[(k + 1) // every - 1] = taken
    for d in range(n):
        part[d] = numerator[d]


@numba.njit(cache=True, nogil=True)
def _half(n):  # type: ignore[no-untyped-def]
    """Bits of each half of the smallest domain of twice as many bits that holds n."""
    half = np.uint64(1)
    while (np.uint64(1) << (half * np.uint64(2))) < np.uint64(n):
        half += np.uint64(1)
    return half


@numba.njit(cache=True, nogil=True)
def permute(values, n, keys, out):  # type: ignore[no-untyped-def]
    """Feistel network over the smallest 2b-bit domain that holds n, walked until the value falls below n."""
    half = _half(n)
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(values.size):
        value = np.uint64(values[i])
        while True:
            left, right = value >> half, value & mask
            for r in range(keys.size):
                left, right = right, left ^ (mix64(right ^ keys[r]) & mask)
            value = (left << half) | right
            if value < np.uint64(n):
                break
        out[i] = np.int64(value)


@numba.njit(cache=True, nogil=True)
def unpermute(values, n, keys, out):  # type: ignore[no-untyped-def]
    """The inverse of ``permute``: the rounds backwards, walked until the value falls below n."""
    half = _half(n)
    mask = (np.uint64(1) << half) - np.uint64(1)
    for i in range(values.size):
        value = np.uint64(values[i])
        while True:
            left, right = value >> half, value & mask
            for r in range(keys.size - 1, -1, -1):
                left, right = right ^ (mix64(left ^ keys[r]) & mask), left
            value = (left << half) | right
            if value < np.uint64(n):
                break
        out[i] = np.int64(value)
