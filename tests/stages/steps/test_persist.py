"""What a chain writes in the end does not depend on where its documents were left on disk; the input is read once."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.document import Document, new_document, note
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import sampled
from llama_data.stages.steps import exact_dup, length, persist, pii
from llama_data.stages.steps.contract import Built, StepContext, build_all, chain

TEXTS = [f"text {n % 40} of a page, mail a{n % 40}@example.com, è \U0001f600" for n in range(120)]


class Texts(Reader):
    """The texts above, a short one, an empty one, one with a lone surrogate, one that cannot be read."""

    reads = 0

    def read(self, split: Split) -> Iterator[Document]:
        type(self).reads += 1
        for number, text in enumerate([*TEXTS, "short", "", "lone \ud800 surrogate of a text that is long enough"]):
            source = f"{split.name}#{number}"
            yield new_document(
                domain="d",
                id=f"d/{source}",
                text=text,
                source=source,
                date="2026",
                score=number / 7,
                title="t\ud800"[: number % 3],
            )
        yield self.failed(split, key=1000, reason=Reason.damaged_record, detail="torn")


class Spoils(Rule):
    """Leaves values that JSON does not have, and numbers that orjson does not take; notes what the ledger is told."""

    name = "spoils"

    def judge(self, doc: Document) -> str | None:
        number = int(doc.id.rpartition("#")[2])
        note(doc, remark=f"note {number}")
        doc.metadata |= {"nothing": math.nan, "day": datetime.date(2026, 1, number % 28 + 1)}
        if number == 3:
            doc.metadata["odd"] = {1, 2}
        if number == 4:
            doc.metadata["large"] = 1 << 70
        return "divisible" if number % 10 == 9 else None


def make(run: RunContext, place: int | None, spoils: bool = False) -> list[Job]:
    """A chain with the documents left before its step ``place``; None: nowhere."""
    steps = [
        ("length", length.Settings(min_characters=10)),
        ("pii", pii.Settings()),
        ("exact_dup", exact_dup.Settings()),
        ("exact_dup", exact_dup.Settings()),
    ]
    if place is not None:
        steps.insert(place, ("persist", persist.Settings()))
    context = StepContext(run=run, domain="d", sizes=(1000, 1000), task_bytes=1 << 20, work=run.work("d"))
    built = build_all(steps, context)
    own = [Built(rules=[Spoils()], columns={"remark": "string"})] if spoils else []
    reader = Texts(splits=[Split(path=name, name=name, size=1000) for name in "ab"], domain="d")
    return chain(context, [reader], [*own, *built])


def written(run: RunContext) -> dict[str, object]:
    """Everything that stays of a run."""
    folders = [Path(run.output) / name for name in ("documents", "rejected", "ledger")]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(run.output)): pq.read_table(path).to_pylist()
        if path.suffix == ".parquet"
        else list(read_jsonl(str(path)))
        for path in files
    }


def context(folder: Path, sample: float = 0.5) -> RunContext:
    return RunContext(input="", output=str(folder), rejected_sample=sample)


@pytest.mark.parametrize("place", [0, 1, 2, 3, 4])
def test_what_is_written_does_not_depend_on_the_place(
    tmp_path: Path, run_jobs: Callable[..., None], place: int
) -> None:
    plain, run = context(tmp_path / "plain"), context(tmp_path / "persisted")
    run_jobs(make(plain, None))
    Texts.reads = 0
    run_jobs(make(run, place))
    assert Texts.reads == 2 * (1 if place <= 2 else place - 1)  # both tasks; once for every pass before the step
    assert written(run) == written(plain)
    rows = pq.read_table(run.ledger("d")).to_pylist()
    assert {row["reason"] for row in rows} >= {
        None,
        "too_short",
        "duplicate_document",
        "damaged_record",
        "not_writable",
    }
    rejected = [row["id"] for row in rows if row["outcome"] == "rejected"]
    assert 0 < sum(sampled(run, id) for id in rejected) < len(rejected)  # of both kinds: texts left out and kept


def test_a_text_that_nobody_sees_again_is_not_held(tmp_path: Path, run_jobs: Callable[..., None]) -> None:
    run = context(tmp_path, sample=0.0)
    run_jobs(make(run, 1)[:1])
    [path, _] = sorted(Path(run.work("d")).rglob("*.bin.zst"))
    data = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    assert TEXTS[0].encode() in data
    assert b"short" not in data.replace(b"too_short", b"")


def test_values_that_json_does_not_have_cost_their_document(tmp_path: Path, run_jobs: Callable[..., None]) -> None:
    plain, run = context(tmp_path / "plain"), context(tmp_path / "persisted")
    run_jobs(make(plain, None, spoils=True))
    run_jobs(make(run, 0, spoils=True))
    rows = pq.read_table(run.ledger("d")).to_pylist()
    expected = pq.read_table(plain.ledger("d")).to_pylist()
    assert [row["remark"] for row in rows] == [row["remark"] for row in expected]
    assert {row["reason"] for row in rows} >= {"not_writable", "divisible", "damaged_record"}
    differ = {one["id"]: (one, other) for one, other in zip(rows, expected, strict=True) if one != other}
    # The document itself, in each task, and those that have the same text.
    assert set(differ) <= {f"d/{task}#{number}" for task in "ab" for number in (3, 43, 83)}
    odd, before = differ["d/a#3"]
    assert (odd["outcome"], odd["reason"], odd["step"]) == ("failed", "not_writable", "persist")
    assert (before["outcome"], before["reason"], before["step"]) == ("failed", "not_writable", "write")


@pytest.mark.parametrize("damage", ["cut", "flipped", "ended"])
def test_a_damaged_file_ends_the_task(tmp_path: Path, run_jobs: Callable[..., None], damage: str) -> None:
    run = context(tmp_path)
    jobs = make(run, 1)
    run_jobs(jobs[:1])
    [path, _] = sorted(Path(run.work("d")).rglob("*.bin.zst"))
    data = path.read_bytes()
    if damage == "ended":  # a sound stream of which the end is missing
        whole = zstandard.ZstdDecompressor().stream_reader(data).read()
        data = zstandard.ZstdCompressor().compress(whole[: len(whole) // 2])
    elif damage == "cut":
        data = data[:-3]
    else:
        data = data[:200] + bytes([data[200] ^ 255]) + data[201:]
    path.write_bytes(data)
    read = jobs[1].steps[0]
    with pytest.raises(RunError, match=r"00000\.bin\.zst: what an earlier job left is damaged.*--overwrite"):
        list(read.run(None, 0, 2))


def test_the_input_s_documents_come_back_as_they_were(tmp_path: Path, run_jobs: Callable[..., None]) -> None:
    run = context(tmp_path, sample=1.0)
    run_jobs(make(run, 0)[:1])
    reader = Texts(splits=[Split(path=name, name=name, size=1000) for name in "ab"], domain="d")
    reader.accountable = True
    before = list(reader.run(None, 1, 2))
    after = list(persist.ReadDocuments(work=make(run, 0)[1].steps[0].work).run(None, 1, 2))
    for one, other in zip(before, after, strict=True):
        assert json.dumps(one.metadata) == json.dumps(other.metadata)
        for name in ("id", "text", "verdict", "chars_in", "lines_in", "notes"):
            assert getattr(one, name) == getattr(other, name)
