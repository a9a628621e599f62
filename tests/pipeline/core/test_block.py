"""Every document that enters a pipeline has one row in the ledger when it leaves it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.document import Document, new_document, note
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import Sink


class Numbers(Reader):
    def read(self, split: Split) -> Iterator[Document]:
        for number in range(10):
            if number == 7:
                yield self.failed(split, key=number, reason=Reason.damaged_record, detail="seven")
            else:
                source = f"{split.name}#{number}"
                doc = new_document(domain="d", id=f"d/{source}", text="line\n" * number, source=source)
                note(doc, extra=number)
                yield doc


class NotFour(Rule):
    name = "not-four"

    def judge(self, doc: Document) -> Reason | None:
        number = doc.notes["extra"]
        if number == 5:
            raise RecordError(Reason.too_complex, "five")
        doc.text = doc.text.strip()
        return Reason.too_short if number == 4 else None


def run(folder: Path, rejected_sample: float = 1.0) -> RunContext:
    context = RunContext(input="", output=str(folder), seed=1, rejected_sample=rejected_sample)
    splits = [Split(path=name, name=name, size=1) for name in ("a", "b", "c")]
    sink = Sink(run=context, domain="d", columns={"extra": "int64"})
    job = Job("d/documents", [Numbers(splits=splits, domain="d"), NotFour(), sink], 2)
    for rank in range(2):
        data = None
        for step in job.steps:
            data = step.run(data, rank, 2)
        list(data or ())
    return context


def ledger(context: RunContext) -> list[dict[str, object]]:
    return [row for path in sorted(Path(context.ledger("d")).iterdir()) for row in pq.read_table(path).to_pylist()]


def test_rows_in_are_rows_out(tmp_path: Path) -> None:
    context = run(tmp_path)
    rows = ledger(context)
    assert len(rows) == 30
    assert len({row["id"] for row in rows}) == 30
    by_outcome = {name: [r for r in rows if r["outcome"] == name] for name in ("kept", "rejected", "failed")}
    assert {name: len(found) for name, found in by_outcome.items()} == {"kept": 21, "rejected": 3, "failed": 6}
    assert {(r["reason"], r["step"], r["detail"]) for r in by_outcome["failed"]} == {
        ("damaged_record", "read", "seven"),
        ("too_complex", "not-four", "five"),
    }
    assert {(r["reason"], r["step"]) for r in by_outcome["rejected"]} == {("too_short", "not-four")}


def test_the_ledger_counts_text_as_read_and_as_written(tmp_path: Path) -> None:
    row = next(row for row in ledger(run(tmp_path)) if row["id"] == "d/a#3")
    assert (row["chars_in"], row["lines_in"], row["chars_out"], row["lines_out"], row["extra"]) == (15, 4, 14, 3, 3)


def test_documents_and_rejected_texts_hold_no_private_metadata(tmp_path: Path) -> None:
    context = run(tmp_path)
    kept = [r for path in sorted(Path(context.documents("d")).iterdir()) for r in read_jsonl(str(path))]
    lost = [r for path in sorted(Path(context.rejected("d")).iterdir()) for r in read_jsonl(str(path))]
    assert len(kept) == 21
    assert kept[1] == {"id": "d/a#1", "text": "line", "metadata": {"domain": "d", "source": "a#1"}}
    assert {r["metadata"]["reason"] for r in lost} == {"too_short", "too_complex", "damaged_record"}


def test_the_sample_of_rejected_texts_follows_the_rate(tmp_path: Path) -> None:
    context = run(tmp_path, rejected_sample=0.0)
    assert [list(read_jsonl(str(path))) for path in Path(context.rejected("d")).iterdir()] == [[], []]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        run(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    assert digests(tmp_path / "one") == digests(tmp_path / "two")


class Measured(Numbers):
    """A reader that knows how long its records were."""

    def read(self, split: Split) -> Iterator[Document]:
        for doc in super().read(split):
            doc.chars_in, doc.lines_in = 77, 7
            yield doc


def test_lengths_that_the_reader_gives_stay() -> None:
    reader = Measured(splits=[Split(path="a", name="a", size=1)], domain="d")
    assert {(doc.chars_in, doc.lines_in) for doc in reader.run()} == {(77, 7)}


class Fails(Rule):
    name = "fails"

    def judge(self, doc: Document) -> Reason | None:
        raise KeyError("x" * 1000)


def test_broken_records_are_counted_and_described_shortly() -> None:
    rule = Fails()
    docs = [new_document(domain="d", id=str(number), text="x", source="s") for number in range(3)]
    [rule] = Job("d/x", [rule], 1).steps
    out = list(rule.run(iter(docs)))
    assert rule.stats["broken_step"].total == 3
    detail = out[0].verdict.detail
    assert len(detail) == 500
    assert detail.startswith("KeyError: 'xxx")
