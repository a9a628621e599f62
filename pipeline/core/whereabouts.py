"""What a task is at and how much it has done: noted where others see it while the task runs and when it has died."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import Any, Self

SIZE = 512  # bytes of a note

_page: Any = None


def note_in(page: Any) -> None:
    """Note on this page of ``SIZE`` bytes, which the process that watches this one reads, from now on."""
    global _page
    _page = page


def at(what: str) -> None:
    """Note the record or file that is being worked on; costs nothing where nobody watches."""
    if _page is not None:
        _page[:SIZE] = what.encode("utf-8", "replace")[:SIZE].ljust(SIZE, b"\0")


def read_note(page: Any) -> str | None:
    """What was noted last; None: nothing."""
    return bytes(page[:SIZE]).rstrip(b"\0").decode("utf-8", "replace") or None


@dataclass
class Counts:
    """How much a task has done.

    ``records``: read, of the input or of what the job before has left (in a mix: rows written). ``settled``: those of
    them that have come to their end, by being ``kept``, rejected or ``failed``. ``bytes``: of the input as it is
    stored, counted when a piece of it is read.
    """

    records: int = 0
    settled: int = 0
    kept: int = 0
    failed: int = 0
    bytes: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def times(self, factor: float) -> Counts:
        """So many times as much, rounded."""
        return Counts(*(round(factor * value) for value in astuple(self)))

    @classmethod
    def of(cls, content: Any) -> Self | None:
        """The counts in a file of ours; None: it has none."""
        names = [field.name for field in fields(cls)]
        if not isinstance(content, dict) or not all(isinstance(content.get(name), int) for name in names):
            return None
        return cls(*(content[name] for name in names))


counts = Counts()
"""Of the task that this process is at; steps add to it as they go."""


def begin_counts() -> None:
    """A task begins."""
    counts.__init__()  # type: ignore[misc]
