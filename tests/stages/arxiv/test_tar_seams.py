"""The next sound header of a damaged tar is found wherever the search's reads end."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import archive
from llama_data.stages.arxiv.archive import BLOCK, Limits, Member, read_members

LIMITS = Limits()


def member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf() + data + bytes(-len(data) % BLOCK)


def read(path: Path, data: bytes, start: int = 0, end: int | None = None, limits: Limits = LIMITS) -> list[Member]:
    path.write_bytes(data)
    return list(read_members(Split(path=str(path), name="a.tar", size=len(data), start=start, end=end), limits))


@pytest.mark.parametrize("search", [BLOCK, 2 * BLOCK, 3 * BLOCK, 1 << 20])
@pytest.mark.parametrize("gap", range(5))
def test_reading_goes_on_at_the_next_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search: int, gap: int
) -> None:
    monkeypatch.setattr(archive, "_SEARCH", search)
    first, last = member("2101.1.gz", b"one"), member("2101.2.gz", b"two" * 400)
    # Between them stands what looks like a header, but not at a block's beginning.
    garbage = (b"." * 99 + b"ustar" + b"x" * 408) * gap
    found = read(tmp_path / "a.tar", first + garbage + last)
    assert [(item.name, item.data) for item in found if item.problem is None] == [
        ("2101.1.gz", b"one"),
        ("2101.2.gz", b"two" * 400),
    ]
    assert [item.problem for item in found if item.problem] == [Reason.damaged_archive] * (gap > 0)
    assert found[-1].offset == len(first) + len(garbage)


@pytest.mark.parametrize("search", [BLOCK, 2 * BLOCK, 1 << 20])
def test_a_member_belongs_to_the_piece_in_which_its_header_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, search: int
) -> None:
    monkeypatch.setattr(archive, "_SEARCH", search)
    members = [member(f"2101.{number}.gz", b"%d" % number * 600) for number in range(4)]
    data = b"".join(members) + bytes(2 * BLOCK)
    for cut in range(BLOCK, len(data), BLOCK):
        both = [read(tmp_path / "a.tar", data, 0, cut), read(tmp_path / "a.tar", data, cut, len(data))]
        names = [[item.name for item in part] for part in both]
        assert names[0] + names[1] == [f"2101.{number}.gz" for number in range(4)]
        assert len(names[0]) == min(4, -(-cut // len(members[0])))


@pytest.mark.parametrize(("size", "problem"), [(99, None), (100, None), (101, Reason.unsafe_archive)])
def test_a_paper_may_be_as_large_as_the_limit(tmp_path: Path, size: int, problem: Reason | None) -> None:
    [found] = read(tmp_path / "a.tar", member("2101.1.gz", b"x" * size), limits=Limits(paper_bytes=100))
    assert found.problem is problem
    assert len(found.data) == (0 if problem else size)


@pytest.mark.parametrize(("members", "fine"), [(2, True), (3, True), (4, False)])
def test_a_paper_may_have_as_many_members_and_as_much_text_as_the_limits(members: int, fine: bool) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(members):
            info = tarfile.TarInfo(f"{number}.tex")
            info.size = 10
            tar.addfile(info, io.BytesIO(b"0123456789"))
    data = gzip.compress(buffer.getvalue(), mtime=0)
    for limits in (Limits(members=3), Limits(text_bytes=30)):
        if fine:
            assert len(archive.unpack(data, limits).files) == members
        else:
            with pytest.raises(archive.RecordError) as caught:
                archive.unpack(data, limits)
            assert caught.value.reason is Reason.unsafe_archive


@pytest.mark.parametrize(("size", "fine"), [(29, True), (30, True), (31, False)])
def test_a_single_file_may_be_as_large_as_the_limit(size: int, fine: bool) -> None:
    data, limits = gzip.compress(b"x" * size, mtime=0), Limits(text_bytes=30)
    if fine:
        assert archive.unpack(data, limits).files == {"": b"x" * size}
    else:
        with pytest.raises(archive.RecordError, match="more than 30 bytes"):
            archive.unpack(data, limits)


def test_behind_damage_a_header_may_stand_anywhere(tmp_path: Path) -> None:
    inside = b"." * (2 * BLOCK + 100) + member("2101.9.gz", b"not a member")
    damaged = inside + b"." * (-len(inside) % BLOCK)
    found = read(tmp_path / "a.tar", member("2101.1.gz", b"one") + damaged + member("2101.2.gz", b"two"))
    assert [item.name for item in found] == ["2101.1.gz", "", "2101.9.gz", "", "2101.2.gz"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.tex", "a/b.tex"),
        ("./a//c/../b.tex", "a/b.tex"),
        ("a\\b.tex", "a/b.tex"),
        ("..a.tex", "..a.tex"),
        ("../a.tex", None),
        ("a/../../b.tex", None),
        ("/etc/a.tex", None),
        ("C:/a.tex", None),
        ("C:\\a.tex", None),
        (".", None),
        ("a/..", None),
    ],
)
def test_a_name_that_leaves_the_archive_is_none(name: str, path: str | None) -> None:
    assert archive._safe_name(name) == path
