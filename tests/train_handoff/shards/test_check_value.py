"""The check value of a file that is read in several pieces."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from llama_data.train_handoff.shards import checked
from llama_data.train_handoff.shards.checked import BLANK_CHECK, MARK, check_value
from llama_data.train_handoff.shards.verify import verify


@pytest.fixture
def shard(tmp_path: Path, make_shard: Callable[..., np.ndarray]) -> Path:
    make_shard(tmp_path / "web" / "00000.parquet", 40)
    return tmp_path / "web" / "00000.parquet"


@pytest.mark.parametrize("piece", [1, 7, 64, 500, 1 << 20])
def test_any_size_of_pieces_gives_the_same_value(shard: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(checked, "READ_BYTES", piece)
    assert check_value(str(shard)) is None
    assert verify([str(shard)]) == []


@pytest.mark.parametrize("piece", [97, 128])
def test_every_changed_byte_is_found_also_beyond_the_first_piece(
    shard: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(checked, "READ_BYTES", piece)
    data = shard.read_bytes()
    body = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    assert body > 6 * piece
    for place in range(body):
        damaged = bytearray(data)
        damaged[place] ^= 1
        shard.write_bytes(damaged)
        assert "CRC-32" in (check_value(str(shard)) or ""), place


def test_the_value_in_the_footer_is_that_of_the_whole_file_with_zeros_in_its_place(shard: Path) -> None:
    data = shard.read_bytes()
    at = data.index(MARK) + len(MARK)
    blank = data[:at] + b"0" * 8 + data[at + 8 :]
    assert BLANK_CHECK in blank
    assert data[at : at + 8] == b"%08x" % zlib.crc32(blank)


def test_bytes_behind_the_end_and_a_footer_without_a_value_are_named(shard: Path) -> None:
    data = shard.read_bytes()
    for wrong in (data[:11], data[-11:], data + b"x", b"PAR1"):
        shard.write_bytes(wrong)
        assert "does not end with its footer" in (check_value(str(shard)) or "")
    shard.write_bytes(data.replace(MARK, MARK.upper()))
    assert "holds no check value" in (check_value(str(shard)) or "")
