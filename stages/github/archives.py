"""Reads a source archive as a repository: zip and tar as GitHub, GitLab and package registries serve them.

The one folder in which such an archive holds everything is left out of the paths. Archives within are not opened and
nothing is written, so a member's path is only a key; the limits bound memory and time.
"""

from __future__ import annotations

import io
import posixpath
import re
import stat
import tarfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, NamedTuple, Self, cast

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, Split, open_binary, open_decompressed
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.github.entry import Entry, Limits, Snapshot
from llama_data.stages.github.licence import is_evidence, licence_of
from llama_data.stages.shared.zip_members import DAMAGED, read_member, reading, require_all

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
SUFFIXES = (".zip", *TAR_SUFFIXES)
_ENCRYPTED = 0x1
_MADE_ON_WINDOWS = 0
_FREE_BYTES = 16 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DAMAGED: tuple[type[Exception], ...] = (*DAMAGED, tarfile.TarError, DamagedStream)


class _Header(tarfile.TarInfo):
    """A header that is damaged is an error; ``tarfile`` itself takes it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"no header where one should stand: {error}") from None


class Member(NamedTuple):
    """A member that is no folder; ``data`` None: it was not asked for, or is too large, or a link."""

    name: bytes
    data: bytes | None = None
    link: bool = False
    problem: RecordError | None = None


def is_archive(name: str) -> bool:
    """True when the name is that of a source archive."""
    return name.lower().endswith(SUFFIXES)


def snapshot(split: Split, name: str, limits: Limits) -> Snapshot:
    """The archive's files; a zip's in order of their paths, a tar's as they stand in it (which git writes in order).

    A tar is read twice, as its licence may stand behind the files that it is for.

    Raises:
        RecordError: the archive cannot be opened.
    """
    if split.name.lower().endswith(".zip"):
        with _open_zip(split.path) as archive:
            commit = archive.comment.decode("latin-1")
            index, evidence = _survey(_zip_members(archive, split.size, limits, only_evidence=True))
    else:
        commit = _tar_comment(split, limits)
        index, evidence = _survey(_tar_members(split, limits, only_evidence=True))
    top = _top(index)
    licence = licence_of({path[len(top) :]: data for path, data in evidence.items()})
    known = commit if _COMMIT.fullmatch(commit) else None
    return Snapshot(name, None, known, licence, _entries(split, top, limits))


def _survey(members: Iterator[Member]) -> tuple[list[bytes], dict[bytes, bytes]]:
    """The paths of the members, and the bytes of what may say the licence. Damage ends the survey; reading names it."""
    index: list[bytes] = []
    evidence: dict[bytes, bytes] = {}
    try:
        for member in members:
            if member.problem is None:
                index.append(member.name)
                if member.data is not None:
                    evidence.setdefault(member.name, member.data)
    except RecordError:
        pass
    return index, evidence


def _top(paths: list[bytes]) -> bytes:
    """The folder, with its slash, that holds every path; nothing when there is none."""
    first = paths[0].partition(b"/") if paths else (b"", b"", b"")
    top = first[0] + first[1]
    return top if top.endswith(b"/") and all(path.startswith(top) for path in paths) else b""


def _entries(split: Split, top: bytes, limits: Limits) -> Iterator[Entry]:
    seen: Counter[bytes] = Counter()
    try:
        for member in _members(split, limits):
            problem = member.problem
            leaves = problem is not None and problem.reason is Reason.unsafe_archive
            path = member.name if leaves else member.name.removeprefix(top)
            if seen[path] and problem is None:
                problem = RecordError(Reason.damaged_archive, "the archive holds the path more than once")
            yield Entry(path, None if problem else member.data, member.link, problem, seen[path])
            seen[path] += 1
    except RecordError as error:
        rest = RecordError(error.reason, f"{error.detail}; what follows was not read")
        yield Entry(b"", problem=rest, repeat=seen[b""])


def _members(split: Split, limits: Limits) -> Iterator[Member]:
    if not split.name.lower().endswith(".zip"):
        yield from _tar_members(split, limits)
        return
    with _open_zip(split.path) as archive:
        yield from _zip_members(archive, split.size, limits)


class _Zip(zipfile.ZipFile):
    """A zip archive that closes the file below it too."""

    def __init__(self, below: BinaryIO) -> None:
        self.below = below
        super().__init__(below)

    def close(self) -> None:
        super().close()
        self.below.close()


def _open_zip(path: str) -> _Zip:
    below = open_binary(path)
    try:
        with reading():
            return _Zip(below)
    except _DAMAGED as error:
        below.close()
        raise RecordError(Reason.damaged_archive, f"{type(error).__name__}: {error}") from None


def _zip_members(archive: _Zip, stored: int, limits: Limits, *, only_evidence: bool = False) -> Iterator[Member]:
    budget = _Budget(stored, limits)
    items = [(_zip_name(item), item) for item in archive.infolist() if not item.is_dir()]
    if len(items) > limits.files:
        raise RecordError(Reason.unsafe_archive, f"{len(items)} files, more than the limit of {limits.files}")
    for name, item in sorted(items, key=lambda pair: pair[0]):
        path = _safe(name)
        if path is None:
            yield Member(name, problem=RecordError(Reason.unsafe_archive, "the path leaves the archive"))
        elif item.create_system == 3 and stat.S_ISLNK(item.external_attr >> 16):
            yield Member(path, link=True)
        elif item.flag_bits & _ENCRYPTED:
            yield Member(path, problem=RecordError(Reason.damaged_archive, "the member is encrypted"))
        elif item.file_size > limits.file_bytes or (only_evidence and not _may_be_evidence(path)):
            yield Member(path)
        else:
            yield _zip_member(archive, item, path, budget, limits)
    require_all(archive.below, archive)


def _zip_member(archive: _Zip, item: zipfile.ZipInfo, path: bytes, budget: _Budget, limits: Limits) -> Member:
    try:
        data = read_member(archive.below, item, limits.file_bytes + 1)
    except RecordError as error:
        return Member(path, problem=error)
    except _DAMAGED as error:
        return Member(path, problem=RecordError(Reason.damaged_archive, f"{type(error).__name__}: {error}"))
    budget.spend(len(data))
    return Member(path, data if len(data) <= limits.file_bytes else None)


def _zip_name(item: zipfile.ZipInfo) -> bytes:
    name = item.filename
    if item.create_system == _MADE_ON_WINDOWS:
        name = name.replace("\\", "/")
    return name.encode("utf-8", "surrogatepass")


class _Budget:
    """How much an archive may unpack to."""

    def __init__(self, stored: int, limits: Limits) -> None:
        self._ratio = limits.ratio
        self._most = min(limits.unpacked_bytes, max(_FREE_BYTES, stored * limits.ratio))
        self._spent = 0

    def spend(self, size: int) -> None:
        """Count unpacked bytes. Raises RecordError: there are more than there may be."""
        self._spent += size
        if self._spent > self._most:
            detail = f"unpacks to more than {self._most} bytes, or than {self._ratio} times its size"
            raise RecordError(Reason.unsafe_archive, detail)


class _Metered(io.RawIOBase):
    """A decompressed stream whose bytes are counted."""

    def __init__(self, below: BinaryIO, budget: _Budget) -> None:
        super().__init__()
        self._below = below
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = cast("io.BufferedReader", self._below).readinto(buffer)
        self._budget.spend(size)
        return size

    def close(self) -> None:
        self._below.close()
        super().close()


def _open_tar(split: Split, limits: Limits) -> IO[bytes]:
    metered = _Metered(open_decompressed(split.path), _Budget(split.size, limits))
    return io.BufferedReader(metered, 1 << 18)


def _untar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|", tarinfo=_Header)


def _tar_comment(split: Split, limits: Limits) -> str:
    """The commit that ``git archive`` leaves in the archive's own comment."""
    try:
        with _open_tar(split, limits) as stream, _untar(stream) as archive:
            return str(archive.pax_headers.get("comment", ""))
    except _DAMAGED as error:
        raise RecordError(Reason.damaged_archive, f"{type(error).__name__}: {error}") from None


def _tar_members(split: Split, limits: Limits, *, only_evidence: bool = False) -> Iterator[Member]:
    count = 0
    try:
        with _open_tar(split, limits) as stream, _untar(stream) as archive:
            while (info := archive.next()) is not None:
                cast("Any", archive).members.clear()  # else it remembers every member
                if info.isdir():
                    continue
                count += 1
                if count > limits.files:
                    raise RecordError(Reason.unsafe_archive, f"more files than the limit of {limits.files}")
                yield _tar_member(archive, info, limits, only_evidence)
            # A header of zeros ends an archive; where it is damage, files stand behind it.
            below = cast("Any", archive).fileobj
            while rest := below.read(1 << 18):
                if rest.strip(b"\0"):
                    raise RecordError(Reason.damaged_archive, "zeros where a file should begin")
    except _DAMAGED as error:
        raise RecordError(Reason.damaged_archive, f"{type(error).__name__}: {error}") from None


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, limits: Limits, only_evidence: bool) -> Member:
    name = info.name.encode("utf-8", "surrogateescape")
    path = _safe(name)
    if path is None:
        return Member(name, problem=RecordError(Reason.unsafe_archive, "the path leaves the archive"))
    if not info.isreg():
        return Member(path, link=True)
    if info.size > limits.file_bytes or (only_evidence and not _may_be_evidence(path)):
        return Member(path)
    stream = archive.extractfile(info)
    data = stream.read() if stream is not None else b""
    if len(data) < info.size:
        raise RecordError(Reason.truncated_file, f"{info.name}: {len(data)} of {info.size} bytes")
    return Member(path, data)


def _may_be_evidence(path: bytes) -> bool:
    """At the root, or in what may turn out to be the one folder that holds everything."""
    return is_evidence(path) or is_evidence(path.partition(b"/")[2])


def _safe(name: bytes) -> bytes | None:
    """The normalised path, or None for one that leaves the archive."""
    path = posixpath.normpath(name)
    if path.startswith((b"/", b"../")) or path in (b".", b"..") or path[1:3] in (b":/", b":\\"):
        return None
    return path


def without_suffix(name: str) -> str:
    """The name of an archive without what says its format."""
    lower = name.lower()
    suffix = max((suffix for suffix in SUFFIXES if lower.endswith(suffix)), key=len, default="")
    return name[: len(name) - len(suffix)]
