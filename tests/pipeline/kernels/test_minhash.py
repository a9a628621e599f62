"""Shingle hashes: the kernel and its plain reference agree, and sets are compared as sets."""

from __future__ import annotations

import re

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.pipeline.kernels import minhash
from llama_data.pipeline.kernels.minhash import (
    bottom,
    common,
    containment,
    count_hits,
    jaccard,
    low_bits,
    permutation_constants,
    shingle_hashes,
    signature,
)

BITS = (1 << 64) - 1


def mix(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & BITS
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & BITS
    return value ^ (value >> 31)


def word_hash(word: str) -> int:
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = ((value ^ byte) * 0x100000001B3) & BITS
    return mix(value)


def reference(text: str, width: int) -> list[int]:
    """The plain rule: words of the lower-cased text, every window of ``width`` of them, one polynomial a window."""
    text = text.lower().encode("utf-8", "replace").decode()
    words = re.findall(r"[^\W_]+", text)
    windows = [words[start : start + width] for start in range(max(1, len(words) - width + 1))] if words else []
    hashes = set()
    for window in windows:
        value = 0
        for word in window:
            value = (value * 0x9E3779B97F4A7C15 + word_hash(word)) & BITS
        hashes.add(mix(value))
    return sorted(hashes)


TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            ["a", "A", "é", "E\u0301", "ß", "İ", "中文", "\U0001d4b3", "٣", "_", "don't", "--", "\r\n", "x_y"]
        )
    ).map(" ".join),
)


@given(TEXTS, st.integers(1, 7))
@example("", 5)
@example("one two three", 5)
@example("\ud800 lone surrogate", 2)
@example("a " * 1000, 5)
@example("\U0001d4b3" * 300, 1)
@example("tag\U000e0041tag \U0010ffff end", 1)
def test_the_kernel_equals_the_plain_rule(text: str, width: int) -> None:
    assert shingle_hashes(text, width).tolist() == reference(text, width)


def test_case_and_punctuation_do_not_count() -> None:
    a = shingle_hashes("“It was the best of times,”\n it was the WORST of times")
    b = shingle_hashes("It was the best -- of times; it was the worst of times...")
    assert a.tolist() == b.tolist()
    assert len(a) == 8


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_comparisons_are_those_of_sets(a: set[int], b: set[int]) -> None:
    one, two = (np.array(sorted(members), np.uint64) for members in (a, b))
    assert common(one, two) == len(a & b)
    assert jaccard(one, two) == (len(a & b) / len(a | b) if a | b else 0.0)
    assert containment(one, two) == (len(a & b) / min(len(a), len(b)) if a and b else 0.0)


def test_an_excerpt_is_contained_but_not_alike() -> None:
    """Recipes, golden vector 14: 95 % of a short book inside an omnibus."""
    excerpt = " ".join(f"short{number}" for number in range(1000))
    omnibus = " ".join(f"long{number}" for number in range(20_000)) + " " + excerpt[: int(len(excerpt) * 0.95)]
    a, b = shingle_hashes(excerpt), shingle_hashes(omnibus)
    assert containment(a, b) > 0.9
    assert jaccard(a, b) < 0.1


def test_a_sketch_is_a_sample_of_the_set() -> None:
    a = shingle_hashes(" ".join(f"w{number}" for number in range(20_000)))
    b = shingle_hashes(" ".join(f"w{number}" for number in range(10_000, 40_000)))
    sketch = bottom(a, 400)
    assert len(sketch) == 400
    assert common(sketch, b) / 400 == pytest.approx(0.5, abs=0.1)
    assert bottom(a, 1 << 30) is not None
    assert len(bottom(a, 1 << 30)) == len(a)


def test_word_characters_are_those_of_every_plane() -> None:
    table = minhash._word_characters()
    slow = [point for point in range(0x110000) if chr(point).isalnum()]
    assert np.flatnonzero(table).tolist() == slow


EDGES = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1]
HASHES = st.lists(st.one_of(st.sampled_from(EDGES), st.integers(0, BITS)), max_size=60)
WIDE = [(number * 0x9E3779B97F4A7C15) & BITS for number in range(5000)]


@given(HASHES, st.sampled_from([1, 2, 7, 64, 128, 300]), st.sampled_from([0, 1, 2, 12345, 2**32 - 1]))
@example([], 128, 1)
@example([0], 128, 1)
@example([2**32 - 1], 128, 1)
@example([5, 5, 5], 16, 1)
@example(WIDE, 128, 1)
def test_a_signature_is_datasketchs(values: list[int], permutations: int, seed: int) -> None:
    theirs = MinHash(permutations, seed, hashfunc=low_bits)
    theirs.update_batch(values)
    ours = signature(np.array(values, np.uint64), permutations, seed)
    assert ours.dtype == theirs.hashvalues.dtype == np.uint32
    assert ours.tolist() == theirs.hashvalues.tolist()
    assert permutation_constants(permutations, seed).tolist() == theirs.permutations.tolist()


def test_the_defaults_are_datasketchs() -> None:
    theirs = MinHash(hashfunc=low_bits)
    assert (theirs.num_perm, theirs.seed, theirs.scheme) == (minhash.PERMUTATIONS, minhash.SEED, minhash.SCHEME)


@given(HASHES)
def test_a_signature_is_the_plain_rule(values: list[int]) -> None:
    """In whole numbers, without numpy: MurmurHash3's finaliser, then a * h + b, all modulo 2**32; the smallest."""

    def image(value: int, a: int, b: int) -> int:
        value &= 0xFFFFFFFF
        value = ((value ^ (value >> 16)) * 0x85EBCA6B) % 2**32
        value = ((value ^ (value >> 13)) * 0xC2B2AE35) % 2**32
        return (a * (value ^ (value >> 16)) + b) % 2**32

    constants = permutation_constants(16, 3).T.tolist()
    expected = [min((image(value, a, b) for value in values), default=2**32 - 1) for a, b in constants]
    assert signature(np.array(values, np.uint64), 16, 3).tolist() == expected


def test_permutations_cannot_be_changed_by_who_asked_for_them() -> None:
    with pytest.raises(ValueError, match="read-only"):
        permutation_constants(8, 1)[0, 0] = 2


@given(
    st.lists(st.sets(st.integers(0, 300), max_size=40), max_size=6),
    st.sets(st.integers(0, 300), max_size=120),
    st.integers(-1, 6),
)
@example([{5}], set(), -1)
@example([], {5}, -1)
@example([set(range(300))], {299}, -1)
@example([{299}], set(range(300)), -1)
def test_hits_are_counted_as_sets_are(sketches: list[set[int]], members: set[int], after: int) -> None:
    entries = sorted((value, owner) for owner, sketch in enumerate(sketches) for value in sketch)
    table = np.array([value for value, _ in entries], np.uint64)
    owners = np.array([owner for _, owner in entries], np.int32)
    counts, touched = np.zeros(len(sketches), np.uint8), np.empty(len(sketches), np.int32)
    asked = np.array(sorted(members), np.uint64)
    found = count_hits(asked, table, owners, after, counts, touched)
    expected = [len(sketch & members) if owner > after else 0 for owner, sketch in enumerate(sketches)]
    assert counts.tolist() == expected
    assert sorted(touched[:found].tolist()) == [owner for owner, count in enumerate(expected) if count]


@pytest.mark.parametrize("size", range(10))
def test_a_set_of_any_size_is_signed_as_datasketch_does(size: int) -> None:
    hashes = np.random.default_rng(size).integers(0, 1 << 64, size, dtype=np.uint64)
    theirs = MinHash(37, seed=5, hashfunc=low_bits)
    theirs.update_batch(hashes.tolist())
    assert signature(hashes, 37, 5).tolist() == theirs.hashvalues.tolist()
