"""Archives as streams: the right member, whole, within limits; damage is one refusal."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import py7zr
import pytest

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.stackexchange import archive as module
from llama_data.stages.stackexchange.archive import open_posts

ROWS = b"".join(b'<row Id="%d" />\n' % number for number in range(20_000))


def seven(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with py7zr.SevenZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(data, name)
    return target.getvalue()


def read(folder: Path, name: str, data: bytes, *, max_bytes: int = 1 << 40, max_ratio: int = 200) -> bytes:
    (folder / name).write_bytes(data)
    split = Split(path=str(folder / name), name=name, size=len(data))
    with open_posts(split, max_bytes=max_bytes, max_ratio=max_ratio) as stream:
        return b"".join(iter(lambda: stream.read(1 << 16), b""))


def refusal(folder: Path, name: str, data: bytes, **limits: int) -> Reason:
    with pytest.raises(RecordError) as caught:
        read(folder, name, data, **limits)
    return caught.value.reason


@pytest.mark.parametrize("member", ["Posts.xml", "beer.stackexchange.com/Posts.xml"])
def test_only_the_posts_come_out_of_a_7z(tmp_path: Path, member: str) -> None:
    data = seven({"Badges.xml": b"<badges/>" * 99, member: ROWS, "Users.xml": b"<users/>"})
    assert read(tmp_path, "a.b.7z", data) == ROWS
    assert [path.name for path in tmp_path.iterdir()] == ["a.b.7z"]


def test_gzip_and_plain(tmp_path: Path) -> None:
    assert read(tmp_path, "Posts.xml.gz", gzip.compress(ROWS)) == ROWS
    assert read(tmp_path, "Posts.xml", ROWS) == ROWS


def test_a_reader_that_stops_early_ends_the_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.b.7z").write_bytes(seven({"Posts.xml": bytes(1 << 20)}))
    split = Split(path=str(tmp_path / "a.b.7z"), name="a.b.7z", size=1 << 20)
    monkeypatch.setattr(module, "_PIECE", 1 << 14)
    with open_posts(split, max_bytes=1 << 40, max_ratio=200) as stream:
        assert len(stream.read(10)) == 10


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    bomb = bytes(4 << 20)
    assert refusal(tmp_path, "a.b.7z", seven({"Posts.xml": bomb}), max_ratio=2) is Reason.unsafe_archive
    assert refusal(tmp_path, "a.b.7z", seven({"Posts.xml": ROWS}), max_bytes=1000) is Reason.unsafe_archive
    assert refusal(tmp_path, "Posts.xml.gz", gzip.compress(bomb), max_ratio=2) is Reason.unsafe_archive


def test_an_archive_without_posts_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.b.7z", seven({"Badges.xml": b"x"})) is Reason.missing_field


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.b.7z", b"not an archive at all" * 9) is Reason.damaged_archive
    assert refusal(tmp_path, "Posts.xml.gz", b"not an archive at all") is Reason.damaged_archive


def test_a_cut_off_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(random.Random(0).randbytes(100_000))  # what precedes the cut is delivered: see test_jobs
    assert refusal(tmp_path, "Posts.xml.gz", whole[:50_000]) is Reason.truncated_file
    assert refusal(tmp_path, "a.b.7z", seven({"Posts.xml": ROWS})[:2000]) is Reason.damaged_archive


def test_no_damage_to_an_archive_does_worse_than_a_refusal(tmp_path: Path) -> None:
    whole = seven({"Badges.xml": b"b" * 500, "Posts.xml": random.Random(0).randbytes(5000)})
    chance = random.Random(1)
    refused = 0
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            read(tmp_path, "a.b.7z", bytes(data))
        except RecordError:
            refused += 1
    assert refused > 40


def test_damage_is_found_by_the_checksum(tmp_path: Path) -> None:
    data = bytearray(seven({"Posts.xml": random.Random(0).randbytes(5000)}))
    data[2000] ^= 1
    with pytest.raises(RecordError):
        read(tmp_path, "a.b.7z", bytes(data))
