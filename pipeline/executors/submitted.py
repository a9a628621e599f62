"""Jobs that were handed to Slurm and have not ended."""

from __future__ import annotations

import subprocess

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import exists, join
from llama_data.pipeline.executors.records import ENDED, read_json

SUBMITTED = "slurm.json"
SHOWN = 8  # ids that a message names


def waiting(group: str) -> list[int]:
    """The ids of the group's jobs that wait or run; ``group`` is its folder of logs.

    Raises:
        RequestError: jobs were submitted, and Slurm cannot be asked about them from here.
    """
    noted = read_json(join(group, SUBMITTED))
    if noted is None or exists(join(group, ENDED)):  # which their last job writes
        return []
    try:
        done = subprocess.run(
            ["squeue", "--me", "--noheader", "--format=%F"], capture_output=True, text=True, check=True, timeout=120
        )
    except (OSError, subprocess.SubprocessError) as error:
        numbers = _in_words(noted["ids"])
        raise RequestError(
            f"{join(group, SUBMITTED)}: jobs {numbers} were submitted at {noted['since']}, and Slurm cannot be asked "
            f"about them here ({error}); ask from a node of the cluster, or remove that file if they have ended"
        ) from None
    queued = set(done.stdout.split())
    return [number for number in noted["ids"] if str(number) in queued]


def refuse_if_waiting(group: str, what: str) -> None:
    """Raise RequestError when jobs of the group wait or run, so that nothing is submitted or done twice."""
    ids = waiting(group)
    if ids:
        raise RequestError(
            f"{what}: its jobs are in Slurm's queue already ({_in_words(ids)}); wait for them "
            f"(`llama-data status RUN --watch`), or take them away with `scancel` "
            f"({join(group, SUBMITTED)} has their numbers)"
        )


def _in_words(ids: list[int]) -> str:
    return ", ".join(map(str, ids)) if len(ids) <= SHOWN else f"{len(ids)} jobs from {ids[0]} to {ids[-1]}"
