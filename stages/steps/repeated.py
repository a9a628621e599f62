"""The end of a domain whose ids are the source's own: what stands in the input twice is kept once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, Outcome
from llama_data.pipeline.core.exchange import partitions
from llama_data.pipeline.core.files import atomic_write, exists, join, list_files, read_bytes, remove_tree
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.pipeline.core.jsonl import read_jsonl as read
from llama_data.pipeline.core.keys import FindRepeated, read_repeats
from llama_data.pipeline.core.ledger import change_rows, read_table
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import SUFFIX, DocumentsWriter, documents_of_task, sampled
from llama_data.pipeline.core.written import leave_note, written_bytes

# Stored bytes of input for a byte of records: these are 25 bytes for a page of a kilobyte, or a paper of a megabyte.
RATIO = 40
# So much of records is compared at once, and so much of stored input is gone through by one task that settles.
PART_BYTES = 256 << 20
SETTLE_BYTES = 16 << 30

FIRST_RECORD = Check(step="repeated", says="keeps the first of records with one id", reasons=(Reason.duplicate_id,))


def unique_jobs(run: RunContext, domain: str, work: str, sizes: tuple[int, ...]) -> list[Job]:
    """The two jobs behind the documents' one: find what is repeated, and settle it. ``sizes``: as in StepContext."""
    parts = partitions(sum(sizes), RATIO, PART_BYTES)
    settlers = min(len(sizes), 1 + sum(sizes) // SETTLE_BYTES)
    find = FindRepeated(work=work, tasks=len(sizes), parts=parts)
    settle = SettleRepeated(run=run, domain=domain, work=work, tasks=len(sizes), parts=parts)
    return [Job(f"{domain}/keys", [find], parts), Job(f"{domain}/repeated", [settle], settlers)]


class SettleRepeated(Step):
    """Writes anew the files of the tasks that have rows with the key of another row; nearly always there are none.

    Such a row gets the id ``ID@NUMBER``, and its detail names the record that keeps the key. Where it was kept it is
    rejected now, and its text goes to the rejected ones.
    """

    name = "repeated"

    def __init__(self, *, run: RunContext, domain: str, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.context = run
        self.domain = domain
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Go through neighbouring tasks. Yields nothing."""
        first, last = rank * self.tasks // world_size, (rank + 1) * self.tasks // world_size
        found = read_repeats(self.work, tasks=self.tasks, parts=self.parts, first=first, last=last)
        for task in np.unique(found["task"]).tolist():
            rows = found[found["task"] == task]
            self.count({str(Reason.duplicate_id): len(rows)})
            self._settle(f"{task:05d}", rows)
        yield from ()

    def _settle(self, name: str, rows: NDArray[np.void]) -> None:
        """Make the new files beside, and copy them when all are there: a task that is ended midway goes on."""
        folder = join(self.work, "settled", name)
        if not exists(join(folder, "complete")):
            remove_tree(folder)
            made = self._make(name, folder, self._decisions(rows))
            with atomic_write(join(folder, "complete")) as stream:
                stream.write(orjson.dumps({file.name.rpartition("/settled/")[2]: file.rows for file in made}))
        run, domain = self.context, self.domain
        counts: dict[str, int] = orjson.loads(read_bytes(join(folder, "complete")))
        old = documents_of_task(run.documents(domain), name)
        new = [
            self._copy(path, run.documents(domain), counts) for path in list_files(join(folder, "documents"), SUFFIX)
        ]
        names = {file.name.rpartition("/")[2] for file in new}
        for path in sorted({path.rpartition("/")[2] for path in old} - names, reverse=True):
            remove_tree(join(run.documents(domain), path))
        new.append(self._copy(join(folder, name + SUFFIX), run.rejected(domain), counts))
        new.append(self._copy(join(folder, name + ".parquet"), run.ledger(domain), counts))
        # In the place of the sink's note of this task.
        leave_note(run.output, domain, name, new)

    def _copy(self, path: str, folder: str, counts: Mapping[str, int]) -> WrittenFile:
        inside = path.rpartition("/settled/")[2]
        return written_bytes(join(folder, path.rpartition("/")[2]), read_bytes(path), counts[inside])

    def _decisions(self, rows: NDArray[np.void]) -> dict[int, tuple[int, str]]:
        """For each place the record's number among those with its key, and what is said of the one that keeps it."""
        found: dict[int, tuple[int, str]] = {}
        for task in np.unique(rows["first_task"]).tolist():
            some = rows[rows["first_task"] == task]
            path = join(self.context.ledger(self.domain), f"{task:05d}.parquet")
            first = read_table(path, ["id", "source"]).take(some["first_place"].astype(np.int64)).to_pylist()
            for row, keeper in zip(some, first, strict=True):
                said = f"the same as {keeper['id']} at {keeper['source']}"
                found[int(row["place"])] = (int(row["number"]), said)
        return found

    def _make(self, name: str, folder: str, decisions: Mapping[int, tuple[int, str]]) -> list[WrittenFile]:
        """Write the task's documents, rejected texts and ledger as they are with unique ids; what was written."""
        run = self.context
        table = read_table(join(run.ledger(self.domain), name + ".parquet"))
        ids, outcomes = table["id"].to_pylist(), table["outcome"].to_pylist()
        details = table["detail"].to_pylist()
        documents = (record for path in documents_of_task(run.documents(self.domain), name) for record in read(path))
        rejected = read(join(run.rejected(self.domain), name + SUFFIX))
        marks = {"reason": str(Reason.duplicate_id), "step": self.name}
        changed: dict[int, dict[str, Any]] = {}
        with (
            DocumentsWriter(join(folder, "documents"), name, run.documents_per_file) as kept,
            JsonlWriter(join(folder, name + SUFFIX)) as gone,
        ):
            for place, (id, outcome) in enumerate(zip(ids, outcomes, strict=True)):
                number, said = decisions.get(place, (1, ""))
                was_kept = outcome == Outcome.kept
                record = next(documents) if was_kept else next(rejected) if sampled(run, id) else None
                if number == 1:
                    if record is not None:
                        (kept if was_kept else gone).write(record)
                    continue
                own = f"{id}@{number}"
                changed[place] = {"id": own, "detail": said if details[place] is None else details[place]}
                if was_kept:
                    changed[place] |= {"outcome": str(Outcome.rejected), **marks, "chars_out": 0, "lines_out": 0}
                if record is not None and (not was_kept or sampled(run, own)):
                    metadata = {**record["metadata"], **marks} if was_kept else record["metadata"]
                    gone.write({"id": own, "text": record["text"], "metadata": metadata})
        ledger = join(folder, name + ".parquet")
        change_rows(table, changed, ledger)
        return [*kept.written, gone.written, WrittenFile(ledger, 0, len(ids), "")]
