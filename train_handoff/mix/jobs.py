"""The jobs that write a mix: one task a shard, one task a domain's validation rows, and one for mix.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import file_system, join, list_files
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.whereabouts import counts
from llama_data.pipeline.core.written import leave_note, written_bytes
from llama_data.train_handoff.buckets import domain_of
from llama_data.train_handoff.mix.plan import MixPlan
from llama_data.train_handoff.shards.file import (
    VALIDATION,
    Rows,
    Shard,
    ShardWriter,
    find_foreign,
    read_footer,
    require_agreement,
)


class Notes(NamedTuple):
    """Where the tasks of a mix say what they have written: the run's folder, and what its jobs are called together."""

    run: str
    group: str


def _leave(notes: Notes | None, task: str, files: Sequence[WrittenFile]) -> None:
    if notes is not None:
        leave_note(notes.run, notes.group, task, files)


class WriteMix(Step):
    """Writes training rows ``rank * rows_per_shard`` and on; each task needs only the plan and the token shards."""

    name = "mix"
    leaves = ""

    def __init__(self, *, plan: MixPlan, output: str, notes: Notes | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.output = output
        self.notes = notes

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Gather the rows of every shard this task has and write them. Yields nothing."""
        numbers = range(rank, self.plan.shards, world_size)
        written = [write_shard(self.plan, number, join(self.output, f"{number:05d}.parquet")) for number in numbers]
        _leave(self.notes, f"{self.leaves}{rank:05d}", written)
        yield from ()


def write_shard(plan: MixPlan, number: int, path: str) -> WrittenFile:
    """Write shard ``number`` of the mix. Memory: its rows, once. Raises InputError: an id is not in the vocabulary."""
    start = number * plan.rows_per_shard
    count = min(plan.rows_per_shard, plan.rows - start)
    domains, sources, rows = plan.locate(start, count)
    tokens = np.empty((count, plan.footer.seq_len + 1), plan.footer.numpy_dtype)
    origin = np.zeros(count, np.int64)
    names: list[str] = []
    for index, domain in enumerate(plan.domains):
        of_domain = np.nonzero(domains == index)[0]
        of_domain = of_domain[np.lexsort((rows[of_domain], sources[of_domain]))]
        bounds = np.searchsorted(sources[of_domain], np.arange(len(domain.sources) + 1))
        for source, begin, end in zip(domain.sources, bounds[:-1], bounds[1:], strict=True):
            if begin < end:
                at = of_domain[begin:end]
                Shard(source.path).take(rows[at], tokens, at)
                origin[at] = len(names)
                names.append(source.name)
    foreign = find_foreign(tokens, plan.footer.vocab_size)
    if foreign is not None:
        source = plan.domains[domains[foreign]].sources[sources[foreign]]
        raise _foreign_id(source.path, int(rows[foreign]), tokens[foreign], plan.footer.vocab_size)
    with ShardWriter(path, replace(plan.footer, kind="mix", split="train", domain="mix", dropped_tokens=0)) as shard:
        columns = {
            "domain": _dictionary(domains.astype(np.int32), [domain.name for domain in plan.domains]),
            "origin_shard": _dictionary(origin.astype(np.int32), names),
            "origin_row": pa.array(rows, pa.int64()),
        }
        shard.write(tokens, columns, opens=rows == 0)
    counts.records += count
    counts.bytes += tokens.nbytes
    return shard.written


def _foreign_id(path: str, row: int, ids: Rows, vocab_size: int) -> InputError:
    return InputError(
        f"{path}: row {row:,}: id {int(ids.max()):,} is not in the vocabulary of {vocab_size:,} pieces; the shard is "
        "damaged or belongs to another tokenizer; tokenize again"
    )


def _dictionary(codes: Any, names: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()))


class WriteValidation(Step):
    """Writes the validation rows of one domain a task, in their own order, as one shard beside the mix."""

    name = "validation"
    leaves = "validation-"

    def __init__(self, *, shards: Mapping[str, Sequence[str]], output: str, notes: Notes | None = None) -> None:
        super().__init__()
        self.shards = {domain: tuple(paths) for domain, paths in shards.items()}
        self.output = output
        self.notes = notes

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Copy the rows of the domain's validation shards. Yields nothing."""
        written = []
        for domain in sorted(self.shards)[rank::world_size]:
            paths = self.shards[domain]
            footers = [read_footer(path) for path in paths]
            common = require_agreement(zip(paths, footers, strict=True))
            with ShardWriter(join(self.output, VALIDATION, f"{domain}.parquet"), common) as writer:
                for path in paths:
                    shard = Shard(path)
                    for group in range(shard.groups):
                        rows = shard.group(group)
                        foreign = find_foreign(rows, common.vocab_size)
                        if foreign is not None:
                            row = shard.first_row(group) + foreign
                            raise _foreign_id(path, row, rows[foreign], common.vocab_size)
                        writer.write(rows, opens=np.arange(len(rows)) + group == 0)
                writer.documents = sum(footer.documents for footer in footers)
                writer.dropped_tokens = sum(footer.dropped_tokens for footer in footers)
            written.append(writer.written)
        _leave(self.notes, f"{self.leaves}{rank:05d}", written)
        yield from ()


class WriteIndex(Step):
    """Writes mix.json last of all, and removes shards that a longer mix left behind."""

    name = "index"
    leaves = "index-"

    def __init__(self, *, plan: MixPlan, output: str, validation: tuple[str, ...], notes: Notes | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.output = output
        self.notes = notes
        self.validation = validation

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the plan with every shard's rows and content hash. Yields nothing."""
        names = [f"{number:05d}.parquet" for number in range(self.plan.shards)]
        for path in list_files(self.output, ".parquet"):
            if path.rsplit("/", 1)[-1] not in names:
                fs, target = file_system(path)
                fs.rm(target)
        shards = []
        for name in names:
            footer = read_footer(join(self.output, name))
            shards.append({"name": name, "rows": footer.rows, "content_sha256": footer.content_sha256})
        record = {**self.plan.record(), "shards": shards, "validation": list(self.validation)}
        written = written_bytes(join(self.output, "mix.json"), json.dumps(record, indent=1).encode())
        _leave(self.notes, f"{self.leaves}{rank:05d}", [written])
        yield from ()


def mix_jobs(
    plan: MixPlan,
    *,
    tokens_folder: str,
    output: str,
    validation: Mapping[str, Sequence[str]] | None = None,
    notes: Notes | None = None,
) -> list[Job]:
    """The jobs that write ``plan`` to the folder ``output``: shards, validation rows, mix.json.

    ``validation``: for each domain its shards of rows held out; None: those that lie below ``tokens_folder``.
    ``notes``: where the tasks say what they have written; None: nowhere.
    """
    if validation is None:
        names = [domain_of(domain.name) for domain in plan.domains]
        folders = {name: join(tokens_folder, name, VALIDATION) for name in names}
        validation = {name: list_files(folder, ".parquet") for name, folder in folders.items()}
    group = "mix" if notes is None else notes.group
    held = {name: paths for name, paths in validation.items() if sum(read_footer(path).rows for path in paths)}
    jobs = [Job(f"{group}/shards", [WriteMix(plan=plan, output=output, notes=notes)], plan.shards)]
    if held:
        write = WriteValidation(shards=held, output=output, notes=notes)
        jobs.append(Job(f"{group}/validation", [write], len(held)))
    index = WriteIndex(plan=plan, output=output, notes=notes, validation=tuple(sorted(held)))
    return [*jobs, Job(f"{group}/index", [index], 1)]
