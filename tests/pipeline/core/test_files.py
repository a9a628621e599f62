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
    Split,
    atomic_write,
    compression_of,
    group_splits,
    list_inputs,
    open_binary,
    open_decompressed,
    read_pieces,
)
from llama_data.pipeline.core.jsonl import JsonlWriter, read_jsonl


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
    with pytest.raises(InputError, match="no such file or folder"):
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


def test_a_link_to_a_file_is_a_file_and_to_a_folder_a_folder(tmp_path: Path) -> None:
    root, store = tmp_path / "in", tmp_path / "store"
    for name, data in (("blob", "12345"), ("folder/x.txt", "1"), ("other", "no")):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_text(data)
    (root / "a").mkdir(parents=True)
    (root / "a" / "x.txt").symlink_to(os.path.relpath(store / "blob", root / "a"))
    (root / "b").symlink_to(store / "folder")
    (root / "c.txt").write_text("123")
    found = list_inputs(str(root), ["**/*.txt"])
    assert [(split.name, split.size) for split in found] == [("a/x.txt", 5), ("b/x.txt", 1), ("c.txt", 3)]
    assert Path(found[0].path).read_text() == "12345"
    assert [split.name for split in list_inputs(str(root), ["b/*"])] == ["b/x.txt"]


def test_a_link_that_leads_nowhere_is_an_error_where_it_would_be_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"b\.txt: a link to a file that is not there"):
        list_inputs(str(tmp_path), ["*.txt"])
    assert [split.name for split in list_inputs(str(tmp_path), ["a*"])] == ["a.txt"]


def test_links_in_a_circle_are_walked_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(name)
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "b" / "loop.txt").symlink_to(tmp_path / "b" / "loop.txt")
    with pytest.raises(InputError, match=r"loop\.txt: a link to a file"):
        list_inputs(str(tmp_path), ["**/*.txt"])
    (tmp_path / "b" / "loop.txt").unlink()
    names = [split.name for split in list_inputs(str(tmp_path), ["**/*.txt"])]
    assert names == ["a/to_b/x.txt", "a/x.txt", "b/to_a/x.txt", "b/x.txt"]


@pytest.mark.parametrize("folder", ["a[1]", "a*", "a::b", "what?", "{x}", "a b"])
def test_the_folder_of_the_input_is_no_glob(tmp_path: Path, folder: str) -> None:
    for name in (f"{folder}/sub/x.txt", "a1/sub/x.txt", "axx/sub/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    [split] = list_inputs(f"{tmp_path}/{folder}", ["**/*.txt"])
    assert split.name == "sub/x.txt"
    with open_binary(split.path) as stream:
        assert stream.read().decode() == f"{folder}/sub/x.txt"
    if "::" not in folder:
        with atomic_write(f"memory://bucket/{folder}/sub/x.txt") as stream:
            stream.write(b"x")
        with atomic_write("memory://bucket/a1/sub/x.txt") as stream:
            stream.write(b"x")
        assert [found.name for found in list_inputs(f"memory://bucket/{folder}", ["sub/*.txt"])] == ["sub/x.txt"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["X.TXT", "a.txt"]),
        ("**", ["X.TXT", "a.txt", "d/b.txt", "d/e/c.txt"]),
        ("**/*.txt", ["X.TXT", "a.txt", "d/b.txt", "d/e/c.txt"]),
        ("d/**", ["d/b.txt", "d/e/c.txt"]),
        ("d/*/c.txt", ["d/e/c.txt"]),
        ("./a.txt", ["a.txt"]),
        ("d//b.txt", ["d/b.txt"]),
        ("[ab].txt", ["a.txt"]),
        ("**/e/*", ["d/e/c.txt"]),
        ("*.TXT", ["X.TXT", "a.txt"]),
        ("x.*", []),
        ("X.*", ["X.TXT"]),
    ],
)
def test_globs_find_the_same_in_a_folder_and_in_a_store(tmp_path: Path, pattern: str, names: list[str]) -> None:
    for name in ("X.TXT", "a.txt", "d/b.txt", "d/e/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("x")
        with atomic_write(f"memory://globs/{name}") as stream:
            stream.write(b"x")
    for root in (str(tmp_path), "memory://globs"):
        if names:
            assert [split.name for split in list_inputs(root, [pattern])] == names
        else:
            with pytest.raises(InputError, match="no file matches"):
                list_inputs(root, [pattern])


@pytest.mark.parametrize(
    ("limit", "names"), [(8, ["a", "b", "c", "de"]), (9, ["ab", "c", "de"]), (10, ["ab", "c", "de"])]
)
def test_neighbours_share_a_group_up_to_the_limit(limit: int, names: list[str]) -> None:
    splits = [Split(path=name, name=name, size=size) for name, size in zip("abcde", (5, 4, 20, 8, 0), strict=True)]
    assert ["".join(split.name for split in group) for group in group_splits(splits, limit)] == names
    assert group_splits([], limit) == []


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_compression_is_told_by_the_first_bytes(suffix: str) -> None:
    assert compression_of(PACK[suffix](b"text")) == suffix
    assert compression_of(PACK[suffix](b"")) == suffix
    assert [compression_of(head) for head in (b"", b"BZh9 is text", b"{}", b"PK", b"\x1f")] == [""] * 5
    skippable = b"\x5e\x2a\x4d\x18\x01\x00\x00\x00x"
    assert compression_of(skippable) == ".zst"
    assert compression_of(b"\x6e" + skippable[1:]) == ""


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


def test_no_glob_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(InputError, match="no glob says which of its files to take"):
        list_inputs(str(tmp_path), [])
