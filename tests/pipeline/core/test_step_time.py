"""Seconds of steps add up to those of the clock, and each step is charged with its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest

from llama_data.pipeline.core import step_time
from llama_data.pipeline.core.block import BatchRule, Reader, Rule, Step
from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.exchange import DecidedRule
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.reasons import Reason


class Clock:
    """A clock that only moves when a step works."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(step_time, "perf_counter", made)
    return made


class Reads(Reader):
    """Ten documents, each a second."""

    clock: Clock

    def read(self, split: Split) -> Iterator[Document]:
        for number in range(10):
            self.clock.now += 1
            yield new_document(domain="d", id=f"{number}", text="x", source="s")


class Loads(DecidedRule):
    """Loads for 1,000 seconds, then takes 100 a document, and rejects half of them."""

    name = "loads"
    clock: Clock

    def load(self, rank: int, world_size: int) -> None:
        self.clock.now += 1000

    def judge(self, doc: Document) -> Reason | None:
        self.clock.now += 100
        return Reason.too_short if self.place % 2 else None


class Batches(BatchRule):
    """Takes 10,000 seconds for each open document, all in one call."""

    name = "batches"
    clock: Clock

    def judge_all(self, docs: Sequence[Document]) -> Sequence[None]:
        self.clock.now += 10_000 * len(docs)
        return [None] * len(docs)


class Ends(Step):
    """Opens for 0.25 s, takes 0.5 s a document, and closes for 0.125 s."""

    name = "ends"
    clock: Clock

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.clock.now += 0.25
        for _ in data:
            self.clock.now += 0.5
        self.clock.now += 0.125
        yield from ()


def run(steps: Sequence[Any]) -> dict[str, float]:
    data: Any = None
    for step in steps:
        data = step(data, 0, 1)
    assert list(data) == []
    return {step.name: step.stats.time_stats.total for step in steps}


@pytest.mark.parametrize("batch", [1, 3, 1024])
def test_every_step_is_charged_with_its_own_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    monkeypatch.setattr("llama_data.pipeline.core.block.BATCH_DOCUMENTS", batch)
    steps = [Reads(splits=[Split("a", "a", 1)], domain="d"), Loads(), Batches(), Ends()]
    for step in steps:
        step.clock = clock  # type: ignore[attr-defined]
    Job("d/documents", steps, 1)
    clock.now += 77  # between jobs: nobody's
    found = run(steps)
    assert found == {"read": 10, "loads": 2000, "batches": 50_000, "ends": 5.375}


def test_a_step_that_reads_by_itself_is_charged_too(clock: Clock) -> None:
    class Alone(Step):
        name = "alone"

        def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
            assert data is None
            clock.now += 3
            yield from ()

    step = Alone()
    Job("d/alone", [step], 1)
    assert run([step]) == {"alone": 3}


def test_a_step_that_only_hands_through_is_not_charged(clock: Clock) -> None:
    class Through(Step):
        name = "through"

        def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
            return data

    reads = Reads(splits=[Split("a", "a", 1)], domain="d")
    reads.clock = clock
    steps = [Through(), reads, Through()]
    Job("d/documents", steps, 1)
    clock.now += 77
    data: Any = None
    for step in steps:
        data = step(data, 0, 1)
    assert len(list(data)) == 10
    assert [step.stats.time_stats.total for step in steps] == [0, 10, 0]


def test_nobody_is_charged_in_a_pipeline_of_somebody_else(clock: Clock) -> None:
    class Keeps(Rule):
        name = "keeps"

        def judge(self, doc: Document) -> None:
            clock.now += 3

    step = Keeps()
    assert len(list(step([new_document(domain="d", id="1", text="x", source="s")]))) == 1
    assert step.stats.time_stats.total == 0
