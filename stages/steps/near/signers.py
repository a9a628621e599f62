"""How a text becomes a set of shingles, and the set the hashes of its bands: one way for each system that is named."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.kernels.bands import band_hashes, signature_61
from llama_data.pipeline.kernels.minhash import Hashes, shingle_hashes, signature
from llama_data.pipeline.kernels.xxhash import xxh64_spans
from llama_data.stages.steps.simple_words import Words, simple_words

System = Literal["llama_data", "datatrove", "fineweb"]


class Preset(NamedTuple):
    """Numbers of a system: bands, values in each, words of a shingle, and how alike documents are that it removes."""

    bands: int
    rows: int
    shingle_words: int
    min_similarity: float


PRESETS: dict[System, Preset] = {
    "llama_data": Preset(26, 11, 5, 0.8),  # the bands of Dolma 3 (Olmo 3's report, A.2)
    "datatrove": Preset(14, 8, 5, 0.75),  # MinhashConfig's defaults; FineWeb (section 3.4) aims at 0.75
    "fineweb": Preset(14, 8, 5, 0.75),  # examples/fineweb.py: as datatrove, hashed by SHA-1
}


@dataclass(frozen=True)
class Signer:
    """Makes sets and band hashes in one system's way; only what is made in the same way can be compared.

    ``words``: how datatrove's presets split what its normalisation leaves: at spaces, or by spaCy, as it does.
    """

    system: System
    bands: int
    rows: int
    shingle_words: int
    seed: int = 1
    words: Words = "whitespace"

    @property
    def permutations(self) -> int:
        """Values of a signature."""
        return self.bands * self.rows

    def shingles(self, text: str) -> Hashes:
        """The sorted set of the hashes of a text's shingles.

        A text with fewer words than a shingle has one of all its words; with datatrove's it has none.
        """
        if self.system == "llama_data":
            return shingle_hashes(text, self.shingle_words)
        return np.unique(datatrove_hashes(simple_words(text, self.words), self.shingle_words, self.system))

    def signature(self, shingles: Hashes) -> NDArray[Any]:
        """The MinHash values of a set: datasketch's for ``llama_data``, else datatrove's."""
        sign = signature if self.system == "llama_data" else signature_61
        return sign(shingles, self.permutations, self.seed)

    def band_hashes(self, shingles: Hashes, salt: int = 0) -> Hashes:
        """A hash for every band of a set's signature."""
        return self.hashes_of(self.signature(shingles), salt)

    def hashes_of(self, values: NDArray[Any], salt: int = 0) -> Hashes:
        """A hash for every band of a signature."""
        return band_hashes(values, self.rows, salt)


def datatrove_hashes(words: list[str], width: int, system: System) -> Hashes:
    """What datatrove's ``get_shingles`` makes of these words: 64 bits of every ``width`` of them, one space between.

    By XXH64, or for ``fineweb`` the first eight bytes of SHA-1, the lowest first.
    """
    data = [word.encode("utf-8", "surrogatepass") for word in words]
    count = len(data) - width + 1
    if count <= 0:
        return np.empty(0, np.uint64)
    whole = b" ".join(data)
    ends = np.cumsum([len(word) + 1 for word in data]) - 1
    starts = np.concatenate([[0], ends[:-1] + 1])
    starts, ends = starts[:count], ends[width - 1 :]
    if system == "datatrove":
        return xxh64_spans(whole, starts, ends)
    spans = zip(starts.tolist(), ends.tolist(), strict=True)
    digests = [hashlib.sha1(whole[start:end], usedforsecurity=False).digest()[:8] for start, end in spans]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64, copy=False)
