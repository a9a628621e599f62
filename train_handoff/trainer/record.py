"""What a checkpoint says besides its tensors, and where checkpoints are. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.trainer.config import ModelConfig

RECORD = "record.json"
CHECKPOINTS = "checkpoints"
LOCK = "run.lock"
RESULT, FAILURE = "result.json", "failure.txt"  # what processes answer to `launch.ask`, beside its request
AT_WORK = "a training run is at work here"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
"""Each of them saves after the step in hand and ends the run."""

LAUNCHER = "LLAMA_TRAIN_LAUNCHER"  # environment: process id of the `llama-train launch` that waits for the processes
NAME = re.compile(r"rows-\d{12,}")


def saves(number: int) -> str:
    """What is said when a signal is to end a run."""
    return f"{signal.Signals(number).name}: saves after the step in hand"


class FileEntry(TypedDict):
    """Size and sha256 of a file of a checkpoint."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: str


class _Known(TypedDict, total=False):
    """Of a record's ``settings`` and ``origin`` what a run that goes on reads."""

    skip_rows: list[tuple[int, int]]
    warmup_rows: int
    checkpoint: str
    record_sha256: str
    huggingface: str
    special_ids: dict[str, Any]


_KNOWN = TypeAdapter(_Known)


def _sound(content: dict[str, Any]) -> dict[str, Any]:
    """The same. Raises ValueError when what is known of it is of another type."""
    try:
        _KNOWN.validate_python(content)
    except ValidationError as error:
        raise ValueError(_first(error)) from None
    return content


def _first(error: ValidationError) -> str:
    found = error.errors()[0]
    where = ".".join(map(str, found["loc"]))
    return f"{where}: {found['msg']}" if where else found["msg"]


Noted = Annotated[dict[str, Any], AfterValidator(_sound)]


@dataclass(frozen=True)
class Record:
    """``model`` is the model's configuration; ``rows`` of the mix ``fingerprint`` are behind it, after ``step`` steps.

    ``bos_id``, ``eos_id``: of the tokenizer, where rows or tokenizer said so; older records say nothing.

    ``origin``: what the parameters were before row 0, None for drawn from the seed. Of an imported checkpoint the
    Hugging Face files and their sha256; of a run that started from a checkpoint, that one and its record's sha256.
    ``settings``: what the last steps were taken with (``start.settings_of``). ``norms``: the newest gradient norms, by
    which the next step is judged. ``template``: how a prompt is written for the model, None when it was not tuned.
    ``totals``: what the parameters were trained on, by domain (``watch.totals``).
    ``files``: size in bytes and sha256 of every other file of the checkpoint.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    step: Annotated[int, Field(ge=0)]
    rows: Annotated[int, Field(ge=0)]
    fingerprint: str
    seed: int
    tokenizer_sha256: str
    model: dict[str, Any]
    bos_id: int | None = None
    eos_id: int | None = None
    origin: Noted | None = None
    settings: Noted = field(default_factory=dict)
    norms: tuple[float, ...] = ()
    template: str | None = None
    totals: dict[str, Any] = field(default_factory=dict)
    files: dict[str, FileEntry] = field(default_factory=dict)

    def model_config(self, where: Path) -> ModelConfig:
        """The model. Raises RecipeError when the record's is not one that this version builds."""
        return validate(ModelConfig, self.model, str(where / RECORD))


_RECORD = TypeAdapter(Record)


def checkpoint_name(rows: int) -> str:
    """Name of the folder of a checkpoint: progress is counted in rows, so that names sort by it whatever the batch."""
    return f"rows-{rows:012d}"


def rows_of(path: Path) -> int:
    """The rows in a checkpoint's name."""
    return int(path.name.removeprefix("rows-"))


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints below the run's folder of which every file is there, by rows, fewest first.

    Raises InputError when all that is there was named by an earlier version.
    """
    return [path for path, problem in _found(folder) if problem is None]


def incomplete(folder: Path) -> list[tuple[Path, str]]:
    """Checkpoints below the run's folder that lack something, and what."""
    return [(path, problem) for path, problem in _found(folder) if problem is not None]


def _found(folder: Path) -> list[tuple[Path, str | None]]:
    paths = [path for path in (folder / CHECKPOINTS).glob("rows-*") if NAME.fullmatch(path.name)]
    old = next((folder / CHECKPOINTS).glob("step-????????"), None) if not paths else None
    if old is not None:
        name = checkpoint_name(read_record(old).rows)
        raise InputError(f"{old}: named by its steps, as earlier versions did; rename it to {name} to go on from it")
    return [(path, _problem(path)) for path in sorted(paths, key=rows_of)]


def _problem(path: Path) -> str | None:
    """What a checkpoint lacks, as far as names and sizes tell."""
    try:
        record = read_record(path)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ").removeprefix(f"{path}/")
    for name, expected in record.files.items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != expected["bytes"]:
            return f"{name} has {file.stat().st_size:,} bytes instead of {expected['bytes']:,}"
    return None if record.rows == rows_of(path) else f"{RECORD} is of {record.rows:,} rows"


def set_aside(folder: Path, row: int) -> list[Path]:
    """Give the run's checkpoints after ``row`` names that no verb takes, so that it goes on from the one before.

    Returns their new names. Raises RequestError when the run has no checkpoint up to that row.
    """
    found = checkpoints(folder)
    later = [path for path in found if rows_of(path) > row]
    if len(later) == len(found):
        has = ", ".join(f"{rows_of(path):,}" for path in found) or "none"
        raise RequestError(f"{folder / CHECKPOINTS}: no checkpoint at or before row {row:,}; it has: {has}")
    moved = []
    for path in later:
        new, number = path.with_name(f"rewound-{path.name}"), 1
        while new.exists():
            number += 1
            new = path.with_name(f"rewound-{path.name}-{number}")
        moved.append(path.rename(new))
    return moved


def file_entry(path: Path) -> FileEntry:
    """Size and sha256 of a file, as a record holds them."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def changed_file(path: Path, record: Record, part: int = 0, parts: int = 1) -> str | None:
    """Name of a file of the checkpoint that is not what was written, None when all are.

    Of ``parts`` processes each reads every ``parts``-th file from the ``part``-th on.
    """
    for name in sorted(record.files)[part::parts]:
        try:
            if file_entry(path / name) != record.files[name]:
                return name
        except OSError:
            return name
    return None


def find_checkpoint(path: Path) -> Path:
    """A checkpoint given as itself or as the folder of a training run (its newest one). Raises InputError."""
    if (path / RECORD).exists():
        return path
    found = checkpoints(path)
    if not found:
        what = (
            "neither a checkpoint nor a training folder with one in checkpoints/" if path.exists() else "no such folder"
        )
        hint = "; make a checkpoint of it with `llama-train import`" if (path / "config.json").exists() else ""
        raise InputError(f"{path}: {what}{hint}")
    return found[-1]


def read_record(path: Path) -> Record:
    """The record of a checkpoint. Raises InputError when there is none or it is damaged."""
    try:
        return _RECORD.validate_python(json.loads((path / RECORD).read_text()))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: not a checkpoint: it has no {RECORD}") from None
    except ValidationError as error:
        raise InputError(f"{path / RECORD}: damaged: {_first(error)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path / RECORD}: damaged: {error}") from None


def require_same_tokenizer(record: Record, tokenizer_sha256: str, where: Path) -> None:
    """Raise RequestError when a model and rows or texts belong to different tokenizers."""
    if record.tokenizer_sha256 != tokenizer_sha256:
        raise RequestError(
            f"{where}: the model's tokenizer.model has sha256 {record.tokenizer_sha256}, this one {tokenizer_sha256}; "
            "a model can only read the ids of its own tokenizer"
        )
