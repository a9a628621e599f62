"""XXH64 of many stretches of one text (the algorithm's specification: xxhash.com, seed 0)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_PRIME_1 = np.uint64(0x9E3779B185EBCA87)
_PRIME_2 = np.uint64(0xC2B2AE3D27D4EB4F)
_PRIME_3 = np.uint64(0x165667B19E3779F9)
_PRIME_4 = np.uint64(0x85EBCA77C2B2AE63)
_PRIME_5 = np.uint64(0x27D4EB2F165667C5)
_STRIPE = 32


def xxh64_spans(data: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
    """XXH64 of every ``data[start:end]``."""
    hashes = np.empty(len(starts), np.uint64)
    _hash_spans(np.frombuffer(data, np.uint8), starts, ends, hashes)
    return hashes


@njit(cache=True, nogil=True, inline="always")
def _turn(value: Any, bits: int) -> Any:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def _load(data: Any, at: int, size: int) -> Any:
    value = np.uint64(0)
    for byte in range(size):
        value |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return value


@njit(cache=True, nogil=True, inline="always")
def _round(lane: Any, word: Any) -> Any:
    return _turn(lane + word * _PRIME_2, 31) * _PRIME_1


@njit(cache=True, nogil=True, inline="always")
def _merge(value: Any, lane: Any) -> Any:
    return (value ^ _round(np.uint64(0), lane)) * _PRIME_1 + _PRIME_4


@njit(cache=True, nogil=True)
def _hash_spans(data: Any, starts: Any, ends: Any, out: Any) -> None:
    for span in range(len(starts)):
        at, end = starts[span], ends[span]
        size = end - at
        if size >= _STRIPE:
            one, two = _PRIME_1 + _PRIME_2, _PRIME_2
            three, four = np.uint64(0), np.uint64(0) - _PRIME_1
            while end - at >= _STRIPE:
                one = _round(one, _load(data, at, 8))
                two = _round(two, _load(data, at + 8, 8))
                three = _round(three, _load(data, at + 16, 8))
                four = _round(four, _load(data, at + 24, 8))
                at += _STRIPE
            value = _turn(one, 1) + _turn(two, 7) + _turn(three, 12) + _turn(four, 18)
            value = _merge(_merge(_merge(_merge(value, one), two), three), four)
        else:
            value = _PRIME_5
        value += np.uint64(size)
        while end - at >= 8:
            value = _turn(value ^ _round(np.uint64(0), _load(data, at, 8)), 27) * _PRIME_1 + _PRIME_4
            at += 8
        if end - at >= 4:
            value = _turn(value ^ (_load(data, at, 4) * _PRIME_1), 23) * _PRIME_2 + _PRIME_3
            at += 4
        while at < end:
            value = _turn(value ^ (np.uint64(data[at]) * _PRIME_5), 11) * _PRIME_1
            at += 1
        value = (value ^ (value >> np.uint64(33))) * _PRIME_2
        value = (value ^ (value >> np.uint64(29))) * _PRIME_3
        out[span] = value ^ (value >> np.uint64(32))
