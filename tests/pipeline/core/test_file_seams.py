"""Compressed files are read alike however little is read at a time."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from llama_data.pipeline.core import files
from llama_data.pipeline.core.files import open_decompressed, read_pieces

PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("feed", [1, 2, 5, 64])
@pytest.mark.parametrize("suffix", PACK)
def test_streams_and_padding_are_read_wherever_a_read_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, feed: int
) -> None:
    monkeypatch.setattr(files, "_FEED", feed)
    path = tmp_path / f"a{suffix}"
    texts = [b"one\n" * 30, b"", b"three", b"\0\0four\0"]
    for padding in (0, 1, 4, 7):
        path.write_bytes(b"".join(PACK[suffix](text) + bytes(padding) for text in texts))
        assert b"".join(read_pieces(str(path))) == b"".join(texts)
        with open_decompressed(str(path)) as stream:
            assert stream.read() == b"".join(texts)


@pytest.mark.parametrize("suffix", PACK)
def test_every_shortened_stream_is_cut_off_and_a_whole_one_is_not(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    data = PACK[suffix](b"a text that is some words long")
    for size in range(1, len(data) + 1):
        path.write_bytes(data[:size])
        if size < len(data):
            with pytest.raises(EOFError, match="ends inside"):
                list(read_pieces(str(path)))
        else:
            assert b"".join(read_pieces(str(path))) == b"a text that is some words long"
    path.write_bytes(b"")
    assert list(read_pieces(str(path))) == []
