"""The chunk table against a plain dict, at its memory bound, and with keys made to collide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.kernels.word_table import FIND_LIMIT, WordTable, find, hash_at, insert, key_hash, read

KEYS = st.binary(min_size=1, max_size=40)
VALUES = st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(KEYS, VALUES), max_size=200), st.sampled_from([4096, 1 << 14, 1 << 20]))
def test_what_is_found_is_what_was_put(pairs: list[tuple[bytes, list[int]]], max_bytes: int) -> None:
    table, reference = WordTable(max_bytes=max_bytes, slots=16), {}
    for key, value in pairs:
        found = table.get(key)
        if found is None:
            reference[key] = value
            table.put(key, np.array(value, np.int32))
        else:
            assert found.tolist() == reference[key]
    assert table.nbytes <= max_bytes


def test_nothing_is_forgotten_below_the_bound() -> None:
    table = WordTable(max_bytes=32 << 20, slots=16)
    keys = [f"{number}{'x' * (number % 20)}".encode() for number in range(20000)]
    for number, key in enumerate(keys):
        table.put(key, np.array([number] * (number % 5), np.int32))
    lost = [key for number, key in enumerate(keys) if table.get(key) is None]
    assert lost == []
    assert all(table.get(key).tolist() == [n] * (n % 5) for n, key in enumerate(keys))
    assert table.evictions == 0


def test_at_the_bound_what_is_used_again_stays() -> None:
    table = WordTable(max_bytes=1 << 16, slots=16)
    table.put(b"often", np.array([7], np.int32))
    for number in range(20000):
        key = f"once {number}".encode()
        if table.get(key) is None:
            table.put(key, np.array([number], np.int32))
        found = table.get(b"often")
        assert found is not None
        assert found.tolist() == [7]
    assert table.evictions > 3
    assert table.nbytes <= 1 << 16


def test_equal_hashes_are_told_apart_by_their_bytes() -> None:
    table = WordTable(max_bytes=1 << 20, slots=1 << 10).arrays
    same = np.uint64(12345)
    names = [b"a", b"b", b"ab", b"a long key of many bytes 1", b"a long key of many bytes 2"]
    for number, name in enumerate(names):
        data = np.frombuffer(name + bytes(8), np.uint8)
        assert find(table, data, 0, len(name), same) == -1
        assert insert(table, data, 0, len(name), same, np.array([number], np.int32), 1)
    out = np.zeros(4, np.int32)
    for number, name in enumerate(names):
        data = np.frombuffer(name + bytes(8), np.uint8)
        slot = find(table, data, 0, len(name), same)
        assert slot >= 0
        assert read(table, slot, out, 0) == 1
        assert out[0] == number


def test_endless_collisions_cost_a_bounded_probe_and_are_not_kept() -> None:
    table = WordTable(max_bytes=1 << 20, slots=1 << 10).arrays
    same, value = np.uint64(12345), np.array([1], np.int32)
    kept = 0
    for number in range(3 * FIND_LIMIT):
        name = f"key number {number}".encode()
        data = np.frombuffer(name + bytes(8), np.uint8)
        assert insert(table, data, 0, len(name), same, value, 1)
        kept += find(table, data, 0, len(name), same) >= 0
    assert kept == FIND_LIMIT


def test_the_hash_depends_on_the_bytes_and_the_length_only() -> None:
    for name in (b"x", b"12345678", b"123456789", b"a" * 100, bytes(3), bytes(4)):
        plain = np.frombuffer(name + bytes(8), np.uint8)
        shifted = np.frombuffer(b"???" + name + b"!" * 8, np.uint8)
        assert key_hash(plain, 0, len(name)) == key_hash(shifted, 3, 3 + len(name))
    zeros = np.frombuffer(bytes(24), np.uint8)
    assert len({key_hash(zeros, 0, length) for length in range(1, 17)}) == 16
    assert hash_at(zeros.ctypes.data, 4) == key_hash(zeros, 0, 4)


def test_a_bound_too_small_for_any_table_is_refused() -> None:
    with pytest.raises(ValueError, match="max_bytes"):
        WordTable(max_bytes=100)
