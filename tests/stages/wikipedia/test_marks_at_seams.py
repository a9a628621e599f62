"""Where a compressed stream begins is found wherever a read ends inside its mark."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from pathlib import Path

import pytest

from llama_data.stages.wikipedia.dump import stream
from llama_data.stages.wikipedia.dump.stream import (
    BZ2_MAGIC,
    GZIP_MAGIC,
    XZ_MAGIC,
    Block,
    Damage,
    find_magic,
    read_range,
)

MARKS = {
    "bzip2": (b"BZh91AY&SY", BZ2_MAGIC),
    "empty bzip2": (b"BZh1\x17rE8P\x90", BZ2_MAGIC),
    "gzip": (b"\x1f\x8b\x08\x08", GZIP_MAGIC),
    "xz": (b"\xfd7zXZ\x00\x00\x04", XZ_MAGIC),
}


@pytest.mark.parametrize("chunk", [1, 3, 9, 10, 11, 16])
@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_is_found_at_every_place_of_a_read(monkeypatch: pytest.MonkeyPatch, kind: str, chunk: int) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    mark, magic = MARKS[kind]
    for place in range(2 * chunk + len(mark) + 2):
        # What goes before is the beginning of a mark that does not go on.
        data = (b"." + mark[:-2])[:place].rjust(place, b"_") + mark + b"tail" * 5
        file = io.BytesIO(data)
        assert find_magic(file, 0, None, magic) == place
        assert find_magic(file, place, None, magic) == place
        assert find_magic(file, place + 1, None, magic) is None
        assert find_magic(file, 0, place + 1, magic) == place
        assert find_magic(file, 0, place, magic) is None
        assert find_magic(io.BytesIO(data[: place + len(mark) - 1]), 0, None, magic) is None


@pytest.mark.parametrize(("suffix", "pack"), [(".bz2", bz2.compress), (".gz", gzip.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 18])
def test_reading_goes_on_at_the_next_stream_for_any_size_of_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, pack: object, chunk: int
) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    assert callable(pack)
    texts = [b"first page " * 9, b"second page " * 9, b"third page " * 9, b"fourth " * 9]
    streams = [pack(text) for text in texts]
    broken = streams[1][:20] + b"\xff" * 9 + streams[1][29:]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(streams[0] + broken + bytes(11) + streams[2] + bytes(30) + streams[3] + bytes(5))
    found = list(read_range(str(path), 0, None))
    assert [item.offset for item in found if isinstance(item, Damage)] == [len(streams[0])]
    by_stream: dict[int | None, bytes] = {}
    for item in found:
        if isinstance(item, Block):
            by_stream[item.origin] = by_stream.get(item.origin, b"") + item.data
    third = len(streams[0]) + len(broken) + 11
    fourth = third + len(streams[2]) + 30
    assert {key: text for key, text in by_stream.items() if key != len(streams[0])} == {
        0: texts[0],
        third: texts[2],
        fourth: texts[3],
    }


@pytest.mark.parametrize("chunk", [1, 5, 8, 100])
def test_a_range_owns_the_streams_that_begin_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    streams = [bz2.compress(b"%d" % number) for number in range(3)]
    path = tmp_path / "a.bz2"
    path.write_bytes(b"".join(streams))
    second = len(streams[0])
    for end, own in ((second, [True, False, False]), (second + 1, [True, True, False]), (None, [True] * 3)):
        blocks = [item for item in read_range(str(path), 0, end) if isinstance(item, Block)]
        assert [block.own for block in blocks] == own
    (tmp_path / "a.xml").write_bytes(b"0123456789")
    for end in (3, 8, 10):
        blocks = [item for item in read_range(str(tmp_path / "a.xml"), 1, end) if isinstance(item, Block)]
        assert b"".join(block.data for block in blocks if block.own) == b"0123456789"[1:end]
        assert b"".join(block.data for block in blocks) == b"123456789"
