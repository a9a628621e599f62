"""Mixing of 64-bit numbers, one definition for kernels and for arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2 ** 64 divided by the golden ratio: splitmix64's step, and the factor of multiplicative hashing."""

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit(cache=True, nogil=True)
def mix64(value: Any) -> Any:
    """The finaliser of splitmix64: a bijection of uint64 that spreads every bit over the whole word.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (Stafford's variant 13).
    """
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


def mix64_all(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """``mix64`` of every number of an array."""
    # The same lines, run by numpy: its arrays wrap around in silence as kernels do.
    mixed: NDArray[np.uint64] = mix64.py_func(values)
    return mixed


def splitmix64(seed: int, count: int) -> NDArray[np.uint64]:
    """The first ``count`` numbers of splitmix64 from a seed below 2 ** 64."""
    return mix64_all(np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * GOLDEN)
