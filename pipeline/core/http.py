"""Files of web servers under the project's rule for stores: what breaks off goes on at the byte where it broke.

A file is read with one request from its first byte on, and another where a reader jumps or a reply breaks. That is kind
to servers that count requests (Common Crawl's lets a request that it has answered run to its end), and needs no HEAD.
Going on is tied to the version that was begun (``If-Range``); bytes of two versions are never put together.
"""

from __future__ import annotations

import atexit
import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

import httpx2
from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.stores import Limits, Patience, Placed, StoreError, may_pass
from llama_data.pipeline.core.version import VERSION

CONTACT_VARIABLE = "LLAMA_DATA_CONTACT"
LIMITS = Limits(pause=1.0, longest=30.0)  # Common Crawl: no more than one further try a second
SKIP = 1 << 20  # a jump forward over no more bytes reads them
BEHIND = 4 << 20  # bytes that are held of what was read
_PIECE = 1 << 18
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
_BROKEN = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ProxyError)

_clients: dict[int, httpx2.Client] = {}
_answered: set[str] = set()


class HttpError(OSError):
    """A server's answer that is no file. ``status``: its code; ``retry_after``: seconds it asks to wait, or 0."""

    def __init__(self, url: str, status: int, said: str = "", retry_after: float = 0.0) -> None:
        super().__init__(f"{url}: the server answers {status}{f' {said}' if said else ''}")
        self.status = status
        self.retry_after = retry_after


class ChangedError(StoreError):
    """The file is another than the one that was begun."""


class Mark(NamedTuple):
    """What tells a version of a file from another: its size in bytes, etag and time; what is not known is empty."""

    size: int | None = None
    etag: str = ""
    modified: str = ""

    def same(self, other: Mark) -> bool:
        """False when anything that both say differs; of etag and time, the etag is believed."""
        if self.size is not None and other.size is not None and self.size != other.size:
            return False
        if self.etag and other.etag:
            return self.etag.removeprefix("W/") == other.etag.removeprefix("W/")
        return not (self.modified and other.modified) or self.modified == other.modified

    def unlike(self, other: Mark) -> str:
        """What differs, for a person: what it was, what it is."""
        names = ("bytes", "etag", "time")
        pairs = zip(names, self, other, strict=True)
        return ", ".join(f"{name} {was} → {now}" for name, was, now in pairs if was and now and was != now)

    def condition(self) -> str:
        """What ``If-Range`` takes: an etag that stands for the bytes, else the time; "" for neither."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def stamp(self) -> str:
        """What changes when the file does; "" when the server says nothing of it."""
        return self.etag.removeprefix("W/").strip('"') or self.modified


def user_agent() -> str:
    """Who asks: the program, and whom to write to when ``$LLAMA_DATA_CONTACT`` says so."""
    contact = os.environ.get(CONTACT_VARIABLE, "")
    who = "".join(letter for letter in contact if letter.isascii() and letter.isprintable() and letter not in "()")
    return f"llama-data/{VERSION} ({f'{who}; ' if who else ''}rebuilds LLaMA's pretraining data)"


def client() -> httpx2.Client:
    """This process's connections."""
    found = _clients.get(os.getpid())
    if found is None:
        made = httpx2.Client(
            headers={"User-Agent": user_agent(), "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(stores.READ_SECONDS, connect=stores.CONNECT_SECONDS),
            follow_redirects=True,
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=16),
        )
        found = _clients.setdefault(os.getpid(), made)  # another thread may have been sooner
    return found


def forget() -> None:
    """Close this process's connections: another contact or proxy is in force, or what they wait for is given up."""
    found = _clients.pop(os.getpid(), None)
    if found is not None:
        found.close()


atexit.register(forget)


class Reading:
    """The bytes of a file from ``start`` (to ``end``) on, over as many replies as it takes; iterate once.

    ``mark``: the version that is wanted, afterwards the one that came; ``at``: the next byte; ``after``: the address
    that the reply calls the next page of it, if any.
    """

    def __init__(
        self,
        url: str,
        start: int = 0,
        end: int | None = None,
        *,
        mark: Mark | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.url = url
        self.at = start
        self.end = end
        self.mark = mark or Mark()
        self.after: str | None = None
        self._limits = limits

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they come.

        Raises:
            ChangedError: the file is not the version of ``mark``.
            FileNotFoundError, PermissionError: the server's answer says so.
            StoreError: the server failed for too long, or its answer is another that will not pass by waiting.
        """
        patience = Patience(self.url, known=_host(self.url) in _answered, limits=self._limits or LIMITS)
        while True:
            before = self.at
            try:
                yield from self._once()
                return
            except (HttpError, *_BROKEN) as error:
                if self.at > before:
                    patience.progress()
                pause = _pause(error, self.url, patience)
            time.sleep(pause)

    def _once(self) -> Iterator[bytes]:
        headers = {}
        if self.at or self.end is not None:
            headers["Range"] = f"bytes={self.at}-{'' if self.end is None else self.end - 1}"
            if self.mark.condition():
                headers["If-Range"] = self.mark.condition()
        with client().stream("GET", self.url, headers=headers) as reply:
            skip = self._begin(reply)
            if skip is None:
                return
            for piece in reply.iter_raw(_PIECE):
                piece, skip = piece[skip:], max(0, skip - len(piece))
                if self.end is not None:
                    piece = piece[: self.end - self.at]
                if piece:
                    self.at += len(piece)
                    yield piece
                if self.at == self.end:
                    return
            size = self.mark.size if self.end is None else min(self.end, self.mark.size or self.end)
            if size is not None and self.at < size:
                raise httpx2.ReadError(f"the reply ended at byte {self.at:,} of {size:,}")

    def _begin(self, reply: httpx2.Response) -> int | None:
        """How many bytes of a reply's body come before those that are wanted; None: there are no more bytes."""
        _answered.add(_host(self.url))
        self.after = reply.links.get("next", {}).get("url")
        found = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
        total = None if found is None or found[2] == "*" else int(found[2])
        if reply.status_code == 416:
            if self.at == (self.mark.size if total is None else total):
                self.mark = self.mark._replace(size=self.at)
                return None
            raise ChangedError(f"{self.url}: the file ends before byte {self.at:,}: it has changed")
        _refuse(reply, self.url)
        coding = reply.headers.get("Content-Encoding", "identity")
        if coding != "identity" and not urlsplit(self.url).path.lower().endswith((".gz", ".tgz")):
            raise InputError(f"{self.url}: the server sends it in another coding ({coding}), though asked not to")
        if reply.status_code != 206:
            length = reply.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        now = Mark(total, reply.headers.get("ETag", ""), reply.headers.get("Last-Modified", ""))
        if not self.mark.same(now):
            raise ChangedError(
                f"{self.url}: the file has changed: {self.mark.unlike(now)}; give the same command again"
            )
        old = self.mark
        self.mark = Mark(old.size if total is None else total, now.etag or old.etag, now.modified or old.modified)
        if reply.status_code == 206:
            if found is None or found[1] is None or int(found[1]) > self.at:
                raise HttpError(self.url, 206, "without the range that was asked for")
            return self.at - int(found[1])
        return self.at  # it does not know ranges: all comes again


class HttpFile(Placed):
    """A file of a web server, open for reading; all of it is of one version.

    The last bytes that were read are held, so that a reader of an archive may step back to what it has just passed.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._start = 0  # the byte of the file with which what is held begins
        self._held = bytearray()
        self._reading = Reading(url)
        self._pieces = iter(self._reading)
        self._held += next(self._pieces, b"")

    @property
    def size(self) -> int | None:
        """Its size in bytes; None: the server does not say."""
        return self._reading.mark.size

    def read(self, size: int | None = -1) -> bytes:
        """As many bytes as are asked for, fewer only at the end of the file."""
        parts, wanted = [], (1 << 62) if size is None or size < 0 else size
        while wanted:
            begin = self._at - self._start
            piece = bytes(self._held[begin : begin + wanted]) if begin >= 0 else b""
            if piece:
                self._at += len(piece)
                wanted -= len(piece)
                parts.append(piece)
            elif not self._more():
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _more(self) -> bool:
        """Hold more bytes, up to those at the reader's place; False: there are none.

        A jump is answered with a block first, and with all that follows when reading goes on.
        """
        if self.size is not None and self._at >= self.size:
            return False
        end = self._start + len(self._held)
        if not end <= self._at <= end + SKIP:
            self._begin(self._at, self._at + stores.FIRST_BLOCK)
        try:
            piece = next(self._pieces, b"")
            if not piece and self._reading.end is not None:
                self._begin(self._start + len(self._held), None)
                piece = next(self._pieces, b"")
        except (FileNotFoundError, PermissionError) as error:
            # It was there: now it is gone or no longer allowed, which is no damage to it.
            raise StoreError(f"{self._url}: it can no longer be read: {error}") from error
        if len(self._held) > 2 * BEHIND:
            passed = len(self._held) - BEHIND
            del self._held[:passed]
            self._start += passed
        self._held += piece
        return bool(piece)

    def _begin(self, start: int, end: int | None) -> None:
        """Another request: from ``start`` on. What is held stays when it goes on behind that."""
        cast("Any", self._pieces).close()
        if start != self._start + len(self._held):
            self._start, self._held = start, bytearray()
        self._reading = Reading(self._url, start, end, mark=self._reading.mark)
        self._pieces = iter(self._reading)

    def close(self) -> None:
        cast("Any", self._pieces).close()
        super().close()


def describe(url: str) -> Mark:
    """Size, etag and time of a file, by HEAD (where a server refuses that, by a GET of its first byte).

    Raises as iterating over a ``Reading`` does.
    """

    def once() -> Mark:
        reply = client().head(url)
        _answered.add(_host(url))
        if reply.status_code in (403, 405, 501):
            reading = Reading(url, 0, 1)
            for _ in reading:
                break
            return reading.mark
        _refuse(reply, url)
        length = reply.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else None
        return Mark(size, reply.headers.get("ETag", ""), reply.headers.get("Last-Modified", ""))

    patience = Patience(url, known=_host(url) in _answered, limits=LIMITS)
    while True:
        try:
            return once()
        except (HttpError, *_BROKEN) as error:
            pause = _pause(error, url, patience)
        time.sleep(pause)


class HttpStore(AbstractFileSystem):  # type: ignore[misc]
    """What the project asks a file system, of web servers; they have no folders."""

    protocol = ("http", "https")
    patient = True
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def unstrip_protocol(self, name: str) -> str:
        return name

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> BinaryIO:
        if mode != "rb":
            raise InputError(f"{path}: a web server can only be read")
        return cast("BinaryIO", HttpFile(path))

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Size, and etag or time. Raises InputError: the server does not say how long the file is."""
        mark, folder = describe(path), path.endswith("/")
        if mark.size is None and not folder:
            raise InputError(f"{path}: the server does not say how long it is; download it first")
        return {"name": path, "size": mark.size, "type": "directory" if folder else "file", "ETag": mark.stamp()}

    def exists(self, path: str, **kwargs: Any) -> bool:
        """Whether the server has something there; any other failure is one."""
        try:
            self.info(path)
        except FileNotFoundError:
            return False
        return True

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """Nothing: raises InputError."""
        raise InputError(
            f"{path}: a web server has no folders to look into; give the address of one file, or of a list of files "
            "whose name ends in `.paths` or `.paths.gz`"
        )

    find = ls


def _refuse(reply: httpx2.Response, url: str) -> None:
    """Raise HttpError for an answer that is no success."""
    if not reply.is_success:
        wait = _seconds(reply.headers.get("Retry-After", ""))
        raise HttpError(url, reply.status_code, reply.reason_phrase, wait)


def _seconds(text: str) -> float:
    """``Retry-After``: seconds, or a date; 0 where it is neither."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0


def _pause(error: Exception, url: str, patience: Patience) -> float:
    """Seconds until the next try. Raises what will not pass as the operating system would say it, else StoreError."""
    if may_pass(error):
        patience.known = patience.known or _host(url) in _answered
        return patience.pause(error)
    if isinstance(error, HttpError) and error.status in (404, 410):
        raise FileNotFoundError(2, f"the server answers {error.status}: there is no such file", url) from None
    if isinstance(error, HttpError) and error.status in (401, 403, 451):
        why = f"the server answers {error.status}: it does not allow it, or has had too many requests from here"
        raise PermissionError(13, why, url) from None
    raise StoreError(str(error)) from None


def _host(url: str) -> str:
    return urlsplit(url).netloc
