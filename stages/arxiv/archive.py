"""Safe reading of arXiv's archives: an outer tar of papers, each a gzip file of one TeX file or of a tar.

Nothing is ever written to disk, so a member's path is only a key; the limits bound memory and time.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, NamedTuple, cast

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split, cut_split, open_binary
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv.vocabulary import BINARY

BLOCK = 512
_MAGIC = b"ustar"
_PAPER = (".gz", ".pdf")
_SEARCH = 1 << 20
_PAX_PATH = re.compile(rb"(?:\A|\n)\d+ path=([^\n]+)\n")


@dataclass(frozen=True)
class Limits:
    """What an archive may hold. Sizes in bytes; ``ratio`` counts only beyond 16 MiB of output."""

    paper_bytes: int = 512 << 20
    unpacked_bytes: int = 1 << 30
    text_bytes: int = 64 << 20
    members: int = 20_000
    ratio: int = 300


class Member(NamedTuple):
    """A paper's member of the outer tar, or why there is none; ``offset`` is that of its header."""

    offset: int
    name: str
    data: bytes
    problem: Reason | None = None
    detail: str = ""


@dataclass
class Source:
    """The text files of a paper by their normalised path; ``skipped`` counts members that were not taken."""

    files: dict[str, bytes] = field(default_factory=dict)
    single: bool = False
    skipped: int = 0


def cut(split: Split, size: int) -> Iterator[Split]:
    """Pieces of a tar of about ``size`` bytes; a member belongs to the piece in which its header begins."""
    size = max(BLOCK, size // BLOCK * BLOCK)
    if split.size <= size:
        yield split
        return
    yield from cut_split(split, size)


def read_members(split: Split, limits: Limits) -> Iterator[Member]:
    """Yield the members of the split; after damage the reading goes on at the next sound header."""
    with open_binary(split.path) as stream:
        yield from _Outer(stream, split, limits).members()


class _Outer:
    def __init__(self, stream: BinaryIO, split: Split, limits: Limits) -> None:
        self._stream = stream
        self._end = split.end
        self._limits = limits
        self._offset = split.start
        self._name = ""
        self._last: int | None = None
        self._reported = -1

    def members(self) -> Iterator[Member]:
        if self._offset and not self._resume():
            return
        while self._end is None or self._offset < self._end or self._name:
            start = self._offset
            self._stream.seek(start)
            block = self._stream.read(BLOCK)
            if not block:
                return
            if not block.strip(b"\0"):
                if not self._resume():
                    return
                # Where tars stand one after the other nothing but zeros is between them.
                if self._holds(start, self._offset):
                    yield Member(start, "", b"", Reason.damaged_archive, "zeros where a member should begin")
                continue
            header = _header(block)
            if header is None:
                what = "no tar header at this offset"
                if start != self._reported:
                    yield Member(start, "", b"", Reason.wrong_format if not start else Reason.damaged_archive, what)
                self._reported = start
                # Where bytes are lost it stands before this place, but behind the header before.
                if not self._resume(start + 1 if self._last is None else self._last + BLOCK):
                    return
                continue
            self._last = start
            self._offset = start + BLOCK + -(-header.size // BLOCK) * BLOCK
            member = self._member(header, start)
            damage = self._damage(header, start, member)
            if damage is not None:
                where, what = damage
                cut_off = member is not None and member.problem is Reason.truncated_file
                reason = Reason.truncated_file if cut_off else Reason.damaged_archive
                yield Member(start, header.name, b"", reason, f"{header.name}: {what}")
                if not self._resume(where):
                    return
            elif member is not None:
                yield member

    def _damage(self, header: tarfile.TarInfo, start: int, member: Member | None) -> tuple[int, str] | None:
        """Where to look for the next header, and what is wrong, when the member's size cannot be right.

        A size is right when the next header, the end's zeros or the file's end follow what it spans, and no header of
        a paper stands inside. Data behind a gzip file that is whole is no part of it.
        """
        data = member.data if member is not None and member.problem is None else b""
        inside = next((place for place in _magics(data) if _is_paper(data[place : place + BLOCK])), None)
        if inside is not None:
            return (
                start + BLOCK + inside,
                f"its size is not {header.size}, the next member begins after {inside} bytes",
            )
        self._stream.seek(self._offset - 1)
        follows = self._stream.read(1 + BLOCK)
        if not follows:
            return start + BLOCK, f"{header.size} bytes are more than the archive holds"
        block = follows[1:]
        if member is None or not block.strip(b"\0") or _header(block) is not None:
            return None
        if member.problem is Reason.unsafe_archive:
            return start + BLOCK, f"no header follows after the {header.size} bytes of its size"
        return None if _is_whole(data) else (start + BLOCK, "it ends too early, and no header follows")

    def _member(self, header: tarfile.TarInfo, start: int) -> Member | None:
        name, self._name = self._name or header.name, ""
        if header.type == tarfile.GNUTYPE_LONGNAME and header.size < 1 << 16:
            self._name = self._stream.read(header.size).split(b"\0")[0].decode("utf-8", "replace")
            return None
        if header.type == tarfile.XHDTYPE and header.size < 1 << 16:
            found = _PAX_PATH.search(self._stream.read(header.size))
            self._name = found[1].decode("utf-8", "replace") if found else ""
            return None
        if not header.isreg():
            return None
        if header.size > self._limits.paper_bytes:
            detail = f"{name}: {header.size} bytes, the limit is {self._limits.paper_bytes}"
            return Member(start, name, b"", Reason.unsafe_archive, detail)
        data = self._stream.read(header.size)
        if len(data) < header.size and not any(_is_paper(data[place : place + BLOCK]) for place in _magics(data)):
            return Member(start, name, b"", Reason.truncated_file, f"{name}: {len(data)} of {header.size} bytes")
        return Member(start, name, data)

    def _holds(self, start: int, end: int) -> bool:
        """True when anything but zeros stands between two places."""
        self._stream.seek(start)
        while start < end:
            data = self._stream.read(min(_SEARCH, end - start))
            if data.strip(b"\0"):
                return True
            start += max(len(data), 1)
        return False

    def _resume(self, offset: int | None = None) -> bool:
        """Move to the next sound header of a paper at or after the offset; False when there is none.

        Where bytes are lost or too many, what follows no longer begins at a multiple of a block.
        """
        at = self._offset if offset is None else offset
        while self._end is None or at < self._end:
            self._stream.seek(at)
            data = self._stream.read(_SEARCH)
            for found in _magics(data, 1):
                if _is_paper(data[found : found + BLOCK]):
                    self._offset = at + found
                    return self._end is None or self._offset < self._end
            if len(data) < _SEARCH:
                return False
            at += len(data) - BLOCK + 1
        return False


def _magics(data: bytes, step: int = BLOCK) -> Iterator[int]:
    """Offsets, multiples of a step, at which a block looks like a tar header."""
    place = data.find(_MAGIC)
    while place >= 0:
        if (place - 257) % step == 0 and place >= 257:
            yield place - 257
        place = data.find(_MAGIC, place + 1)


def _is_paper(block: bytes) -> bool:
    """True for a sound header of a paper, or of what belongs to the next header."""
    header = _header(block)
    return header is not None and (header.name.endswith(_PAPER) or header.type in b"Lxg")


def _is_whole(data: bytes) -> bool:
    """True unless the data is a gzip or PDF file that is cut off."""
    if len(data) < 2:
        return False
    if data.startswith(b"%PDF"):
        return b"%%EOF" in data[-2048:]
    if not data.startswith(b"\x1f\x8b"):
        return True
    engine = zlib.decompressobj(31)
    try:
        while data and not engine.eof:
            engine.decompress(data, 1 << 20)
            data = engine.unconsumed_tail
    except zlib.error:
        return True
    return engine.eof


def _header(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None


class _Gunzip(io.RawIOBase):
    """A decompressing stream that raises RecordError beyond the limits, or when the gzip data is broken."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        super().__init__()
        self._data = data
        self._limits = limits
        self._place = 0
        self._engine = zlib.decompressobj(31)
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._next(len(buffer))
        buffer[: len(piece)] = piece
        self._total += len(piece)
        too_much = self._total > self._limits.unpacked_bytes
        if too_much or (self._total > 16 << 20 and self._total > self._limits.ratio * len(self._data)):
            detail = f"{len(self._data)} bytes unpack to more than {self._total}"
            raise RecordError(Reason.unsafe_archive, detail)
        return len(piece)

    def _next(self, size: int) -> bytes:
        try:
            while True:
                if self._engine.eof:
                    rest = self._engine.unused_data.lstrip(b"\0")
                    if not rest.startswith(b"\x1f\x8b"):
                        return b""
                    self._place = len(self._data) - len(rest)
                    self._engine = zlib.decompressobj(31)
                feed = self._engine.unconsumed_tail or self._take()
                piece = self._engine.decompress(feed, size)
                if piece:
                    return piece
                if not feed and not self._engine.eof:
                    raise RecordError(Reason.damaged_archive, "the gzip data ends too early")
        except zlib.error as error:
            raise RecordError(Reason.damaged_archive, f"broken gzip data: {error}") from None

    def _take(self) -> bytes:
        piece = self._data[self._place : self._place + (1 << 16)]
        self._place += len(piece)
        return piece


def unpack(data: bytes, limits: Limits) -> Source:
    """The text files of a gzipped paper.

    Raises:
        RecordError: broken gzip or tar data, or past the limits.
    """
    return _unpack(data, limits, nested=False)


def _unpack(data: bytes, limits: Limits, *, nested: bool) -> Source:
    stream = io.BufferedReader(_Gunzip(data, limits), 1 << 16)
    if _header(stream.peek(BLOCK)[:BLOCK]) is None:
        content = stream.read(limits.text_bytes + 1)
        if len(content) > limits.text_bytes and not content.startswith((b"%PDF", b"%!PS")):
            raise RecordError(Reason.unsafe_archive, f"a single file of more than {limits.text_bytes} bytes")
        return Source(files={"": content}, single=True)
    return _untar(stream, limits, nested=nested)


def _untar(stream: io.BufferedIOBase, limits: Limits, *, nested: bool) -> Source:
    source = Source()
    packed: dict[str, bytes] = {}
    text = count = 0
    try:
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|") as archive:
            for info in archive:
                count += 1
                if count > limits.members:
                    raise RecordError(Reason.unsafe_archive, f"more than {limits.members} members")
                name = _safe_name(info.name)
                if not info.isreg():
                    source.skipped += not info.isdir()
                elif name is None:
                    source.skipped += 1
                elif _may_be_text(name) or (_is_packed(name) and not nested):
                    text += info.size
                    if text > limits.text_bytes:
                        raise RecordError(Reason.unsafe_archive, f"more than {limits.text_bytes} bytes of text")
                    member = archive.extractfile(info)
                    into = source.files if _may_be_text(name) else packed
                    into[name] = member.read() if member is not None else b""
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise RecordError(Reason.damaged_archive, f"broken tar inside the paper: {error}") from None
    for name, data in packed.items():
        text += _add_packed(source, name, data, replace(limits, text_bytes=max(0, limits.text_bytes - text)))
    return source


def _add_packed(source: Source, name: str, data: bytes, limits: Limits) -> int:
    """Add what a gzip file inside of a paper holds, as arXiv unpacks it; returns its size."""
    try:
        inner = _unpack(data, limits, nested=True)
    except RecordError as error:
        if error.reason is Reason.unsafe_archive:
            raise
        source.skipped += 1
        return 0
    folder = posixpath.dirname(name)
    stem = name[: name.rfind(".")]
    added = {stem: inner.files[""]} if inner.single else {posixpath.join(folder, k): v for k, v in inner.files.items()}
    for path, content in added.items():
        source.files.setdefault(path, content)
    return sum(map(len, added.values()))


def _is_packed(name: str) -> bool:
    """True for a gzip file of what may be text, or of a tar."""
    stem, suffix = posixpath.splitext(name.lower())
    return suffix == ".tgz" or (suffix == ".gz" and (_may_be_text(stem) or stem.endswith(".tar")))


def _safe_name(name: str) -> str | None:
    """The normalised path, or None for one that leaves the archive."""
    path = posixpath.normpath(name.replace("\\", "/"))
    if path.startswith(("/", "../")) or path in (".", "..") or path[1:3] == ":/":
        return None
    return path


def _may_be_text(name: str) -> bool:
    suffix = posixpath.splitext(name)[1].lstrip(".").lower()
    return suffix not in BINARY
