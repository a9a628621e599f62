"""Fetches one file: goes on at the byte where an earlier try stopped, and names it only when it has come whole.

An unfinished file is ``.part/NAME.part``; beside it lies ``NAME.part.json`` with the version it is of. Without one that
the server can be held to, or a published checksum, a new try begins at the first byte.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import LlamaDataError, RunError
from llama_data.pipeline.core.files import DAMAGE, file_system, read_pieces
from llama_data.pipeline.core.http import ChangedError, Mark, Reading
from llama_data.pipeline.core.listing import stamp_of
from llama_data.pipeline.core.stores import Limits
from llama_data.pipeline.download.source import Item, requester

LIMITS = Limits(tries=60, seconds=1800.0, pause=1.0, longest=60.0)  # a server may be down for half an hour
TRIES = 3  # of a whole file that changes meanwhile or does not fit its checksum
_BLOCK = 1 << 22
Came = Callable[[int, int | None], None]


class Pieces(Protocol):
    """The bytes of a file from one on, and the version of it that comes."""

    mark: Mark

    def __iter__(self) -> Iterator[bytes]: ...


class WrongError(RunError):
    """What came is not what the source says that it is."""


class Fetched(NamedTuple):
    """A file that has come whole: its size and hashes by algorithm, what was checked, and its version at the server."""

    size: int
    sums: dict[str, str]
    checked: str
    mark: Mark


class StorePieces:
    """The bytes of an object of a store; ``pays``: the requester does."""

    def __init__(self, url: str, at: int, mark: Mark, pays: bool) -> None:
        self.url = url
        self.at = at
        self.mark = mark
        self._pays = pays

    def __iter__(self) -> Iterator[bytes]:
        fs, target = requester(self.url) if self._pays else file_system(self.url)
        about = stores.insist(self.url, lambda: fs.info(target))
        now = Mark(int(about["size"]), stamp_of(about))
        if not self.mark.same(now):
            raise ChangedError(f"{self.url}: the object has changed since it was begun")
        self.mark = now
        with stores.open_store(fs, target, self.url) as stream:
            stream.seek(self.at)
            while piece := stream.read(stores.BLOCK):
                yield piece


def fetch(
    item: Item,
    folder: Path,
    *,
    pays: bool = False,
    limits: Limits | None = None,
    came: Came = lambda size, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Fetched | None:
    """Bring a file into a folder.

    ``limits``: how long a web server is tried. ``came`` is told of bytes as they come (fewer than none: some have to
    come again), and of how many the file has (None: nobody says).

    None: ``stopped`` said so; what has come stays. Raises:
        FileNotFoundError, PermissionError: the server says so.
        StoreError: it failed for too long.
        RunError: what comes is not what the source says, or changes again and again.
    """
    target, part = folder / item.name, part_of(folder, item)
    for path in (target, part):
        path.parent.mkdir(parents=True, exist_ok=True)
    problem: LlamaDataError | None = None
    for _ in range(TRIES):
        try:
            mark = _begin(item, part)
            before = part.stat().st_size
            found = _transfer(item, part, mark, pays, limits or LIMITS, came, stopped)
            if found is None:
                return None
            fetched = check(item, part, found)
            os.replace(part, target)
            _state(part).unlink(missing_ok=True)
            return fetched
        except (ChangedError, WrongError) as error:
            problem = error
            came(before - part.stat().st_size, item.size)
            part.unlink()
            _state(part).unlink(missing_ok=True)
    raise RunError(f"{problem}; tried {TRIES} times, nothing of it was kept")


def part_of(folder: Path, item: Item) -> Path:
    """Where a file lies while it is unfinished."""
    return folder / ".part" / f"{item.name}.part"


def check(item: Item, path: Path, mark: Mark) -> Fetched:
    """Hold a file to what is known of it: sizes, published checksums; without these, the check values of its format.

    Raises WrongError: it is another.
    """
    size = path.stat().st_size
    for who, said in (("the index", item.size), ("the server", mark.size)):
        if said is not None and said != size:
            raise WrongError(f"{item.url}: has {size:,} bytes, {who} says {said:,}")
    hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in {"sha256", *dict(item.sums)}}
    with path.open("rb") as stream:
        while piece := stream.read(_BLOCK):
            for taken in hashes.values():
                taken.update(piece)
    sums = {kind: taken.hexdigest() for kind, taken in sorted(hashes.items())}
    for kind, published in item.sums:
        if sums[kind] != published.lower():
            raise WrongError(f"{item.url}: its {kind} is {sums[kind]}, expected {published}")
    if item.sums:
        return Fetched(size, sums, ", ".join(kind for kind, _ in item.sums), mark)
    return Fetched(size, sums, _own_check(path, item), mark)


def _own_check(path: Path, item: Item) -> str:
    """What a file's format says of itself. Raises WrongError: it is damaged."""
    lower = item.name.lower()
    try:
        if lower.endswith((".gz", ".tgz")):
            for _ in read_pieces(str(path), ".gz"):
                pass
            return "length, crc32 of gzip"
        if lower.endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()
            if bad is not None:
                raise WrongError(f"{item.url}: its member {bad} is damaged")
            return "length, crc32 of zip"
    except (*DAMAGE, zipfile.BadZipFile) as error:
        raise WrongError(f"{item.url}: what came is damaged: {error}") from None
    return "length"


def _begin(item: Item, part: Path) -> Mark:
    """The version of which there is a part already; the part is removed where it cannot be gone on with."""
    if part.exists():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            state = json.loads(_state(part).read_text())
            mark = Mark(state["size"], state["etag"], state["modified"])
            longest = mark.size if item.size is None else item.size
            fits = longest is None or part.stat().st_size <= longest
            if state["url"] == item.url and fits and (mark.condition() or item.sums):
                return mark
    part.write_bytes(b"")
    return Mark(item.size)


def _state(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _transfer(
    item: Item, part: Path, mark: Mark, pays: bool, limits: Limits, came: Came, stopped: Callable[[], bool]
) -> Mark | None:
    """Append what is still to come; the version that came, or None when stopped."""
    at = part.stat().st_size
    web = item.url.startswith(("http://", "https://"))
    pieces: Pieces = Reading(item.url, at, mark=mark, limits=limits) if web else StorePieces(item.url, at, mark, pays)
    known: Mark | None = None
    with part.open("ab", buffering=0) as stream:
        for piece in pieces:
            if known != pieces.mark:
                known = pieces.mark
                _state(part).write_text(json.dumps({"url": item.url, **known._asdict()}))
            stream.write(piece)
            came(len(piece), pieces.mark.size)
            if stopped():
                return None
        os.fsync(stream.fileno())
    return pieces.mark
