"""The mix: its plan, its errors, what is written and how it is read back."""

from __future__ import annotations

import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from llama_data.pipeline.core.domains import TABLE_1
from llama_data.pipeline.core.errors import InputError, RecipeError
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import (
    MixPlan,
    Mixture,
    Source,
    make_plan,
    plan_mix,
)
from llama_data.train_handoff.mix.weights import normalised
from llama_data.train_handoff.shards.file import Footer, Shard, ShardWriter, read_footer

WEIGHTS = {"web": 0.6, "books": 0.3, "code": 0.1}
PRESENT = ["books", "code", "web", "extra"]


@pytest.fixture
def tokens(tmp_path: Path, make_shard) -> Path:
    """Token shards of three domains, two files each; books have validation rows; one file is empty."""
    for seed, (domain, sizes) in enumerate({"web": (70, 50), "books": (40, 13), "code": (33, 9)}.items()):
        for number, rows in enumerate(sizes):
            make_shard(tmp_path / "tokens" / domain / f"{number:05d}.parquet", rows, seed=10 * seed + number)
        make_shard(tmp_path / "tokens" / domain / "00002.parquet", 0)
    for number in range(2):
        make_shard(
            tmp_path / "tokens" / "books" / "validation" / f"{number:05d}.parquet",
            5,
            seed=50 + number,
            split="validation",
            domain="books",
        )
    return tmp_path / "tokens"


def plan_of(folder: Path, /, **changes: object) -> MixPlan:
    arguments = {"weights": WEIGHTS, "present": PRESENT, "seed": 3, "rows_per_shard": 64, "max_epochs": 3, **changes}
    return plan_mix(str(folder), **arguments)  # type: ignore[arg-type]


def write(plan: MixPlan, tokens: Path, output: Path, *, backwards: bool = False) -> None:
    for job in mix_jobs(plan, tokens_folder=str(tokens), output=str(output)):
        ranks = range(job.tasks)
        for rank in reversed(ranks) if backwards else ranks:
            for step in job.steps:
                assert list(step.run(None, rank, job.tasks)) == []


def test_every_row_comes_from_where_the_plan_and_its_origin_say(tokens: Path, tmp_path: Path) -> None:
    plan = plan_of(tokens, tokens=200 * 8)
    assert (plan.rows, plan.shards, plan.tokens) == (200, 4, 1600)
    write(plan, tokens, tmp_path / "mix")
    mixture = Mixture(str(tmp_path / "mix"))
    assert mixture.domains == ("books", "code", "web")
    assert len(mixture) == 200
    domains, sources, rows = plan.locate(0, 200)
    for index in range(200):
        source = plan.domains[domains[index]].sources[sources[index]]
        expected = Shard(source.path)[int(rows[index])]
        assert np.array_equal(mixture[index], expected)
        assert mixture.domain_of(index) == domains[index]
        shard = mixture.shard(index // 64)
        assert shard.column("origin_shard")[index % 64].as_py() == source.name
        assert shard.column("origin_row")[index % 64].as_py() == rows[index]
        assert shard.column("doc_starts")[index % 64].as_py() == np.flatnonzero(expected == 1).tolist()
    with pytest.raises(IndexError):
        mixture[200]


def test_shares_hold_at_every_prefix_and_a_longer_mix_begins_with_the_shorter(tokens: Path, tmp_path: Path) -> None:
    write(plan_of(tokens, tokens=150 * 8), tokens, tmp_path / "short")
    write(plan_of(tokens, tokens=190 * 8, rows_per_shard=37), tokens, tmp_path / "long")
    short, long = Mixture(str(tmp_path / "short")), Mixture(str(tmp_path / "long"))
    assert short.fingerprint == long.fingerprint
    assert all(np.array_equal(short[index], long[index]) for index in range(150))
    codes = np.concatenate([long.codes(number) for number in range(6)])
    for code, name in enumerate(long.domains):
        counts = np.cumsum(codes == code)
        assert np.abs(counts - WEIGHTS[name] * np.arange(1, 191)).max() <= 1


def test_the_bytes_do_not_depend_on_the_order_of_tasks_or_a_second_run(tokens: Path, tmp_path: Path) -> None:
    plan = plan_of(tokens, tokens=200 * 8)
    write(plan, tokens, tmp_path / "one")
    write(plan, tokens, tmp_path / "two", backwards=True)
    write(plan_of(tokens, tokens=330 * 8), tokens, tmp_path / "one")
    write(plan, tokens, tmp_path / "one")
    for path in sorted((tmp_path / "two").rglob("*")):
        if path.is_file():
            assert (tmp_path / "one" / path.relative_to(tmp_path / "two")).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "one").glob("*.parquet"))) == 4


def test_golden_16_rows_below_one_epoch_are_drawn_once_and_above_by_whole_epochs(tokens: Path) -> None:
    plan = plan_of(tokens, tokens=250 * 8)
    domains, sources, rows = plan.locate(0, 250)
    seen = Counter(zip(domains.tolist(), sources.tolist(), rows.tolist(), strict=True))
    epochs = plan.epochs()
    for code, domain in enumerate(plan.domains):
        counts = [seen[code, source, row] for source, part in enumerate(domain.sources) for row in range(part.rows)]
        assert set(counts) <= {int(epochs[domain.name]), int(epochs[domain.name]) + 1}
    assert epochs["code"] < 1 < epochs["web"] < epochs["books"]


def test_the_fingerprint_changes_with_what_changes_the_order(tokens: Path, make_shard) -> None:
    first = plan_of(tokens, tokens=800).fingerprint
    assert plan_of(tokens, tokens=1600).fingerprint == first
    assert plan_of(tokens, tokens=800, seed=4).fingerprint != first
    assert plan_of(tokens, tokens=800, weights={"web": 0.5, "books": 0.5}).fingerprint != first
    make_shard(tokens / "web" / "00001.parquet", 50, seed=99)
    assert plan_of(tokens, tokens=800).fingerprint != first


def test_without_a_number_of_tokens_the_mix_is_as_long_as_max_epochs_allow(tokens: Path) -> None:
    plan = plan_of(tokens, max_epochs=1)
    assert max(plan.epochs().values()) <= 1
    assert max(plan.epochs().values()) > 0.97
    with pytest.raises(RecipeError, match="max_epochs"):
        plan_of(tokens, max_epochs=None)


def test_more_than_max_epochs_is_an_error_with_figures(tokens: Path) -> None:
    with pytest.raises(
        RecipeError, match=r"books: .* rows of 53 are 1\.\d+ epochs, more than its max_epochs of 1;.*fewer tokens"
    ):
        plan_of(tokens, tokens=200 * 8, max_epochs={"books": 1.0, "web": None})
    with pytest.raises(RecipeError, match="fewer tokens than one row"):
        plan_of(tokens, tokens=7)


def test_weights_that_cannot_be_used_are_explained(tokens: Path) -> None:
    with pytest.raises(RecipeError, match=r"sum to 0\.9, not to 1; .*\{web: 0\.666667, books: 0\.333333\}"):
        plan_of(tokens, weights={"web": 0.6, "books": 0.3})
    assert plan_of(tokens, weights={"web": 6, "books": 3}, normalise=True).domains[0].share == pytest.approx(1 / 3)
    with pytest.raises(RecipeError, match=r"arxiv: no token shards below .*there are: books, code, web, extra"):
        plan_of(tokens, weights={"web": 0.6, "arxiv": 0.4})
    with pytest.raises(InputError, match="extra: there are no training rows"):
        plan_of(tokens, weights={"web": 0.6, "extra": 0.4})
    for wrong, what in (({"web": -1.0}, "web is -1"), ({"web": 0.0}, "all are zero"), ({"web": "much"}, "number")):
        with pytest.raises(RecipeError, match=what):
            normalised(wrong)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="number"):
        normalised({"web": float("nan")})
    assert normalised({"web": 0.7, "books": 0.3, "code": 0.0}) == {"web": Fraction(7, 10), "books": Fraction(3, 10)}


def test_shards_of_different_tokenizers_are_not_mixed(tokens: Path, make_shard) -> None:
    make_shard(tokens / "code" / "00000.parquet", 33, tokenizer_sha256="ef" * 32)
    with pytest.raises(InputError, match="tokenizer_sha256"):
        plan_of(tokens)


def test_validation_rows_stand_beside_the_mix_and_not_in_it(tokens: Path, tmp_path: Path) -> None:
    write(plan_of(tokens, tokens=200 * 8), tokens, tmp_path / "mix")
    mixture = Mixture(str(tmp_path / "mix"))
    assert list(mixture.validation()) == ["books"]
    held = mixture.validation()["books"]
    assert (held.rows, held.footer.split, held.footer.domain) == (10, "validation", "books")
    parts = [Shard(str(tokens / "books" / "validation" / f"{number:05d}.parquet")) for number in range(2)]
    found = np.concatenate([held.group(number) for number in range(held.groups)])
    assert np.array_equal(found, np.concatenate([part.group(0) for part in parts]))
    training = {mixture[index].tobytes() for index in range(len(mixture))}
    assert not training & {held[index].tobytes() for index in range(held.rows)}


def test_a_mix_that_is_not_whole_is_not_opened(tokens: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mix"
    with pytest.raises(InputError, match=r"mix\.json: no such file"):
        Mixture(str(folder))
    write(plan_of(tokens, tokens=200 * 8), tokens, folder)
    (folder / "00001.parquet").rename(folder / "00001.gone")
    with pytest.raises(InputError, match=r"00001\.parquet: 1 shard\(s\) of the mix are missing"):
        Mixture(str(folder))
    (folder / "00001.parquet").write_bytes((folder / "00002.parquet").read_bytes())
    with pytest.raises(InputError, match=r"disagrees with mix\.json"):
        Mixture(str(folder))[70]


def test_the_plan_can_be_printed_and_is_recorded(tokens: Path, tmp_path: Path) -> None:
    plan = plan_of(tokens, tokens=200 * 8)
    assert "not in the mix (no weight): extra" in plan.table()
    assert "30.00%" in plan.table()
    write(plan, tokens, tmp_path / "mix")
    record = json.loads((tmp_path / "mix" / "mix.json").read_bytes())
    assert [domain["drawn"] for domain in record["domains"]] == list(plan.drawn)
    assert record["validation"] == ["books"]


def llama_plan(tokens: float) -> MixPlan:
    """LLaMA's mix over shards of the sizes that Table 1 implies (sampled tokens / epochs), 1 GB of tokens each."""
    footer = Footer(
        kind="domain", split="train", domain="", seq_len=2048, vocab_size=32000, tokenizer_sha256="", bos_id=1, eos_id=2
    )
    sources = {}
    for name, (weight, _) in TABLE_1.items():
        rows = int(1.4e12 * weight / TABLE_1[name].epochs / 2048)
        sizes = [262144] * (rows // 262144) + [rows % 262144]
        sources[name] = [Source("", f"{name}/{n}", size, "") for n, size in enumerate(sizes)]
    shares = normalised({name: domain.share for name, domain in TABLE_1.items()})
    return make_plan(
        shares, sources, footer=footer, rows=int(tokens) // 2048, seed=0, limits=dict.fromkeys(shares, 2.5)
    )


def test_llamas_table_comes_back_for_both_sizes_of_run() -> None:
    tracemalloc.start()
    plan = llama_plan(1.4e12)
    assert plan.rows == 683_593_750
    assert "2.45" in plan.table()
    last = plan.locate(plan.rows - 1000, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert len(last[0]) == 1000
    for name, epochs in plan.epochs().items():
        assert epochs == pytest.approx(TABLE_1[name].epochs, rel=1e-4)
        assert plan.drawn[[d.name for d in plan.domains].index(name)] / plan.rows == pytest.approx(TABLE_1[name].share)
    for name, epochs in llama_plan(1.0e12).epochs().items():
        assert epochs == pytest.approx(TABLE_1[name].epochs / 1.4, rel=1e-4)
    with pytest.raises(RecipeError, match="wikipedia"):
        llama_plan(1.5e12)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_an_id_outside_the_vocabulary_is_refused(tmp_path: Path, make_shard, split: str) -> None:
    path = tmp_path / "tokens" / "books" / "00000.parquet"
    make_shard(path, 20, vocab_size=50)
    rows = make_shard(path, 20, vocab_size=50, seed=1)
    bad = path if split == "train" else path.parent / "validation" / "00000.parquet"
    rows[13, 4] = 50  # the first that is not in it
    footer = replace(read_footer(str(path)), split=split)
    with ShardWriter(str(bad), footer) as writer:
        writer.write(rows)
    plan = plan_mix(str(tmp_path / "tokens"), weights={"books": 1}, present=["books"], max_epochs=1)
    jobs = mix_jobs(plan, tokens_folder=str(tmp_path / "tokens"), output=str(tmp_path / "mix"))
    step = next(job for job in jobs if job.name.endswith("shards" if split == "train" else "validation")).steps[0]
    with pytest.raises(
        InputError, match=r"books/.*00000\.parquet: row 13: id 50 is not in the vocabulary of 50 pieces"
    ):
        list(step.run(None, 0, 1))
