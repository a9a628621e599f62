"""Repositories and archives as input of the domain: what is a record, what is not, and what damage costs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from llama_data.pipeline.core.errors import InputError
from llama_data.stages.github import archives, entry, git, jobs, repositories

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
RunDomain = Callable[..., Any]
CODE = "def add(a, b):\n    return a + b\n"
MIT = """MIT License

Copyright (c) 2020 A. B.

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""
FILES: dict[str, bytes | str] = {
    "LICENSE": MIT,
    "src/a.py": "# Copyright A. B.\n" + CODE,
    "src/b.py": CODE + "value = 1\n",
    "src/data.py": "# \xe4\n".encode("latin-1"),
    "image.py": b"\x89PNG\0\0",
    "large.py": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "z.bin": "text\n",
}
EXPECTED = {
    "LICENSE": ("rejected", "excluded_path"),
    "src/a.py": ("kept", None),
    "src/b.py": ("kept", None),
    "src/data.py": ("rejected", "invalid_encoding"),
    "image.py": ("rejected", "no_content"),
    "large.py": ("rejected", "no_content"),
    "z.bin": ("rejected", "extension_not_chosen"),
}


def run_git(folder: Path, *command: str) -> str:
    who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_ALLOW_PROTOCOL": "file"}
    done = subprocess.run(["git", *command], cwd=folder, env={**os.environ, **who, **alone}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


def write(folder: Path, files: Mapping[str, bytes | str]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)


class Place(NamedTuple):
    """A folder of input with repositories, and the domain run over it."""

    root: Path
    run: Callable[..., Any]

    def make(self, name: str, files: Mapping[str, bytes | str] = FILES) -> Path:
        """A repository with two commits, of which the second is checked out."""
        folder = self.root / name
        folder.mkdir(parents=True)
        run_git(folder, "init", "-q", "-b", "main")
        write(folder, {"old.py": "old = 1\n" * 50, "src/b.py": CODE})
        self.commit(folder)
        (folder / "old.py").unlink()
        write(folder, files)
        self.commit(folder)
        return folder

    @staticmethod
    def commit(folder: Path) -> str:
        run_git(folder, "add", "-A")
        run_git(folder, "commit", "-q", "--allow-empty", "-m", "x")
        return run_git(folder, "rev-parse", "HEAD")

    def outcomes(self, name: str, **settings: Any) -> dict[str, tuple[str, str | None]]:
        """Outcomes of one repository's files by path."""
        settings = {"repositories": ("*",), "deduplicate": False, **settings}
        found = self.run(jobs, self.root, self.root.parent / "out", **settings).outcomes()
        return {key.removeprefix(f"{name}/"): value for key, value in found.items() if key.startswith(f"{name}/")}


@pytest.fixture
def place(tmp_path: Path, run_domain: RunDomain) -> Place:
    (tmp_path / "in").mkdir()
    return Place(tmp_path / "in", run_domain)


def bare(place: Place) -> str:
    run_git(place.root, "clone", "-q", "--bare", "../made", "it.git")
    return "it.git"


def packed(place: Place) -> str:
    run_git(place.root, "clone", "-q", "--bare", "../made", "it.git")
    run_git(place.root / "it.git", "gc", "-q")
    run_git(place.root / "it.git", "pack-refs", "--all")
    assert not list((place.root / "it.git" / "objects").glob("??"))
    return "it.git"


def shallow(place: Place) -> str:
    run_git(place.root, "clone", "-q", "--depth", "1", (place.root.parent / "made").as_uri(), "it")
    return "it"


def detached(place: Place) -> str:
    run_git(place.root, "clone", "-q", "../made", "it")
    run_git(place.root / "it", "checkout", "-q", "--detach")
    return "it"


def worktree(place: Place) -> str:
    run_git(place.root.parent / "made", "worktree", "add", "-q", "--detach", str(place.root / "it"))
    assert (place.root / "it" / ".git").is_file()
    return "it"


def shared(place: Place) -> str:
    run_git(place.root, "clone", "-q", "--shared", "../made", "it")
    return "it"


def unsaved(place: Place) -> str:
    run_git(place.root, "clone", "-q", "../made", "it")
    write(place.root / "it", {"src/a.py": "changed = 1\n", "new.py": CODE, "data.jsonl": '{"path": "x.py"}\n'})
    return "it"


WAYS = (bare, packed, shallow, detached, worktree, shared, unsaved)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_kind_of_repository_gives_the_files_of_its_head(place: Place, way: Callable[[Place], str]) -> None:
    place._replace(root=place.root.parent).make("made")
    assert place.outcomes(way(place)) == EXPECTED


@pytest.mark.parametrize("suffix", archives.SUFFIXES)
def test_an_archive_gives_the_same_documents_as_its_repository(place: Place, suffix: str) -> None:
    folder = place.make("it")
    commit = run_git(folder, "rev-parse", "HEAD")
    kind = "zip" if suffix == ".zip" else "tar"
    run_git(folder, "archive", f"--format={kind}", "--prefix=it-1.0/", f"--output=../whole.{kind}", "HEAD")
    whole = place.root / f"whole.{kind}"
    data = whole.read_bytes()
    whole.unlink()
    (place.root / f"packed{suffix}").write_bytes(compress(data, suffix))
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",))
    assert found.duplicates() == {f"packed{suffix}/src/{name}.py": f"it/src/{name}.py" for name in "ab"}
    assert found.kept() == ["it/src/a.py", "it/src/b.py"]
    by_id = {row["id"].split("/", 2)[2]: row for row in found.ledger if "packed" in row["id"]}
    assert set(by_id) == set(EXPECTED)
    assert {row["commit"] for row in found.ledger} == {commit}
    assert {row["license"] for row in found.ledger} == {"mit"}
    assert {row["repo_name"] for row in found.ledger} == {"it", "packed"}


def compress(data: bytes, suffix: str) -> bytes:

    last = "." + suffix.rsplit(".", 1)[1]
    if last in (".gz", ".tgz"):
        return gzip.compress(data)
    if last in (".bz2", ".tbz2"):
        return bz2.compress(data)
    if last in (".xz", ".txz"):
        return lzma.compress(data)
    return zstandard.compress(data) if last in (".zst", ".tzst") else data


def test_a_kept_document_says_where_it_is_from(place: Place) -> None:
    folder = place.make("group/it")
    run_git(folder, "remote", "add", "origin", "https://user:secret@github.com/Owner/Name.git")
    write(folder, {"a b#.py": CODE + "other = 2\n"})
    commit = place.commit(folder)
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("group/*",))
    [doc] = [doc for doc in found.documents if doc["id"].endswith("#.py")]
    assert doc["id"] == "github/group/it/a b#.py"
    assert doc["metadata"] == {
        "domain": "github",
        "source": "group/it#a b#.py",
        "path": "a b#.py",
        "repo_name": "Owner/Name",
        "commit": commit,
        "license": "mit",
        "code_language": "Python",
        "url": f"https://github.com/Owner/Name/blob/{commit}/a%20b%23.py",
        "removed_lines": 0,
    }


@pytest.mark.parametrize(
    ("remote", "found"),
    [
        ("https://github.com/a/b", ("github.com", "a/b")),
        ("https://www.github.com/a/b.git/", ("github.com", "a/b")),
        ("git@github.com:a/b.git", ("github.com", "a/b")),
        ("ssh://git@gitlab.com:22/a/group/b.git", ("gitlab.com", "a/group/b")),
        ("git://codeberg.org/a/b.c", ("codeberg.org", "a/b.c")),
        ("https://token@bitbucket.org/a/b", ("bitbucket.org", "a/b")),
        ("https://example.org/a/b", None),
        ("https://github.com/a", None),
        ("/home/github.com/a/b", None),
        ("../b", None),
        ("", None),
    ],
)
def test_the_remote_says_the_name(remote: str, found: tuple[str, str] | None) -> None:
    assert entry.origin(remote) == found


def test_links_and_submodules_are_rows_but_no_files(place: Place) -> None:
    other = place._replace(root=place.root.parent).make("made")
    folder = place.make("it")
    (folder / "link.py").symlink_to("src/a.py")
    run_git(folder, "submodule", "--quiet", "add", other.as_uri(), "module")
    place.commit(folder)
    found = place.outcomes("it")
    assert found.pop("link.py") == ("rejected", "not_a_file")
    assert found.pop("module") == ("rejected", "not_a_file")
    assert found.pop(".gitmodules") == ("rejected", "extension_not_chosen")
    assert found == EXPECTED


def test_a_repository_without_a_commit_is_one_row(place: Place) -> None:
    (place.root / "it").mkdir()
    run_git(place.root / "it", "init", "-q")
    made = place.make("bare")
    run_git(made, "rm", "-q", "-r", ".")
    place.commit(made)
    broken = place.make("broken")
    (broken / ".git" / "HEAD").write_text("ref: refs/heads/gone\n")
    (place.root / "file").mkdir()
    (place.root / "file" / ".git").write_text("gitdir: /nowhere\n")
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",))
    assert found.outcomes() == {
        "it": ("rejected", "empty_repository"),
        "bare": ("rejected", "empty_repository"),
        "broken": ("failed", "damaged_archive"),
        "file": ("failed", "damaged_archive"),
    }


def test_what_a_partial_clone_lacks_fails_and_the_rest_is_read(place: Place) -> None:
    made = place._replace(root=place.root.parent).make("made")
    run_git(made, "config", "uploadpack.allowFilter", "true")
    run_git(place.root, "clone", "-q", "--bare", "--filter=blob:limit=1k", made.as_uri(), "it.git")
    write(made, {"src/c.py": "c = 3\n" * 400})
    place.commit(made)
    run_git(place.root / "it.git", "fetch", "-q", "origin", "main:main")
    found = place.outcomes("it.git", licences=("other", ""))
    assert found["src/c.py"] == ("failed", "damaged_record")
    assert found["LICENSE"] == ("failed", "damaged_record")
    assert found["src/a.py"] == ("kept", None)


def damage_object(folder: Path, spec: str) -> None:
    name = run_git(folder, "rev-parse", spec)
    path = folder / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[-6:] = bytes(6)
    path.write_bytes(bytes(data))


def test_a_damaged_object_costs_its_file_or_folder(place: Place) -> None:
    folder = place.make("it", {**FILES, "lib/c.py": "c = 4\n", "lib/d.py": "d = 4\n"})
    damage_object(folder, "HEAD:src/b.py")
    damage_object(folder, "HEAD:lib")
    found = place.outcomes("it")
    assert found.pop("lib/") == ("failed", "damaged_record")
    assert found == {**EXPECTED, "src/b.py": ("failed", "damaged_record")}


def test_a_pack_that_ends_early_costs_what_it_held(place: Place) -> None:
    place._replace(root=place.root.parent).make("made")
    pack = next((place.root / packed(place) / "objects" / "pack").glob("*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:200])
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",))
    assert {row["outcome"] for row in found.ledger} == {"failed"}
    assert not found.documents


def test_a_damaged_commit_is_one_row(place: Place) -> None:
    folder = place.make("it")
    damage_object(folder, "HEAD^{tree}")
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",))
    assert found.outcomes() == {"it": ("failed", "damaged_archive")}


def test_paths_that_are_not_utf8_have_ids_of_their_own(place: Place) -> None:
    folder = place.make("it", {"LICENSE": MIT})
    names = [b"\xff.py", rb"\xff.py", rb"\\xff.py"]
    for number, name in enumerate(names):
        (folder / os.fsdecode(name)).write_text(f"value = {number}\n")
    place.commit(folder)
    found = place.outcomes("it")
    assert found.keys() - {"LICENSE", "src/b.py"} == {"\\xff.py//bytes", "\\xff.py", "\\\\xff.py"}


@pytest.mark.parametrize(("size", "reason"), [(99, None), (100, None), (101, "no_content")])
def test_a_file_over_the_limit_has_no_content(place: Place, size: int, reason: str | None) -> None:
    text = ("a = 1\n" * 20)[: size - 1] + "\n"
    folder = place.make("it", {"package.json": '{"license": "MIT"}', "a.py": text})
    run_git(folder, "archive", "--format=tar", "--output=../it.tar", "HEAD")
    run_git(folder, "archive", "--format=zip", "--output=../it.zip", "HEAD")
    settings = {"repositories": ("*",), "deduplicate": False, "max_file_bytes": 100}
    found = place.run(jobs, place.root, place.root.parent / "out", **settings)
    rows = [row for row in found.ledger if row["path"] == "a.py"]
    assert len(rows) == 3
    assert {row["reason"] for row in rows} == {reason}


def test_the_number_of_files_is_bounded(place: Place) -> None:
    folder = place.make("it", {"LICENSE": MIT, "a.py": "a = 1\n", "b.py": "b = 1\n"})
    commit = run_git(folder, "rev-parse", "HEAD")
    run_git(folder, "archive", "--format=tar", "--output=../it.tar", "HEAD")
    run_git(folder, "archive", "--format=zip", "--output=../it.zip", "HEAD")
    # LICENSE, a.py, b.py, src, src/b.py and the root itself
    for most, sound in ((6, True), (5, False)):
        limits = entry.Limits(files=most)
        entries = list(git.snapshot(str(folder), "it", commit, limits).entries)
        assert (entries[-1].problem is None) is sound, most
        assert len(entries) == 4
    for most, sound in ((4, True), (3, False)):
        for name in ("it.tar", "it.zip"):
            split = repositories.Repository(path=str(place.root / name), name=name, size=1 << 20)
            entries = list(archives.snapshot(split, "it", entry.Limits(files=most)).entries)
            assert (entries[-1].problem is None) is sound, (name, most)


def test_a_tree_that_unfolds_without_end_is_left(place: Place) -> None:
    folder = place.make("it", {"LICENSE": MIT})
    tree = run_git(folder, "rev-parse", "HEAD^{tree}")
    for _ in range(12):
        lines = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
        done = subprocess.run(["git", "mktree"], cwd=folder, input=lines.encode(), capture_output=True, check=True)
        tree = done.stdout.decode().strip()
    commit = run_git(folder, "commit-tree", tree, "-m", "x")
    run_git(folder, "reset", "-q", "--soft", commit)
    found = place.outcomes("it", max_files=2000)
    assert ("failed", "unsafe_archive") in found.values()
    assert len(found) <= 2001


def tar_of(members: Sequence[tuple[str, bytes]], **kinds: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind in kinds.items():
            info = tarfile.TarInfo(f"x/{name}")
            info.type = kind
            info.linkname = "/etc/passwd"
            archive.addfile(info)
    return out.getvalue()


def test_a_tar_with_tricks(place: Place) -> None:
    members = [("x/LICENSE", MIT.encode()), ("x/a.py", b"a = 1\n"), ("x/../../b.py", b"b = 1\n"), ("/c.py", b"c = 1\n")]
    members += [("x/a.py", b"a = 2\n"), ("x/./a.py", b"a = 3\n"), ("x/in.zip", b"PK\x05\x06" + bytes(18))]
    data = tar_of(members, soft=tarfile.SYMTYPE, hard=tarfile.LNKTYPE, device=tarfile.CHRTYPE)
    (place.root / "it.tar").write_bytes(data)
    assert place.outcomes("it.tar") == {
        "LICENSE": ("rejected", "excluded_path"),
        "a.py": ("kept", None),
        "x/../../b.py": ("failed", "unsafe_archive"),
        "/c.py": ("failed", "unsafe_archive"),
        "a.py//2": ("failed", "damaged_archive"),
        "a.py//3": ("failed", "damaged_archive"),
        "in.zip": ("rejected", "no_content"),
        "soft": ("rejected", "not_a_file"),
        "hard": ("rejected", "not_a_file"),
        "device": ("rejected", "not_a_file"),
    }


def test_a_tar_cut_short_gives_what_stands_before(place: Place) -> None:
    whole = tar_of([("x/LICENSE", MIT.encode()), ("x/a.py", b"a = 1\n"), ("x/b.py", b"b = 1\n" * 500)])
    (place.root / "it.tar").write_bytes(whole[: whole.index(b"x/b.py") + 1200])
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",)).outcomes()
    assert found.pop("it.tar/a.py") == ("kept", None)
    assert found.pop("it.tar")[0] == "failed"
    assert found == {"it.tar/LICENSE": ("rejected", "excluded_path")}
    (place.root / "it.tar").write_bytes(b"no tar at all" * 100)
    (place.root / "it.zip").write_bytes(b"no zip at all" * 100)
    found = place.run(jobs, place.root, place.root.parent / "out2", repositories=("*",)).outcomes()
    assert found == {"it.tar": ("failed", "damaged_archive"), "it.zip": ("failed", "damaged_archive")}


def test_a_zip_with_tricks(place: Place) -> None:
    with zipfile.ZipFile(place.root / "it.zip", "w") as archive:
        archive.writestr("x/LICENSE", MIT)
        archive.writestr("x/a.py", "a = 1\n")
        archive.writestr("x/../../b.py", "b = 1\n")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("x/a.py", "a = 2\n")
        link = zipfile.ZipInfo("x/link.py")
        link.external_attr = 0o120777 << 16
        link.create_system = 3
        archive.writestr(link, "a.py")
        archive.writestr("x/secret.py", "s = 1\n")
        archive.writestr("x/torn.py", "t = 1\n" * 10)
    data = bytearray((place.root / "it.zip").read_bytes())
    place_of_flags = data.rindex(b"x/secret.py") - 46 + 8
    data[place_of_flags] |= 1
    torn = data.index(b"t = 1\n")
    data[torn] ^= 1
    (place.root / "it.zip").write_bytes(bytes(data))
    assert place.outcomes("it.zip") == {
        "LICENSE": ("rejected", "excluded_path"),
        "a.py": ("kept", None),
        "a.py//2": ("failed", "damaged_archive"),
        "x/../../b.py": ("failed", "unsafe_archive"),
        "link.py": ("rejected", "not_a_file"),
        "secret.py": ("failed", "damaged_archive"),
        "torn.py": ("failed", "damaged_archive"),
    }


@pytest.mark.parametrize(("most", "sound"), [(50_001, True), (49_999, False)])
def test_an_archive_that_unpacks_to_too_much_is_left(place: Place, most: int, sound: bool) -> None:
    with zipfile.ZipFile(place.root / "it.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("LICENSE", MIT)
        for number in range(5):
            archive.writestr(f"{number}.py", f"a = {number}\n".ljust(10_000 - (len(MIT) if not number else 0), "\n"))
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",), max_unpacked_bytes=most)
    reasons = [row["reason"] for row in found.ledger]
    assert reasons.count("unsafe_archive") == (0 if sound else 1)


def test_a_bomb_is_bounded_by_its_ratio(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_FREE_BYTES", 10_000)
    first = [("x/LICENSE", MIT.encode()), ("x/a.py", b"a = 1\n")]
    data = tar_of([*first, ("x/b.bin", bytes(5 << 20)), ("x/c.py", b"c = 1\n")])
    (place.root / "it.tar.gz").write_bytes(compress(data, ".gz"))
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",)).outcomes()
    assert found.pop("it.tar.gz") == ("failed", "unsafe_archive")
    assert "it.tar.gz/c.py" not in found
    assert found["it.tar.gz/a.py"] == ("kept", None)


def test_rows_and_repositories_are_one_domain(place: Place) -> None:
    place.make("repos/it")
    write(place.root / "repos/it", {"inside.jsonl": "not a row\n"})
    row = f'{{"repo_name": "a/b", "path": "x.py", "license": "mit", "content": {CODE + "value = 1" + chr(10)!r}}}\n'
    write(place.root, {"rows.jsonl": row.replace("'", '"')})
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("repos/*",))
    assert found.duplicates() == {"repos/it/src/b.py": "rows.jsonl#1"}
    assert len(found.ledger) == 1 + len(FILES)
    alone = place.run(jobs, place.root, place.root.parent / "out2", inputs=("*.jsonl",))
    assert "commit" not in alone.ledger[0]


def test_tasks_are_cut_from_bytes_and_change_nothing(place: Place) -> None:
    for name in "abc":
        place.make(name, {**FILES, f"{name}.py": f"{name} = 1\n"})
    outputs = []
    for number, size in enumerate((2000, 9000, 1 << 28)):
        found = place.run(
            jobs, place.root, place.root.parent / f"out{number}", repositories=("*",), max_task_bytes=size
        )
        outputs.append(([doc["id"] for doc in found.documents], found.outcomes(), found.duplicates()))
    assert outputs[0] == outputs[1] == outputs[2]
    assert outputs[0][2]["b/src/a.py"] == "a/src/a.py"
    small, middle, large = (
        repositories.into_tasks(repositories.find(str(place.root), ("*",)), size) for size in (2000, 9000, 1 << 28)
    )
    assert len(small) > len(middle) >= len(large) == 1
    assert [one.name for one in large[0]] == ["a", "b", "c"]


@pytest.mark.parametrize("size", [200, 1 << 28])
def test_a_repository_of_many_pieces_whose_files_are_all_deleted_is_one_row(place: Place, size: int) -> None:
    made = place.make("gone")
    run_git(made, "rm", "-q", "-r", ".")
    place.commit(made)
    place.make("few", {"a.py": CODE})
    found = place.run(jobs, place.root, place.root.parent / "out", repositories=("*",), max_task_bytes=size)
    assert found.outcomes()["gone"] == ("rejected", "empty_repository")
    assert [key for key in found.outcomes() if key.partition("/")[0] == "gone"] == ["gone"]


def test_the_commit_is_that_of_the_plan(place: Place) -> None:
    folder = place.make("it")
    [one] = repositories.find(str(place.root), ("*",))
    assert one.commit == run_git(folder, "rev-parse", "HEAD")
    write(folder, {"later.py": CODE})
    place.commit(folder)
    [later] = repositories.find(str(place.root), ("*",))
    assert later.commit != one.commit
    assert later.identity() != one.identity()
    assert one.commit is not None
    paths = [found.path for found in git.snapshot(str(folder), "it", one.commit, entry.Limits()).entries]
    assert b"later.py" not in paths
    assert paths == sorted(paths)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("*",), ["one"]),
        (("**",), ["deep/er/two", "one"]),
        (("deep/*/*",), ["deep/er/two"]),
        (("one", "*/er/t*"), ["deep/er/two", "one"]),
        (("deep",), []),
        (("*.zip",), []),
    ],
)
def test_globs_choose_repositories(place: Place, patterns: tuple[str, ...], names: list[str]) -> None:
    place.make("one")
    place.make("deep/er/two")
    place.make("one/vendored")
    write(place.root, {"note.txt": "x", "deep/plain/a.py": CODE})
    assert [one.name for one in repositories.find(str(place.root), patterns)] == names


def test_the_input_may_be_the_repository_or_the_archive(place: Place) -> None:
    folder = place.make("it")
    [one] = repositories.find(str(folder), (".",))
    assert one.name == "it"
    run_git(folder, "archive", "--format=zip", "--output=../it.zip", "HEAD")
    found = place.run(jobs, place.root / "it.zip", place.root.parent / "out", repositories=("*",))
    assert found.kept() == ["it.zip/src/a.py", "it.zip/src/b.py"]


def test_no_input_is_an_error(place: Place) -> None:
    with pytest.raises(InputError, match=r"no file matches|no repository"):
        place.run(jobs, place.root, place.root.parent / "out", repositories=("*",))
    with pytest.raises(InputError, match="no repository"):
        place.run(jobs, place.root, place.root.parent / "out", repositories=("*",), inputs=())
