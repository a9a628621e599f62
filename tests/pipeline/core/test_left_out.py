"""What lies in the input folders and nobody takes is said; names of files and folders are only names."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import fsspec
import pytest

from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, list_inputs, open_binary
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.listing import Globs
from llama_data.pipeline.plan import describe, make_plan
from llama_data.pipeline.recipe import Recipe
from llama_data.stages.books.jobs import Settings as BooksSettings

NAMES = ("a.txt", "B.TXT", "c.pdf", "d.pdf", "e.doc", "sub/f.txt", "sub/g.epub", "old/h.txt", ".DS_Store", "a.txt.md5")


def put(root: str, *names: str) -> None:
    for name in names:
        with atomic_write(f"{root}/{name}") as stream:
            stream.write(b"x")


@pytest.fixture(params=["folder", "store"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "in") if request.param == "folder" else f"memory://left-out/{tmp_path.name}"


def test_what_no_glob_takes_is_said(root: str) -> None:
    put(root, *NAMES)
    left_out = LeftOut()
    found = list_inputs(root, ["*.txt", "sub/*.txt", "*.zip"], left_out)
    assert [split.name for split in found] == ["B.TXT", "a.txt", "sub/f.txt"]
    assert left_out.lines() == [
        f"{root}: 4 files were not taken: c.pdf, d.pdf, e.doc, sub/g.epub; 1 folder was not looked into: old/; "
        "2 hidden files, checksums and notes: .DS_Store, a.txt.md5 (globs: *.txt, sub/*.txt, *.zip)"
    ]
    assert left_out.idle(root, ["*.txt", "*.zip"]) == ["*.zip"]
    assert pickle.loads(pickle.dumps(left_out)).lines() == []


def test_nothing_is_said_where_everything_is_taken(root: str) -> None:
    put(root, "a.txt", "b/c.zip", "b/d/e.tar")
    left_out = LeftOut()
    list_inputs(root, ["**/*.txt"], left_out)
    assert left_out.lines() == [f"{root}: 2 files were not taken: b/c.zip, b/d/e.tar (globs: **/*.txt)"]
    list_inputs(root, ["b/*.zip"], left_out)
    left_out.claim(f"{root}/b/", ["d/*"])
    assert left_out.lines() == []


def test_a_folder_that_another_stage_has_as_its_root_is_looked_into(root: str) -> None:
    put(root, "a.txt", "deep/er/b.txt", "deep/other/c.txt")
    left_out = LeftOut()
    list_inputs(root, ["*.txt"], left_out)
    assert "deep/" in left_out.lines()[0]
    list_inputs(f"{root}/deep/er", ["*.txt"], left_out)
    assert left_out.lines() == []


def test_the_first_of_every_kind_is_named(root: str) -> None:
    put(root, "a.txt", *(f"{number:03d}.pdf" for number in range(40)), "zz.epub")
    left_out = LeftOut()
    list_inputs(root, ["*.txt"], left_out)
    [line] = left_out.lines()
    assert "41 files were not taken: 000.pdf, 001.pdf, " in line
    assert "zz.epub, … (globs" in line
    assert "010.pdf" not in line


def test_a_store_is_listed_once_for_each_folder_that_globs_begin_with(monkeypatch: pytest.MonkeyPatch) -> None:
    root = "memory://left-out/listed"
    put(root, "a/x.txt", "a/y.zip", "a/b/z.txt", "c/w.txt", "elsewhere/v.txt")
    fs = fsspec.filesystem("memory")
    listed: list[str] = []
    find = type(fs).find

    def counted(self: object, path: str, **more: object) -> object:
        listed.append(path)
        return find(self, path, **more)

    monkeypatch.setattr(type(fs), "find", counted)
    monkeypatch.setattr(type(fs), "glob", None)
    left_out = LeftOut()
    found = list_inputs(root, ["a/**/*.txt", "a/*.zip", "c/*.txt"], left_out)
    assert [split.name for split in found] == ["a/b/z.txt", "a/x.txt", "a/y.zip", "c/w.txt"]
    left_out.lines()
    assert sorted(listed) == ["/left-out/listed/a", "/left-out/listed/c"]


@pytest.mark.parametrize(
    ("patterns", "roots"),
    [
        (["**/*.txt"], {"": None}),
        (["a/*.txt", "a/b/*.txt"], {"a": 1, "a/b": 1}),
        (["a/*/*.txt", "a/*.zip"], {"a": 2}),
        (["a/**/*.txt", "a/b/*.txt", "ab/*"], {"a": None, "ab": 1}),
        (["**", "x/y"], {"": None}),
        (["x/y", "x/[z]"], {"x": 1}),
        (["plain"], {"": 1}),
        (["./a//*.txt"], {"a": 1}),
    ],
)
def test_a_store_is_listed_from_where_globs_begin(patterns: list[str], roots: dict[str, int | None]) -> None:
    assert Globs(patterns).roots() == roots


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("*.txt", "BOOK.TXT", True),
        ("*.TXT", "book.txt", True),
        ("**/*.wet.gz", "CC/a.WET.GZ", True),
        ("cc/*.wet.gz", "CC/a.wet.gz", False),
        ("A*.txt", "a.txt", False),
        ("*B.txt", "a.B.txt", True),
        ("*wiki*.xml*", "dewiki-1.XML.BZ2", True),
        ("*.[tT]xt", "a.TXT", True),
        ("*.txt", "a.txt.md5", False),
        ("**/*.7z", "stackoverflow.com-Posts.7Z", True),
        ("x*", "x", True),
    ],
)
def test_the_case_of_a_suffix_does_not_matter(pattern: str, name: str, taken: bool) -> None:
    assert Globs([pattern]).match(name) == ([0] if taken else [])


@pytest.mark.parametrize("pattern", ["**x/*.txt", "a/**.txt"])
def test_a_glob_that_means_nothing_is_refused(root: str, pattern: str) -> None:
    put(root, "a.txt")
    with pytest.raises(InputError, match="cannot be read"):
        list_inputs(root, [pattern])


HELL = [
    "a b",
    "a#b",
    "a%20b",
    "a%b",
    "ä漢",
    "a::b",
    "a[0]",
    "a*b",
    "a?b",
    "{a,b}",
    "~",
    "a'b\"c",
    "a\\b",
    "-a",
    "a\nb",
]


@pytest.mark.parametrize("name", HELL)
def test_a_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / name / f"{name}.txt"
    file.parent.mkdir(parents=True)
    file.write_text(name)
    for root in (f"{tmp_path}/{name}", f"{tmp_path}/{name}/", f"file://{tmp_path}/{name}"):
        left_out = LeftOut()
        [split] = list_inputs(root, ["**/*.txt"], left_out)
        assert (split.name, left_out.lines()) == (f"{name}/{name}.txt", [])
        with open_binary(split.path) as stream:
            assert stream.read().decode() == name
    [split] = list_inputs(str(file), ["*"])
    assert split.name == f"{name}.txt"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put("~/dumps", "a.txt")
    assert (tmp_path / "dumps" / "a.txt").exists()
    for root in ("~/dumps", "~/dumps/", "~/dumps/a.txt"):
        [split] = list_inputs(root, ["*.txt"])
        with open_binary(split.path) as stream:
            assert stream.read() == b"x"


def test_names_that_are_not_utf8_are_written_out(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    for name in (b"\xff.txt", b"x.txt"):
        with open(folder + b"/" + name, "wb") as stream:
            stream.write(name)
    found = list_inputs(str(tmp_path), ["**/*.txt"])
    assert [split.name for split in found] == ["caf\\xe9/\\xff.txt", "caf\\xe9/x.txt"]
    with open_binary(found[0].path) as below:
        assert below.read() == b"\xff.txt"
    (tmp_path / "caf\\xe9").mkdir()
    (tmp_path / "caf\\xe9" / "x.txt").touch()
    with pytest.raises(InputError, match="rename one of them"):
        list_inputs(str(tmp_path), ["**/*.txt"])


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    put(str(tmp_path), "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    left_out = LeftOut()
    assert [split.name for split in list_inputs(str(tmp_path), ["*.txt"], left_out)] == ["a.txt"]
    assert "1 file was not taken: pipe.txt" in left_out.lines()[0]


def test_plan_and_run_say_what_they_leave_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    put(str(source), "books/b.epub", "wiki/c.bin", "readme.md", "RUN/documents/old/x.bin")
    (source / "books" / "a.txt").write_text("One book. " * 100)
    globs = ("books/*.txt", "books/*.zip")
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "input": str(source),
            "output": f"{source}/RUN",
            "executor": {"workers": 1},
            "domains": {"books": {"inputs": globs}},
            "sources": {"own": {"inputs": ["wiki/*.bin"]}},
        }
    )
    # The source is not run; its files are no surprise.
    run_stages(recipe, ["books"])
    told = [
        f"books: {source} holds no file that matches books/*.zip",
        f"{source}: 1 file was not taken: books/b.epub; 1 hidden file, checksum or note: readme.md "
        "(globs: books/*.txt, books/*.zip, wiki/*.bin)",
    ]
    assert capsys.readouterr().err.splitlines()[:2] == told
    left_out = LeftOut()
    text = describe(make_plan(recipe, left_out=left_out), left_out)
    assert text.splitlines()[-2:] == told


def test_the_globs_of_a_stage_are_no_surprise_in_the_recipe_that_a_run_has_written(tmp_path: Path) -> None:
    put(str(tmp_path), "in/a.txt")
    for globs, said in ((list(BooksSettings().inputs), False), (["**/*.txt", "**/*.zip"], True)):
        recipe = Recipe.model_validate(
            {"name": "r", "input": f"{tmp_path}/in", "output": f"{tmp_path}/R", "domains": {"books": {"inputs": globs}}}
        )
        left_out = LeftOut()
        text = describe(make_plan(recipe, left_out=left_out), left_out)
        assert ("holds no file that matches" in text) == said
