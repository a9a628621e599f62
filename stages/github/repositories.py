"""Finds the repositories below the input folder and cuts them into tasks by their stored bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from llama_data.pipeline.core.errors import InputError, RecordError
from llama_data.pipeline.core.files import Split, is_local, list_inputs, local_path
from llama_data.pipeline.core.listing import Globs
from llama_data.pipeline.core.unfound import no_such
from llama_data.stages.github.archives import is_archive
from llama_data.stages.github.entry import readable
from llama_data.stages.github.git import head_commit


@dataclass(frozen=True)
class Repository(Split):
    """A repository, or one of ``pieces`` equal parts of its files; ``size``: stored bytes, history included.

    ``commit``: the one that HEAD stood for when the run was planned, which every job of the run reads; None for an
    archive, and for a repository that has none or is damaged.
    """

    git: bool = False
    commit: str | None = None
    piece: int = 0
    pieces: int = 1

    def identity(self) -> list[Any]:
        """What tells this piece from another."""
        return [*super().identity(), self.commit, self.piece, self.pieces]


def find(root: str, patterns: Sequence[str]) -> list[Repository]:
    """Repositories and archives below ``root`` that match any of the globs (``.``: the folder itself), ordered by name.

    What lies in a repository is not looked into for others. In an object store only archives are found: git reads
    its files in place. Raises InputError: the folder does not exist, or two names cannot be told apart.
    """
    if not patterns:
        return []
    if not is_local(root):
        return [_archive(split) for split in list_inputs(root, patterns) if is_archive(split.name)]
    base = local_path(root)
    if not os.path.exists(base):
        raise InputError(no_such(root, f"the input that holds {', '.join(patterns)}", is_local(root)))
    if os.path.isfile(base):
        split = _split(base, os.path.basename(base), os.stat(base))
        return [_archive(split)] if is_archive(base) else []
    if "." in patterns and is_repository(base):
        return [_git(base, os.path.basename(os.path.abspath(base)))]
    wanted = [pattern.strip("/") for pattern in patterns]
    walked = _walk(base, "", Globs(wanted), frozenset({os.path.realpath(base)}))
    found = sorted(walked, key=lambda one: os.fsencode(one.path))
    if len({one.name for one in found}) < len(found):
        raise InputError(f"{root}: names of repositories that are not UTF-8 cannot be told apart; rename them")
    return found


def _walk(folder: str, name: str, wanted: Globs, above: frozenset[str]) -> Iterator[Repository]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except PermissionError:
        raise InputError(
            f"{folder}: this folder cannot be read; change its permissions, or narrow `repositories`"
        ) from None
    for entry in entries:
        inner = f"{name}/{entry.name}" if name else entry.name
        if not entry.is_dir():
            if is_archive(inner) and entry.is_file() and wanted.match(inner):
                yield _archive(_split(entry.path, _printable(inner), entry.stat()))
        elif wanted.match(inner) and is_repository(entry.path):
            yield _git(entry.path, _printable(inner))
        elif wanted.reach(inner):
            # A link that leads back to a folder it lies in is not followed.
            real = os.path.realpath(entry.path)
            if real not in above:
                yield from _walk(entry.path, inner, wanted, above | {real})


def _printable(name: str) -> str:
    return readable(os.fsencode(name))


def is_repository(folder: str) -> bool:
    """True for a working folder with a ``.git``, and for a bare repository, be it damaged."""
    if os.path.lexists(os.path.join(folder, ".git")):
        return True
    inner = [os.path.exists(os.path.join(folder, name)) for name in ("objects", "HEAD", "refs", "packed-refs")]
    return inner[0] and any(inner[1:]) and os.path.isdir(os.path.join(folder, "objects"))


def repository_at(split: Split, commit: str | None = None) -> Repository:
    """The repository or archive that a split is; ``commit``: which is read of it [default: HEAD's]."""
    if is_archive(split.name) and not (is_local(split.path) and os.path.isdir(local_path(split.path))):
        return _archive(split)
    found = _git(local_path(split.path), split.name)
    return found if commit is None else replace(found, commit=commit)


def _split(path: str, name: str, about: os.stat_result) -> Split:
    return Split(path, name, about.st_size, stamp=str(about.st_mtime_ns))


def _archive(split: Split) -> Repository:
    return Repository(path=split.path, name=split.name, size=split.size, stamp=split.stamp)


def _git(path: str, name: str) -> Repository:
    try:
        commit = head_commit(path)
    except RecordError:
        commit = None  # the reader meets it again and gives it its row
    return Repository(path=path, name=name, size=_stored(path), git=True, commit=commit)


def _stored(path: str) -> int:
    """Bytes of the object store; of a worktree, that of the repository it belongs to."""
    place = os.path.join(path, ".git")
    if os.path.isfile(place):
        with open(place, encoding="utf-8", errors="surrogateescape") as stream:
            place = os.path.join(path, stream.read(1 << 16).removeprefix("gitdir:").strip())
        common = os.path.join(place, "commondir")
        if os.path.isfile(common):
            with open(common, encoding="utf-8", errors="surrogateescape") as stream:
                place = os.path.join(place, stream.read(1 << 16).strip())
    elif not os.path.isdir(place):
        place = path
    folders = os.walk(os.path.join(place, "objects"))
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in folders for name in names)


def into_tasks(repositories: Sequence[Repository], task_bytes: int) -> list[list[Repository]]:
    """The repositories in their order, as many in a task as have ``task_bytes``; a git repository that has more is cut
    into equal parts by its list of files, one a task. An archive is one piece.
    """
    tasks: list[list[Repository]] = []
    filled = task_bytes
    for one in repositories:
        pieces = max(1, ceil(one.size / task_bytes)) if one.commit else 1
        if pieces > 1:
            size = one.size // pieces
            tasks += [[replace(one, size=size, piece=piece, pieces=pieces)] for piece in range(pieces)]
            filled = task_bytes
        elif filled + one.size > task_bytes or not tasks:
            tasks.append([one])
            filled = one.size
        else:
            tasks[-1].append(one)
            filled += one.size
    return tasks
