"""Evaluation texts on disk, in every form that is read, and what is said of those that are not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from llama_data.pipeline.core.errors import InputError
from llama_data.stages.steps.evaluations import Evaluation, Item

ROWS = [
    {"id": "x1", "q": {"text": "What is it?"}, "choices": ["this", "that"], "gold": 1},
    {"id": "x2", "q": {"text": "And now?"}, "choices": ["so"], "gold": 0},
]


def items(path: Path, **given: Any) -> list[Item]:
    return list(Evaluation(path=str(path), **given).items())


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_every_format_are_items(tmp_path: Path) -> None:
    expected = [
        Item("quiz", "x1", ("What is it?", "this", "that")),
        Item("quiz", "x2", ("And now?", "so")),
    ]
    fields = ("q.text", "choices")
    assert items(jsonl(tmp_path / "quiz.jsonl", ROWS), fields=fields) == expected
    (tmp_path / "quiz.json").write_text(json.dumps(ROWS))
    assert items(tmp_path / "quiz.json", fields=fields) == expected
    (tmp_path / "quiz.jsonl.gz").write_bytes(gzip.compress((tmp_path / "quiz.jsonl").read_bytes()))
    assert items(tmp_path / "quiz.jsonl.gz", fields=fields) == expected
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "quiz.parquet")
    assert items(tmp_path / "quiz.parquet", fields=fields) == expected
    (tmp_path / "quiz.csv").write_text('question,n\n"Is it, or\nnot?",1\n')
    assert items(tmp_path / "quiz.csv", fields=("question",)) == [Item("quiz", "1", ("Is it, or\nnot?",))]
    assert items(tmp_path / "quiz.jsonl", fields=("q.text",), name="other")[0] == Item("other", "x1", ("What is it?",))
    assert len(items(tmp_path, fields=fields, name="all") if (tmp_path / "quiz.csv").unlink() is None else []) == 8


def test_saved_data_sets_are_read_by_their_splits(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    saved = datasets.DatasetDict(
        {"train": datasets.Dataset.from_list(ROWS[:1]), "test": datasets.Dataset.from_list(ROWS[1:])}
    )
    saved.save_to_disk(str(tmp_path / "quiz"))
    assert [item.name for item in items(tmp_path / "quiz", fields=("q.text",))] == ["x1", "x2"]
    assert items(tmp_path / "quiz" / "test", fields=("q.text",)) == [Item("test", "x2", ("And now?",))]
    task = {"task": "quiz", "dataset_path": "quiz", "test_split": "test", "doc_to_text": "{{q.text}}"}
    (tmp_path / "quiz.yaml").write_text(yaml.safe_dump(task))
    assert items(tmp_path / "quiz.yaml") == [Item("quiz", "x2", ("And now?",))]


def test_harness_tasks_are_read_with_their_own_templates(tmp_path: Path) -> None:
    jsonl(tmp_path / "data" / "test.jsonl", ROWS)
    jsonl(tmp_path / "data" / "train.jsonl", ROWS[:1])
    base = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"train": "data/train.jsonl", "test": "data/test.jsonl"}},
        "test_split": "test",
        "doc_to_text": "Question: {{q.text}}\nAnswer:",
        "doc_to_target": "gold",
        "doc_to_choice": "choices",
    }
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    (tmp_path / "quiz.yaml").write_text("include: base.yaml\ntask: quiz\n")
    expected = [
        Item("quiz", "x1", ("Question: What is it?\nAnswer:", "this", "that")),
        Item("quiz", "x2", ("Question: And now?\nAnswer:", "so")),
    ]
    assert items(tmp_path / "quiz.yaml") == expected
    files = Evaluation(path=str(tmp_path / "quiz.yaml")).files()
    assert [Path(file).name for file in files] == ["test.jsonl", "quiz.yaml"]
    query = "include: base.yaml\ntask: quiz\nshould_decontaminate: true\ndoc_to_decontamination_query: '{{q.text}}'\n"
    (tmp_path / "query.yaml").write_text(query)
    assert [item.texts for item in items(tmp_path / "query.yaml")] == [("What is it?",), ("And now?",)]


def test_requests_give_their_documents_without_examples_of_others(tmp_path: Path) -> None:
    doc = {"id": "Mercury_1", "query": "What warms?", "choices": ["sun", "ice"], "gold": 0}
    rows = [
        {
            "request_type": "loglikelihood",
            "doc": doc,
            "request": {"context": "Question: of another item\n", "continuation": choice},
            "idx": idx,
            "task_name": "arc",
            "doc_id": 0,
            "native_id": "Mercury_1",
            "label": 0,
        }
        for idx, choice in enumerate(doc["choices"])
    ]
    path = tmp_path / "requests.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert items(path) == [Item("arc", "Mercury_1", ("What warms?", "sun", "ice"))] * 2


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"task": "a", "dataset_path": "org/hub", "doc_to_text": "q"}, "its data 'org/hub' is not on this disk"),
        ({"task": "a", "dataset_path": "json", "doc_to_text": "q"}, "expected dataset_kwargs with data_files"),
        ({"task": ["a"], "dataset_path": "json", "doc_to_text": "q"}, "name single tasks"),
        ({"task": "a", "dataset_path": "json"}, "expected doc_to_text"),
    ],
)
def test_tasks_that_cannot_be_read_say_why(tmp_path: Path, task: dict[str, Any], said: str) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(task))
    with pytest.raises(InputError, match=said):
        items(tmp_path / "a.yaml")


@pytest.mark.parametrize(("content", "said"), [("a: [", "not valid YAML"), ("[" * 5000, "nested too deeply")])
def test_tasks_that_are_no_yaml_are_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(InputError, match=said):
        items(tmp_path / "a.yaml")


def test_what_a_task_would_run_is_not_run(tmp_path: Path) -> None:
    jsonl(tmp_path / "a.jsonl", ROWS)
    data = "dataset_path: json\ndataset_kwargs: {data_files: a.jsonl}\n"
    (tmp_path / "a.yaml").write_text(f"task: a\n{data}process_docs: !function utils.f\ndoc_to_text: q\n")
    with pytest.raises(InputError, match="process_docs: a function, and tasks are not run here"):
        items(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text(f"task: b\n{data}doc_to_text: \"{{{{ ''.__class__.__mro__ }}}}\"\n")
    with pytest.raises(InputError, match="does not fit"):
        items(tmp_path / "b.yaml")


def test_rows_that_do_not_fit_say_where(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "quiz.jsonl", ROWS)
    with pytest.raises(InputError, match=r"row 1: which fields hold its texts\? .* the row has: choices, gold, id, q"):
        items(path)
    with pytest.raises(InputError, match=r"there is no field 'q\.body'"):
        items(path, fields=("q.body",))
    with pytest.raises(InputError, match="no evaluation texts here"):
        items(tmp_path / "none.jsonl", fields=("q",))
    (tmp_path / "bad.jsonl").write_text('{"q": \n')
    with pytest.raises(InputError, match=r"bad\.jsonl: evaluation texts that cannot be read"):
        items(tmp_path / "bad.jsonl", fields=("q",))
