"""The last job of a group on Slurm: when all the others have ended, it says how, checks, and cleans up.

python -m llama_data.pipeline.executors.last RUN/logs/GROUP/last.pik
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_data.pipeline.core.errors import LlamaDataError, RunError
from llama_data.pipeline.core.files import join
from llama_data.pipeline.executors.records import ENDED, Failure, now, ranks_in, read_failures, write_json
from llama_data.pipeline.executors.tally import failed_message

PATIENCE = 30.0  # seconds in which a shared file system shows what other nodes have written


@dataclass(frozen=True)
class Last:
    """``parts``: name, logs and tasks of the group's jobs, in their order; ``finish``: what has to be done once all are
    complete, and says how it went."""

    group: str
    parts: Sequence[tuple[str, str, int]]
    finish: Callable[[], str] | None

    def run(self) -> int:
        """Sum up; the exit code."""
        try:
            self._check_complete()
            says, ok = self.finish() if self.finish is not None else "done", True
        except LlamaDataError as error:
            says, ok = str(error), False
        write_json(join(self.group, ENDED), {"ok": ok, "says": says, "ended": now()})
        print(says)
        return 0 if ok else 1

    def _check_complete(self) -> None:
        deadline = time.monotonic() + PATIENCE
        for name, logs, tasks in self.parts:
            while len(done := ranks_in(logs, "completions")) < tasks:
                failed = read_failures(logs)
                missing = sorted(set(range(tasks)) - set(done))
                if set(missing) <= set(failed) or time.monotonic() > deadline:
                    # What left no word was killed with its whole job: by the memory limit, or with its node.
                    silent = Failure("death", "it ended without a word: killed for its memory, or its node failed")
                    named = {rank: failed.get(rank, silent) for rank in missing}
                    raise RunError(failed_message(name, tasks, len(done), named, logs, False))
                time.sleep(1.0)


def main(path: str) -> None:
    """Load what was written at submission, and do it."""
    import dill  # type: ignore[import-untyped]

    sys.exit(dill.loads(Path(path).read_bytes()).run())


if __name__ == "__main__":
    main(sys.argv[1])
