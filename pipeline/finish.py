"""The two ends of a group of jobs: nothing starts before what it reads is complete, and a manifest comes last of all.

Both are steps, so they hold on every executor: Slurm submits jobs long before they run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from llama_data.pipeline.chain import redo
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import atomic_write, is_file, join, remove_tree
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.core.written import gather_notes, in_short, notes_folder, unlike_disk
from llama_data.pipeline.executors.records import ranks_in
from llama_data.pipeline.record import read_record
from llama_data.pipeline.summary import DomainSummary, problem, summarise

FINISH = "finish"


@dataclass(frozen=True)
class Result:
    """What a group of jobs makes and gives one manifest.

    ``folder``: the manifest's, below the run's. ``parts``: folders of the run whose files belong to it, and what the
    rows of those directly in them are called (empty: they are not counted). ``base``: the folder from which the names
    of files go.
    """

    folder: str
    parts: tuple[tuple[str, str], ...]
    base: str = ""

    def own(self, files: Iterable[WrittenFile]) -> list[WrittenFile]:
        """Those of a run's files that belong to it, named from its base on."""
        prefixes = tuple(f"{folder}/" for folder, _ in self.parts)
        base = f"{self.base}/" if self.base else ""
        return [file._replace(name=file.name.removeprefix(base)) for file in files if file.name.startswith(prefixes)]

    def totals(self, files: Iterable[WrittenFile]) -> dict[str, int]:
        """How many rows the parts hold."""
        counts = Counter({name: 0 for _, name in self.parts if name})
        base = f"{self.base}/" if self.base else ""
        names = {folder: name for folder, name in self.parts if name}
        for file in files:
            folder = (base + file.name).rpartition("/")[0]
            if folder in names:
                counts[names[folder]] += file.rows
        return dict(counts)


@dataclass(frozen=True)
class Group:
    """The jobs that make one or several results together.

    ``name``: its folder in the logs. ``command``: the verb that runs it. ``outputs``: files and folders of the run
    that are removed before it is made anew, as is ``work``.
    """

    name: str
    command: str
    results: tuple[Result, ...]
    outputs: tuple[str, ...]
    work: str


class Barrier(Step):
    """Stands first in a job: refuses to start before the job before it is complete, or on results that have changed.

    ``after``: that job's name, folder of logs and tasks. ``before``: the results that the job reads, by folder below
    the run's, with the hashes of their manifests.
    """

    name = "check"

    def __init__(self, *, run: str, after: tuple[str, str, int] | None, before: Mapping[str, str]) -> None:
        super().__init__()
        self.root = run
        self.after = after
        self.before = dict(before)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        """Check, and pass on what is given. Not a generator: many first steps never ask for documents.

        Raises:
            RunError: the job was started too early, or what it reads has changed since it was planned.
        """
        if self.after is not None:
            self._check_complete(*self.after)
        for folder, expected in self.before.items():
            found = manifest.find(join(self.root, folder))
            if found is None or found.sha256 != expected:
                what = "is not finished any more" if found is None else f"was made anew ({found.sha256[:12]})"
                raise RunError(
                    f"{join(self.root, folder)}: {what} since this was begun, with {expected[:12]}; "
                    "give the command again when it is finished"
                )
        return data

    def _check_complete(self, job: str, logs: str, tasks: int) -> None:
        mark = join(logs, "complete")
        if is_file(mark):
            return
        done = len(ranks_in(logs, "completions"))
        if done < tasks:
            raise RunError(
                f"{self.root}: started before {job} is complete ({done} of {tasks} tasks); see {join(logs, 'logs')}, "
                "then give the same command again"
            )
        # The others need not list thousands of completions again.
        with atomic_write(mark):
            pass


class Finish(Step):
    """The last job of a group, one task: gathers what was written, checks that it is there, writes the manifests."""

    name = FINISH

    def __init__(self, *, run: RunContext, group: Group, notes: Sequence[str]) -> None:
        super().__init__()
        self.context = run
        self.group = group
        self.notes = tuple(notes)

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the manifests, then remove notes and work. Yields nothing.

        Raises:
            RunError: a file is missing or shorter than it was written, or the result is not to be used.
        """
        root, record = self.context.output, read_record(self.context.output, self.group.name)
        if record is None:
            raise RunError(
                f"{join(root, 'logs', self.group.name)}: no record of what it was made from; give --overwrite"
            )
        folders = [join(root, result.folder) for result in self.group.results]
        # Ended between the last manifest and the end of the task: it is all there.
        made = [manifest.find(folder) for folder in folders]
        if not all(found is not None and found.made_from == record.content for found in made):
            files = gather_notes(root, self.group.name, self.notes)
            wrong = unlike_disk(root, files)
            if wrong:
                raise RunError(f"{in_short(wrong)}; make it anew with {redo(self.group.command, '--output', root)}")
            accounts = self.account()
            for folder, result in zip(folders, self.group.results, strict=True):
                own = result.own(files)
                manifest.write(
                    folder,
                    levels=len(result.folder.split("/")) - len([part for part in result.base.split("/") if part]),
                    what=result.folder,
                    files=own,
                    totals=result.totals(own),
                    made_from=record.content,
                    account=accounts.get(result.folder, {}),
                    inputs=record.inputs,
                    about=about(root, self.group.command, record.models),
                )
        remove_tree(notes_folder(root, self.group.name))
        remove_tree(self.group.work)
        yield from ()

    def account(self) -> dict[str, dict[str, Any]]:
        """What is said of a result beside its files. Raises RunError: it is not to be used."""
        return {}


class FinishStage(Finish):
    """The last job of a stage: its ledgers are counted, and documents of which too many failed are not finished."""

    def __init__(
        self, *, run: RunContext, group: Group, notes: Sequence[str], domains: Sequence[str], limit: float | None
    ) -> None:
        super().__init__(run=run, group=group, notes=notes)
        self.domains = tuple(domains)
        self.limit = limit

    def account(self) -> dict[str, dict[str, Any]]:
        """The counts of the ledgers. Raises RunError: there is no document, or too many records failed."""
        summaries: list[DomainSummary] = [summarise(self.context, domain) for domain in self.domains]
        wrong = problem(self.group.name, summaries, self.limit)
        if wrong is not None:
            raise RunError(wrong)
        return {f"documents/{found.domain}": found.record() for found in summaries}


def about(run: str, command: str, models: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says that does not belong to its content."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": f"llama-data {VERSION}",
        "command": command,
        "run": run,
        "models": dict(models),
    }


def with_ends(jobs: Sequence[Job], finish: Finish, before: Mapping[str, str]) -> list[Job]:
    """The jobs, each with a check before it, and the one that writes the manifests."""
    root, group = finish.context.output, finish.group.name
    made: list[Job] = []
    after: tuple[str, str, int] | None = None
    for job in [*jobs, Job(f"{group}/{FINISH}", [finish], 1)]:
        made.append(replace(job, steps=[Barrier(run=root, after=after, before=before), *job.steps]))
        after = (job.name, join(root, "logs", job.name), job.tasks)
    return made


def notes_of(jobs: Sequence[Job]) -> list[str]:
    """The names of the notes that the tasks of the jobs leave."""
    return [
        f"{step.leaves}{rank:05d}"
        for job in jobs
        for step in job.steps
        if isinstance(step, Step) and step.leaves is not None
        for rank in range(job.tasks)
    ]
