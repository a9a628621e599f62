"""Reads the files of a git repository at its HEAD: working clones, bare ones, worktrees; packs are read as they are.

Everything comes from the object store: what lies in a working folder, committed or not, is never looked at, no hook or
filter runs, and nothing is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from functools import cache

import pygit2
from pygit2.enums import ConfigLevel, ObjectType

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.github.entry import Entry, Limits, Snapshot, origin
from llama_data.stages.github.licence import is_evidence, licence_of

_TREE_BYTES = 64 << 20
_PATH_BYTES = 4096
_ERRORS = (pygit2.GitError, KeyError, ValueError)
# What a repository may say of itself that changes nothing for a reader.
_EXTENSIONS = ["noop", "objectformat", "partialclone", "preciousobjects", "relativeworktrees", "worktreeconfig"]
Item = tuple[bytes, int, pygit2.Oid] | Entry


@cache
def _prepare() -> None:
    """A dump may belong to anybody, and nothing of the user's own configuration may change what is read."""
    pygit2.settings.owner_validation = False
    pygit2.settings.set_extensions(_EXTENSIONS)
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL):
        pygit2.settings.search_path[level] = ""


def _open(path: str) -> pygit2.Repository:
    _prepare()
    try:
        return pygit2.Repository(path)
    except _ERRORS as error:
        raise RecordError(Reason.damaged_archive, f"no git repository that can be read: {error}") from None


def head_commit(path: str) -> str | None:
    """The commit that HEAD stands for, 40 hexadecimal digits; None when there is no commit yet.

    Raises:
        RecordError: the repository is damaged, or HEAD names what is not there.
    """
    with closing(_Closing(_open(path))) as opened:
        repo = opened.repo
        try:
            if repo.is_empty or (repo.head_is_unborn and not any(True for _ in repo.references)):
                return None
            return str(repo.head.peel(pygit2.Commit).id)
        except _ERRORS as error:
            raise RecordError(Reason.damaged_archive, f"HEAD leads to no commit: {error}") from None


class _Closing:
    """A repository whose files are let go at the end."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self.repo = repo

    def close(self) -> None:
        self.repo.free()


def snapshot(path: str, name: str, commit: str, limits: Limits, piece: int = 0, pieces: int = 1) -> Snapshot:
    """The repository at a commit; of its files, in order of their paths, the ``piece``-th of ``pieces`` equal parts.

    Raises:
        RecordError: the commit or its tree cannot be read.
    """
    repo = _open(path)
    try:
        tree = repo[commit].peel(pygit2.Tree)
        items = list(_walk(repo, tree.id, limits))
    except _ERRORS as error:
        raise RecordError(Reason.damaged_archive, f"commit {commit} cannot be read: {error}") from None
    evidence = {}
    for item in items:
        if not isinstance(item, Entry) and is_evidence(item[0]):
            data = _read(repo, item, limits).data
            if data is not None:
                evidence[item[0]] = data
    host, known = _origin(repo) or (None, name)
    chosen = items[len(items) * piece // pieces : len(items) * (piece + 1) // pieces]
    return Snapshot(known, host, commit, licence_of(evidence), _entries(repo, chosen, limits))


def _origin(repo: pygit2.Repository) -> tuple[str, str] | None:
    try:
        return origin(repo.remotes["origin"].url or "")
    except _ERRORS:
        return None


def _entries(repo: pygit2.Repository, items: list[Item], limits: Limits) -> Iterator[Entry]:
    with closing(_Closing(repo)):
        for item in items:
            yield item if isinstance(item, Entry) else _read(repo, item, limits)


def _read(repo: pygit2.Repository, item: tuple[bytes, int, pygit2.Oid], limits: Limits) -> Entry:
    """The file; its size is known before its bytes are unpacked."""
    path, mode, oid = item
    if not stat.S_ISREG(mode):
        return Entry(path, link=True)
    try:
        kind, size = repo.odb.read_header(oid)
        if kind != ObjectType.BLOB:
            raise RecordError(Reason.damaged_record, f"{oid}: expected a blob, found another object")
        return Entry(path, repo.odb.read(oid)[1] if size <= limits.file_bytes else None)
    except KeyError:
        what = f"{oid}: the object is missing (a partial clone has only what was asked for)"
        return Entry(path, problem=RecordError(Reason.damaged_record, what))
    except RecordError as error:
        return Entry(path, problem=error)
    except (pygit2.GitError, ValueError) as error:
        return Entry(path, problem=RecordError(Reason.damaged_record, f"{oid}: {error}"))


def _walk(repo: pygit2.Repository, root: pygit2.Oid, limits: Limits) -> Iterator[Item]:
    """Path, mode and object of every file, ordered by the bytes of the path; an entry with a problem for a damaged
    folder. A tree can name one folder many times, so the number of entries is bounded, not only that of objects.
    """
    todo: list[tuple[bytes, int, pygit2.Oid]] = [(b"", stat.S_IFDIR, root)]
    seen = 0
    last: bytes | None = None
    repeat = 0
    while todo:
        path, mode, oid = todo.pop()
        seen += 1
        if seen > limits.files:
            what = f"more than {limits.files} files and folders; from here on nothing was read"
            yield Entry(path, problem=RecordError(Reason.unsafe_archive, what))
            return
        if not stat.S_ISDIR(mode):
            repeat = repeat + 1 if path == last else 0
            last = path
            if repeat:
                what = "the folder holds the name more than once"
                yield Entry(path, problem=RecordError(Reason.damaged_record, what), repeat=repeat)
            else:
                yield path, mode, oid
            continue
        try:
            todo.extend(reversed(_folder(repo, path, oid)))
        except RecordError as error:
            if not path:
                raise
            yield Entry(path + b"/", problem=error)


def _folder(repo: pygit2.Repository, path: bytes, oid: pygit2.Oid) -> list[tuple[bytes, int, pygit2.Oid]]:
    """The entries of a folder. Raises RecordError: it cannot be read, or holds a name that no folder can hold."""
    try:
        kind, size = repo.odb.read_header(oid)
        if kind != ObjectType.TREE or size > _TREE_BYTES:
            raise RecordError(Reason.damaged_record, f"{oid}: expected a folder of at most {_TREE_BYTES} bytes")
        found = [(entry.raw_name or b"", int(entry.filemode), entry.id) for entry in repo[oid].peel(pygit2.Tree)]
    except _ERRORS as error:
        raise RecordError(Reason.damaged_record, f"folder {oid} cannot be read: {error}") from None
    for name, _, _ in found:
        if name in (b"", b".", b"..", b".git") or b"/" in name or len(path) + len(name) >= _PATH_BYTES:
            raise RecordError(Reason.unsafe_archive, f"folder {oid}: a path that cannot be, {os.fsdecode(name)!r}")
    prefix = path + b"/" if path else b""
    entries = [(prefix + name, mode, oid) for name, mode, oid in found]
    return sorted(entries, key=lambda entry: entry[0] + b"/" if stat.S_ISDIR(entry[1]) else entry[0])
