"""Inputs that a list names, as Common Crawl publishes one (``wet.paths.gz``), and a seeded share of any inputs.

A file whose name ends in ``.paths``, compressed or not, is a list: a path or an address a line. A path is below a
``base``, so one list serves Common Crawl's web server, its bucket and a copy on a disk.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import ceil
from typing import NamedTuple, TypeVar

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import (
    DAMAGE,
    Split,
    file_system,
    is_local,
    join,
    list_inputs,
    local_path,
    read_pieces,
)
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.lines import cut_lines
from llama_data.pipeline.core.listing import stamp_of

COMMON_CRAWL = "https://data.commoncrawl.org/"
MOST_PATHS = 10_000_000
MOST_NAME = 4096
ASKED = 256  # files of a web server that are asked for their sizes one by one
SAMPLE = 64  # of more, so many are asked
_AT_ONCE = 8
_FULL_FOLDER = 8  # files of a store's folder from which a listing of it is cheaper than asking for each
_Item = TypeVar("_Item")
_SUFFIXES = (".paths", ".paths.gz", ".paths.bz2", ".paths.xz", ".paths.zst")


class Choice(NamedTuple):
    """Which of the inputs are read: a ``share`` (0..1) by ``seed``, None for all; ``base``: of relative paths."""

    share: float | None = None
    seed: int = 1
    base: str | None = None


ALL = Choice()


class Listed(NamedTuple):
    """A file that a list names: what it is called in a run, and where it is."""

    name: str
    path: str


def find_inputs(
    root: str,
    patterns: Sequence[str],
    left_out: LeftOut | None = None,
    *,
    choice: Choice = ALL,
    exact: bool = True,
) -> list[Split]:
    """The files below ``root`` that globs match, and those that lists among them name, of these the chosen share.

    ``root`` may itself be a list; then globs choose nothing, as with any file that is named by itself. ``exact``: sizes
    must be true; otherwise they may be estimated where a web server would be asked for each of very many.

    Raises:
        InputError: as ``list_inputs``, and for a list that cannot be read.
    """
    found = list_inputs(root, patterns, left_out)
    plain = [split for split in found if not is_list(split.name)]
    if len(plain) == len(found):
        return choose(plain, choice, lambda split: split.name)
    listed = [item for split in found if is_list(split.name) for item in read_list(split.path, choice.base)]
    both = {item.name: item for item in listed}
    for split in plain:
        both.setdefault(split.name, Listed(split.name, split.path))
    chosen = choose(sorted(both.values()), choice, lambda item: item.name)
    known = {split.name: split for split in plain if split.name in both and both[split.name].path == split.path}
    asked = [item for item in chosen if item.name not in known]
    return sorted(
        [known[item.name] for item in chosen if item.name in known] + sized(asked, exact=exact, seed=choice.seed),
        key=lambda split: split.name,
    )


def is_list(name: str) -> bool:
    """True for the name of a list of files."""
    return name.lower().endswith(_SUFFIXES)


def read_list(path: str, base: str | None = None) -> list[Listed]:
    """The files that a list names, each once, in its order.

    ``base`` None: what of the list's own address stands before the folder that the first path begins with; where that
    is not in it, Common Crawl's server for a path that begins with ``crawl-data/``, else the list's own folder.

    Raises:
        InputError: it cannot be read, is empty, or a line is no path: says which line.
    """
    lines: list[str] = []
    try:
        for some in cut_lines(read_pieces(path), MOST_NAME):
            lines += [_line(path, len(lines) + n, line) for n, line in enumerate(some, 1)]
            if len(lines) > MOST_PATHS:
                raise InputError(f"{path}: more than {MOST_PATHS:,} lines; this is no list of files")
    except DAMAGE as error:
        raise InputError(f"{path}: the list is damaged: {error}; get it again") from None
    names = list(dict.fromkeys(filter(None, lines)))
    if not names:
        raise InputError(f"{path}: the list is empty; expected a path or an address of a file on each line")
    relative = next((name for name in names if not _is_address(name)), None)
    below = base or (_base(path, relative) if relative is not None else "")
    return [Listed(_name(name), name if _is_address(name) else join(below, name)) for name in names]


def choose(items: Sequence[_Item], choice: Choice, name: Callable[[_Item], str]) -> list[_Item]:
    """The chosen share of the items, at least one, in their order.

    An item's turn is the hash of seed and name, so a share is the same for everyone, and a larger one contains it.
    """
    if choice.share is None or choice.share >= 1:
        return list(items)
    count = ceil(Fraction(repr(choice.share)) * len(items))
    ranked = sorted(range(len(items)), key=lambda n: _turn(name(items[n]), choice.seed))
    return [items[n] for n in sorted(ranked[:count])]


def sized(items: Sequence[Listed], *, exact: bool = True, seed: int = 1) -> list[Split]:
    """The files with their sizes and stamps.

    A local file is looked at. Of a store's folder that many are in, one listing tells all; else each file is asked
    for. So are those of a web server; of more than ``ASKED``, where sizes need not be exact, ``SAMPLE`` chosen by the
    seed are, and all have their mean size and no stamp.

    Raises:
        InputError: a file is not there, or may not be read.
    """
    folders: dict[str, list[Listed]] = {}
    for item in items:
        folders.setdefault(item.path.rpartition("/")[0], []).append(item)
    found: dict[str, Split] = {}
    single: list[Listed] = []
    for folder, inside in folders.items():
        if is_local(folder) or folder.startswith(("http://", "https://")) or len(inside) < _FULL_FOLDER:
            single += inside
        else:
            found |= _of_folder(folder, inside)
    web = [item for item in single if item.path.startswith(("http://", "https://"))]
    if len(web) > ASKED and not exact:
        sample = choose(web, Choice(SAMPLE / len(web), seed), lambda item: item.name)
        mean = round(sum(split.size for split in _each(sample)) / len(sample))
        found |= {item.name: Split(item.path, item.name, mean) for item in web}
        single = [item for item in single if item.name not in found]
    found |= {split.name: split for split in _each(single)}
    return [found[item.name] for item in items]


def _line(path: str, number: int, line: bytes | None) -> str:
    """A line of a list. Raises InputError: it is no path."""
    try:
        name = "\0" if line is None else line.decode().strip()
    except UnicodeDecodeError:
        name = "\0"
    if not name.isprintable() or ".." in name.split("/"):
        raise InputError(f"{path}: line {number} is no path or address of a file (`..` is not followed)")
    if _is_address(name) and is_local(name) and not is_local(path):
        raise InputError(f"{path}: line {number} names a file of this machine, which a list from elsewhere may not")
    return name


def _is_address(name: str) -> bool:
    return "://" in name or name.startswith("/")


def _name(name: str) -> str:
    """What a file is called in a run: its path as listed; of an address its host (or bucket) and path."""
    return (name.partition("://")[2] if "://" in name else name).lstrip("/")


def _base(path: str, first: str) -> str:
    folder, begin = path.rpartition("/")[0], first.split("/")[0]
    at = f"/{folder}/".find(f"/{begin}/") if "/" in first else -1
    if at >= 0:
        return folder[: at - 1] or "/" if at else "."
    return COMMON_CRAWL if begin == "crawl-data" else folder or "."


def _turn(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\n{name}".encode()).digest()


def _each(items: Sequence[Listed]) -> list[Split]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(_ask, items))


def _ask(item: Listed) -> Split:
    """Size and stamp of one file."""
    try:
        if is_local(item.path):
            about = os.stat(local_path(item.path))
            return Split(item.path, item.name, about.st_size, stamp=str(about.st_mtime_ns))
        fs, target = file_system(item.path)
        info = fs.info(target)
    except FileNotFoundError:
        raise InputError(f"{item.path}: the list names it, but it is not there; check `base` and the list") from None
    except PermissionError as error:
        raise InputError(f"{item.path}: cannot be read: {error.strerror}") from None
    return Split(item.path, item.name, int(info["size"] or 0), stamp=stamp_of(info))


def _of_folder(folder: str, items: Sequence[Listed]) -> dict[str, Split]:
    """Sizes and stamps from one listing of a store's folder."""
    fs, target = file_system(folder)
    try:
        infos = stores.insist(folder, lambda: fs.ls(target, detail=True))
    except FileNotFoundError:
        infos = []
    known = {str(info["name"]).rpartition("/")[2]: info for info in infos}
    missing = next((item for item in items if item.path.rpartition("/")[2] not in known), None)
    if missing is not None:
        raise InputError(f"{missing.path}: the list names it, but it is not there; check `base` and the list")
    found = {}
    for item in items:
        info = known[item.path.rpartition("/")[2]]
        found[item.name] = Split(item.path, item.name, int(info["size"] or 0), stamp=stamp_of(info))
    return found
