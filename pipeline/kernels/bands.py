"""MinHash signatures cut into bands, each as one 64-bit number: documents that share a band are worth a comparison.

With ``bands`` bands of ``rows`` values two sets of Jaccard similarity s share one with probability
1 - (1 - s ** rows) ** bands. Two ways of permuting are here: datasketch's on 32 bits (``minhash.signature``), and
datatrove's on 61 (``signature_61``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN, mix64
from llama_data.pipeline.kernels.minhash import Hashes

MERSENNE_61 = np.uint64((1 << 61) - 1)
_BITS_61 = np.uint64(61)


def band_hashes(signature: NDArray[Any], rows: int, salt: int = 0) -> Hashes:
    """The hash of every ``rows`` values of a signature; the same values at another place have another hash.

    Sets with other ``salt``s never share one.
    """
    hashes = np.empty(len(signature) // rows, np.uint64)
    _band(signature, rows, np.uint64(salt), hashes)
    return hashes


def signature_61(hashes: Hashes, permutations: int, seed: int) -> NDArray[np.uint64]:
    """The signature of a set, value for value that of datatrove's ``MinhashDedupSignature`` with 64-bit hashes."""
    multipliers, summands = permutation_constants_61(permutations, seed)
    smallest = np.full(permutations, np.iinfo(np.uint64).max, np.uint64)
    _sign_61(hashes, multipliers, summands, smallest)
    return smallest


@lru_cache(maxsize=4)
def permutation_constants_61(count: int, seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """datatrove's h -> (a * h + b modulo 2**64) modulo 2**61 - 1: all a, then all b, as RandomState draws them."""
    chance = np.random.RandomState(seed)
    multipliers = chance.randint(1, MERSENNE_61, count, dtype=np.uint64)
    return multipliers, chance.randint(0, MERSENNE_61, count, dtype=np.uint64)


def shares_a_band(similarity: float, bands: int, rows: int) -> float:
    """The probability with which two sets of this Jaccard similarity have a band in common."""
    return float(1 - (1 - similarity**rows) ** bands)


@njit(cache=True, nogil=True)
def _band(signature: Any, rows: int, salt: Any, out: Any) -> None:
    for band in range(len(out)):
        value = mix64(salt + np.uint64(band + 1))
        for row in range(rows):
            value = value * GOLDEN + np.uint64(signature[band * rows + row])
        out[band] = mix64(value)


@njit(cache=True, nogil=True)
def _sign_61(hashes: Any, multipliers: Any, summands: Any, smallest: Any) -> None:
    for value in hashes:
        for place in range(len(smallest)):
            image = multipliers[place] * value + summands[place]
            image = (image & MERSENNE_61) + (image >> _BITS_61)  # below 2**61 + 7: what is left to take is p once
            image = image - MERSENNE_61 if image >= MERSENNE_61 else image
            smallest[place] = min(smallest[place], image)
