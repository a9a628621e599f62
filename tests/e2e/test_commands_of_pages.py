"""What README and the pages say to type is typed: every command that can run on a small run runs, page by page.

All commands are parsed by tests/contract/test_docs.py. Here stand those that cannot run, each with its reason; one
that is neither here nor runs fails. Names like RUN and FILE are filled in by a table.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dill  # type: ignore[import-untyped]
import pages
import pytest
import yaml
from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-untyped]
from datatrove.io import DataFolder  # type: ignore[import-untyped]
from typer.testing import CliRunner

from llama_data.pipeline import execution
from llama_data.pipeline.executors.records import Done
from llama_data.pipeline.executors.tallied import Tallied
from llama_data.pipeline.executors.tally import Tally
from llama_data.pipeline.executors.worker import load
from llama_data.pipeline.samples import build_samples

pytestmark = pytest.mark.timeout(1200)  # one test makes what all work in

NOT_RUN = {
    r"llama-data download (?!github)": "needs the network",
    r"llama-data run .*(https?|s3|gs)://": "needs the network",
    r"llama-data models train-references": "needs pages that Wikipedia cites; tests/pipeline/models trains one",
    r"llama-data models train-templates": "needs a dump with template pages; tests/pipeline/models makes one",
    r"llama-data models (train-perplexity|evaluate lm/)": "needs much text; tests/pipeline/models trains one",
    r"llama-data models pull": "needs the network, and gigabytes",
    r"llama-data browse": "serves until it is stopped",
    r"llama-data quickstart": "takes a minute; tests/e2e/test_quickstart.py runs it",
    r"llama-data .*--calibrate": "measures for half a minute",
    r"llama-data .*--executor (slurm|ray)": "needs a cluster",
    r"llama-data (run all|train-tokenizer|tokenize|mix) -c refined": "needs WARC files and the language model",
    r"llama-data verify RUN --adopt": "needs a run of an older version",
    r"llama-train launch (?!.*--dry-run)(?!.*--model tiny)": "needs cards, or another run",
    r"llama-train ablate": "trains a dozen models; tests/train_handoff/trainer/ablate does",
    r"llama-train tasks": "needs the wheel of OLMo's evaluation; tests/train_handoff/trainer/ablate has such a file",
    r"llama-train bench": "measures, on cards",
    r"llama-train .*--(harness|nproc 8 --nnodes)": "needs the extra eval and its tasks",
    r"llama-train .*s3://": "needs a store",
    r"llama-train (chat|tune)": "needs a model that was tuned; tests/train_handoff/trainer/tuning has some",
}
REFUSED = {  # what they say is what the page wants
    "llama-data download github": "EXPORT DATA OPTIONS",
}
FILLED = [
    (r"\bRUN commoncrawl/\u2026", "RUN sample-00000"),
    (r"(?<=recipes new )mine\.yaml", "own.yaml"),
    (r"mine=(/data/mine|data)", "mine=texts"),
    (r"(?<=-c )own\.yaml", "own.yaml --output OWN"),
    (r"^(llama-data run commoncrawl --input dumps/commoncrawl .*--annotate-only)$", r"\1 --starter-models"),
    (r"(?<=--input )crawl", "samples/cc"),
    (r"-c cited\.yaml", "--input samples/cc --output CITED"),
    (r"wet\.paths\.gz --share 0\.1%", "samples/cc --share 50%"),
    (r"^(llama-data models train-(?:language|quality) .*)", r"\1 --dim 4 --epoch 1"),
    (r"(?<=--model tiny )--output", "--batch-tokens 512 --steps 4 --output"),
    (r"-c llama --input dumps --output RUN|-c (r|recipe|mine)\.yaml( --output run\b)?", "-c mine.yaml"),
    (r"(?<=plan )llama --input dumps", "llama --input dumps --models-dir models"),
    (r"RUN https://\S+", "RUN https://"),
    (r"CC-MINI-DEV-00000\.warc\.wet\.gz", "samples/cc/sample-00000.warc.wet.gz"),
    (r"^(llama-data run .*)--output RUN", r"\1--output MADE"),
    (r"\brun mine\b", "run news"),
    (r"\bDOMAIN\b", "commoncrawl"),
    (r"(?<=RUN/mix )--model 7b --nproc 8(?= --dry-run)", "--model tiny --batch-tokens 512 --steps 4 --nproc 1"),
    (r"--tokens (1\.0T|1\.4T|10B|1e9|100M)", "--tokens 8K"),
    (r"--step 8192", "--step 1"),
    (r"--rows 121000:121100", "--rows 1:3"),
    (r"\bWANTED RANDOM\b", "WANTED.jsonl RANDOM.jsonl"),
    (r"(?<=inspect )FILE", "samples/cc/sample-00000.warc.wet.gz"),
    (r"^(llama-train (?:generate|evaluate) .*)", r"\1 --dtype float32"),
    (r"^(llama-train generate .*)", r"\1 --tokens 4"),
]
READS = r"llama-data (plan|why|diff|report|inspect|status|logs|verify|models list|recipes (list|show))\b"
SEEN: set[str] = set()  # of commands that only read, which stand on several pages, those that were typed
DOMAINS = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")


class InThisProcess(Tallied, LocalPipelineExecutor):  # type: ignore[misc]
    """The local executor, whose tasks are done here: starting a process takes longer than a task over samples."""

    def attempt(self, tally: Tally, watch: Callable[[], None]) -> None:
        """Do the tasks of the tally, each with a fresh copy of the job's steps, as a worker does."""
        while (rank := tally.take()) is not None:
            load(dill.dumps(self))._run_for_rank(rank, 1)
            tally.completed(rank, Done(0.0, 0.0))


def train_here(command: list[str], cluster: Any, what: str) -> None:
    """In place of the process that ``llama-train launch`` starts: what it does."""
    from llama_data.train_handoff.trainer import distributed, loop
    from llama_data.train_handoff.trainer.config import TrainConfig

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        loop.run(TrainConfig.model_validate_json(Path(command[-1]).read_text()), loop.Stop())
    finally:
        distributed.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """In the folder, with all work done in this process."""
    from llama_data.train_handoff.trainer import launch

    DataFolder.clear_instance_cache()  # it keeps those of relative paths, which lie in the folder of before
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(execution, "LocalExecutor", InThisProcess)
        patch.setattr(launch, "run", train_here)
        yield


def typed(text: str) -> None:
    """Run a command as it is typed. Fails where it ends with an error, with what it said."""
    program, *words = pages.Command("", 0, text).words
    done = CliRunner().invoke(pages.app_of(program), words)
    expected = REFUSED.get(text)
    if done.exit_code != 0 if expected is None else expected not in str(done.exception):
        raise AssertionError(f"{text}\n{done.output[-3000:]}\n{done.exception!r}") from done.exception


def make_inputs() -> None:
    """Dumps of all kinds in the folder that is worked in, rows of one's own, and the recipe over them."""
    build_samples("samples")
    Path("dumps").mkdir()
    for name in DOMAINS:
        Path("dumps", name).symlink_to(Path("..", "samples", "cc" if name == "commoncrawl" else name))
    Path("data/news").mkdir(parents=True)
    rows = [{"body": f"News {number}. " * 60, "uuid": f"a{number}", "link": "https://n"} for number in range(40)]
    Path("data/news/a.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    Path("page.txt").write_text("A page to measure on.\n" * 9)
    for folder, count in (("texts", 3), ("languages", 0)):
        Path(folder).mkdir()
        for number in range(count):
            Path(folder, f"{number}.txt").write_text(
                "".join(f"Line {number + line} of a text.\n" for line in range(40))
            )
    for code, word in (("en", "the text of a line"), ("de", "der Text einer Zeile")):
        lines = (f"{word} {number} {word} {number * 7}\n" for number in range(200))
        Path("languages", f"{code}.txt").write_text("".join(lines))
    for name, word in (("WANTED", "why"), ("RANDOM", "buy")):
        texts = (json.dumps({"text": f"{word} {number} {word} this"}) for number in range(60))
        Path(f"{name}.jsonl").write_text("\n".join(texts))
    Path("prompts.txt").write_text("The first\n")
    source = {"root": "data", "inputs": ["news/*.jsonl.gz"], "fields": {"text": "body", "id": "uuid", "url": "link"}}
    recipe = {
        "extends": "quickstart",
        "name": "mine",
        "input": "samples",
        "output": "RUN",
        "sources": {"news": {**source, "steps": ["length"]}},
        "tokenizer": {"vocab_size": 1000},
        "tokens": {"seq_len": 64, "validation": 0.1},
        "mix": {"weights": {**dict.fromkeys(DOMAINS, 0.125), "news": 0.125}, "tokens": 8_000},
    }
    Path("mine.yaml").write_text(yaml.safe_dump(recipe))
    weights = {"github": 0.5, "news": 0.5}
    Path("more-code.yaml").write_text(yaml.safe_dump(weights))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the commands of the pages can be typed: inputs, a run up to its mix, another to compare."""
    folder = tmp_path_factory.mktemp("world")
    with at_home(folder):
        make_inputs()
        for verb in ("run all", "train-tokenizer", "tokenize", "mix"):
            typed(f"llama-data {verb} -c mine.yaml")
        shutil.copytree("RUN", "RUN_A")
        if find_spec("torch") is not None:
            typed("llama-train launch --data RUN/mix --model tiny --batch-tokens 512 --steps 4")
        text = Path("mine.yaml").read_text().replace("output: RUN", "output: RUN_B")
        other = yaml.safe_load(text) | {"domains": {"commoncrawl": {"min_characters": 900}}}
        Path("other.yaml").write_text(yaml.safe_dump(other))
        typed("llama-data run commoncrawl -c other.yaml")
    return folder


def filled(text: str) -> str:
    """The command with the names of this folder."""
    for pattern, name in FILLED:
        text = re.sub(pattern, name, text)
    return text


def reason_not_to_run(text: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(f"^{pattern}", text)), None)


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(pages.ROOT).as_posix())
def test_what_a_page_says_to_type_runs(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found = [command for command in pages.commands(page) if command.words[0] in pages.PROGRAMS]
    found = [command for command in found if reason_not_to_run(command.text) is None]
    if not found:
        return
    if any(command.words[0] == "llama-train" for command in found):
        pytest.importorskip("torch")
    here: Path = request.getfixturevalue("world")
    if not all(re.match(READS, command.text) for command in found):
        shutil.copytree(here, tmp_path / "here", symlinks=True)
        here = tmp_path / "here"
    with at_home(here):
        for number, command in enumerate(found):
            text = filled(command.text).replace("MADE", f"MADE{number}")
            if text in SEEN:
                continue
            try:
                typed(text)
            except AssertionError as error:
                pytest.fail(f"{command}\n{error}")
            if re.match(READS, text):
                SEEN.add(text)


def test_every_reason_not_to_run_is_needed() -> None:
    texts = [command.text for page in pages.pages() for command in pages.commands(page)]
    assert [pattern for pattern in NOT_RUN if not any(re.search(f"^{pattern}", text) for text in texts)] == []


def test_every_name_that_is_filled_in_stands_on_a_page() -> None:
    texts = [command.text for page in pages.pages() for command in pages.commands(page)]
    assert [pattern for pattern, _ in FILLED if not any(re.search(pattern, text) for text in texts)] == []
