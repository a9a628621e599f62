"""Who is told of a command's progress: a person at a terminal, a log file, a program, or nobody.

A thread looks once in a while, so it does not matter what the command is at or who does the work; it takes at most
``SHARE`` of a core. What it shows is read from the run's folder, where the tasks note what they have done.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console

from llama_data.pipeline.core.errors import LlamaDataError
from llama_data.pipeline.core.failures import sentence_of_error
from llama_data.pipeline.core.files import is_local
from llama_data.pipeline.core.screen import plain, raw
from llama_data.pipeline.core.stopping import Stopped
from llama_data.pipeline.live.results import Result
from llama_data.pipeline.live.views import Jobs, View, Work

SHARE = 0.01  # of a core that the display may take
STORE_SECONDS = 15.0  # between looks at a run in a store, where each costs requests


class Display:
    """What a command says goes to standard error, line by line; nothing is shown in between.

    ``every``: seconds between looks (None: never). ``again``: the command that goes on after a stop.
    ``goes_on``: what is made is not the last; the command itself does what is next.
    """

    every: float | None = None

    def __init__(self, again: str = "") -> None:
        self.again = again
        self.goes_on = False
        self.began = time.monotonic()
        self.errors: TextIO = raw(sys.stderr)  # as it is now: executors hide it from their libraries
        self._lock = threading.RLock()

    def say(self, line: str) -> None:
        """Something that stays to be read."""
        with self._lock:
            print(plain(line), file=self.errors, flush=True)

    def result(self, result: Result) -> None:
        """What was made, at the end."""
        result = replace(result, then=()) if self.goes_on else result
        for line in result.lines(shutil.get_terminal_size().columns if sys.stdout.isatty() else None):
            print(line, flush=True)

    def end(self, ok: bool, exit_code: int, says: str) -> None:
        """The command is over."""

    def set_aside(self) -> AbstractContextManager[None]:
        """While the block runs, what its child processes print on standard output goes where it does no harm."""
        return nullcontext()

    def draw(self, view: View) -> None:
        """Show how it is now."""

    def clear(self) -> None:
        """Take away what was drawn."""

    @property
    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self.began

    @contextmanager
    def follow(self, run: str, groups: Sequence[str]) -> Iterator[None]:
        """Show the groups of a run while the block does them; without groups, nothing."""
        if not groups:
            yield
            return
        with self._watching(Jobs(run, groups), self.every if is_local(run) else STORE_SECONDS):
            yield

    @contextmanager
    def work(self, what: str, unit: str = "") -> Iterator[Work]:
        """Show work of this process while the block does it."""
        view = Work(what, unit=unit)
        with self._watching(view, self.every):
            yield view

    @contextmanager
    def _watching(self, view: View, every: float | None) -> Iterator[None]:
        if self.every is None or every is None:
            yield
            return
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(view, every, over), name="display", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join(1.0)  # one that waits for a store is left behind, and draws no more
            self.clear()

    def _watch(self, view: View, every: float, over: threading.Event) -> None:
        pause = every
        while not over.wait(pause):
            began, cpu = time.monotonic(), time.thread_time()
            with suppress(Exception):  # a look that fails is no reason to end what is looked at
                view.look()
                with self._lock:
                    if not over.is_set():
                        self.draw(view)
            pause = max(every, (time.thread_time() - cpu) / SHARE, time.monotonic() - began)


class Terminal(Display):
    """Redraws some lines in place. Nothing is left to be put in order when the process is killed."""

    every = 1.0

    def __init__(self, again: str = "") -> None:
        super().__init__(again)
        self._shown: list[str] = []
        self._width = 0

    def draw(self, view: View) -> None:
        """Draw over what was drawn last."""
        width, height = self._size()
        console = Console(file=io.StringIO(), force_terminal=True, width=width - 1, height=height, legacy_windows=False)
        with console.capture() as capture:
            console.print(view.frame(width - 1))
        lines = capture.get().splitlines()
        if len(lines) > height - 1:
            lines = [*lines[: max(0, height - 2)], "…"]
        with self._lock:
            self._put("".join(f"{line}\n" for line in lines))
            self._shown, self._width = lines, width

    def say(self, line: str) -> None:
        """Above what is drawn."""
        with self._lock:
            again = "".join(f"{shown}\n" for shown in self._shown)
            self._put(f"{plain(line)}\n{again}")

    def clear(self) -> None:
        """Take away what was drawn."""
        with self._lock:
            self._put("")
            self._shown = []

    def _put(self, text: str) -> None:
        """Write in place of what was drawn; after a change of width, which has moved its lines, below it."""
        up = len(self._shown) if self._size()[0] == self._width else 0
        with suppress(OSError):
            self.errors.write((f"\x1b[{up}F\x1b[J" if up else "") + text)
            self.errors.flush()

    def _size(self) -> tuple[int, int]:
        """Columns and lines, at least so many that something fits."""
        try:
            size = os.get_terminal_size(self.errors.fileno())
        except (OSError, ValueError):
            return 80, 24
        return max(size.columns or 80, 20), max(size.lines or 24, 4)


class Pipe(Display):
    """A line from time to time, as a log file wants it."""

    every = 30.0

    def draw(self, view: View) -> None:
        """Say how it is now."""
        self.say(f"  {view.line()}")


class Quiet(Display):
    """Says nothing: errors are said where the command ends."""

    def say(self, line: str) -> None:
        """Nothing."""

    def set_aside(self) -> AbstractContextManager[None]:
        """To nowhere."""
        return _output_to(os.open(os.devnull, os.O_WRONLY))

    def result(self, result: Result) -> None:
        """Nothing."""


class Json(Display):
    """One event a line on standard output; docs/formats.md has them."""

    every = 5.0

    def draw(self, view: View) -> None:
        """The state of all groups, or of the work."""
        self._event(view.event())

    def say(self, line: str) -> None:
        """As an event."""
        self._event({"event": "message", "text": plain(line).strip()})

    def set_aside(self) -> AbstractContextManager[None]:
        """To standard error."""
        return _output_to(os.dup(2))

    def result(self, result: Result) -> None:
        """As an event."""
        self._event({"event": "result", **result.as_json()})

    def end(self, ok: bool, exit_code: int, says: str) -> None:
        """The last event."""
        self._event({"event": "end", "ok": ok, "exit_code": exit_code, "says": plain(says)})

    def _event(self, content: Mapping[str, Any]) -> None:
        time_ = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            print(json.dumps({"time": time_, **content}), flush=True)


@contextmanager
def _output_to(target: int) -> Iterator[None]:
    """Standard output goes to an open file, which is closed at the end."""
    sys.stdout.flush()
    own = os.dup(1)
    try:
        os.dup2(target, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(own, 1)
        os.close(own)
        os.close(target)


_current: list[Display] = []


def current() -> Display:
    """The display of the command that runs; outside of one, lines on standard error."""
    return _current[-1] if _current else Display()


@contextmanager
def display(*, quiet: bool = False, as_json: bool = False, again: str | None = None) -> Iterator[Display]:
    """Show what the block does. ``again``: the command that goes on after a stop; None: the one that was given."""
    kind = Quiet if quiet else Json if as_json else Terminal if is_terminal() else Pipe
    mine = kind(shlex.join(["llama-data", *sys.argv[1:]]) if again is None else again)
    _current.append(mine)
    try:
        yield mine
    except Stopped as stop:
        stop.says = f"what is complete stays; to go on: {mine.again}"
        mine.end(False, stop.exit_code, f"stopped by {stop.name}; {stop.says}")
        raise
    except LlamaDataError as error:
        mine.end(False, error.exit_code, str(error))
        raise
    except Exception as error:
        mine.end(False, 1, sentence_of_error(error))
        raise
    else:
        mine.end(True, 0, "")
    finally:
        _current.remove(mine)


def is_terminal() -> bool:
    """Whether lines can be redrawn where a command says how far it is."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
