"""Loads and stores against plain bytes, at every offset, and at the very end of what may be read."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from llama_data.pipeline.kernels import memory
from llama_data.pipeline.kernels.memory import (
    PADDING,
    address,
    borrowed,
    copy,
    load_byte_at,
    load_float_at,
    load_int_at,
    load_word,
    load_word_at,
    prefetch,
    prefetch_at,
    store_word,
    store_word_at,
)


@njit
def loads(data, at):  # type: ignore[no-untyped-def]
    place = address(data) + at
    prefetch(data, at)
    prefetch_at(place)
    return load_word(data, at), load_word_at(place), load_int_at(place), load_byte_at(place), load_float_at(place)


@njit
def stores(one, other, at, word):  # type: ignore[no-untyped-def]
    store_word(one, at, word)
    store_word_at(address(other) + at, word)


@njit
def copied(source, start, end, out, at):  # type: ignore[no-untyped-def]
    return copy(source, start, end, out, at)


@njit
def summed(arrays):  # type: ignore[no-untyped-def]
    one, other = borrowed(arrays)
    return one.sum() + other.sum()


Pair = namedtuple("Pair", ["one", "other"])


@given(st.binary(min_size=8, max_size=24), st.data())
def test_loads_read_little_endian_numbers_at_any_byte(data: bytes, chooser: st.DataObject) -> None:
    at = chooser.draw(st.integers(0, len(data) - 8))
    array = np.frombuffer(data, np.uint8)
    word, word_at, int_at, byte_at, float_at = loads(array, at)
    assert word == word_at == int.from_bytes(data[at : at + 8], "little")
    assert int_at == int.from_bytes(data[at : at + 4], "little", signed=True)
    assert byte_at == data[at]
    assert np.float32(float_at).tobytes() == data[at : at + 4] or np.isnan(float_at)


@given(st.integers(0, 2**64 - 1), st.integers(0, 16))
def test_stores_write_eight_bytes_and_no_more(word: int, at: int) -> None:
    one, other = np.full(24, 0xAA, np.uint8), np.full(24, 0xAA, np.uint8)
    stores(one, other, at, np.uint64(word))
    wanted = b"\xaa" * at + word.to_bytes(8, "little") + b"\xaa" * (16 - at)
    assert one.tobytes() == other.tobytes() == wanted


@given(st.binary(max_size=40), st.integers(0, 9), st.integers(0, 9))
def test_a_copy_is_the_slice_and_overhangs_by_less_than_a_word(data: bytes, start: int, at: int) -> None:
    start = min(start, len(data))
    source = np.frombuffer(data + bytes(PADDING), np.uint8)
    size = len(data) - start
    out = np.full(at + size + PADDING, 0xAA, np.uint8)
    assert copied(source, start, len(data), out, at) == at + size
    assert out[:at].tobytes() == b"\xaa" * at
    assert out[at : at + size].tobytes() == data[start:]
    assert out[-1] == 0xAA


@pytest.mark.parametrize("kind", [tuple, Pair._make])
def test_borrowed_arrays_are_the_arrays(kind: type) -> None:
    arrays = kind((np.arange(5, dtype=np.int32), np.full(3, 0.5, np.float32)))
    assert summed(arrays) == 11.5
    # A count taken back without having been given would free the memory under the caller.
    counts = [sys.getrefcount(array) for array in arrays]
    for _ in range(100):
        summed(arrays)
    assert [sys.getrefcount(array) for array in arrays] == counts
    assert arrays[0].tolist() == [0, 1, 2, 3, 4]


def test_big_endian_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "byteorder", "big")
    with pytest.raises(ImportError, match="big-endian"):
        importlib.reload(memory)


_AT_THE_END_OF_A_PAGE = """
import ctypes, mmap
import numpy as np
from llama_data.pipeline.kernels import memory, utf8, word_table
from llama_data.stages.steps.kernels.line_hash import hash_line, hash_spans

libc = ctypes.CDLL(None, use_errno=True)
page = mmap.PAGESIZE
space = mmap.mmap(-1, 2 * page)
whole = np.frombuffer(space, np.uint8)
assert libc.mprotect(ctypes.c_void_p(whole.ctypes.data + page), page, 0) == 0

def at_the_end(data):
    place = whole[page - len(data) : page]
    place[:] = np.frombuffer(data, np.uint8)
    return place

texts = ["", "a", "seven 7", "eight 88", "nine  999", "x" * 63, "\\u00e9", "x\\u4e2d", "\\U0001f600" * 5, "\\u3000"]
for text in texts:
    data = text.encode()
    size = len(data)
    padded = at_the_end(data + bytes(memory.PADDING))
    assert utf8.valid_characters(padded, 0, size) == len(text)
    assert utf8.strip_left(padded, 0, size) == size - len(text.lstrip().encode())
    assert utf8.strip_right(padded, 0, size) == len(text.rstrip().encode())
    starts, ends = np.array([0]), np.array([size])
    assert hash_spans(padded, starts, ends)[0] == hash_line(text)
    if text:
        table = word_table.WordTable(max_bytes=1 << 16)
        key = np.uint64(word_table.key_hash(padded, 0, size))
        assert word_table.insert(table.arrays, padded, 0, size, key, np.array([7], np.int32), 1)
        assert word_table.find(table.arrays, padded, 0, size, key) >= 0
        # Trusted text has no padding.
        bare = at_the_end(text[-1].encode())
        assert utf8.decode_trusted_at(bare.ctypes.data) == (ord(text[-1]), bare.size)
print("read to the end", %(beyond)s)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forbids a page as Linux does")
@pytest.mark.parametrize(("beyond", "sound"), [("", True), ("whole[page]", False)])
def test_no_kernel_reads_beyond_its_padding(beyond: str, sound: bool) -> None:
    """The page behind the text must not be read: a load there ends the process."""
    code = _AT_THE_END_OF_A_PAGE % {"beyond": beyond}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode == 0) is sound, done.stderr
    assert done.stderr == "" if sound else "read to the end" not in done.stdout
