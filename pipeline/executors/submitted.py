"""Jobs that were handed to Slurm and have not ended."""

from __future__ import annotations

import os
import subprocess

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import is_file, join
from llama_data.pipeline.executors.records import ENDED, read_json

SUBMITTED = "slurm.json"
AHEAD = "ahead.json"  # a verb that is planned when its turn comes
OWN = "LLAMA_DATA_AHEAD"  # the number of the job in which such a verb is given: it does not wait for itself
SHOWN = 8  # ids that a message names


def waiting(group: str) -> list[int]:
    """The ids of the group's jobs that wait or run; ``group`` is its folder of logs.

    Raises:
        RequestError: jobs were submitted, and Slurm cannot be asked about them from here.
    """
    noted = read_json(join(group, SUBMITTED))
    ids = [] if noted is None or is_file(join(group, ENDED)) else list(noted["ids"])  # which their last job writes
    later = read_json(join(group, AHEAD))
    if later is not None and "says" not in later:
        ids += later["ids"]
    ids = [number for number in ids if str(number) != os.environ.get(OWN)]
    return _in_queue(group, ids) if ids else []


def _in_queue(group: str, ids: list[int]) -> list[int]:
    try:
        done = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%F"], capture_output=True, text=True, check=True, timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RequestError(
            f"{join(group, SUBMITTED)}: jobs {_in_words(ids)} were submitted, and Slurm cannot be asked about them "
            f"here ({error}); ask from a node of the cluster, or remove that file (and {AHEAD}) if they have ended"
        ) from None
    queued = set(done.stdout.split())
    return [number for number in ids if str(number) in queued]


def refuse_if_waiting(group: str, what: str) -> None:
    """Raise RequestError when jobs of the group wait or run, so that nothing is submitted or done twice."""
    ids = waiting(group)
    if ids:
        raise RequestError(
            f"{what}: its jobs are in Slurm's queue already ({_in_words(ids)}); wait for them "
            f"(`llama-data status RUN --watch`), or take them away with `scancel` "
            f"({join(group, SUBMITTED)} or {AHEAD} has their numbers)"
        )


def _in_words(ids: list[int]) -> str:
    return ", ".join(map(str, ids)) if len(ids) <= SHOWN else f"{len(ids)} jobs from {ids[0]} to {ids[-1]}"
