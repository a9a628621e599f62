"""A small corpus of all seven domains and of a source of one's own, and the commands that work on it, one by one.

Each command (a ``Leg``) can be run alone, in a folder that has what the commands before it have left; what it leaves
there undisturbed is what it has to leave however it was disturbed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO
from uuid import uuid4

import orjson

from llama_data.pipeline.samples import build_samples

PATIENCE = 1200.0  # seconds that a command may take; each takes few
GONE = 600.0  # seconds within which every process of a killed command is gone
_TASK_BYTES = 4000
DOMAINS = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")
OWN = "mine"
_WEIGHTS = {"github": 0.4, "books": 0.3, OWN: 0.3}
# What does not belong to the result: logs, and what says when something was done.
_BESIDE = ("logs/", "recipes/", "locks/", "recipe.yaml")


@dataclass(frozen=True)
class Leg:
    """A command. ``words`` may hold {run}, {dumps}, {recipe}; ``after``: the legs whose results it needs.

    ``same``: its files have the same bytes each time. ``executors``: it takes --executor and --workers.
    ``verifies``: ``verify`` can say something of the folder. ``program``: the module that is run.
    """

    name: str
    words: tuple[str, ...]
    after: tuple[str, ...] = ()
    same: bool = True
    executors: bool = True
    verifies: bool = True
    program: str = "llama_data.pipeline.cli"


def _run(name: str) -> Leg:
    return Leg(f"run-{name}", ("run", name, "-c", "{recipe}", "--input", "{dumps}", "--output", "{run}"))


def _verb(*words: str) -> tuple[str, ...]:
    return (*words, "-c", "{recipe}", "--output", "{run}")


def _export(to: str) -> Leg:
    return Leg(f"export-{to}", ("export", "{run}", "--to", to), ("mix",), executors=False)


def _models(kind: str, *words: str) -> Leg:
    words = ("models", f"train-{kind}", *words)
    return Leg(f"models-{kind}", words, executors=False, verifies=False)


_MIXED = tuple(f"run-{name}" for name in _WEIGHTS)
_TOKENIZED = tuple(f"tokenize-{name}" for name in _WEIGHTS)
_LAUNCH = "launch --data {run}/mix --output {run}/train --model tiny --steps 6 --save-every 2 --batch-tokens 1024"
LEGS = {
    leg.name: leg
    for leg in (
        *(_run(name) for name in (*DOMAINS, OWN)),
        Leg("train-tokenizer", _verb("train-tokenizer"), _MIXED),
        *(Leg(f"tokenize-{name}", _verb("tokenize", name), ("train-tokenizer", f"run-{name}")) for name in _WEIGHTS),
        Leg("mix", _verb("mix"), _TOKENIZED),
        *(_export(to) for to in ("megatron", "bin", "hf")),
        Leg("report", ("report", "{run}"), ("mix",), executors=False),
        _models("language", "{dumps}/languages", "--out", "{run}/language.bin", "--epoch", "2"),
        _models(
            "perplexity", "{dumps}/own/*.jsonl", "--out", "{run}/perplexity", "--vocab-size", "300", "--order", "3",
            "--estimator", "own", "--cutoffs-from", "{dumps}/own/0.jsonl",
        ),
        _models(
            "references", "--positives", "{dumps}/own/0.jsonl", "--negatives", "{dumps}/own/1.jsonl",
            "--out", "{run}/references.bin", "--min-chars", "1", "--dim", "8",
        ),
        _models("templates", "{dumps}/templates", "--out", "{run}/templates"),
        Leg(
            "quickstart", ("quickstart", "{run}/quick", "--no-train", "--workers", "2"), executors=False, verifies=False
        ),
        Leg(
            "launch", tuple(_LAUNCH.split()), ("mix",), same=False, executors=False,
            program="llama_data.train_handoff.trainer.cli",
        ),
    )
}  # fmt: skip
PIPELINE = tuple(name for name, leg in LEGS.items() if leg.executors)
"""The legs that are jobs with tasks: what an executor does."""


class _Reader(threading.Thread):
    """Reads a pipe to its end; not a file, for the command may be limited in what it may write to one."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        assert stream is not None
        self._stream, self._pieces = stream, list[bytes]()
        self.start()

    def run(self) -> None:
        while piece := os.read(self._stream.fileno(), 1 << 16):
            self._pieces.append(piece)
        self._stream.close()

    def text(self) -> str:
        """What has come; all of it, once every process that held the pipe is gone."""
        self.join(GONE)
        return b"".join(self._pieces).decode("utf-8", "replace")


class Command:
    """A command that runs in a group of its own, whose processes can be told from all others."""

    def __init__(
        self, words: list[str], environment: Mapping[str, str], preexec: Callable[[], None] | None = None
    ) -> None:
        self.mark = uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env={**os.environ, **environment, "MARK_OF_SOAK": self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=preexec,
        )
        self._read = [_Reader(stream) for stream in (self.process.stdout, self.process.stderr)]

    def end(self) -> int:
        """Wait for its end; its exit code. One that does not end is killed, which is -9."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def kill(self) -> None:
        """SIGKILL the group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        """What it has written to its standard error."""
        return self._read[1].text()

    def printed(self) -> str:
        """What it has written to its standard output."""
        return self._read[0].text()

    def others(self) -> list[int]:
        """The living processes that come from it, without itself."""
        return [process for process in marked(self.mark) if process != self.process.pid]

    def left_alone(self) -> list[int]:
        """The processes that still live a while after its end; they are killed."""
        deadline = time.monotonic() + GONE
        while (living := marked(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        for process in living:
            os.kill(process, signal.SIGKILL)
        return living


def marked(mark: str) -> list[int]:
    """The living processes that were started with a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                mine = f"MARK_OF_SOAK={mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [int(entry.name)] if mine and state not in "ZX" else []
    return found


@dataclass
class Chain:
    """The corpus below ``folder``, and the folders that the legs have left undisturbed, each made when it is asked for.

    ``words``: what every command with jobs is given besides, such as an executor.
    """

    folder: Path
    words: tuple[str, ...] = ("--workers", "2")
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dumps, self.recipe = self.folder / "dumps", self.folder / "recipe.yaml"
        self.undisturbed = cache(self._undisturbed)
        if not self.recipe.exists():
            _build(self.dumps)
            steps = _steps_over_all(self.dumps)
            own = {"inputs": ["own/*.jsonl"], "max_task_bytes": _TASK_BYTES, "steps": steps}
            recipe = {
                "extends": "quickstart",
                "name": "soak",
                "failure_limit": 0.5,
                "executor": {"ray": {"mem_per_cpu_gb": 1}},
                "sources": {OWN: own},
                "domains": {name: {"max_task_bytes": _TASK_BYTES} for name in DOMAINS},
                "tokenizer": {"vocab_size": 400},
                "mix": {"weights": _WEIGHTS, "max_epochs": 1000, "tokens": 60_000, "rows_per_shard": 256},
            }
            self.recipe.write_text(json.dumps(recipe))

    def start(
        self, leg: Leg, run: Path, preexec: Callable[[], None] | None = None, undisturbed: bool = False
    ) -> Command:
        """Start the leg's command on a run's folder."""
        places = {"run": str(run), "dumps": str(self.dumps), "recipe": str(self.recipe)}
        words = [leg.program, *(word.format(**places) for word in leg.words)]
        words += (("--workers", "2") if undisturbed else self.words) if leg.executors else ()
        return Command(words, self.environment, preexec)

    def prepare(self, leg: Leg, run: Path) -> None:
        """Put into a folder what the leg needs."""
        run.mkdir(parents=True, exist_ok=True)
        for name in leg.after:
            shutil.copytree(self.undisturbed(name), run, dirs_exist_ok=True)

    def _undisturbed(self, name: str) -> Path:
        """The folder that the leg has left undisturbed, with what it needed."""
        leg, run = LEGS[name], self.folder / "undisturbed" / name
        if (run / "done").exists():
            return run
        shutil.rmtree(run, ignore_errors=True)
        self.prepare(leg, run)
        command = self.start(leg, run, undisturbed=True)
        if command.end():
            raise RuntimeError(f"{name}: fails undisturbed: {command.said()[-3000:]}")
        (run / "done").touch()
        return run

    def faults(self, leg: Leg, run: Path) -> list[str]:
        """How a folder differs from what the leg leaves undisturbed; what is left over; what ``verify`` says."""
        expected, found = digests(self.undisturbed(leg.name)), digests(run)
        if not leg.same:
            # What it computes has no fixed bytes; that all of it is there has to do.
            expected, found = dict.fromkeys(expected, ""), dict.fromkeys(found, "")
        faults = [f"{name}: missing" for name in sorted(set(expected) - set(found))]
        faults += [f"{name}: should not be there" for name in sorted(set(found) - set(expected))]
        faults += [
            f"{name}: other bytes" for name in sorted(set(found) & set(expected)) if found[name] != expected[name]
        ]
        faults += [f"{path}: left behind" for path in left_behind(run)]
        if not faults and leg.verifies:
            command = Command(["llama_data.pipeline.cli", "verify", str(run), "--full"], self.environment)
            if command.end():
                faults.append(f"verify: {command.printed()[-1500:]} {command.said()[-500:]}")
        return faults


def digests(run: Path) -> dict[str, str]:
    """The files of a run that belong to its results, with their hashes; a manifest's is that of its content."""
    found = {}
    for path in files(run):
        name = str(path.relative_to(run))
        if name.removeprefix("quick/run/").startswith(_BESIDE) or name == "done" or ".tmp" in name:
            continue
        if path.name == "metrics-replaced.jsonl":  # of steps that were done again, which is what a disturbed run does
            continue
        data = path.read_bytes()
        if path.name == "manifest.json":  # beside its content it says when and where it was written
            found[name] = str(orjson.loads(data)["sha256"])
        elif (
            path.name in ("manifest.inputs.zst", "report.html", "summary.json", "metrics.jsonl") or "card" in path.name
        ):
            found[name] = ""  # times, paths of this folder
        else:
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def left_behind(run: Path) -> list[str]:
    """Temporary files, locks and notes of running tasks, which no command leaves when it has ended well."""
    names = (str(path.relative_to(run)) for path in files(run))
    return [name for name in names if name.endswith((".tmp", ".lock", ".takeover")) or "/running/" in name]


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder; what vanishes meanwhile is left out."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def sentence(said: str) -> str | None:
    """The one sentence that a command ends with; None where there is none, or more than that."""
    told = [line for line in said.splitlines() if line.startswith(("llama-data: ", "llama-train: "))]
    return told[0] if len(told) == 1 and "Traceback" not in said and said.rstrip().endswith(told[0]) else None


def _steps_over_all(dumps: Path) -> list[str | dict[str, object]]:
    """Steps that have jobs of their own before the documents."""
    classifier = {"model": "starter/references", "label": "wiki", "preparation": "lines"}
    quiz = {"path": str(dumps / "quiz.json"), "fields": ["q"]}
    return [
        "near_dup",
        {"quality": {"models": [classifier], "keep": "80%"}},
        {"decontaminate": {"evaluations": [quiz], "words": 8}},
    ]


def _build(dumps: Path) -> None:
    build_samples(dumps)
    (dumps / "own").mkdir()
    for number in range(3):
        rows = (
            json.dumps(
                {"text": f"Note {row} of book {number}: the ferry left at {row * 7 % 24} o'clock. " * (6 + row % 5)}
            )
            for row in range(20)
        )
        (dumps / "own" / f"{number}.jsonl").write_text("\n".join(rows) + "\n")
    (dumps / "quiz.json").write_text(json.dumps([{"q": "Note 3 of book 1: the ferry left at 21 o'clock."}]))
    (dumps / "languages").mkdir()
    for code, line in (("en", "The ferry left at {} in the morning"), ("de", "Die Fähre ging um {} Uhr früh ab")):
        lines = (f"{line.format(number % 24)}, {number}.\n" for number in range(200))
        (dumps / "languages" / f"{code}.txt").write_text("".join(lines))
    (dumps / "templates").mkdir()
    pages = (
        f"<page><title>Template:T{number}</title><ns>10</ns><id>{number}</id>"
        f"<revision><id>9</id><text>the {{{{{{1}}}}}} of {number}</text></revision></page>\n"
        for number in range(1, 200)
    )
    dump = f'<mediawiki xml:lang="en">\n{"".join(pages)}</mediawiki>\n'
    (dumps / "templates" / "enwiki-t-pages-articles.xml").write_text(dump)
