"""Looks into an input folder or store: which files globs take, and what lies there that none takes.

A glob is one of fsspec's: ``*``, ``?`` and ``[...]`` inside a name, ``**`` for any folders. What follows the first dot
of a file's name is compared without regard to case: ``*.txt`` takes ``BOOK.TXT``. Hidden files match like others.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from fsspec.spec import glob_translate  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import InputError

_MAGIC = re.compile(r"[*?[]")


class Entry(NamedTuple):
    """A file: its name from the folder on, where it is, its size in bytes, and what changes when it does."""

    name: str
    path: str
    size: int
    stamp: str = ""


@dataclass(frozen=True)
class Listing:
    """What was seen in a folder: files that match, names of those that do not, and folders that were not looked into.

    ``refused``: what matches and is no file, as a pipe. ``idle``: the globs that match nothing.
    """

    taken: list[Entry] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unopened: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)


class Globs:
    """Globs over names from one folder on. Raises InputError: one cannot be read."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self._plain = [posixpath.normpath(pattern) for pattern in patterns]
        self._exact = [_compiled(pattern) for pattern in self._plain]
        self._folded = [_compiled(_folded(pattern)) for pattern in self._plain]

    def match(self, name: str) -> list[int]:
        """The numbers of the globs that take a file."""
        folded = _folded(name)
        pairs = zip(self._exact, self._folded, strict=True)
        return [n for n, (exact, fold) in enumerate(pairs) if exact.match(name) or fold.match(folded)]

    def reach(self, folder: str) -> bool:
        """True when any glob looks into a folder."""
        return any(reaches(pattern, folder) for pattern in self._plain)

    def roots(self) -> dict[str, int | None]:
        """The folders from which all that may match is below, without globs in their names, and how many levels deep
        (None: any number). None of them lies in another that is looked into at any depth.
        """
        found: dict[str, int | None] = {}
        for pattern in self._plain:
            parts = pattern.split("/")
            magic = next((n for n, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
            root = "/".join(parts[: min(magic, len(parts) - 1)])
            depth = None if "**" in parts else len(parts) - min(magic, len(parts) - 1)
            known = found.get(root, 0)
            found[root] = None if depth is None or known is None else max(depth, known)
        deep = {root for root, depth in found.items() if depth is None}
        return {
            root: depth
            for root, depth in found.items()
            if not any(other != root and _lies_in(root, other) for other in deep)
        }


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(glob_translate(pattern))
    except (ValueError, re.error) as error:
        raise InputError(f"the glob {pattern!r} cannot be read: {error}; `**` stands alone between slashes") from None


def _folded(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    stem, dot, suffix = base.partition(".")
    return f"{folder}{slash}{stem}{dot}{suffix.lower()}"


def _lies_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def reaches(glob: str, folder: str) -> bool:
    """True when a glob looks into a folder; both relative to the same place."""
    pattern = glob.split("/")
    for index, part in enumerate(folder.split("/")):
        if index >= len(pattern):
            return False
        if pattern[index] == "**":
            return True
        if index == len(pattern) - 1 or not fnmatch.fnmatchcase(part, pattern[index]):
            return False
    return True


def look_in_folder(base: str, patterns: Sequence[str]) -> Listing:
    """Look through a local folder; only folders that a glob looks into are opened.

    Raises:
        InputError: a folder may not be read, or a link that would be an input leads nowhere.
    """
    sorter = _Sorter(patterns)
    todo = [("", frozenset({os.path.realpath(base)}))]
    while todo:
        folder, above = todo.pop()
        for entry in _scan(os.path.join(base, folder) if folder else base):
            name = f"{folder}/{entry.name}" if folder else entry.name
            # Unlike the entry, os.path takes a link that leads to itself for one that leads nowhere.
            if os.path.isdir(entry.path):
                real = os.path.realpath(entry.path)
                if real in above:
                    continue
                if sorter.globs.reach(printable(name)):
                    todo.append((name, above | {real}))
                else:
                    sorter.found.unopened.append(printable(name))
            elif os.path.isfile(entry.path):
                about = entry.stat()
                sorter.add(Entry(printable(name), entry.path, about.st_size, str(about.st_mtime_ns)))
            elif not sorter.globs.match(printable(name)):
                sorter.found.others.append(printable(name))
            elif entry.is_symlink():
                raise InputError(
                    f"{printable(entry.path)}: a link to a file that is not there; mend it, or narrow `inputs`"
                )
            else:
                sorter.found.refused.append(printable(name))
    return sorter.end()


def look_in_store(fs: Any, base: str, patterns: Sequence[str]) -> Listing:
    """Look through a store: one listing for each folder that the globs begin with."""
    sorter = _Sorter(patterns)
    prefix = base.rstrip("/") + "/"
    for root, depth in sorter.globs.roots().items():
        found = fs.find(prefix + root, maxdepth=depth, withdirs=depth is not None, detail=True)
        for path, info in found.items():
            name = path.removeprefix(prefix).rstrip("/")
            if info["type"] == "file":
                sorter.add(Entry(name, fs.unstrip_protocol(path), int(info["size"] or 0), stamp_of(info)))
            elif name and depth is not None and len(name.split("/")) - len(root.split("/") if root else ()) == depth:
                sorter.found.unopened.append(name)
    return sorter.end()


def _scan(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except OSError as error:
        why = f"{printable(path)}: this folder cannot be read ({error.strerror})"
        raise InputError(f"{why}; change its permissions, or narrow `inputs`") from None


class _Sorter:
    """Sorts files into those that globs take and those that none does."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.globs = Globs(patterns)
        self.found = Listing()
        self._seen: dict[str, str] = {}
        self._idle = set(range(len(self.globs.patterns)))

    def add(self, entry: Entry) -> None:
        """Sort a file; one that two listings give is one. Raises InputError: two files have one name."""
        name, path = entry.name, entry.path
        known = self._seen.setdefault(name, path)
        if known != path:
            raise InputError(
                f"{printable(path)}: its name is not UTF-8, and as text that of {printable(known)}; rename one of them"
            )
        matching = self.globs.match(name)
        self._idle.difference_update(matching)
        if matching:
            self.found.taken.append(entry)
        else:
            self.found.others.append(name)

    def end(self) -> Listing:
        """All that was found, in order, each once."""
        found = self.found
        return Listing(
            taken=sorted(set(found.taken)),
            others=sorted(set(found.others)),
            unopened=sorted(set(found.unopened)),
            refused=sorted(found.refused),
            idle=[self.globs.patterns[number] for number in sorted(self._idle)],
        )


# What stores call the mark of an object's content, the surest first; then its time.
_MARKS = ("ETag", "etag", "e_tag", "md5Hash", "content_md5", "crc32c", "blob_id", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


def stamp_of(info: Mapping[str, Any]) -> str:
    """What of fsspec's description of a file changes when the file does; "" when there is nothing such in it."""
    mark = next((info[name] for name in _MARKS if info.get(name)), None)
    if mark is not None:
        return str(mark).strip('"')
    return str(next((info[name] for name in _TIMES if info.get(name)), ""))


def printable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 are written as ``\\xff``."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    return name
