"""Source tars are read member by member, within limits, past damage."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from llama_data.pipeline.core.files import Split
from llama_data.stages.arxiv.archive import Limits, cut, read_members
from llama_data.stages.arxiv.reader import parse_id

TEX = "\\documentclass{article}\n\\begin{document}\n\\section{One}\nText.\n\\end{document}\n"
Runner = Callable[..., Any]


def paper(text: str = TEX) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("2101/2101.00001.gz", ("2101.00001", "2101")),
        ("0704.0001.gz", ("0704.0001", "0704")),
        ("2101/2101.00001v2.pdf", ("2101.00001v2", "2101")),
        ("9901/hep-th9901001.gz", ("hep-th/9901001", "9901")),
        ("math.AG0101001.gz", ("math.AG/0101001", "0101")),
        ("readme.gz", None),
    ],
)
def test_identifiers(name: str, wanted: tuple[str, str] | None) -> None:
    assert parse_id(name) == wanted


def test_every_member_has_a_row(run: Runner) -> None:
    members = {
        "2101/2101.00001.gz": paper(),
        "2101/2101.00002.gz": gzip.compress(tar({"a.tex": TEX.encode(), "b.png": b"\0"}), mtime=0),
        "2101/2101.00003.pdf": b"%PDF-1.4",
        "2101/2101.00004.gz": gzip.compress(b"%PDF-1.4 \0\0", mtime=0),
        "2101/2101.00005.gz": gzip.compress(b"withdrawn by the author", mtime=0),
        "2101/2101.00006.gz": gzip.compress(bytes(range(256)) * 40, mtime=0),
        "2101/2101.00007.gz": paper()[:-12],
        "2101/2101.00008.gz": b"not gzip at all",
        "2101/2101.00009.gz": gzip.compress(tar({"a.tex": TEX.encode() * 50})[:1500], mtime=0),
        "2101/2101.00010.gz": paper("\\documentclass{article}\\begin{document}\\end{document}"),
        "2101/2101.00011.gz": gzip.compress(tar({"fig.png": b"\0"}), mtime=0),
    }
    found = run(members)
    rows = [(row["outcome"], row["reason"]) for row in found.ledger]
    assert rows == [
        ("kept", None),
        ("kept", None),
        ("rejected", "no_tex"),
        ("rejected", "no_tex"),
        ("rejected", "no_tex"),
        ("failed", "wrong_format"),
        ("failed", "damaged_archive"),
        ("failed", "damaged_archive"),
        ("failed", "damaged_archive"),
        ("rejected", "no_body"),
        ("rejected", "no_tex"),
    ]
    assert len(found.documents) == 2
    assert all("#" in row["source"] for row in found.ledger)
    assert len({row["id"] for row in found.ledger}) == len(members)


def test_metadata(run: Runner) -> None:
    found = run({"0001/math.AG0001001.gz": paper("\\documentclass{a}\\begin{document}\\def\\x{y}\\section{\\x}")})
    (doc,) = found.documents
    assert doc["id"] == "arxiv/math.AG/0001001"
    assert doc["text"] == "\\section{y}"
    wanted = {"arxiv_id": "math.AG/0001001", "yymm": "0001", "url": "https://arxiv.org/abs/math.AG/0001001"}
    assert doc["metadata"].items() >= {**wanted, "encoding": "utf-8", "macros_expanded": 1}.items()


def test_a_bomb_is_refused_and_nothing_else_suffers(run: Runner) -> None:
    bomb = gzip.compress(b"\\documentclass" + b"a" * (40 << 20), mtime=0)
    many = gzip.compress(tar({f"{i}.tex": b"" for i in range(12)}), mtime=0)
    found = run({"2101.00001.gz": bomb, "2101.00002.gz": many, "2101.00003.gz": paper()}, max_members=10)
    assert [(row["outcome"], row["reason"]) for row in found.ledger] == [
        ("failed", "unsafe_archive"),
        ("failed", "unsafe_archive"),
        ("kept", None),
    ]


def test_members_that_leave_the_archive_are_not_taken(run: Runner) -> None:
    files = {"../evil.tex": b"x", "/etc/evil.tex": b"x", "ok.tex": TEX.replace("Text", "\\input{../evil}").encode()}
    found = run({"2101.00001.gz": gzip.compress(tar(files), mtime=0)})
    (doc,) = found.documents
    assert doc["metadata"]["skipped_members"] == 2
    assert doc["metadata"]["missing_inputs"] == 1


def test_a_file_that_is_no_tar_is_one_failed_row(tmp_path: Any) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(b"this is not a tar" * 100)
    (member,) = read_members(Split(path=str(path), name="x.tar", size=1700), Limits())
    assert (str(member.problem), member.offset) == ("wrong_format", 0)


def test_reading_goes_on_after_a_broken_header(tmp_path: Any) -> None:
    data = bytearray(tar({f"{i}.gz": bytes([i]) * 600 for i in range(1, 4)}))
    data[1536 : 1536 + 100] = b"\xff" * 100  # the second header
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    found = list(read_members(Split(path=str(path), name="x.tar", size=len(data)), Limits()))
    assert [(member.name, str(member.problem)) for member in found] == [
        ("1.gz", "None"),
        ("", "damaged_archive"),
        ("3.gz", "None"),
    ]
    assert found[1].offset == 1536


def test_a_truncated_tar_costs_its_last_member(tmp_path: Any) -> None:
    data = tar({f"{i}.gz": bytes(600) for i in range(3)})[: 1536 * 2 + 700]
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    found = list(read_members(Split(path=str(path), name="x.tar", size=len(data)), Limits()))
    assert [str(member.problem) for member in found] == ["None", "None", "truncated_file"]


@pytest.mark.parametrize("size", [512, 1024, 2048, 5000, 10**9])
def test_pieces_of_a_tar_hold_every_member_once(tmp_path: Any, size: int) -> None:
    members = {f"{i:03}.gz": bytes([i]) * (i * 97 % 3000) for i in range(30)}
    members["n" * 150 + ".gz"] = b"a long name"
    data = tar(members)
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    whole = Split(path=str(path), name="x.tar", size=len(data))
    found = [member for piece in cut(whole, size) for member in read_members(piece, Limits())]
    assert {member.name: member.data for member in found} == members
    assert len(found) == len(members)


def test_pieces_give_the_same_documents(run: Runner) -> None:
    members = {f"2101/2101.{i:05}.gz": paper(TEX.replace("Text", f"Text {i}" * 100)) for i in range(20)}
    one = run(members)
    many = run(members, max_task_bytes=2048)
    assert one.documents == many.documents
    assert len(many.documents) == 20
