"""Signatures and bands: value for value those of datasketch and datatrove, whose own LSH finds the same candidates."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig, create_hash_func
from datatrove.utils.text import ngrams, simplify_text
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.pipeline.kernels.bands import band_hashes, shares_a_band, signature_61
from llama_data.pipeline.kernels.minhash import low_bits, shingle_hashes
from llama_data.pipeline.kernels.xxhash import xxh64_spans
from llama_data.stages.steps.near.signers import Signer, datatrove_hashes

TEXT = (
    "Prices: 1,234.50 on Monday — Café Zürich's “naïve” co-op, don\u2019t stop, e\u0301lan. " * 3 + "中文 words İ end"
)


@pytest.fixture(scope="module")
def xxhash() -> Any:
    return pytest.importorskip("xxhash", reason="xxhash, which the comparison is with, comes with the extra [bench]")


def test_xxh64_of_every_length_and_place(xxhash: Any) -> None:
    data = Random(1).randbytes(400)
    starts = np.array([start for start in range(9) for _ in range(150)])
    ends = starts + np.tile(np.arange(150), 9)
    expected = [xxhash.xxh64_intdigest(data[start:end]) for start, end in zip(starts, ends, strict=True)]
    assert xxh64_spans(data, starts, ends).tolist() == expected
    assert xxh64_spans(b"", np.array([0]), np.array([0])).tolist() == [0xEF46DB3751D8E999]  # of the specification


@pytest.mark.parametrize(("system", "hash_fc"), [("datatrove", "xxhash"), ("fineweb", "sha1")])
@pytest.mark.parametrize(
    "text", [TEXT, "just four words here", "now there are five words", "", "...", "a\ud800 b c d e"]
)
def test_sets_and_signatures_are_those_of_datatrove(tmp_path: Any, system: Any, hash_fc: Any, text: str) -> None:
    if hash_fc == "xxhash":
        pytest.importorskip("xxhash", reason="datatrove hashes by it")
    signer = Signer(system, 14, 8, 5)
    theirs = MinhashDedupSignature.__new__(MinhashDedupSignature)  # its own __init__ wants spaCy
    theirs.config = MinhashConfig(hash_config=HashConfig(hash_fc=hash_fc))
    theirs.num_hashes, theirs._parameters = 14 * 8, None
    hash_func = create_hash_func(theirs.config.hash_config, bytes)
    words = simplify_text(text).split()
    grams = ngrams((word.encode("utf-8", "surrogatepass") for word in words), 5)
    hashes = datatrove_hashes(words, 5, system)
    assert hashes.tolist() == [hash_func(b" ".join(gram)) for gram in grams]
    assert signer.shingles(text).tolist() == sorted(set(hashes.tolist()))
    if len(hashes):
        bands = theirs.get_signature(hashes.reshape(-1, 1))
        assert signer.signature(signer.shingles(text)).tolist() == [value for band in bands for value in band]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
@example([0, 1, 2**61 - 2, 2**61 - 1, 2**61, 2**64 - 1])
def test_the_least_of_61_bits_is_taken_as_numpy_takes_it(hashes: list[int]) -> None:
    prime, chance = (1 << 61) - 1, np.random.RandomState(5)
    a = [int(n) for n in chance.randint(1, prime, 9, dtype=np.uint64)]
    b = [int(n) for n in chance.randint(0, prime, 9, dtype=np.uint64)]
    images = [[(h * x + y) % 2**64 % prime for h in hashes] for x, y in zip(a, b, strict=True)]
    expected = [min(found, default=2**64 - 1) for found in images]
    assert signature_61(np.array(hashes, np.uint64), 9, 5).tolist() == expected


def test_signatures_are_those_of_datasketch_and_its_lsh_finds_the_documents_that_share_a_band() -> None:
    chance = Random(3)
    signer, texts = Signer("llama_data", 26, 11, 5), []
    for _ in range(40):
        words = [f"w{chance.randrange(3000)}" for _ in range(120)]
        texts.append(" ".join(words))
        for _ in range(3):
            words[chance.randrange(120)] = "other"
        texts.append(" ".join(words))
    lsh, ours = MinHashLSH(num_perm=286, params=(26, 11)), []
    for number, text in enumerate(texts):
        shingles = shingle_hashes(text, 5)
        theirs = MinHash(num_perm=286, hashfunc=low_bits)
        theirs.update_batch(shingles.tolist())
        assert theirs.hashvalues.tolist() == signer.signature(shingles).tolist()
        lsh.insert(number, theirs)
        ours.append((theirs, set(signer.band_hashes(shingles).tolist())))
    pairs = {(a, b) for a in range(80) for b in range(80) if ours[a][1] & ours[b][1]}
    assert pairs == {(a, b) for a in range(80) for b in lsh.query(ours[a][0])}
    assert 100 < len(pairs) < 80 * 80 // 4


def test_a_band_is_its_values_at_its_place() -> None:
    values = np.arange(12, dtype=np.uint32)
    hashes = band_hashes(values, 3)
    assert len(set(hashes.tolist())) == 4
    assert band_hashes(np.zeros(12, np.uint32), 3)[0] != band_hashes(np.zeros(12, np.uint32), 3)[1]
    assert band_hashes(values, 5).size == 2  # what is left over is in no band
    for place in range(12):
        other = values.copy()
        other[place] += 100
        assert np.flatnonzero(band_hashes(other, 3) != hashes).tolist() == [place // 3]
    assert not (band_hashes(values, 3, salt=1) == hashes).any()


def test_the_formula_at_its_ends() -> None:
    assert [shares_a_band(s, 14, 8) for s in (0.0, 1.0)] == [0.0, 1.0]
    assert shares_a_band(0.5, 1, 1) == 0.5
