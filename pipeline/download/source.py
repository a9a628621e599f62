"""What a source of dumps is to the downloader: facts about its place, and the list of its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.pipeline.core.extras import require_store
from llama_data.pipeline.core.files import file_system, is_local, read_bytes
from llama_data.pipeline.core.http import Mark, Reading, describe
from llama_data.pipeline.core.listing import stamp_of

MOST_INDEX = 1 << 30


class Item(NamedTuple):
    """A file of a source. ``name``: its path below the download's folder; ``size`` in bytes, None: the index does not
    say; ``sums``: the published checksums, by algorithm as hashlib calls it.
    """

    name: str
    url: str
    size: int | None = None
    sums: tuple[tuple[str, str], ...] = ()


class Ask(NamedTuple):
    """What is asked of a source. ``what``: its own words, as crawls or languages; ``base``: the place, ends with ``/``;
    ``date``: of the dump; ``kind``: of Common Crawl's files; ``pays``: the requester pays for the transfer.
    """

    what: tuple[str, ...]
    base: str
    date: str | None = None
    kind: str = "wet"
    pays: bool = False


@dataclass(frozen=True)
class Source:
    """A source of dumps. ``domain``: of the recipe that reads it; ``what``: what may be asked for, for the help.

    ``connections``: most at the same time, as its rules say or mean; ``pause``: seconds between two files begun.
    ``terms``: where its rules stand; ``checksums``: which it publishes.
    """

    name: str
    domain: str
    what: str
    base: str
    licence: str
    terms: str
    checksums: str
    connections: int
    files: Callable[[Ask], list[Item]]
    pause: float = 0.0


def index(url: str, missing: str, *, pays: bool = False) -> bytes:
    """An index file of a source.

    Raises:
        RequestError: there is none, said with ``missing``, or it may not be read.
        RunError: it is too large.
    """
    try:
        if url.startswith(("http://", "https://")):
            return b"".join(_limited(url))
        fs, target = requester(url) if pays else file_system(url)
        return read_bytes(url) if is_local(url) else bytes(fs.cat_file(target))
    except (FileNotFoundError, InputError) as error:
        raise RequestError(f"{url}: {missing}") from error
    except PermissionError as error:
        raise RequestError(f"{url}: {error.strerror}") from None


def look(url: str) -> Mark:
    """Size and version of a file, without reading it. Raises what ``http.describe`` does, or the store."""
    if url.startswith(("http://", "https://")):
        return describe(url)
    fs, target = file_system(url)
    info = fs.info(target)
    return Mark(int(info["size"]), stamp_of(info))


def _limited(url: str) -> list[bytes]:
    pieces, size = [], 0
    for piece in Reading(url):
        size += len(piece)
        if size > MOST_INDEX:
            raise RunError(f"{url}: more than {MOST_INDEX:,} bytes; this is no index")
        pieces.append(piece)
    return pieces


def requester(url: str) -> tuple[Any, str]:
    """The S3 file system whose requests say that their sender pays, and the path in it."""
    import fsspec  # type: ignore[import-untyped]

    from llama_data.pipeline.core.stores import store_class

    require_store(url)
    store_class("s3")
    fs = fsspec.filesystem("s3", requester_pays=True)
    return fs, str(fs._strip_protocol(url))


def checked_name(name: str) -> str:
    """A name that an index gives. Raises RunError: it would not lie below the download's folder."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..", ".part") for part in parts):
        raise RunError(f"the index names a file {name!r}, which is no path below a folder; nothing was downloaded")
    return name
