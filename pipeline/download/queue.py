"""Downloads the files of a source into a folder: what is there is kept, the rest comes by a few connections."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from llama_data.pipeline.core import http
from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError, StoppedError
from llama_data.pipeline.core.lock import Lock
from llama_data.pipeline.core.paths import Choice, choose
from llama_data.pipeline.core.screen import size_of
from llama_data.pipeline.core.stopping import Stopped
from llama_data.pipeline.download.fetch import Fetched, WrongError, check, fetch, part_of
from llama_data.pipeline.download.record import RECORD, add, mend, read_record
from llama_data.pipeline.download.source import Item, Source, look

SAMPLE = 16  # files whose size is asked for where an index does not say it
MOST_FAILED = 10  # files, after which no further one is begun
LOOK = 0.2  # seconds between two looks at how far it is
LEAVE = 5.0  # seconds that connections have to end after a signal
_SPARE = 64 << 20  # bytes left free on the disk


class Progress(NamedTuple):
    """How far a download is: files and bytes, of those that were still to come; ``bytes_all`` may be an estimate."""

    files: int
    files_all: int
    bytes: int
    bytes_all: int
    failed: int


@dataclass(frozen=True)
class Plan:
    """What is to come: ``todo``, of ``items``; ``bytes_todo`` and ``bytes_all`` are estimates where not ``exact``;
    ``recorded``: names that the folder's record has.
    """

    folder: Path
    items: tuple[Item, ...]
    todo: tuple[Item, ...]
    bytes_all: int
    bytes_todo: int
    exact: bool
    recorded: frozenset[str]


def make_plan(folder: Path, items: Sequence[Item], *, overwrite: bool = False) -> Plan:
    """Which files are still to come, and how many bytes.

    Raises RequestError: the source has another version by now of a file that was downloaded, unless ``overwrite``.
    """
    record = read_record(folder)
    todo, present = [], 0
    for item in items:
        row = record.get(item.name)
        path = folder / item.name
        if row is None or not path.is_file() or path.stat().st_size != row["size"]:
            todo.append(item)
        elif (other := _differs(item, row)) and not overwrite:
            raise RequestError(
                f"{path}: the source has another one since {row['fetched']}: {other}; --overwrite fetches it again, or "
                "give another --output"
            )
        elif other:
            todo.append(item)
        else:
            present += row["size"]
    unknown = [item for item in todo if item.size is None]
    mean = _mean_size(unknown) if unknown else 0
    coming = sum(mean if item.size is None else item.size for item in todo)
    halves = sum(path.stat().st_size for item in todo if (path := part_of(folder, item)).is_file())
    exact = len(unknown) <= SAMPLE
    return Plan(folder, tuple(items), tuple(todo), present + coming, max(0, coming - halves), exact, frozenset(record))


def _differs(item: Item, row: dict[str, Any]) -> str:
    if item.size is not None and item.size != row["size"]:
        return f"{row['size']:,} bytes then, {item.size:,} now"
    now, then = dict(item.sums), row["published"]
    kind = next((kind for kind in now if kind in then and now[kind] != then[kind]), None)
    return "" if kind is None else f"{kind} {then[kind]} then, {now[kind]} now"


def _mean_size(items: Sequence[Item]) -> int:
    """The mean size of a few files, asked for one after the other."""
    share = min(1.0, SAMPLE / len(items))
    sample = choose(items, Choice(share), lambda item: item.name)
    sizes = []
    for item in sample:
        try:
            size = look(item.url).size
        except FileNotFoundError:
            continue  # it will be named when its turn comes
        except PermissionError as error:
            raise RequestError(f"{item.url}: {error.strerror}") from None
        sizes += [] if size is None else [size]
    return round(sum(sizes) / len(sizes)) if sizes else 0


def require_room(plan: Plan) -> None:
    """Raise RequestError when the disk has less room than the files need."""
    place = next(path for path in (plan.folder, *plan.folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if plan.bytes_todo + _SPARE > free:
        about = "" if plan.exact else "about "
        raise RequestError(
            f"{plan.folder}: {about}{size_of(plan.bytes_todo)} are to come and {size_of(free)} are free; "
            "make room, give another --output, or a --share"
        )


@dataclass
class _Work:
    """What the connections share."""

    plan: Plan
    source: Source
    pays: bool
    left: list[Item]
    guard: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)
    fatal: list[BaseException] = field(default_factory=list)
    done: int = 0
    bytes: int = 0
    next_start: float = 0.0

    def take(self) -> Item | None:
        """The next file, in its turn."""
        with self.guard:
            if self.stop.is_set() or not self.left:
                return None
            turn = max(self.next_start, time.monotonic())
            self.next_start = turn + self.source.pause
            item = self.left.pop()
        self.stop.wait(max(0.0, turn - time.monotonic()))
        return None if self.stop.is_set() else item

    def came(self, size: int, total: int | None) -> None:
        with self.guard:
            self.bytes += size

    def progress(self) -> Progress:
        plan = self.plan
        return Progress(self.done, len(plan.todo), self.bytes, plan.bytes_todo, len(self.failed))


def download(
    plan: Plan,
    source: Source,
    *,
    connections: int,
    pays: bool = False,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> None:
    """Fetch what is to come. ``tell`` is told several times a second how far it is.

    Raises:
        RequestError: another command downloads into the folder, or the disk has no room.
        RunError: files could not be had; the others are there.
        StoppedError: a signal; what has come stays.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with Lock(plan.folder / ".download.lock", "is being downloaded into"):
        require_room(plan)
        mend(plan.folder)
        work = _Work(plan, source, pays, list(reversed(plan.todo)))
        threads = [threading.Thread(target=_fetch_all, args=(work,), daemon=True) for _ in range(connections)]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                threads[0].join(LOOK) if threads[0].is_alive() else time.sleep(LOOK)
                tell(work.progress())
        except (Stopped, KeyboardInterrupt) as stop:
            work.stop.set()
            until = time.monotonic() + LEAVE
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))
            number = stop.number if isinstance(stop, Stopped) else 2
            raise StoppedError(f"{plan.folder}: stopped: {_stands(work)}", number) from None
        tell(work.progress())
        if work.fatal:
            error = work.fatal[0]
            said = str(error) if isinstance(error, LlamaDataError) else f"{type(error).__name__}: {error}"
            raise RunError(f"{said}; {_stands(work)}")
        if work.failed:
            shown = "\n  ".join(work.failed[:6]) + (f"\n  and {len(work.failed) - 6} more" if work.failed[6:] else "")
            raise RunError(f"{plan.folder}: {len(work.failed)} files could not be had:\n  {shown}\n{_stands(work)}")


def _stands(work: _Work) -> str:
    there = len(work.plan.items) - len(work.plan.todo) + work.done
    return (
        f"{there:,} of {len(work.plan.items):,} files are complete and stay, and what has come of others; "
        "the same command goes on from there"
    )


def _fetch_all(work: _Work) -> None:
    """One connection: file after file, until none is left or it has to stop."""
    while (item := work.take()) is not None:
        try:
            fetched = _fetch_one(work, item)
            if fetched is None:
                return
            with work.guard:
                add(work.plan.folder, work.source, item, fetched)
                work.done += 1
        except (FileNotFoundError, RunError) as error:
            if work.stop.is_set():
                return
            said = str(error) if isinstance(error, RunError) else f"{item.url}: {error.strerror}"
            with work.guard:
                work.failed.append(said)
                if len(work.failed) >= MOST_FAILED:
                    work.fatal.append(RunError(f"{len(work.failed)} files failed, the last: {said}"))
                    work.stop.set()
        except BaseException as error:
            # No right, no room, or a fault of ours: another file would fare no better, and a server that says no is
            # not asked again.
            with work.guard:
                work.fatal.append(_refused(item, error))
            work.stop.set()
            return


def _refused(item: Item, error: BaseException) -> BaseException:
    if isinstance(error, PermissionError) and error.filename == item.url:
        who = "" if os.environ.get(http.CONTACT_VARIABLE) else "; --contact says who you are, which some ask for"
        return RunError(f"{item.url}: {error.strerror}; wait some hours, then use fewer --connections{who}")
    return error


def _fetch_one(work: _Work, item: Item) -> Fetched | None:
    target = work.plan.folder / item.name
    if target.exists() and item.name not in work.plan.recorded:
        try:  # it came before its line was written
            fetched = check(item, target, http.Mark(item.size) if item.sums else look(item.url))
            work.came(fetched.size, fetched.size)
            return fetched
        except WrongError as error:
            raise RunError(
                f"{target}: is not what the source has ({error}), and not in {RECORD}: remove it or give "
                "another --output"
            ) from None
    return fetch(item, work.plan.folder, pays=work.pays, came=work.came, stopped=work.stop.is_set)
