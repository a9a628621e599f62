"""What a new process costs before its first page: on a cluster one is born for every task."""

from __future__ import annotations

import contextlib
import gzip
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from common import TESTS

from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.samples.sheets import TEXTS
from llama_data.stages.commoncrawl.jobs import Settings, jobs
from llama_data.stages.steps.model_files import model_path, perplexity_files

ROUNDS = 5

# A task of the documents job: unpickle its steps, read one page, judge it by every model, write what became of it.
_TASK = """
import pickle, sys
with open(sys.argv[1], "rb") as stream:
    steps = pickle.load(stream)
data = None
for step in steps:
    data = step.run(data, 0, 1)
for _ in data:
    pass
"""
# The same page and models with CCNet's rules in plain Python.
_PLAIN = """
import json, sys
from pathlib import Path
sys.path.append(sys.argv[1])
import fasttext, kenlm, sentencepiece
import plain_commoncrawl as plain
page, language, model, pieces, cutoffs, references = sys.argv[2:]
cuts = json.loads(Path(cutoffs).read_text())
models = plain.Models(
    fasttext.load_model(language),
    {"en": sentencepiece.SentencePieceProcessor(model_file=pieces)},
    {"en": kenlm.Model(model)},
    {"en": (cuts["head"], cuts["middle"])},
    fasttext.load_model(references),
)
plain.whole_stage([Path(page)], models, lambda path, page, row: print(row["reason"]))
"""


def _member(kind: str, body: bytes) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://example.org/\r\n"
    head += f"WARC-Record-ID: <urn:uuid:{kind}>\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return gzip.compress(head.encode() + body + b"\r\n\r\n")


def _processor_seconds(command: list[str]) -> float:
    """CPU seconds, of the user and the system, of a process and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def start_up(corpus: Path) -> dict[str, Any]:
    """A fresh process for one page of CommonCrawl's documents job, with the starter models, in CPU seconds.

    Kernels come from numba's cache and models from the folder of unpacked ones: a first process, which is not counted,
    fills both. ``identical``: both reject the page for the same reason or keep it. The ratio is the peer's seconds over
    ours, so that more is better as in every row.
    """
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(None):
        folder = Path(name)
        (folder / "in").mkdir()
        page = folder / "in" / "page.wet.gz"
        # English prose: every model is asked about it.
        body = sorted((TEXTS / "books").glob("*.txt"))[0].read_bytes()
        page.write_bytes(_member("warcinfo", b"made for a benchmark") + _member("conversion", body))
        settings = Settings(
            inputs=("*.wet.gz",),
            dedup_group="all",
            language_model="starter",
            perplexity_models={"en": "starter"},
            reference_model="starter",
        )
        made = jobs(settings, RunContext(input=str(folder / "in"), output=str(folder / "run"), rejected_sample=1.0))
        for number, job in enumerate(made):
            (folder / f"{number}.pickle").write_bytes(pickle.dumps(job.steps))
            ours = [_TASK, str(folder / f"{number}.pickle")]
            _processor_seconds(ours)
        files = perplexity_files("starter", "en")
        models = [model_path("starter/language"), *map(str, files), model_path("starter/references")]
        peer = [_PLAIN, str(TESTS / "plain"), str(page), *models]
        theirs = subprocess.run(
            [sys.executable, "-c", *peer], check=True, capture_output=True, text=True
        ).stdout.split()
        [reason] = pq.read_table(folder / "run" / "ledger" / "commoncrawl", columns=["reason"])["reason"].to_pylist()
        times = [(_processor_seconds(ours), _processor_seconds(peer)) for _ in range(ROUNDS)]
    mine, others = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "name": "start_up",
        "unit": "s",
        "ours": mine,
        "peer": others,
        "peer_name": "CCNet's rules in plain Python",
        "ratio": others / mine,
        "identical": theirs == [str(reason)],
        "compared": {str(reason or "kept"): 1},
    }


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {"start_up": start_up}
