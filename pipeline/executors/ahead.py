"""A verb that is given on Slurm before what it reads is made: a job of one task that waits, and then gives it again.

The jobs of a verb follow from the manifests of what it reads (how many files there are, and which), so they cannot be
made before these are. What is submitted instead is the verb itself. When all jobs before it have ended, however they
did, it plans and submits as if it were typed then; where jobs that it reads from are in the queue again, for they were
planned late too, it waits for those in the same way; where something is not finished, it says so, as on a terminal.

logs/<group>/ahead.json     the number of the job that waits, and when it has failed what it said
logs/<group>/ahead.yaml     the recipe as it was when the verb was typed
logs/<group>/ahead.log      what the verb says when its turn comes
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from llama_data.pipeline.core.files import is_local, join, local_path, remove_file
from llama_data.pipeline.executors.records import now, read_json, write_json
from llama_data.pipeline.executors.submitted import AHEAD, OWN, refuse_if_waiting, waiting
from llama_data.pipeline.recipe import Recipe

SAID = 4000  # characters at the end of what a verb says that are kept


def submit_ahead(recipe: Recipe, verb: Sequence[str], *, reads: Iterable[str], makes: Sequence[str]) -> list[str]:
    """Submit a verb for later where groups that it reads have jobs in Slurm's queue; which these are, else none.

    ``verb``: its words without recipe and output. ``reads`` and ``makes``: groups.

    Raises:
        RequestError: the verb waits already. RunError: Slurm does not take the job.
    """
    from llama_data.pipeline.executors.slurm import need_slurm

    if recipe.executor.kind != "slurm" or not is_local(recipe.path()):
        return []
    busy = {group: ids for group in reads if (ids := waiting(recipe.path("logs", group)))}
    if not busy:
        return []
    need_slurm()
    for group in makes:
        refuse_if_waiting(recipe.path("logs", group), group)
    number = _submit(recipe, verb, sorted({number for ids in busy.values() for number in ids}), makes)
    for group in makes:
        write_json(recipe.path("logs", group, AHEAD), {"since": now(), "ids": [number], "after": sorted(busy)})
    return sorted(busy)


def told(verb: str, after: Sequence[str], run: str) -> str:
    """What a person is told when a verb was submitted for later."""
    return (
        f"  {verb}: waits in Slurm's queue for the jobs of {', '.join(after)}, and is planned when they have ended; "
        f"`llama-data status {run}` says how far it is"
    )


def _submit(recipe: Recipe, verb: Sequence[str], after: Sequence[int], makes: Sequence[str]) -> int:
    import yaml

    from llama_data.pipeline.executors.slurm import plain_script, sbatch

    run = os.path.abspath(local_path(recipe.path()))
    folder = Path(run, "logs", makes[0])
    folder.mkdir(parents=True, exist_ok=True)
    frozen = recipe.model_copy(update={"output": run}).model_dump(mode="json")
    (folder / "ahead.yaml").write_text(yaml.safe_dump(frozen, sort_keys=False, allow_unicode=True))
    words = [*verb, "-c", str(folder / "ahead.yaml")]
    command = ["-m", __name__, run, ",".join(makes), *words]
    script = plain_script(recipe, f"{makes[0].replace('/', '-')}-ahead", shlex.join(command), str(folder / "ahead.log"))
    return sbatch(script, f"--dependency=afterany:{':'.join(map(str, after))}")


def main(run: str, makes: Sequence[str], words: Sequence[str]) -> int:
    """Give the verb, and note how it ended. What it submits shall not take this job's settings for its own."""
    own = os.environ["SLURM_JOB_ID"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}
    done = subprocess.run(
        [sys.executable, "-m", "llama_data.pipeline.cli", *words],
        env={**kept, OWN: own},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    sys.stderr.write(done.stderr)
    for group in makes:
        path = join(run, "logs", group, AHEAD)
        noted = read_json(path)
        if noted is None or noted["ids"] != [int(own)]:
            continue  # it waits once more, or its jobs are submitted
        if done.returncode:
            write_json(path, {**noted, "says": done.stderr.strip()[-SAID:], "ended": now()})
        else:
            remove_file(path)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2].split(","), sys.argv[3:]))
