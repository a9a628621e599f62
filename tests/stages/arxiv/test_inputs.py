r"""Files, packages and where a paper ends; archives that hold two papers."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import archive
from llama_data.stages.arxiv.archive import BLOCK, Limits, read_members, unpack
from llama_data.stages.arxiv.expand import expand
from llama_data.stages.arxiv.project import Project

Body = Callable[..., str]
Runner = Callable[..., Any]


def full(text: str, preamble: str = "") -> str:
    return f"\\documentclass{{article}}{preamble}\\begin{{document}}\\section{{H}}{text}\\end{{document}}"


def test_a_file_ends_with_the_line_of_its_endinput(body: Body) -> None:
    files = {"b__tex": "B\\endinput rest\nnot read", "c__tex": "C\n\\ifx\\p\\q\\endinput\\fi\nD"}
    assert body("", r"\input{b}\input{c}", **files).replace("\n", " ").split() == [
        "B",
        "rest",
        "C",
        r"\ifx\p\q\fi",
        "D",
    ]


def test_a_package_ends_with_its_endinput_and_guards_do_not(body: Body) -> None:
    style = "\\ifx\\done\\undefined\\else\\endinput\\fi\n\\def\\n{N}\n\\endinput\n\\def\\n{dead}"
    assert body(r"\usepackage{own}", r"\n", own__sty=style) == "N"


def test_definitions_of_a_class_and_of_old_style_options() -> None:
    project = Project(
        files={
            "m.tex": rb"\documentstyle[12pt,own]{journal}\begin{document}\section{H}\note{x}\n\end{document}",
            "own.sty": rb"\def\n{N}",
            "journal.sty": rb"\newcommand{\note}[1]{[#1]}\input{more}",
            "more.tex": rb"\def\n{overwritten by own.sty}",
        }
    )
    assert expand(project, "m.tex").text.strip() == r"\section{H}[x]N"


def test_includeonly_and_files_that_may_be_there(body: Body) -> None:
    files = {"d__tex": "D", "e__tex": "E"}
    assert body(r"\includeonly{e}", r"\include{d}\include{e}\input{d}", **files).split() == ["E", "D"]
    text = r"\InputIfFileExists{d}{yes}{no}\IfFileExists{none}{yes}{no}"
    assert body("", text, **files).split() == ["yesD", "no"]


@pytest.mark.parametrize("end", [r"\bye", r"\end", "\\vfill\\end % c"])
def test_plain_tex_ends_where_it_says(end: str) -> None:
    text = f"\\magnification 1200\n\\def\\n{{N}}\\n\n{end}\nafter \\n"
    assert "after" not in expand(Project(files={"": text.encode()}), "").text


def test_bye_is_a_name_like_others_in_latex(body: Body) -> None:
    assert body(r"\newcommand{\bye}{BB}", r"\bye c") == "BB c"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"main.tex": full("m"), "supp.tex": full("s")}, ["main.tex", "supp.tex"]),
        ({"z.tex": full("m"), "a.tex": full("s"), "sub/b.tex": full("t")}, ["a.tex", "z.tex"]),
        ({"main.tex": full("m"), "copy.tex": full("m")}, ["main.tex"]),
        ({"main.tex": full(r"\input{part}"), "part.tex": full("p")}, ["main.tex"]),
        ({"main.tex": full("m"), "fig.tex": full("f").replace("article", "standalone")}, ["main.tex"]),
        ({"a.tex": full("m"), "b.tex": full("s"), "00README.XXX": "b.tex toplevelfile\n"}, ["b.tex"]),
        (
            {"a.tex": full("m"), "b.tex": full("s"), "00README.XXX": "b.tex toplevelfile\na.tex toplevelfile"},
            ["b.tex", "a.tex"],
        ),
        (
            {
                "ms.tex": "\\documentclass{a}\\input{body}",
                "body.tex": "\\begin{document}b\\end{document}",
                "x.tex": full("x"),
            },
            ["ms.tex", "x.tex"],
        ),
        ({"a.tex": full("m"), "b.tex": "%auto-ignore\n" + full("s")}, ["a.tex"]),
        ({"a.tex": full("m"), "b.tex": full("s"), "00README.XXX": "b.tex ignore"}, ["a.tex"]),
        ({"a.tex": full("m"), "b.tex": full("s"), "00README.json": '{"sources": [{"filename": "b.tex"}]}'}, ["b.tex"]),
        ({"x.sty": "x"}, []),
    ],
)
def test_every_complete_paper_of_an_archive_is_taken_in_order(files: dict[str, str], wanted: list[str]) -> None:
    assert Project(files={name: text.encode() for name, text in files.items()}).mains() == wanted


def pack(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_two_papers_are_one_document_that_says_so(run: Runner) -> None:
    files = {
        "b.tex": full("bee \\begin{thebibliography}{9}x\\end{thebibliography}").encode(),
        "a.tex": full("ay").encode(),
    }
    (doc,) = run({"2101.00001.gz": gzip.compress(pack(files), mtime=0)}).documents
    assert doc["text"] == "\\section{H}ay\n\n\\section{H}bee"
    assert (doc["metadata"]["main_file"], doc["metadata"]["further_main_files"]) == ("a.tex", "b.tex")


def test_gzip_files_inside_a_paper_are_unpacked() -> None:
    files = {
        "main.tex.gz": gzip.compress(b"M"),
        "more.tar.gz": gzip.compress(pack({"x/y.tex": b"Y"})),
        "main.bib": b"",
        "fig.eps.gz": gzip.compress(b"%!PS"),
        "z.tex.gz": b"\x1f\x8b broken",
        "w.tex": b"W",
        "w.tex.gz": gzip.compress(b"other"),
    }
    found = unpack(gzip.compress(pack(files)), Limits())
    assert found.files == {"main.tex": b"M", "x/y.tex": b"Y", "w.tex": b"W"}
    assert found.skipped == 1
    with pytest.raises(archive.RecordError) as caught:
        unpack(gzip.compress(pack({"a.tex.gz": gzip.compress(b"x" * 2000)})), Limits(text_bytes=1500))
    assert caught.value.reason is Reason.unsafe_archive


@pytest.mark.parametrize("size", [0, 1, 511, 512, 700, 1024, 1600, 1601, 4000, 100_000, 8 << 30])
@pytest.mark.parametrize("search", [BLOCK, 1 << 20])
def test_a_wrong_size_costs_its_own_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, search: int
) -> None:
    monkeypatch.setattr(archive, "_SEARCH", search)
    papers = {
        f"{number}.gz": gzip.compress(bytes(range(256)) * 4 * number + b"%d" % number, 0) for number in range(1, 6)
    }
    data = bytearray(pack(papers))
    start = data.find(b"2.gz")
    info = tarfile.TarInfo("2.gz")
    info.size = size
    data[start : start + BLOCK] = info.tobuf(tarfile.GNU_FORMAT)[:BLOCK]
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    found = list(read_members(Split(path=str(path), name="x.tar", size=len(data)), Limits()))
    sound = {member.name: member.data for member in found if member.name != "2.gz"}
    assert sound == {name: content for name, content in papers.items() if name != "2.gz"}
    (other,) = (member for member in found if member.name == "2.gz")
    assert other.offset == start
    if -(-size // BLOCK) != -(-len(papers["2.gz"]) // BLOCK):
        assert other.problem is Reason.damaged_archive
