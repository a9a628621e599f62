"""JSON lines: numbers, damage, and everything before it."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import random
from pathlib import Path

import pytest
import zstandard

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import json_rows as module
from llama_data.stages.shared.json_rows import json_rows

COMPRESS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=0),
}
FORMATS = pytest.mark.parametrize("suffix", list(COMPRESS))


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


@FORMATS
def test_lines_are_numbered_over_blank_and_broken_ones(tmp_path: Path, suffix: str) -> None:
    data = b'{"a": 1}\n\n  \r\n{"a": \n[1]\n"x"\n{"a": "\\ud800"}\n{"a": 2}'
    found = list(json_rows(write(tmp_path / f"a.jsonl{suffix}", COMPRESS[suffix](data))))
    assert [number for number, _ in found] == [1, 4, 5, 6, 7, 8]
    assert [row for _, row in found if isinstance(row, dict)] == [{"a": 1}, {"a": 2}]
    assert {row.reason for _, row in found if isinstance(row, RecordError)} == {Reason.invalid_json}


@FORMATS
def test_streams_one_after_the_other_are_one_file(tmp_path: Path, suffix: str) -> None:
    data = b"".join(COMPRESS[suffix](f'{{"a": {n}}}\n'.encode()) for n in range(5))
    found = list(json_rows(write(tmp_path / f"a.jsonl{suffix}", data)))
    assert found == [(n + 1, {"a": n}) for n in range(5)]


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_what_stands_before_the_damage_is_read(tmp_path: Path, suffix: str, damage: str) -> None:
    rng = random.Random(1)
    rows = [{"a": rng.randbytes(200).hex()} for _ in range(6_000)]
    data = bytearray(COMPRESS[suffix](b"".join(json.dumps(row).encode() + b"\n" for row in rows)))
    place = len(data) * 3 // 4
    if damage == "cut":
        del data[place:]
    else:
        data[place : place + 50] = bytes(50)
    found = list(json_rows(write(tmp_path / f"a.jsonl{suffix}", bytes(data))))
    sound = [row for _, row in found if isinstance(row, dict)]
    # Compressors work in blocks of up to 900 kB: that much before the damage may be lost.
    assert len(sound) > 2_000
    assert sound[:2_000] == rows[:2_000]
    assert isinstance(found[-1][1], RecordError)
    if damage == "cut":
        assert found[-1][1].reason is Reason.truncated_file


def test_a_line_over_the_limit_costs_that_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE", 100)
    data = b'{"a": 1}\n{"a": "' + b"x" * 3_000_000 + b'"}\n{"a": 2}\n'
    found = list(json_rows(write(tmp_path / "a.jsonl", data)))
    assert [row for _, row in found if isinstance(row, dict)] == [{"a": 1}, {"a": 2}]
    assert [(number, row.reason) for number, row in found if isinstance(row, RecordError)] == [(2, Reason.too_complex)]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    assert list(json_rows(write(tmp_path / "a.jsonl.gz", b""))) == []
