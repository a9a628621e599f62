"""Object stores: how often and how long a request is tried, how a file of a store is read and written.

Every request to a store follows one rule (``Patience``): an error that may pass is waited out and tried again, one that
will not pass is raised at once, and when tries or time are used up the task ends with ``StoreError``, which is not an
OSError: a reader that counts damaged bytes must not take a store that is down for one.
"""

from __future__ import annotations

import contextlib
import errno
import io
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar, cast

import fsspec  # type: ignore[import-untyped]

from llama_data.pipeline.core.errors import RunError

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
FIRST_BLOCK = 256 << 10
BLOCK = 8 << 20
SAID_FROM = 8  # failures of a request before the log says so
PART = 16 << 20  # a store takes 10,000 parts: 160 GB a file

# What will not pass by waiting. Every other OSError of a store may: each has kinds of its own.
_FINAL = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    io.UnsupportedOperation,
)
_FINAL_NUMBERS = (errno.EINVAL, errno.ENOSPC, errno.EDQUOT, errno.EROFS)
# Whose errors are no OSErrors: what stores' own packages and their HTTP clients raise.
_CLIENTS = ("aiohttp", "azure", "gcsfs", "google", "httpx", "httpx2", "requests", "urllib3")
_STATUS = ("status", "status_code", "code")

_Result = TypeVar("_Result")


class StoreError(RunError):
    """A store did not answer, however often it was asked; the task ends and is run again."""


@dataclass(frozen=True)
class Limits:
    """How long a request is tried.

    ``tries`` and ``seconds``: most tries, and most time from the first of them on, without any progress.
    ``first_seconds``: most time while the store has never answered: a wrong address is no outage. The pause before
    the n-th further try is drawn from 0 to ``pause * 2**n`` seconds, at most ``longest``.
    """

    tries: int = 25
    seconds: float = 300.0
    first_seconds: float = 20.0
    pause: float = 0.1
    longest: float = 20.0


LIMITS = Limits()


class Patience:
    """The tries of one request. ``what`` names it to a person; ``known``: the store has answered before."""

    def __init__(
        self,
        what: str,
        *,
        known: bool = True,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.what = what
        self.known = known
        self.limits = limits or LIMITS
        self.failures = 0
        self._clock = clock
        self._draw = draw
        self._since = clock()

    def progress(self) -> None:
        """Something has come: the count of tries and the time begin anew."""
        self.known = True
        self.failures = 0
        self._since = self._clock()

    def pause(self, error: BaseException) -> float:
        """Seconds to wait before the next try. Raises StoreError: it was tried often or long enough."""
        self.failures += 1
        passed = self._clock() - self._since
        most = self.limits.seconds if self.known else self.limits.first_seconds
        if self.failures >= self.limits.tries or passed >= most:
            hint = "" if self.known else "; it never answered: check the address (endpoint) and the network"
            times = f"{self.failures} tries" if self.failures > 1 else "1 try"
            raise StoreError(
                f"{self.what}: the store failed {times} in {passed:.0f} s, the last time with {_said(error)}{hint}; "
                "the same command goes on from what is complete"
            ) from error
        if self.failures == SAID_FROM:
            from loguru import logger  # the trainer reads files too, and starts without it

            logger.warning(f"{self.what}: the store has failed {self.failures} times: {_said(error)}; tried on")
        longest = min(self.limits.longest, self.limits.pause * 2 ** min(self.failures, 30))
        asked = float(getattr(error, "retry_after", 0.0))
        if asked > self.limits.seconds:
            raise StoreError(f"{self.what}: the server asks to come again in {asked:,.0f} s; do so then")
        self._since += asked  # what it asks for is no failure to answer
        return asked + self._draw(0.0, longest)


def may_pass(error: BaseException) -> bool:
    """Whether an error of a store is worth another try: not where nothing is there or nothing is allowed."""
    if isinstance(error, (TimeoutError, ConnectionError)):
        return True
    if not isinstance(error, OSError) and type(error).__module__.split(".")[0] not in _CLIENTS:
        return False
    sources = (error, getattr(error, "response", None))
    said = (str(getattr(source, name, None)) for source in sources for name in _STATUS)
    status = next((int(status) for status in said if status.isdecimal()), None)
    if status is not None and 400 <= status < 500:
        return status in (408, 425, 429)
    return not isinstance(error, _FINAL) and getattr(error, "errno", None) not in _FINAL_NUMBERS


def insist(what: str, action: Callable[[], _Result]) -> _Result:
    """The action's result, however often the store fails. Raises StoreError, and at once what will not pass."""
    patience = Patience(what)
    while True:
        try:
            return action()
        except Exception as error:
            if not may_pass(error):
                raise
            time.sleep(patience.pause(error))


class Pace:
    """How many requests a second a process sends to a store: ``most``, fewer while the store says to slow down.

    Told to slow down it halves the rate, at most once a second, down to ``least``; each answer adds one to it.
    """

    def __init__(self, most: float = 100.0, least: float = 5.0) -> None:
        self.most = most
        self.least = least
        self.rate = most
        self._next = 0.0
        self._slowed = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds that the next request has to wait; it has then had its turn."""
        turn = max(self._next, now)
        self._next = turn + 1 / self.rate
        return turn - now

    def answered(self) -> None:
        """The store has answered a request."""
        self.rate = min(self.most, self.rate + 1)

    def slow_down(self, now: float) -> None:
        """The store has said that requests come too fast."""
        if now - self._slowed >= 1:
            self.rate = max(self.least, self.rate / 2)
            self._slowed = now


class Asked:
    """A file system of a store that has no rule of its own for tries, with the project's around what it is asked."""

    _ASKS = ("exists", "isfile", "isdir", "ls", "find", "info", "size", "rm", "rm_file", "cat_file", "cat_ranges")

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fs, name)
        if name not in self._ASKS:
            return found

        def asked(*args: Any, **kwargs: Any) -> Any:
            return insist(f"{name} {args[0] if args else ''}", lambda: found(*args, **kwargs))

        return asked


def adopt(fs: Any) -> Any:
    """A file system under the rule for stores: as it is where it follows it by itself, or lies on this machine."""
    local = {"file", "local", "memory"} & set([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)
    return fs if local or getattr(fs, "patient", False) else Asked(fs)


def store_class(protocol: str) -> None:
    """Make fsspec use the project's own class for a kind of store where there is one. Raises ImportError: no s3fs."""
    if protocol in ("s3", "s3a"):
        from llama_data.pipeline.core.s3 import PatientS3

        fsspec.register_implementation(protocol, PatientS3, clobber=True)
    elif protocol in ("http", "https"):
        from llama_data.pipeline.core.http import HttpStore

        fsspec.register_implementation(protocol, HttpStore, clobber=True)


def register() -> None:
    """Say to fsspec which classes are ours, without importing them: for what is unpickled or made by others."""
    for protocol in ("s3", "s3a"):
        if protocol not in fsspec.registry:
            fsspec.register_implementation(protocol, "llama_data.pipeline.core.s3.PatientS3", clobber=True)


def forget() -> None:
    """Make file systems anew when they are next asked for: another address or other credentials are in force."""
    for kind in _subclasses(fsspec.spec.AbstractFileSystem):
        if getattr(kind, "patient", False):
            kind.clear_instance_cache()


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _subclasses(inner)


class Placed(io.RawIOBase):
    """A file that is read from the place it is at, ``_at``, which a seek changes without reading anything."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    @property
    def size(self) -> int | None:
        """Its size in bytes; None: nobody says."""
        raise NotImplementedError

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END and self.size is None:
            raise io.UnsupportedOperation(f"{self._url}: the server does not say how long it is")
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size or 0}[whence]
        if at < 0:
            raise ValueError(f"{self._url}: a seek to {at}")
        self._at = at
        return at


class StoreReader(Placed):
    """A file of a store, read by ranges: the bytes of a range come whole or are asked for again.

    Where reading goes on where it stopped, twice as much is fetched each time, from FIRST_BLOCK to BLOCK bytes;
    so a file costs few requests, and a look into it few bytes.
    """

    def __init__(self, url: str, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__(url)
        self._size = size
        self._fetch = fetch
        self._start = 0
        self._held = memoryview(b"")
        self._block = FIRST_BLOCK

    @property
    def size(self) -> int:
        return self._size

    def read(self, size: int | None = -1) -> bytes:
        """Exactly as many bytes as are asked for, fewer only at the end of the file."""
        wanted = max(0, self._size - self._at)
        if size is not None and size >= 0:
            wanted = min(wanted, size)
        first = self._taken(wanted)
        if len(first) == wanted:
            return bytes(first)
        parts = [bytes(first)]
        wanted -= len(first)
        while wanted:
            self._fill(wanted)
            piece = self._taken(wanted)
            parts.append(bytes(piece))
            wanted -= len(piece)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _taken(self, most: int) -> memoryview:
        """What is held of the next ``most`` bytes."""
        at = self._at - self._start
        piece = self._held[at : at + most] if 0 <= at < len(self._held) else memoryview(b"")
        self._at += len(piece)
        return piece

    def _fill(self, wanted: int) -> None:
        """Hold the bytes from here on: as many as are wanted, or a block."""
        end = self._start + len(self._held)
        self._block = min(2 * self._block, BLOCK) if self._at == end else FIRST_BLOCK
        start, stop = self._at, min(self._size, self._at + min(max(wanted, self._block), BLOCK))
        self._held = memoryview(self._fetch(start, stop))
        self._start = start


def open_store(fs: Any, target: str, url: str) -> BinaryIO:
    """Open a file of a store for reading. Raises what the store says when it is not there."""
    stream = insist(url, lambda: fs.open(target, "rb", cache_type="none"))
    fetch = getattr(stream, "_fetch_range", None)
    if fetch is None or stream.size is None:  # what is in memory, or cannot be read by ranges
        return cast("BinaryIO", stream)

    def whole_range(start: int, end: int) -> bytes:
        def once() -> bytes:
            data = bytes(fetch(start, end))
            if len(data) != end - start:
                raise ConnectionError(f"{len(data):,} bytes came instead of {end - start:,}")
            return data

        try:
            return once() if getattr(fs, "patient", False) else insist(url, once)
        except OSError as error:  # the file was there: now it is gone, or no longer allowed, which is no damage to it
            raise StoreError(f"{url}: it can no longer be read: {_said(error)}") from error

    return cast("BinaryIO", StoreReader(url, int(stream.size), whole_range))


@contextmanager
def whole_write(fs: Any, target: str) -> Iterator[BinaryIO]:
    """Write a file of a store that is there when the block ends without an error, and else not: its parts are removed.

    A process that is killed leaves parts that nobody sees; the store removes them when its bucket says so.
    """
    stream = fs.open(target, "wb", block_size=PART)
    try:
        yield cast("BinaryIO", stream)
        stream.close()
    except BaseException:
        with contextlib.suppress(Exception):  # what went wrong first is what is said
            getattr(stream, "discard", lambda: None)()
        if hasattr(stream, "forced"):
            stream.closed = True  # fsspec's would be written after all when it is collected
        raise


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
