"""A rule over batches judges each open document once, in order, whatever the size of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from llama_data.pipeline.core import block
from llama_data.pipeline.core.block import BatchRule, Rule
from llama_data.pipeline.core.document import Document, Outcome, new_document, reject, verdict
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.reasons import Reason


class Even(BatchRule):
    name = "even"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = []

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        self.seen.append([doc.id for doc in docs])
        return [Reason.too_short if int(doc.id) % 2 else None for doc in docs]


def documents(count: int, text: str = "abc") -> list[Document]:
    """Numbered documents, every fifth of them closed."""
    docs = [new_document(domain="d", id=str(number), text=text, source="s") for number in range(count)]
    for doc in docs[::5]:
        reject(doc, Reason.too_long, "before")
    return docs


def run(rule: Even, docs: list[Document]) -> None:
    [rule] = Job("d/x", [rule], 1).steps  # so that those that are not kept travel on
    assert [doc.id for doc in rule.run(iter(docs))] == [str(number) for number in range(len(docs))]
    for number, doc in enumerate(docs):
        found = verdict(doc)
        step = None if found is None else found.step
        assert step == ("before" if number % 5 == 0 else "even" if number % 2 else None)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 17])
def test_a_batch_has_as_many_documents_as_the_limit(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(block, "BATCH_DOCUMENTS", 4)
    rule = Even()
    run(rule, documents(count))
    ids = [str(number) for number in range(count)]
    parts = [[id for id in ids[at : at + 4] if int(id) % 5] for at in range(0, count, 4)]
    assert rule.seen == [part for part in parts if part]


@pytest.mark.parametrize(("limit", "size"), [(5, 2), (6, 2), (7, 3), (1, 1)])
def test_a_batch_ends_when_the_open_texts_have_as_many_bytes_as_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, size: int
) -> None:
    monkeypatch.setattr(block, "BATCH_BYTES", limit)
    rule = Even()
    run(rule, documents(12, "éx"))  # three bytes each
    assert [len(part) for part in rule.seen[:-1]] == [size] * (len(rule.seen) - 1)
    assert sum(map(len, rule.seen)) == 9


def test_one_document_is_judged_alone() -> None:
    assert Even().judge(documents(2)[1]) is Reason.too_short


def test_an_answer_for_every_document_is_demanded() -> None:
    class Short(Even):
        def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
            return []

    with pytest.raises(ValueError, match="shorter"):
        list(Short().run(documents(3)))


class Says(BatchRule):
    """What it is told to say of each document."""

    name = "says"

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def judge_all(self, docs: Sequence[Document]) -> list[object]:  # type: ignore[override]
        return [self.answer] * len(docs)


@pytest.mark.parametrize("answer", [True, False, "", 7])
@pytest.mark.parametrize("batch", [True, False])
def test_what_is_no_reason_fails_the_record(answer: object, batch: bool) -> None:
    class Alone(Rule):
        name = "alone"

        def judge(self, doc: Document) -> object:  # type: ignore[override]
            return answer

    docs = documents(3)
    [rule] = Job("d/x", [Says(answer) if batch else Alone()], 1).steps
    assert len(list(rule.run(iter(docs)))) == 3
    found = [verdict(doc) for doc in docs[1:]]
    assert [(one.reason, one.outcome) for one in found if one] == [(Reason.broken_step, Outcome.failed)] * 2
    assert all(one is not None and repr(answer) in one.detail for one in found)
