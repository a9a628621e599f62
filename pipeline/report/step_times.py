"""What each step of a domain costs and takes away: the seconds that tasks have noted, beside the ledger's counts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import join, read_bytes
from llama_data.pipeline.executors.records import ranks_in
from llama_data.pipeline.report.domain import DomainLedger
from llama_data.pipeline.report.steps import LEAVES_DOCUMENTS, in_order, words_for

SAMPLED = 500  # tasks of a job whose seconds are read
_PASS = re.compile(r"(\d\d-\w+)-[^-]+")


class StepCost(NamedTuple):
    """A step: its seconds in all jobs of the domain, and the records that it took away (0 where it takes none).

    ``code``: its name, or of the jobs of a step of the recipe its number and name there.
    """

    title: str
    code: str
    seconds: float
    gone: int


def costs(run: str, jobs: Sequence[str], found: DomainLedger, order: Sequence[str]) -> list[StepCost]:
    """The steps in their order. Empty where no task has noted seconds, as in runs of earlier versions."""
    seconds: defaultdict[str, float] = defaultdict(float)
    of_jobs = {job: _seconds(run, job) for job in jobs}
    own = {name for of_steps in of_jobs.values() if not LEAVES_DOCUMENTS.isdisjoint(of_steps) for name in of_steps}
    for job, of_steps in of_jobs.items():
        named = _PASS.fullmatch(job.rpartition("/")[2])
        for name, spent in of_steps.items():
            # What only a step's own jobs do is that step's; a rule on the way of the documents has a row of its own.
            seconds[named[1] if named and name not in own else name] += spent
    gone: Counter[str] = Counter()
    for (outcome, step, _), cell in found.cells.items():
        gone[step] += cell.records if outcome != "kept" else 0
    if not any(seconds.values()):
        return []
    passes = sorted(name for name in seconds if _PASS.fullmatch(f"{name}-x"))
    worked = {name for name in (*seconds, *gone) if name and (seconds[name] or gone[name])}
    names = [*in_order(worked - {*passes}, order), *passes]
    return [StepCost(_title(name), name, seconds[name], gone[name]) for name in names]


def _title(name: str) -> str:
    number, _, step = name.partition("-")
    return f"{words_for(step)}: jobs before" if step and number.isdigit() else words_for(name)


def _seconds(run: str, job: str) -> dict[str, float]:
    """The seconds of each step of a job, of all its tasks together; with more than 500 tasks by 500 of them."""
    logs = join(run, "logs", job)
    ranks = ranks_in(logs, "stats")
    chosen = ranks[:: max(1, -(-len(ranks) // SAMPLED))]
    found: defaultdict[str, float] = defaultdict(float)
    for rank in chosen:
        try:
            for step in orjson.loads(read_bytes(join(logs, "stats", f"{rank:05d}.json"))):
                spent = step.get("time_stats", 0)
                found[step["name"]] += float(spent["total"] if isinstance(spent, dict) else spent)
        except (InputError, ValueError, KeyError, TypeError, AttributeError):
            continue
    factor = len(ranks) / max(1, len(chosen))
    return {name: factor * spent for name, spent in found.items()}
