"""A run of jobs in this process, each step as a worker would get it: unpickled."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import pytest

from llama_data.pipeline.core.job import Job


@pytest.fixture(scope="session")
def run_jobs() -> Callable[[Sequence[Job]], None]:
    """Run every task of every job, one after the other, the tasks in reverse order."""

    def run(jobs: Sequence[Job]) -> None:
        for job in jobs:
            for rank in reversed(range(job.tasks)):
                data = None
                for step in pickle.loads(pickle.dumps(job.steps)):
                    data = step.run(data, rank, job.tasks)
                for _ in data or ():
                    pass

    return run
