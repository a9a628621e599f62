"""A domain in buckets: every document in one, shares and epochs of each exact, the same with and without a shuffle."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import InputError, RecipeError
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.train_handoff.buckets import Buckets
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import Mixture, plan_mix
from llama_data.train_handoff.mix.trace import Trace
from llama_data.train_handoff.pack import PackSettings, tokenize_jobs
from llama_data.train_handoff.shards.documents import read_index
from llama_data.train_handoff.shards.file import Shard
from llama_data.train_handoff.shards.verify import verify_folder

INTO = {"head": (2, "3"), "tail": (0, 1)}
SETTINGS = {"seq_len": 16, "validation": 0.05, "buckets": {"web": {"field": "quality_bucket", "into": INTO}}}


def written(folder: Path, words: list[str], values: tuple[Any, ...] = (0, 1, 2, 3), files: int = 2) -> RunContext:
    """A run of 200 documents whose buckets go round."""
    chooser = random.Random(1)
    run = RunContext(input=str(folder), output=str(folder), seed=3)
    for number in range(files):
        with JsonlWriter(f"{run.documents('web')}/{number:05d}.jsonl.zst") as writer:
            for place in range(number * 200 // files, (number + 1) * 200 // files):
                text = " ".join(chooser.choices(words, k=20))
                metadata = {"source": str(place), "quality_bucket": values[place % len(values)]}
                writer.write({"id": f"web/{place}", "text": text, "metadata": metadata})
    return run


def tokenize(run: RunContext, tokenizer: Path, **settings: Any) -> Path:
    chosen = PackSettings(**(SETTINGS | settings))  # type: ignore[arg-type]
    for job in tokenize_jobs("web", run, tokenizer=str(tokenizer), settings=chosen):
        for rank in range(job.tasks):
            for step in job.steps:
                assert list(step.run(None, rank, job.tasks)) == []
    return Path(run.output) / "tokens" / "web"


def ids_in(folder: Path) -> dict[str, list[int]]:
    """Numbers of the documents in each shard, by its name; held out ones under theirs."""
    return {
        str(path.relative_to(folder / "documents")): [
            int(id[4:]) for id in read_index(str(path)).column("id").to_pylist()
        ]
        for path in sorted((folder / "documents").rglob("*.parquet"))
    }


@pytest.mark.parametrize("shuffle", [False, True])
def test_each_document_is_in_the_shards_of_its_bucket_or_held_out(
    tmp_path: Path, tokenizer: Path, words: list[str], shuffle: bool
) -> None:
    folder = tokenize(written(tmp_path, words), tokenizer, shuffle=shuffle, max_task_bytes=1)
    found = ids_in(folder)
    of_tasks = ["00000.parquet", "00001.parquet"]
    names = [f"{bucket}-{name}" for bucket in INTO for name in of_tasks]
    assert sorted(found) == sorted([*names, *(f"validation/{name}" for name in of_tasks)])
    for name, ids in found.items():
        for bucket, values in (("head", {2, 3}), ("tail", {0, 1})):
            assert not name.startswith(bucket) or {id % 4 for id in ids} <= values
    assert sorted(id for ids in found.values() for id in ids) == list(range(200))
    assert sum(len(ids) for name, ids in found.items() if name.startswith("validation")) > 0
    assert verify_folder(str(folder)) == []
    (folder / "head-00000.parquet").unlink()
    assert "missing" in str(verify_folder(str(folder))[0])


def test_tokenizing_again_without_buckets_leaves_none_of_their_shards(
    tmp_path: Path, tokenizer: Path, words: list[str]
) -> None:
    run = written(tmp_path, words)
    tokenize(run, tokenizer)
    folder = tokenize(run, tokenizer, buckets={})
    assert [path.name for path in sorted(folder.glob("*.parquet"))] == ["00000.parquet"]
    assert verify_folder(str(folder)) == []


@pytest.mark.parametrize("value", [4, None, "head"])
def test_a_document_in_no_bucket_is_an_error_that_names_it(
    tmp_path: Path, tokenizer: Path, words: list[str], value: Any
) -> None:
    run = written(tmp_path, words, (0, value))
    with pytest.raises(InputError, match=rf"web/1: its quality_bucket is {value!r}, .*tokens.buckets.web.into"):
        tokenize(run, tokenizer)


def test_a_bucket_is_drawn_by_its_weight_and_limit(tmp_path: Path, tokenizer: Path, words: list[str]) -> None:
    run = written(tmp_path, words)
    folder = tokenize(run, tokenizer)
    tokens, rows = str(folder.parent), {name: Shard(str(folder / f"{name}-00000.parquet")).rows for name in INTO}
    weights = {"web/head": 0.75, "web/tail": 0.25}

    def plan(count: int, limit: float = 4.0) -> Any:
        return plan_mix(tokens, weights=weights, present=["web"], tokens=count * 16, max_epochs=limit)

    most = next(count for count in range(1, 10**6) if plan(count, 99).drawn[0] > 2 * rows["head"])
    made = plan(most - 1, 2.0)
    assert made.drawn[0] == 2 * rows["head"]
    assert made.drawn[0] == pytest.approx(0.75 * made.rows, abs=1)
    assert made.epochs()["web/head"] == 2
    with pytest.raises(RecipeError, match="web/head"):
        plan(most, 2.0)
    for job in mix_jobs(made, tokens_folder=tokens, output=str(tmp_path / "mix")):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    mixture = Mixture(str(tmp_path / "mix"))
    assert mixture.domains == ("web/head", "web/tail")
    assert list(mixture.validation()) == ["web"]
    assert verify_folder(str(tmp_path / "mix")) == []
    trace = Trace(mixture, tokens)
    for part in trace.parts(range(len(mixture))):
        bucket = "head" if int(part.id[4:]) % 4 > 1 else "tail"
        assert (part.domain, part.origin_shard) == (f"web/{bucket}", f"web/{bucket}-00000.parquet")
    source = trace.find_source("web/head-00000.parquet")
    assert source is not None
    assert len(list(trace.drawn(source, 0))) == 2


def test_names_that_are_no_buckets_are_errors(tmp_path: Path, tokenizer: Path, words: list[str]) -> None:
    tokens = str(tokenize(written(tmp_path, words), tokenizer).parent)

    def plan(**weights: float) -> Any:
        given = {name.replace("__", "/"): weight for name, weight in weights.items()}
        return plan_mix(tokens, weights=given, present=["web"], tokens=160)

    with pytest.raises(RecipeError, match=r"web/best: no bucket.*there are: web/head, web/tail"):
        plan(web__best=1.0)
    with pytest.raises(RecipeError, match="web holds web/head"):
        plan(web__head=0.5, web=0.5)
    assert len(plan(web=1.0).domains[0].sources) == 2  # a domain is all of its buckets


@pytest.mark.parametrize(
    ("into", "says"),
    [
        ({"a": [1], "b": ["1"]}, "stands in two"),
        ({"a-b": [1]}, "pattern"),
        ({}, "at least 1"),
        ({"Head": [1]}, "pattern"),
    ],
)
def test_buckets_that_cannot_be_told_apart_are_errors(into: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Buckets(field="x", into=into)
