"""How long each step of a job works: told apart whenever a document goes from one step to the next.

The steps of a task are generators in one thread, each of which asks the one before. There is one clock: who hands a
document on, or asks for its first one, is charged with the time since the clock was read last. What a step does between
handing a document on and asking again counts for the step that hands on next; the last step, which hands on nothing, is
also charged whenever it asks. That costs some 0.2 microseconds a document and step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from time import perf_counter
from typing import TypeVar

Item = TypeVar("Item")
Run = Callable[[Iterable[Item] | None], Iterable[Item]]

_read = [0.0]  # when the clock of this process was read last


class Spent:
    """The seconds of one step in one task."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def charge(self) -> None:
        """Add the time since the clock was read last."""
        now = perf_counter()
        self.seconds += now - _read[0]
        _read[0] = now


def timed(run: Run[Item], data: Iterable[Item] | None, tell: Callable[[float], None], *, last: bool) -> Iterator[Item]:
    """What ``run`` makes of ``data``; ``tell`` is given the seconds that it took, at its end.

    ``last``: it ends a job and hands nothing on. A task's steps are put together right before it runs.
    """
    _read[0] = perf_counter()
    return _timed(run, data, tell, last)


def _timed(run: Run[Item], data: Iterable[Item] | None, tell: Callable[[float], None], last: bool) -> Iterator[Item]:
    spent = Spent()
    if data is not None:
        data = chain(_nothing(spent), _asked_for(data, spent) if last else data)
    read, clock, seconds = _read, perf_counter, 0.0
    for item in run(data):
        now = clock()
        seconds += now - read[0]
        read[0] = now
        yield item
    spent.charge()
    tell(spent.seconds + seconds)


def _nothing(spent: Spent) -> Iterator[Item]:
    """Ends what a step does before it asks for its first document, such as loading tables."""
    spent.charge()
    yield from ()


def _asked_for(data: Iterable[Item], spent: Spent) -> Iterator[Item]:
    for item in data:
        yield item
        spent.charge()
