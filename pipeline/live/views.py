"""What is to be seen: the jobs of a run, read from its folder as ``status`` reads them, or work in this process."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from llama_data.pipeline.core.screen import one_line
from llama_data.pipeline.status import SHOWN, GroupStatus, JobStatus, Watcher, done_in_words, in_short, seconds_in_words

TROUBLE = 3  # failed and slow tasks that are named


class _Column(NamedTuple):
    """A column of the table, and the terminal's width from which on it is shown."""

    head: str
    width: int
    least: int


_NAME = 28  # columns for a group and its job, at most
_COLUMNS = (
    _Column("", 16, 96),
    _Column("tasks", 11, 0),
    _Column("records", 7, 56),
    _Column("kept", 6, 36),
    _Column("a second", 8, 64),
    _Column("MB/s", 6, 72),
    _Column("left", 7, 0),
)


class View:
    """Something that goes on for a while."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    @property
    def elapsed(self) -> str:
        """For how long."""
        return seconds_in_words(time.monotonic() - self.began)

    @abstractmethod
    def look(self) -> None:
        """See how it is now."""

    @abstractmethod
    def frame(self, width: int) -> RenderableType:
        """For a terminal of ``width`` columns."""

    @abstractmethod
    def line(self) -> str:
        """For a log file, on one line."""

    @abstractmethod
    def event(self) -> dict[str, Any]:
        """For other programs."""


class Jobs(View):
    """The jobs of some groups of a run, which are done one group after the other."""

    def __init__(self, run: str, groups: Sequence[str]) -> None:
        super().__init__()
        self._watcher = Watcher(run)
        self._names = list(groups)
        self.groups: list[GroupStatus] = []

    def look(self) -> None:
        """Read the run's folder."""
        self.groups = [self._watcher.look_at(name) for name in self._names]

    def frame(self, width: int) -> RenderableType:
        """A line for each group, and what is wrong."""
        return frame(self.groups, width, self.elapsed)

    def line(self) -> str:
        """The group at work, and how many there are."""
        at_work = next((group for group in self.groups if job_at_work(group) is not None), None)
        job = None if at_work is None else job_at_work(at_work)
        if at_work is None or job is None:
            return f"{', '.join(self._names)}: {self.elapsed}"
        over = sum(_is_over(group) for group in self.groups)
        of_all = f"{over + 1} of {len(self.groups)}: " if len(self.groups) > 1 else ""
        parts = [f"{job.done:,} of {job.tasks:,} tasks"]
        parts += [f"{len(job.failed):,} failed"] if job.failed else []
        parts += [done_in_words(job)] if job.counts.records else []
        parts += [f"about {seconds_in_words(job.left)} left"] if job.left is not None else []
        return f"{of_all}{job.name}: {', '.join(parts)} ({self.elapsed} so far)"

    def event(self) -> dict[str, Any]:
        """The groups as ``status --json`` has them."""
        return {"event": "progress", "groups": [group.as_json() for group in self.groups]}


def _is_over(group: GroupStatus) -> bool:
    return bool(group.jobs) and all(job.done >= job.tasks for job in group.jobs)


def job_at_work(group: GroupStatus) -> JobStatus | None:
    """The first job of a group that is not complete; None: all are, or none has begun."""
    return next((job for job in group.jobs if job.done < job.tasks), None)


def frame(groups: Sequence[GroupStatus], width: int, elapsed: str = "") -> RenderableType:
    """Groups as a table that fits the width, and below it the tasks that failed or take long."""
    chosen = [column for column in _COLUMNS if width >= column.least]
    taken = sum(column.width + 1 for column in chosen)
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="dim")
    table.add_column(Text(elapsed), width=min(_NAME, width - taken), no_wrap=True, overflow="ellipsis")
    for column in chosen:
        table.add_column(column.head, justify="right", width=column.width, no_wrap=True, overflow="ellipsis")
    for group in groups:
        job = job_at_work(group)
        cells = _cells(group, job)
        table.add_row(_name(group, job), *(cells[_COLUMNS.index(column)] for column in chosen))
    return Group(table, *_trouble(groups))


def _name(group: GroupStatus, job: JobStatus | None) -> Text:
    if job is None:
        return Text(one_line(group.group), "green" if _is_over(group) else "dim")
    step = one_line(job.name.rpartition("/")[2])
    text = Text(one_line(group.group), "bold")
    return text.append(f" {step}", "not bold") if step != group.group else text


def _cells(group: GroupStatus, job: JobStatus | None) -> list[RenderableType]:
    """Bar, tasks, records, kept share, records and megabytes a second, time that is left."""
    if job is None and not _is_over(group):
        return ["", Text("waits", "dim"), *[""] * 5]
    if job is None:  # what came out stands in the job that settled it
        job = max(group.jobs, key=lambda each: (each.counts.settled, each.counts.records))
        last = Text("done", "green")
        tasks = sum(each.tasks for each in group.jobs)
        bar, progress, speed = ProgressBar(total=1, completed=1), Text(f"{tasks:,}"), None
    else:
        last = Text(seconds_in_words(job.left) if job.left is not None else "")
        bar, progress, speed = ProgressBar(total=job.tasks, completed=job.done), _tasks(job), job.speed
    about = "" if job.exact else "~"
    records = job.counts.records or job.counts.settled
    return [
        bar,
        progress,
        f"{about}{in_short(records)}" if records else "",
        f"{job.kept:.1%}" if job.kept is not None else "",
        in_short(speed.records) if speed and speed.records else "",
        f"{speed.bytes / 1e6:.1f}" if speed and speed.bytes else "",
        last,
    ]


def _tasks(job: JobStatus) -> Text:
    return Text(f"{in_short(job.done)}/{in_short(job.tasks)}", "red" if job.failed else "")


def _trouble(groups: Sequence[GroupStatus]) -> list[Text]:
    """Tasks that failed and tasks that take long, a line each."""
    found = []
    for group in groups:
        for job in group.jobs:
            told = [(f"{job.name} task {rank}: {one_line(what)}", "red") for rank, what in sorted(job.failed.items())]
            if len(told) > TROUBLE:
                told = [*told[:TROUBLE], (f"{job.name}: {len(told):,} tasks failed", "red")]
            told += [
                (f"{job.name} task {task.task} has run for {seconds_in_words(task.seconds)}", "yellow")
                for task in job.stragglers[:TROUBLE]
            ]
            found += told
    return [Text(line, style, no_wrap=True, overflow="ellipsis") for line, style in found[:SHOWN]]


class Work(View):
    """Work that this process does itself: what, how much of how much, in which unit (``total`` None: not known)."""

    def __init__(self, what: str, total: int | None = None, unit: str = "") -> None:
        super().__init__()
        self.what = one_line(what)
        self.total = total
        self.unit = unit
        self.done = 0
        self._start: int | None = None

    def told(self, done: int, total: int | None) -> None:
        """So much is done of so much. Of what was there when it began, the speed does not count."""
        if self._start is None or done < self._start:
            self._start, self.began = done, time.monotonic()
        self.done, self.total = done, total

    def look(self) -> None:
        """Nothing is to be read: it is told."""

    def frame(self, width: int) -> RenderableType:
        """A bar, where it is known how much there is, and a line."""
        text = Text(self.line(), no_wrap=True, overflow="ellipsis")
        return Group(ProgressBar(total=self.total, completed=self.done, width=width), text) if self.total else text

    def line(self) -> str:
        """What is done, how much of it, and how long it takes."""
        seconds = time.monotonic() - self.began
        speed = (self.done - (self._start or 0)) / seconds if seconds > 0 else 0.0
        parts = [f"{in_short(self.done)}{f' of {in_short(self.total)}' if self.total else ''} {self.unit}"]
        parts += [f"{in_short(round(speed))} a second"] if speed >= 1 else []
        left = (self.total - self.done) / speed if self.total and speed > 0 else None
        parts += [f"about {seconds_in_words(left)} left"] if left is not None else []
        return f"{self.what}: {', '.join(parts) if self.done else self.elapsed}"

    def event(self) -> dict[str, Any]:
        """The same for other programs."""
        return {"event": "work", "what": self.what, "done": self.done, "total": self.total, "unit": self.unit}
