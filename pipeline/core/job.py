"""A job: one datatrove pipeline over a fixed number of tasks; and the context in which a run's jobs are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from datatrove.pipeline.base import PipelineStep  # type: ignore[import-untyped]

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.files import Split, join
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.paths import ALL, Choice, find_inputs


@dataclass(frozen=True)
class RunContext:
    """Where a run reads and writes.

    ``rejected_sample``: the share (0..1) of rejected texts that are kept. ``documents_per_file``: most documents in a
    file; None: a task's documents are one file. ``left_out``: told of what the input folder holds and nobody takes.
    ``choice``: which of the input files are read.
    """

    input: str
    output: str
    seed: int = 0
    rejected_sample: float = 1.0
    models_dir: str | None = None
    documents_per_file: int | None = None
    left_out: LeftOut = field(default_factory=LeftOut, repr=False, compare=False)
    choice: Choice = ALL

    def find(self, patterns: Sequence[str], *, exact: bool = True) -> list[Split]:
        """The input files that globs take, or lists name: see ``paths.find_inputs``."""
        return find_inputs(self.input, patterns, self.left_out, choice=self.choice, exact=exact)

    def documents(self, domain: str) -> str:
        """Folder of the cleaned documents."""
        return join(self.output, "documents", domain)

    def ledger(self, domain: str) -> str:
        """Folder of the ledger."""
        return join(self.output, "ledger", domain)

    def rejected(self, domain: str) -> str:
        """Folder of the sampled rejected texts."""
        return join(self.output, "rejected", domain)

    def signatures(self, domain: str) -> str:
        """Folder of the sketches by which documents can be compared after the run."""
        return join(self.output, "signatures", domain)

    def reports(self, domain: str) -> str:
        """Folder of what steps have to say of all documents together."""
        return join(self.output, "reports", domain)

    def work(self, domain: str) -> str:
        """Folder of files that one job leaves for the next."""
        return join(self.output, "work", domain)


@dataclass(frozen=True)
class Job:
    """One datatrove pipeline, in which every record is accounted for.

    ``tasks`` follows from the input and the settings, never from the workers.
    """

    name: str
    steps: Sequence[PipelineStep] = field(repr=False)
    tasks: int

    def __post_init__(self) -> None:
        if self.tasks < 1:
            raise ValueError(f"job {self.name}: tasks must be at least 1, not {self.tasks}")
        for step in self.steps:
            if isinstance(step, Step):
                step.accountable = True
                step.last = step is self.steps[-1]

    def modules(self) -> set[str]:
        """The modules that its steps are in."""
        return {type(step).__module__ for step in self.steps}
