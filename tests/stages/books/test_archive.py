"""Members of zip archives: every compression within limits, and archives that lie."""

from __future__ import annotations

import bz2
import io
import lzma
import struct
import tracemalloc
import zipfile
import zlib
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import zip_members as archive
from llama_data.stages.shared.zip_members import open_archive, read_member

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 93]
BOMB = 64 << 20


def zipped(data: bytes, method: int, name: str = "a.txt") -> bytes:
    """An archive of one member. zipfile writes no zstd: such a member is stored, and its method changed."""
    target = io.BytesIO()
    packed = zstandard.compress(data) if method == 93 else data
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED if method == 93 else method) as file:
        file.writestr(name, packed)
    made = bytearray(target.getvalue())
    if method == 93:
        for mark, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
            begin = made.rindex(mark)
            struct.pack_into("<H", made, begin + place, method)
            struct.pack_into("<LLL", made, begin + place + 6, zlib.crc32(data), len(packed), len(data))
    return bytes(made)


def read(data: bytes, most: int = 1 << 30) -> bytes:
    raw = io.BytesIO(data)
    with open_archive(raw) as file:
        return read_member(raw, file.infolist()[0], most)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.binary(max_size=3_000), times=st.integers(1, 200))
def test_members_are_read_whole_or_as_far_as_asked(method: int, data: bytes, times: int) -> None:
    data *= times
    packed = zipped(data, method)
    assert read(packed) == data
    for most in (len(data), max(0, len(data) - 1), len(data) // 2):
        assert read(packed, most) == data[:most]


@pytest.mark.parametrize("method", METHODS[1:])
@pytest.mark.parametrize("piece", [1, 7, 64])
def test_seams_of_the_input(method: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_PIECE", piece)
    data = bytes(range(256)) * 40 + b"the same again " * 500
    assert read(zipped(data, method)) == data


@pytest.mark.parametrize("method", METHODS[1:])
def test_a_bomb_takes_no_memory(method: int) -> None:
    packed = zipped(bytes(BOMB), method)
    tracemalloc.start()
    try:
        assert read(packed, 100_000) == bytes(100_000)
        assert tracemalloc.get_traced_memory()[1] < BOMB // 4
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", METHODS)
def test_damage_is_found(method: int) -> None:
    data = bytes(index * 7 % 251 for index in range(5_000))
    packed = bytearray(zipped(data, method))
    packed[len(packed) // 2] ^= 0x55
    with pytest.raises(archive.DAMAGED):
        read(bytes(packed))


@pytest.mark.parametrize("method", METHODS)
def test_a_member_that_ends_early_is_damaged(method: int) -> None:
    packed = bytearray(zipped(b"some words that are not all there" * 40, method))
    begin = packed.rindex(b"PK\1\2")
    stored = struct.unpack_from("<L", packed, begin + 20)[0]
    struct.pack_into("<L", packed, begin + 20, stored // 2)
    with pytest.raises(archive.DAMAGED):
        read(bytes(packed))


def test_an_archive_whose_beginning_is_missing(run_stage: Any, prose: Any) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("a.txt", prose("a", 400))
        file.writestr("b.txt", prose("b", 400))
    whole = target.getvalue()
    cut = whole[200:]
    out = run_stage({"cut.zip": cut, "tail.zip": whole[len(whole) - 150 :], "good.txt": prose("g", 100)}).outcomes()
    assert out["cut.zip#a.txt"] == ("failed", "damaged_archive")
    assert out["cut.zip#b.txt"] == ("kept", None)
    assert out["good.txt"] == ("kept", None)
    assert ("failed", "damaged_archive") in [value for name, value in out.items() if name.startswith("tail.zip")]


def test_methods_and_encryption_that_are_not_read() -> None:
    packed = bytearray(zipped(b"text " * 50, zipfile.ZIP_DEFLATED))
    begin = packed.rindex(b"PK\1\2")
    for place, value, word in ((10, 9, "method 9"), (8, 1, "encrypted")):
        changed = bytearray(packed)
        struct.pack_into("<H", changed, begin + place, value)
        with pytest.raises(RecordError, match=word) as caught:
            read(bytes(changed))
        assert caught.value.reason is Reason.damaged_archive


def test_lzma_may_not_ask_for_more_memory_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zipped(b"text " * 50, zipfile.ZIP_LZMA)
    place = packed.index(b"\5\0", 30) + 3
    asked = struct.unpack_from("<L", packed, place)[0]
    monkeypatch.setattr(archive, "_DICTIONARY", asked)
    assert read(packed) == b"text " * 50
    monkeypatch.setattr(archive, "_DICTIONARY", asked - 1)
    with pytest.raises(RecordError, match="memory") as caught:
        read(packed)
    assert caught.value.reason is Reason.unsafe_archive


def test_a_directory_may_not_be_larger_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zipped(b"text", zipfile.ZIP_STORED)
    directory = len(packed) - packed.rindex(b"PK\1\2") - 22
    monkeypatch.setattr(archive, "MOST_DIRECTORY", directory)
    assert read(packed) == b"text"
    monkeypatch.setattr(archive, "MOST_DIRECTORY", directory - 1)
    with pytest.raises(RecordError, match="directory") as caught:
        read(packed)
    assert caught.value.reason is Reason.unsafe_archive


def test_members_that_lie_upon_each_other(run_stage: Any, prose: Any) -> None:
    text = prose("a", 400).encode()
    packed = zipped(text, zipfile.ZIP_STORED)
    begin = packed.rindex(b"PK\1\2")
    entry, end = packed[begin:-22], bytearray(packed[-22:])
    struct.pack_into("<HHL", end, 8, 3, 3, 3 * len(entry))
    files = {"pile.zip": packed[:begin] + entry * 3 + end, "good.txt": prose("g", 100)}
    assert run_stage(files).outcomes() == {"pile.zip#0": ("failed", "unsafe_archive"), "good.txt": ("kept", None)}


@pytest.mark.parametrize("suffix", ["bz2", "xz"])
def test_a_bomb_beside_archives_takes_no_memory(run_stage: Any, prose: Any, suffix: str) -> None:
    packed = (bz2 if suffix == "bz2" else lzma).compress(bytes(BOMB))
    tracemalloc.start()
    try:
        out = run_stage({f"b.txt.{suffix}": packed, "good.txt": prose("g", 50)}, inputs=["*.txt", "*.bz2", "*.xz"])
        assert tracemalloc.get_traced_memory()[1] < BOMB // 2
    finally:
        tracemalloc.stop()
    assert out.outcomes() == {f"b.txt.{suffix}#0": ("failed", "unsafe_archive"), "good.txt": ("kept", None)}
