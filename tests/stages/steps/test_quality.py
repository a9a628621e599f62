"""The best of a source by a classifier: the same as a plain sort of all scores, for any tasks and partitions."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from fasttext_writer import write_model
from pydantic import ValidationError

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.errors import ModelError, RunError
from llama_data.pipeline.core.files import Split, list_files
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps import shares
from llama_data.stages.steps.contract import StepContext, build_all, chain
from llama_data.stages.steps.quality import Settings
from llama_data.stages.steps.scorer import Classifier, prepared
from llama_data.stages.steps.shares import bucket_of, group_range, needed, score_groups

FILES = ("a", "b", "c")
# Many texts of one score, some of their own, one of a word that the model does not know.
WORDS = {f"w{n}": (n - 20) / 3 for n in range(40)}
UNKNOWN = "zzz"


def texts(name: str) -> list[str]:
    draw = random.Random(name)
    some = [draw.choice([*WORDS, "w7", "w7", "w7", UNKNOWN]) + "é" * 0 for _ in range(20)]
    return [word + " \n" * draw.randrange(3) for word in some]


class Texts(Reader):
    """The texts above; the first of ``b`` is rejected before anybody scores it."""

    changed = False

    def read(self, split: Split) -> Iterator[Document]:
        for number, text in enumerate(texts(split.name)):
            source = f"{split.name}#{number}"
            doc = new_document(domain="d", id=f"d/{source}", text=text, source=source)
            if source == "b#0" and not self.changed:
                reject(doc, Reason.bad_word, "read")
            yield doc


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two classifiers with labels hq and cc; the second likes what the first does not, and less clearly."""
    folder = tmp_path_factory.mktemp("quality")
    for name, factor in (("one", 1.0), ("two", -0.01)):
        directions = [(factor * weight, 0.0) for weight in WORDS.values()]
        write_model(
            folder / f"{name}.bin",
            words=list(WORDS),
            labels=["__label__hq", "__label__cc"],
            dim=2,
            bucket=0,
            directions=directions,
        )
        card = {"positive": "hq", "preparation": "lines", "files": []}
        (folder / f"{name}.card.json").write_text(json.dumps(card))
    return [str(folder / "one.bin"), str(folder / "two.bin")]


class Row(NamedTuple):
    id: str
    score: float
    weight: int


def scored(model: str, unit: str) -> list[Row]:
    """Id, score and weight of every document that comes to the step."""
    found = FastTextModel.load(model)
    rows = []
    for name in FILES:
        for number, text in enumerate(texts(name)):
            if (name, number) != ("b", 0):
                [score] = found.scores([prepared(text, "lines")], "hq").tolist()
                rows.append(Row(f"d/{name}#{number}", score, 1 if unit == "documents" else len(text)))
    return rows


def ordered(rows: list[Row]) -> list[Row]:
    """From the best down; of equal scores the one with the higher hash of its id first."""

    def tie(id: str) -> int:
        return int.from_bytes(hashlib.blake2b(f"0:{id}".encode(), digest_size=8).digest(), "little")

    return sorted(rows, key=lambda row: (row.score, tie(row.id)), reverse=True)


def best(rows: list[Row], share: Fraction) -> set[str]:
    """The fewest of the best rows that make up the share."""
    total, above, kept = sum(row.weight for row in rows), 0, set()
    for row in ordered(rows):
        if above < total * share:
            kept.add(row.id)
        above += row.weight
    return kept


def built(output: Path, task_bytes: int = 1 << 20, **settings: Any) -> tuple[RunContext, list[Job]]:
    run = RunContext(input="", output=str(output))
    context = StepContext(run=run, domain="d", sizes=(1000,) * 3, task_bytes=task_bytes, work=run.work("d"))
    reader = Texts(splits=[Split(path=name, name=name, size=1000) for name in FILES], domain="d")
    return run, chain(context, [reader], build_all([("quality", Settings(**settings))], context))


def ledger(run: RunContext) -> dict[str, dict[str, Any]]:
    rows = [row for path in list_files(run.ledger("d"), ".parquet") for row in read_table(path).to_pylist()]
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("unit", ["documents", "characters"])
@pytest.mark.parametrize("share", ["10%", 0.37, "100%"])
def test_the_best_share_is_that_of_a_plain_sort(
    tmp_path: Path, run_jobs: Callable[..., None], models: list[str], unit: str, share: Any
) -> None:
    rows = scored(models[0], unit)
    expected = best(rows, {"10%": Fraction(1, 10), 0.37: Fraction(37, 100), "100%": Fraction(1)}[share])
    outputs = []
    for task_bytes in (1 << 20, 1):
        run, jobs = built(tmp_path / str(task_bytes), task_bytes, models=models[:1], keep=share, unit=unit)
        run_jobs(jobs)
        found = ledger(run)
        assert {id for id, row in found.items() if row["outcome"] == "kept"} == expected
        assert len(found) == 60
        [report] = list_files(run.reports("d"), ".json")
        outputs.append((found, Path(report).read_bytes()))
    assert outputs[0] == outputs[1]
    told = json.loads(outputs[0][1])
    lowest = min(row.score for row in rows if row.id in expected)
    assert np.float32(told["cut"]) == np.float32(lowest)
    same = [row for row in rows if row.score == lowest]
    assert told["tied"]["kept"]["documents"] == sum(row.id in expected for row in same)
    assert told["tied"]["rejected"]["documents"] == sum(row.id not in expected for row in same)
    assert told["tied"]["rejected"]["weight"] == sum(row.weight for row in same if row.id not in expected)
    assert told["pool"] == {"documents": 59, "weight": sum(row.weight for row in rows)}
    assert told["unit"] == unit
    gone = [row for row in outputs[0][0].values() if row["reason"] == "low_quality"]
    assert all(f"the cut is {told['cut']}, to keep" in row["detail"] for row in gone)
    assert outputs[0][0]["d/b#0"]["reason"] == "bad_word"


def test_buckets_are_equal_parts_and_nothing_is_rejected(
    tmp_path: Path, run_jobs: Callable[..., None], models: list[str]
) -> None:
    run, jobs = built(tmp_path, models=models[:1], buckets=20)
    run_jobs(jobs)
    order = [row.id for row in ordered(scored(models[0], "documents"))][::-1]
    found = ledger(run)
    assert {id: found[id]["quality_bucket"] for id in order} == {id: n * 20 // 59 for n, id in enumerate(order)}
    documents = [doc for path in list_files(run.documents("d"), ".zst") for doc in read_jsonl(path)]
    assert len(documents) == 59
    assert all(doc["metadata"]["quality_bucket"] == found[doc["id"]]["quality_bucket"] for doc in documents)
    assert all(doc["metadata"]["quality"] == found[doc["id"]]["quality"] for doc in documents)
    [report] = list_files(run.reports("d"), ".json")
    assert [row["documents"] for row in json.loads(Path(report).read_bytes())["buckets"]] == [
        sum(n * 20 // 59 == bucket for n in range(59)) for bucket in range(20)
    ]


@pytest.mark.parametrize("combine", ["max", "min", "mean"])
def test_several_models_are_combined_by_their_places(
    tmp_path: Path, run_jobs: Callable[..., None], models: list[str], combine: str
) -> None:
    places = []
    for model in models:
        order = ordered(scored(model, "documents"))[::-1]
        places.append({row.id: np.float64(n / 59) for n, row in enumerate(order)})
    combined = {"max": max, "min": min, "mean": lambda two: sum(two) / 2}[combine]
    rows = [Row(id, float(np.float32(combined([each[id] for each in places]))), 1) for id in places[0]]
    outputs = []
    for task_bytes in (1 << 20, 1):
        run, jobs = built(tmp_path / str(task_bytes), task_bytes, models=models, keep="25%", combine=combine)
        run_jobs(jobs)
        outputs.append(ledger(run))
    assert outputs[0] == outputs[1]
    assert {id for id, row in outputs[0].items() if row["outcome"] == "kept"} == best(rows, Fraction(1, 4))
    single = {row.id: row.score for row in scored(models[1], "documents")}
    assert all(np.float32(outputs[0][id]["quality_2"]) == np.float32(score) for id, score in single.items())


def test_a_score_on_the_limit_stays(tmp_path: Path, run_jobs: Callable[..., None], models: list[str]) -> None:
    scores = sorted({row.score for row in scored(models[0], "documents")})
    exact = float(str(np.float32(scores[5])))
    for least, expected in (
        (exact, scores[5]),
        (np.nextafter(exact, 1), scores[6]),
        (np.nextafter(exact, 0), scores[5]),
    ):
        run, jobs = built(tmp_path / f"{least:.20f}", models=models[:1], min_score=float(least))
        assert len(jobs) == 1
        run_jobs(jobs)
        kept = [row["quality"] for row in ledger(run).values() if row["outcome"] == "kept"]
        assert np.float32(min(kept)) == np.float32(expected)


def test_an_input_that_changed_is_refused(
    tmp_path: Path, run_jobs: Callable[..., None], models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, jobs = built(tmp_path, models=models[:1], keep="50%")
    run_jobs(jobs[:-1])
    monkeypatch.setattr(Texts, "changed", True)
    with pytest.raises(RunError, match="the input has changed since it was scored"):
        run_jobs(jobs[-1:])


def test_groups_follow_the_order_of_scores() -> None:
    bits = np.unique(np.random.default_rng(1).integers(0, np.float32(1.00001).view(np.uint32), 200_000, np.uint32))
    scores = bits.view(np.float32)
    groups = score_groups(np.concatenate([[np.float32(0)], scores, [np.float32(1), np.float32(1.00001)]]))
    assert (np.diff(groups) >= 0).all()
    assert groups[0] == 0
    assert groups[-1] < 4096
    assert len(np.unique(score_groups(np.linspace(0.99, 1, 10_000, dtype=np.float32)))) > 500


def test_partitions_cover_all_groups_once_and_hold_alike() -> None:
    counts = np.zeros(4096, np.uint64)
    counts[[0, 7, 8, 9, 4000]] = [5, 50, 50, 1000, 1]
    for parts in (1, 2, 3, 7, 50):
        ranges = [group_range(counts, part, parts) for part in range(parts)]
        assert [first for first, _ in ranges] == [0, *(last for _, last in ranges[:-1])]
        assert ranges[-1][1] == 4096
    assert [group_range(np.zeros(4096, np.uint64), part, 3) for part in range(3)][-1][1] == 4096


def test_places_are_exact_where_64_bits_are_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    total = 1 << 62
    below = np.array([0, total // 20 - 1, total // 20 + 1, total - 1], np.uint64)
    assert bucket_of(below, total, 20).tolist() == [0, 0, 1, 19]
    assert [needed(10, Fraction(1, 10)), needed(11, Fraction(1, 10)), needed(0, Fraction(1))] == [1, 2, 0]
    assert shares.bucket_of(np.zeros(0, np.uint64), 0, 20).tolist() == []


def test_cards_and_recipes_that_differ_are_refused(models: list[str], tmp_path: Path) -> None:
    assert Classifier.model_validate(models[0]).found(None).preparation == "lines"
    with pytest.raises(ModelError, match="asks for the preparation 'newlines', but it was trained with 'lines'"):
        Classifier(model=models[0], preparation="newlines").found(None)
    alone = tmp_path / "alone.bin"
    alone.write_bytes(Path(models[0]).read_bytes())
    with pytest.raises(ModelError, match="which label counts"):
        Classifier(model=str(alone)).found(None)
    with pytest.raises(ModelError, match="which text was it trained on"):
        Classifier(model=str(alone), label="hq").found(None)
    with pytest.raises(ModelError, match="no preparation 'nfkd'; there are: lines, newlines"):
        Classifier(model=str(alone), label="hq", preparation="nfkd").found(None)
    with pytest.raises(ModelError, match="no label 'best'; it has: hq, cc"):
        Classifier(model=str(alone), label="best", preparation="lines").found(None).scores(["w1"])


def test_preparations_are_what_their_names_say() -> None:
    text = "\n a\r\nb\u2028c\nd \n"
    assert prepared(text, "lines") == b"a b c d"
    assert prepared(text, "newlines") == "a\r b\u2028c d".encode()


def test_two_cuts_at_once_are_refused(models: list[str]) -> None:
    with pytest.raises(ValidationError, match="give one of them"):
        Settings(models=models[:1], min_score=0.5, keep=0.1)
    with pytest.raises(ValidationError, match="min_score is a score of one model"):
        Settings(models=models, min_score=0.5)
