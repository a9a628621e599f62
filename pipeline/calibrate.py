"""Measures what a domain costs here, on a little of its own input in a temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import NamedTuple

from llama_data.pipeline import execution, jobs
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import open_binary
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.registry import Rate, rate_of
from llama_data.pipeline.summary import summarise

LITTLE = 500_000
SAMPLE = 24_000_000
LARGEST = 16 * SAMPLE
# How often the CPU of a little the work on much more must take for a good measure, and at the least. Starts of the same
# processes differ by a tenth, so the speed is then known to 5 % and to 40 %.
GOOD, LEAST = 2.0, 0.25
# Formats that must be whole; what else there is may be cut, which costs its last record.
_WHOLE = (".zip", ".7z", ".parquet", ".arrow")
_CHUNK = 1 << 20


class _Source(NamedTuple):
    """An input file: its name, where it is, its size in bytes."""

    name: str
    path: str
    size: int


class _Trial(NamedTuple):
    """What a trial took: bytes of input, seconds of CPU, processes that were started, bytes and characters."""

    bytes_in: int
    cpu: float
    starts: int
    out: int
    work: int
    chars: int


def measure(recipe: Recipe, domain: str, made: Sequence[Job]) -> tuple[Rate, str]:
    """The rate of a domain whose jobs are ``made``, and on what it was measured.

    What trials on a little and on much have in common is the start of processes, and what they differ in is the work on
    the bytes. Much is ``SAMPLE`` bytes, and more while that work is small beside the starts and there is more, up to
    ``LARGEST``. A trial is made twice, for the first also compiles what is not compiled yet, and the quicker counts.
    Where there is too little input to tell the two apart, the package's own speed stands, and the start is measured.

    Raises:
        InputError: no part of the input can be taken for a sample.
    """
    files = _files(made)

    def quicker(chosen: Sequence[tuple[_Source, int]]) -> _Trial:
        return min((_try(recipe, domain, chosen) for _ in range(2)), key=lambda trial: trial.cpu)

    small = quicker(_chosen(files, min(LITTLE, max(sum(one.size for one in files) // 8, 1))))
    wanted, chosen = SAMPLE, _chosen(files, SAMPLE)
    large = quicker(chosen)
    while large.cpu - small.cpu < GOOD * small.cpu and wanted < LARGEST:
        wanted *= 4
        more = _chosen(files, wanted)
        if more == chosen:  # that is all there is
            break
        chosen, large = more, quicker(more)
    own = rate_of(domain)
    total = large.bytes_in
    work, longer = total - small.bytes_in, large.cpu - small.cpu
    told = work > 0 and longer >= LEAST * small.cpu
    speed = work / longer if told else own.bytes_per_second
    start = max(0.0, small.cpu - small.bytes_in / speed) / small.starts
    rate = Rate(speed, large.out / total, large.work / total, own.memory, large.chars / total, start)
    basis = f"measured here on {total / 1e6:.1f} MB of {len(chosen)} file{'s' if len(chosen) != 1 else ''}"
    return rate, basis if told else f"{basis}, too little for the speed, which is the package's own"


def _files(made: Sequence[Job]) -> list[_Source]:
    """The files that the jobs read, whole."""
    found: dict[str, _Source] = {}
    for split in jobs.input_splits(made):
        known = found.get(split.path)
        found[split.path] = _Source(split.name, split.path, split.size + (known.size if known else 0))
    return [one for one in found.values() if one.size]


def _chosen(files: Sequence[_Source], wanted: int) -> list[tuple[_Source, int]]:
    """Files from all over the input, each with how many of its bytes are taken: ``wanted`` together, if there are."""
    whole = [one for one in files if one.name.lower().endswith(_WHOLE)]
    usable = [one for one in files if one not in whole or one.size <= SAMPLE]
    if not usable:
        raise InputError(f"no input file can be cut, and none is smaller than {SAMPLE / 1e6:.0f} MB")
    mean = sum(min(one.size, SAMPLE) for one in usable) / len(usable)
    count = min(len(usable), max(1, round(wanted / mean)))
    some = [usable[place * len(usable) // count] for place in range(count)]
    each = max(wanted // count, 1)
    return [(one, one.size if one in whole else min(one.size, each)) for one in some]


def _try(recipe: Recipe, domain: str, chosen: Sequence[tuple[_Source, int]]) -> _Trial:
    """Run a domain on the heads of some files, with one worker."""
    settings = recipe.settings(domain)
    if settings is None:
        raise RequestError(f"{domain}: the recipe {recipe.name!r} has no settings for this stage")
    with tempfile.TemporaryDirectory(prefix="llama-data-calibrate-") as folder:
        dumps, run = os.path.join(folder, "dumps"), os.path.join(folder, "run")
        size = sum(_copy_head(one.path, os.path.join(dumps, one.name), most) for one, most in chosen)
        names = tuple(escape(one.name) for one, _ in chosen)
        small = settings.model_copy(update={"inputs": names, "root": dumps, "share": None})
        executor = recipe.executor.model_copy(update={"kind": "local", "workers": 1})
        trial = recipe.with_settings(domain, small).model_copy(update={"output": run, "executor": executor})
        launched = execution.execute(jobs.stage_jobs(trial, domain), trial, lambda line: None)
        summaries = [summarise(trial.context(domain), name) for name in trial.ledgers(domain)]
        return _Trial(
            bytes_in=max(size, 1),
            cpu=sum(job.cpu for job in launched),
            starts=len(launched),
            out=sum(summary.bytes_out for summary in summaries),
            work=sum(path.stat().st_size for path in Path(run, "work").rglob("*") if path.is_file()),
            chars=sum(summary.chars_in for summary in summaries),
        )


def _copy_head(source: str, target: str, most: int) -> int:
    """Copy the first ``most`` bytes of a file; returns how many there were."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    done = 0
    with open_binary(source) as stream, open(target, "wb") as copy:
        while done < most and (piece := stream.read(min(_CHUNK, most - done))):
            done += copy.write(piece)
    return done
