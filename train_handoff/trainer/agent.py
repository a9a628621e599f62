"""torchrun's agent, which ends with a line instead of a traceback when it is told to stop or a process fails."""

from __future__ import annotations

import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

if __name__ == "__main__":
    try:
        main()
    except SignalException as stopped:
        sys.exit(128 + stopped.sigval)
    except ChildFailedError as failed:  # the process has said why itself
        code = failed.get_first_failure()[1].exitcode
        sys.exit(128 - code if code < 0 else code if code > 128 else 1)
