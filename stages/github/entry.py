"""What a repository holds at one commit, whether git or an archive has it, and the limits on reading it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from llama_data.pipeline.core.errors import RecordError

# git's own test: a NUL in this many bytes at the beginning makes a file binary.
_BINARY_HEAD = 8000
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
_LFS_SIZE = 1024
_BLOB = {
    "github.com": "https://github.com/{repo}/blob/{commit}/{path}",
    "gitlab.com": "https://gitlab.com/{repo}/-/blob/{commit}/{path}",
    "bitbucket.org": "https://bitbucket.org/{repo}/src/{commit}/{path}",
    "codeberg.org": "https://codeberg.org/{repo}/src/commit/{commit}/{path}",
}
_REMOTE = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^@/]*@)?(?P<host>[^/:@]+)(?::\d+)?/|(?:[^@/:]*@)?(?P<short>[^/:@]+):/?(?!/))"
    r"(?P<path>[^?#]+?)(?:\.git)?/*\Z"
)


@dataclass(frozen=True)
class Limits:
    """What a repository may hold. Sizes in bytes; a larger file is one without content, as BigQuery has it.

    ``ratio``: most unpacked bytes for a stored one of an archive, beyond the first 16 MiB.
    """

    file_bytes: int = 1 << 20
    files: int = 1_000_000
    unpacked_bytes: int = 64 << 30
    ratio: int = 300


class Entry(NamedTuple):
    """A file, link or submodule at a path.

    ``data``: None when its bytes are not at hand (too large, a link); ``link``: not a file of this repository;
    ``problem``: why it cannot be read; ``repeat``: how many entries with the path stood before it.
    """

    path: bytes
    data: bytes | None = None
    link: bool = False
    problem: RecordError | None = None
    repeat: int = 0


class Snapshot(NamedTuple):
    """A repository at one commit. ``host`` is that of its address on the web, where it has one that is known."""

    name: str
    host: str | None
    commit: str | None
    licence: str | None
    entries: Iterator[Entry]

    def url(self, path: bytes) -> str | None:
        """Address of a file at the commit."""
        if self.host is None or self.commit is None:
            return None
        return _BLOB[self.host].format(repo=quote(self.name), commit=self.commit, path=quote(path))


def origin(remote: str) -> tuple[str, str] | None:
    """Host and ``owner/name`` of a remote's address (https, ssh, git or ``user@host:path``), when the host is known."""
    found = _REMOTE.match(remote)
    if found is None:
        return None
    host = (found["host"] or found["short"]).lower().removeprefix("www.")
    path = found["path"].strip("/")
    return (host, path) if host in _BLOB and "/" in path else None


def has_text(data: bytes) -> bool:
    """False for a binary file and for a pointer to one that git's large file storage keeps."""
    return b"\0" not in data[:_BINARY_HEAD] and not (len(data) < _LFS_SIZE and data.startswith(_LFS))


def readable(path: bytes) -> str:
    """A path as text. Bytes that are not UTF-8 are written ``\\xff``, and every backslash beside them twice."""
    try:
        return path.decode()
    except UnicodeDecodeError:
        return path.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def entry_key(entry: Entry) -> str:
    """A key that no other entry of the repository has: two slashes in a row stand in no path."""
    path = readable(entry.path)
    escaped = "//bytes" if path.encode() != entry.path else ""
    return path + escaped + (f"//{entry.repeat + 1}" if entry.repeat else "")
