"""One command at a time at a group of a run: a domain, the tokenizer, a domain's tokens, the mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError, RunError
from llama_data.pipeline.core.failures import is_no_room
from llama_data.pipeline.core.files import is_local, join, local_path
from llama_data.pipeline.core.lock import Lock
from llama_data.pipeline.core.store_lock import StoreLock
from llama_data.pipeline.core.writers import remove_leftovers
from llama_data.pipeline.executors.submitted import refuse_if_waiting
from llama_data.pipeline.recipe import Recipe

FOLDER = "locks"


class Hold:
    """The locks that a command holds."""

    def __init__(self, locks: Sequence[Lock | StoreLock]) -> None:
        self._locks = locks

    def check(self) -> None:
        """Raise RunError when another has taken one of the locks, as when this process was held up for minutes."""
        for lock in self._locks:
            if lock.lost:
                raise RunError(
                    f"{lock.what} elsewhere by now: this process was held up so long that its lock was taken over; "
                    "it stops, for two would write the same files"
                )


_held: list[Hold] = []


def check_hold() -> None:
    """``Hold.check`` for what this process holds; what the executors call while they wait."""
    for hold in _held:
        hold.check()


@contextmanager
def hold(recipe: Recipe, groups: Sequence[str]) -> Iterator[Hold]:
    """Hold the groups of the run's folder; what dead writers left half written is removed.

    Raises:
        RequestError: somebody who is alive holds one of them; it says who, since when, and what to do.
    """
    with ExitStack() as stack:
        locks: list[Lock | StoreLock] = []
        for lock in [_lock(recipe, group) for group in dict.fromkeys(groups)]:
            try:
                stack.enter_context(lock)
            except OSError as error:
                if is_no_room(error):
                    raise
                raise RequestError(
                    f"{recipe.path()}: cannot be used as the run's folder: {error.strerror or error}"
                ) from None
            locks.append(lock)
        if is_local(recipe.path()):
            remove_leftovers(local_path(recipe.path()))
            stack.callback(remove_leftovers, local_path(recipe.path()))  # of workers that die while it is held
        for group in groups:
            refuse_if_waiting(recipe.path("logs", group), group)
        mine = Hold(locks)
        _held.append(mine)
        stack.callback(_held.remove, mine)
        yield mine


def lock_url(run: str, group: str) -> str:
    """Where the lock of a group lies in the run's folder."""
    return join(run, FOLDER, f"{group.replace('/', '-')}.lock")


def _lock(recipe: Recipe, group: str) -> Lock | StoreLock:
    url = lock_url(recipe.path(), group)
    what = f"{group} is being worked on"
    return Lock(Path(local_path(url)), what) if is_local(url) else StoreLock(url, what)
