"""Sends what a run has written to its store, from all processes together."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch.distributed as dist

from llama_data.pipeline.core.errors import InputError, LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.store_lock import StoreLock
from llama_data.train_handoff.trainer.record import AT_WORK, LOCK, checkpoints
from llama_data.train_handoff.trainer.remote import staging
from llama_data.train_handoff.trainer.remote.store import Store, say

PROBLEM = "{problem}"
PATIENCE = timedelta(hours=12)  # for the slowest process to send its share


class Mirror:
    """Keeps the run in ``folder`` in a store, with the newest ``keep`` checkpoints, while it is entered.

    Every process sends the files that it wrote, then the first one what belongs to no process, the metrics and, last,
    the record. All processes make, and call, a mirror together. The first one holds the run's lock in the store.
    """

    def __init__(self, store: Store, folder: Path, keep: int | None) -> None:
        self.store = store
        self.folder = folder
        self.keep = keep
        self.rank = dist.get_rank()
        self._group = dist.new_group(backend="gloo", timeout=PATIENCE)
        self._lock = StoreLock(store.address(LOCK), AT_WORK)

    def __enter__(self) -> Self:
        self._together(self._lock.__enter__ if self.rank == 0 else None, RequestError, PROBLEM)
        found = self._gather([path.name for path in checkpoints(self.folder)])
        if any(names != found[0] for names in found):
            self._lock.__exit__(None, None, None)
            raise RequestError(
                f"{self.store.url}: the nodes have fetched different checkpoints ({found}); a node began while another "
                "was still sending: give the same command again on all of them"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.rank != 0:
            return
        try:
            staging.send_small(self.store, self.folder)
        except (InputError, RunError) as problem:
            if kind is None:
                raise
            say(str(problem))
        finally:
            self._lock.__exit__(kind, error, trace)

    def send(self, final: Path) -> None:
        """Send a checkpoint that is complete here. Raises RunError on all processes when one of them could not.

        Then what is in the store is as it was, but for a checkpoint of the same rows.
        """
        first_of_node = os.environ.get("LOCAL_RANK", "0") == "0"
        partial = final.with_name(f"{final.name}.partial")
        if first_of_node and not final.exists() and partial.exists():  # the first process renames it on its own node
            partial.rename(final)
        failed = (
            f"a checkpoint could not be sent: {PROBLEM}; it is whole in {final}; the same command sends it, and goes on"
        )
        main = self.rank == 0
        self._together(self._make_way(final.name) if main else None, RunError, failed)
        self._together(lambda: staging.send_files(self.store, final, self.rank), RunError, failed)
        self._together((lambda: self._conclude(final)) if main else None, RunError, failed)
        if first_of_node:
            staging.remove_others(self.folder, final.name)

    def _make_way(self, name: str) -> Callable[[], None]:
        def clear() -> None:
            if self._lock.lost:
                raise RunError("another run has taken the lock of this one")
            staging.clear(self.store, name)

        return clear

    def _conclude(self, final: Path) -> None:
        staging.send_small(self.store, self.folder)
        staging.send_record(self.store, final)
        staging.prune(self.store, final.name, self.keep)
        staging.note_sent(self.store, self.folder)

    def _together(
        self, action: Callable[[], object] | None, kind: type[RequestError | RunError], sentence: str
    ) -> None:
        """Do it, or wait for who does. Raises ``kind`` on all processes when one of them failed."""
        problem = None
        try:
            if action is not None:
                action()
        except LlamaDataError as error:
            problem = str(error)
        except Exception as error:  # each store has errors of its own, and the others must not wait for this process
            problem = repr(error)
        first = next((problem for problem in self._gather(problem) if problem is not None), None)
        if first is not None:
            raise kind(sentence.replace(PROBLEM, first))

    def _gather(self, mine: Any) -> list[Any]:
        found: list[Any] = [None] * dist.get_world_size(self._group)
        dist.all_gather_object(found, mine, group=self._group)
        return found
