"""torchrun's agent, which ends with a line instead of a traceback when it is told to stop or a process fails."""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def exit_code(failed: ChildFailedError) -> int:
    """What the processes failed with: the signal that ended one, before an error of the others, who may have lost it.

    torchrun names the one that failed first by the second, and of several the one with the lowest rank.
    """
    first = int(failed.get_first_failure()[1].exitcode)
    return next((failure.exitcode for failure in failed.failures.values() if failure.exitcode < 0), first)


if __name__ == "__main__":
    try:
        main()
    except SignalException as stopped:
        sys.exit(128 + stopped.sigval)
    except ChildFailedError as failed:  # the process has said why itself
        code = exit_code(failed)
        sys.exit(128 - code if code < 0 else code if code > 128 else 1)
