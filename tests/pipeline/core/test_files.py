"""Files: atomic writing, listing, JSON lines."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import (
    DAMAGE,
    DamagedStream,
    JsonlWriter,
    atomic_write,
    list_inputs,
    open_decompressed,
    read_jsonl,
    read_pieces,
)


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "a" / "file"

    def fail() -> None:
        with atomic_write(str(target)) as stream:
            stream.write(b"half")
            assert not target.exists()
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list((tmp_path / "a").iterdir()) == []
    with atomic_write(str(target)) as stream:
        stream.write(b"whole")
    assert target.read_bytes() == b"whole"


def test_inputs_are_sorted_named_from_the_folder_and_found_at_any_depth(tmp_path: Path) -> None:
    for name in ("b.txt", "a/c.txt", "a/d.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x" * 5)
    found = list_inputs(str(tmp_path), ["**/*.txt"])
    assert [(split.name, split.size, split.end) for split in found] == [("a/c.txt", 5, None), ("b.txt", 5, None)]
    assert [split.name for split in list_inputs(str(tmp_path / "b.txt"), ["**/*.gz"])] == ["b.txt"]


def test_missing_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        list_inputs(str(tmp_path / "absent"), ["*.txt"])
    with pytest.raises(InputError, match=r"no file matches \*\.txt"):
        list_inputs(str(tmp_path), ["*.txt"])


@pytest.mark.parametrize(
    ("pattern", "looks_there"),
    [("**/*.txt", True), ("a/*.txt", True), ("*/*.txt", True), ("b/*.txt", False), ("*.txt", False), ("a/b.txt", True)],
)
def test_a_folder_that_may_not_be_read_is_an_error_where_inputs_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, looks_there: bool
) -> None:
    for name in ("x.txt", "b/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    (tmp_path / "a").mkdir()
    scandir = os.scandir

    def scan(path: str) -> Any:
        if path == f"{tmp_path}/a":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", scan)
    if looks_there:
        with pytest.raises(InputError, match="a: this folder cannot be read"):
            list_inputs(str(tmp_path), [pattern])
    else:
        assert list_inputs(str(tmp_path), [pattern])


def test_json_lines_round_trip_and_a_damaged_file_names_the_line(tmp_path: Path) -> None:
    path = str(tmp_path / "x.jsonl.zst")
    records = [{"id": str(number), "text": "Zeile\n\u2028𝄞" * number} for number in range(2000)]
    with JsonlWriter(path) as writer:
        for record in records:
            writer.write(record)
    assert list(read_jsonl(path)) == records
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole + whole)
    assert list(read_jsonl(path)) == records + records
    for cut in (len(whole) // 2, len(whole) - 1):
        Path(path).write_bytes(whole[:cut])
        with pytest.raises(InputError, match=r"x\.jsonl\.zst: line \d+"):
            list(read_jsonl(path))


PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "": bytes,
}


@pytest.mark.parametrize("suffix", PACK)
def test_decompression_follows_the_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"f{suffix}"
    padding = b"" if suffix == "" else bytes(8)
    path.write_bytes(PACK[suffix](b"one\n") + padding + PACK[suffix](b"two") + padding)
    with open_decompressed(str(path)) as stream:
        assert list(stream) == [b"one\n", b"two"]
    assert b"".join(read_pieces(str(path))) == b"one\ntwo"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize(("damage", "error"), [("cut", EOFError), ("flip", DamagedStream)])
def test_damage_is_raised_after_what_stands_before_it(
    tmp_path: Path, suffix: str, damage: str, error: type[Exception]
) -> None:
    rng = random.Random(3)
    streams = [rng.randbytes(50_000) for _ in range(4)]
    packed = [PACK[suffix](data) for data in streams]
    last = packed[3][:-9] if damage == "cut" else b"no compressed data at all"
    path = tmp_path / f"f{suffix}"
    path.write_bytes(b"".join(packed[:3]) + last)
    found = []
    with pytest.raises(error):
        found.extend(read_pieces(str(path)))
    assert b"".join(found).startswith(b"".join(streams[:3]))
    with open_decompressed(str(path)) as stream, pytest.raises(DAMAGE):
        stream.read()


def test_a_file_that_cannot_be_read_on_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("the connection is lost")

    monkeypatch.setattr("llama_data.pipeline.core.files.open_binary", lambda path: Failing())
    with pytest.raises(OSError, match="connection is lost"):
        list(read_pieces("a.gz"))


def test_object_stores_work_like_folders() -> None:
    with JsonlWriter("memory://bucket/run/a.jsonl.zst") as writer:
        writer.write({"id": "1"})
    assert list(read_jsonl("memory://bucket/run/a.jsonl.zst")) == [{"id": "1"}]
    found = list_inputs("memory://bucket/run", ["**/*.zst"])
    assert [(split.name, split.path) for split in found] == [("a.jsonl.zst", "memory:///bucket/run/a.jsonl.zst")]
