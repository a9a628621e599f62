"""Tasks of EleutherAI's lm-evaluation-harness, on an export of a checkpoint. Imports no torch."""

from __future__ import annotations

import json
import math
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.pipeline.core.extras import require
from llama_data.train_handoff.trainer.handover import around_documents, open_tokenizer
from llama_data.train_handoff.trainer.record import RECORD, find_checkpoint, read_record

ANSWER_BITS = "bits per byte of the answer,none"


@dataclass(frozen=True)
class Tasks:
    """Tasks by ``names``, and how their questions are put.

    ``limit``: so many questions of a task at most (None: all); ``few_shot``: examples before each (None: the task's
    own number); ``folder``: of .yaml files of further tasks; ``micro_rows``: questions at a time.
    """

    names: tuple[str, ...]
    limit: int | None = None
    few_shot: int | None = None
    folder: Path | None = None
    micro_rows: int = 8
    device: str = "auto"
    dtype: str = "float32"

    def require(self) -> None:
        """Raise RequestError when the harness is not installed, or does not know a task."""
        for package in ("lm_eval", "transformers", "accelerate"):
            require(package, "--harness")
        if self.folder is not None and not self.folder.is_dir():
            raise RequestError(f"--tasks-path {self.folder}: no such folder")
        unknown = _unknown(_manager(self.names, self.folder), self.names)
        if unknown:
            where = f" and in {self.folder}" if self.folder is not None else ""
            raise RequestError(
                f"--harness: {', '.join(unknown)}: no such task in lm-evaluation-harness{where}; `lm_eval ls tasks` "
                "lists them"
            )

    def run(self, model: Path, tokenizer: Path | None, *, questions: bool = False) -> dict[str, Any]:
        """Results by task; ``model`` is a checkpoint, a run or an export. ``questions``: of each question as well.

        Raises InputError and RequestError as ``export`` does, RunError when the harness fails.
        """
        from lm_eval import simple_evaluate  # type: ignore[import-not-found,unused-ignore]
        from torch import cuda

        device = self.device if self.device != "auto" else "cuda" if cuda.is_available() else "cpu"
        with _exported(model, tokenizer, self.dtype) as (folder, bos):
            arguments = {"pretrained": str(folder), "dtype": self.dtype, "add_bos_token": bos}
            try:
                found: Any = simple_evaluate(
                    model="hf",
                    model_args=arguments,
                    tasks=list(self.names),
                    num_fewshot=self.few_shot,
                    batch_size=self.micro_rows,
                    device=device,
                    limit=self.limit,
                    task_manager=_manager(self.names, self.folder),
                    log_samples=questions,
                )
            except Exception as error:
                raise RunError(f"lm-evaluation-harness: {type(error).__name__}: {_said(error)}") from error
        names = ("results", "groups", "n-shot", "n-samples", "versions", "higher_is_better", "lm_eval_version")
        kept = {name: found[name] for name in names if name in found}
        if questions:
            kept["questions"] = {
                task: {**of_questions(rows), "higher_is_better": found["higher_is_better"].get(task, {})}
                for task, rows in found["samples"].items()
            }
        clean: dict[str, Any] = json.loads(json.dumps({"model": str(model), "bos": bos, **kept}, default=str))
        return clean


def _said(error: Exception) -> str:
    """What an error says; of one that says nothing, as an assertion, where and on which line it arose."""
    if str(error):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"`{last.line}` ({last.filename.rpartition('/')[2]}, line {last.lineno})"


def of_questions(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the harness's samples of a task: each question's hash, its chance and its scores, by measure and filter.

    Chance is that of a guess among the choices, null where there are none to guess from. Of one right choice the bits a
    byte of its text (UTF-8, without the space before it) are a score as well: models that are small answer like chance
    long after these have begun to differ.
    """
    names = list(dict.fromkeys(sample["filter"] for sample in samples))
    first = [sample for sample in samples if sample["filter"] == names[0]]
    scores = {}
    for name in names:
        rows = [sample for sample in samples if sample["filter"] == name]
        for measure in rows[0]["metrics"]:
            values = [sample[measure] for sample in rows if isinstance(sample.get(measure), int | float)]
            if len(values) == len(rows):
                scores[f"{measure},{name}"] = [float(value) for value in values]
    bits = [_bits_of_answer(sample) for sample in first]
    if all(value is not None for value in bits):
        scores[ANSWER_BITS] = [float(value) for value in bits if value is not None]
    return {
        "ids": [f"{sample['doc_hash']}-{sample['doc_id']}" for sample in first],
        "chance": [_chance(sample) for sample in first],
        "scores": scores,
    }


def _choices(sample: Mapping[str, Any]) -> int:
    """How many choices a question has; 0: it is none of one right choice among several."""
    asked, right = sample["arguments"], sample["target"]
    count = len(asked) // (2 if "acc_mutual_info" in sample["metrics"] else 1)
    accuracy = any(measure.startswith("acc") for measure in sample["metrics"])
    return count if accuracy and count > 1 and isinstance(right, int) and 0 <= right < count else 0


def _chance(sample: Mapping[str, Any]) -> float | None:
    count = _choices(sample)
    return 1 / count if count else None


def _bits_of_answer(sample: Mapping[str, Any]) -> float | None:
    if not _choices(sample):
        return None
    right = sample["target"]
    size = len(str(sample["arguments"][right][1]).removeprefix(" ").encode())
    return -float(sample["filtered_resps"][right][0]) / math.log(2) / size if size else None


@cache
def _manager(names: tuple[str, ...], folder: Path | None) -> Any:
    """What knows the tasks. The harness's own, some ten thousand files, are read when the folder has not all."""
    from lm_eval.tasks import TaskManager  # type: ignore[import-not-found,unused-ignore]

    if folder is not None:
        own = TaskManager(include_path=str(folder), include_defaults=False)
        if not _unknown(own, names):
            return own
    return TaskManager(include_path=None if folder is None else str(folder))


def _unknown(manager: Any, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not manager.match_tasks([name])]


@contextmanager
def _exported(model: Path, tokenizer: Path | None, dtype: str) -> Iterator[tuple[Path, bool]]:
    """The model as a Hugging Face folder, and whether its documents begin with BOS."""
    if (model / "config.json").exists() and not (model / RECORD).exists():
        try:
            bos = json.loads((model / "config.json").read_text()).get("bos_token_id") is not None
        except (ValueError, AttributeError) as error:
            raise InputError(f"{model / 'config.json'}: damaged: {error}") from None
        yield model, bos
        return
    from llama_data.train_handoff.trainer.huggingface.export import export

    path = find_checkpoint(model)
    record = read_record(path)
    bos = around_documents(record, open_tokenizer(path, record, tokenizer))[0] is not None
    with TemporaryDirectory(prefix="llama-train-") as folder:
        export(path, Path(folder) / "hf", tokenizer, dtype)
        yield Path(folder) / "hf", bos
