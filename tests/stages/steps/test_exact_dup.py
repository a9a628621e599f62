"""Of texts that are the same the first in input order stays, whatever the tasks and partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core import exchange
from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.exchange import partitions, read_names, write_names
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps import exact_dup
from llama_data.stages.steps.contract import StepContext, chain

TEXTS = {"a": ["x", "y", "", "x"], "b": ["gone", "y", "é\ud800", "z"], "c": ["z", "gone", "é\ud800", "", "w"]}


class Texts(Reader):
    """The texts above; the first ``gone`` is rejected before anybody compares it."""

    def read(self, split: Split) -> Iterator[Document]:
        for number, text in enumerate(TEXTS[split.name]):
            source = f"{split.name}#{number}"
            doc = new_document(domain="d", id=f"d/{source}", text=text, source=source)
            if source == "b#0":
                reject(doc, Reason.bad_word, "read")
            yield doc


@pytest.mark.parametrize("task_bytes", [1 << 20, 1])
def test_the_first_stays_and_is_named(tmp_path: Path, run_jobs: Callable[..., None], task_bytes: int) -> None:
    run = RunContext(input="", output=str(tmp_path))
    context = StepContext(run=run, domain="d", sizes=(1000, 1000, 1000), task_bytes=task_bytes, work=run.work("d"))
    reader = Texts(splits=[Split(path=name, name=name, size=1000) for name in TEXTS], domain="d")
    jobs = chain(context, [reader], [exact_dup.Settings().build(context)])
    assert jobs[1].tasks == (1 if task_bytes > 1 else 47)
    run_jobs(jobs)
    rows = pq.read_table(run.ledger("d")).to_pylist()
    copies = {row["id"]: row["duplicate_of"] for row in rows if row["reason"] == "duplicate_document"}
    assert copies == {"d/a#3": "d/a#0", "d/b#1": "d/a#1", "d/c#0": "d/b#3", "d/c#2": "d/b#2", "d/c#3": "d/a#2"}
    assert len(rows) == sum(map(len, TEXTS.values()))


class Dated(Reader):
    """Four copies, two of each dump, with dates; and one without a dump."""

    def read(self, split: Split) -> Iterator[Document]:
        for number, (dump, date) in enumerate(DATED[split.name]):
            given = {"source": f"{split.name}#{number}", **({} if dump is None else {"dump": dump}), "date": date}
            yield new_document(domain="d", id=f"d/{split.name}#{number}", text="x", **given)


DATED = {"a": [("1", "2024-05-01"), ("2", None)], "b": [("1", "2024-05-02T00:00:00Z"), ("2", "2024-05-02"), (None, "")]}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {"d/a#1": "d/a#0", "d/b#0": "d/a#0", "d/b#1": "d/a#0", "d/b#2": "d/a#0"}),
        # Of equal dates the first; a date without a time is its beginning, and none is the oldest.
        ({"keep": "newest"}, {"d/a#0": "d/b#0", "d/a#1": "d/b#0", "d/b#1": "d/b#0", "d/b#2": "d/b#0"}),
        ({"within": "dump"}, {"d/b#0": "d/a#0", "d/b#1": "d/a#1"}),
        ({"within": "dump", "keep": "newest"}, {"d/a#0": "d/b#0", "d/a#1": "d/b#1"}),
    ],
)
def test_which_copy_stays_and_among_which(
    tmp_path: Path, run_jobs: Callable[..., None], settings: dict[str, Any], expected: dict[str, str]
) -> None:
    run = RunContext(input="", output=str(tmp_path))
    context = StepContext(run=run, domain="d", sizes=(1000, 1000), task_bytes=1, work=run.work("d"))
    reader = Dated(splits=[Split(path=name, name=name, size=1000) for name in DATED], domain="d")
    run_jobs(chain(context, [reader], [exact_dup.Settings(**settings).build(context)]))
    rows = pq.read_table(run.ledger("d")).to_pylist()
    assert {row["id"]: row["duplicate_of"] for row in rows if row["reason"]} == expected


def test_partitions_grow_with_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [partitions(stored, 4, 10) for stored in (0, 39, 40, 79, 80)] == [1, 1, 2, 2, 3]
    monkeypatch.setattr(exchange, "HASH_GROUPS", 2)
    assert partitions(10**9, 4, 10) == 2


def test_names_are_found_by_their_number(tmp_path: Path) -> None:
    names: Sequence[Any] = ["", "a", "é\ud800", "x" * 300, ""]
    write_names(str(tmp_path / "names"), names)
    assert read_names(str(tmp_path / "names"), [3, 0, 2, 3, 4]) == {n: names[n] for n in (0, 2, 3, 4)}
    write_names(str(tmp_path / "none"), [])
    assert read_names(str(tmp_path / "none"), []) == {}
