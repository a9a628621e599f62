"""Weights in epochs beside shares: exact to the row, at their limits, and what cannot be held is said."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.new_recipe import _weights as weights_of_a_new_recipe
from llama_data.pipeline.recipe import load_recipe
from llama_data.pipeline.report.tokens import mix_of
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import MixPlan, Mixture, plan_mix
from llama_data.train_handoff.mix.trace import Trace
from llama_data.train_handoff.mix.weights import limits_of, most_rows, rows_of, text_weights, wanted
from llama_data.train_handoff.shards.verify import verify_folder

ROWS = {"web": 120, "books": 53, "code": 42}
ROOT = Path(__file__).parents[3]


@pytest.fixture
def tokens(tmp_path: Path, make_shard: Any) -> Path:
    folder = tmp_path / "tokens"
    for seed, (domain, rows) in enumerate(ROWS.items()):
        make_shard(folder / domain / "00000.parquet", rows, seed=seed)
    return folder


def plan_of(folder: Path, weights: dict[str, Any], **changes: Any) -> MixPlan:
    given = {"present": list(ROWS), "seed": 3, "rows_per_shard": 64, **changes}
    return plan_mix(str(folder), weights=weights, **given)


def drawn(plan: MixPlan) -> dict[str, int]:
    return dict(zip([domain.name for domain in plan.domains], plan.drawn, strict=True))


def write(plan: MixPlan, tokens: Path, output: Path) -> Mixture:
    for job in mix_jobs(plan, tokens_folder=str(tokens), output=str(output)):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    return Mixture(str(output))


def test_epochs_are_of_the_rows_there_are_and_shares_divide_the_rest(tokens: Path) -> None:
    plan = plan_of(tokens, {"books": "2 epochs", "web": 0.75, "code": 0.25}, tokens=8 * 200)
    assert drawn(plan) == {"books": 106, "web": 70, "code": 24}  # 94 are left: 70.5 and 23.5, a tie that the name ends
    assert plan.epochs()["books"] == 2
    domains, _, rows = plan.locate(0, plan.rows)
    books = [domain.name for domain in plan.domains].index("books")
    assert np.array_equal(np.bincount(rows[domains == books]), np.full(53, 2))
    for code, domain in enumerate(plan.domains):  # and any beginning holds the resulting shares
        ahead = np.cumsum(domains == code) - domain.share * np.arange(1, plan.rows + 1)
        assert np.abs(ahead).max() <= 1


@pytest.mark.parametrize(
    ("times", "rows"), [("1 epoch", 53), ("1.5 epochs", 79), ("0.1 epochs", 5), ("4 epochs", 212), ("2epochs", 106)]
)
def test_epochs_alone_fix_how_many_tokens_there_are(tokens: Path, times: str, rows: int) -> None:
    plan = plan_of(tokens, {"books": times, "web": 0, "code": "0 epochs"})
    assert (drawn(plan), plan.unused) == ({"books": rows}, ("web", "code"))
    assert plan_of(tokens, {"books": times}, tokens=8 * rows + 7).fingerprint == plan.fingerprint
    for count, what in ((rows - 1, "fewer"), (rows + 1, "more")):
        with pytest.raises(RecipeError, match=rf"in epochs, which is {8 * rows:,} tokens; .*asked for, {what} than"):
            plan_of(tokens, {"books": times}, tokens=8 * count)


def test_shares_need_what_the_epochs_leave(tokens: Path) -> None:
    weights = {"books": "1 epoch", "web": 1.0}
    assert drawn(plan_of(tokens, weights, tokens=8 * 54)) == {"books": 53, "web": 1}
    for count in (53, 52, 10):
        with pytest.raises(RecipeError, match=r"epochs take 424 and leave none for the shares of web"):
            plan_of(tokens, weights, tokens=8 * count)
    assert drawn(plan_of(tokens, {"books": "1 epoch", "web": 0.5, "code": 0.5}, tokens=8 * 55))["code"] == 1
    with pytest.raises(RecipeError, match=r"web: its weight of the 1 rows that the epochs leave is less than one"):
        plan_of(tokens, {"books": "1 epoch", "web": 0.5, "code": 0.5}, tokens=8 * 54)
    with pytest.raises(RecipeError, match="books: its weight of its rows are less than one row"):
        plan_of(tokens, {"books": "0.0188 epochs"})
    assert drawn(plan_of(tokens, {"books": "0.0189 epochs"})) == {"books": 1}


def test_without_a_number_of_tokens_shares_take_as_much_as_they_may(tokens: Path) -> None:
    plan = plan_of(tokens, {"books": "2 epochs", "web": 0.9, "code": 0.1}, max_epochs={"all": 1, "books": 2})
    assert drawn(plan) == {"books": 106, "web": 120, "code": 13}  # web is the first to reach its limit
    with pytest.raises(RecipeError, match="at least one share needs max_epochs"):
        plan_of(tokens, {"books": "2 epochs", "web": 1.0}, max_epochs={"all": None})


def test_a_limit_holds_however_a_weight_asks(tokens: Path) -> None:
    plan_of(tokens, {"books": "2 epochs"}, max_epochs=2)
    with pytest.raises(RecipeError, match=r"books: 107 rows of 53 are 2\.02 epochs, more than its max_epochs of 2"):
        plan_of(tokens, {"books": "2.02 epochs"}, max_epochs=2)
    with pytest.raises(RecipeError, match="max_epochs of 4"):  # what a mapping does not name has four
        plan_of(tokens, {"books": "5 epochs"}, max_epochs={"web": 9})
    with pytest.raises(RecipeError, match="boks: no domain or bucket"):
        plan_of(tokens, {"books": 1.0}, max_epochs={"boks": 9})
    limits = limits_of({"web": 3, "web/best": 7, "all": None}, ["web/best", "web/rest", "books"], [])
    assert limits == {"web/best": 7, "web/rest": 3, "books": None}


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_rows_are_exact_for_any_weights(data: st.DataObject) -> None:
    names = [f"d{number}" for number in range(data.draw(st.integers(1, 6)))]
    there = {name: data.draw(st.integers(1, 10**7)) for name in names}
    times = {name: Fraction(data.draw(st.integers(1, 700)), 100) for name in names if data.draw(st.booleans())}
    parts = {name: data.draw(st.integers(1, 1000)) for name in names if name not in times}
    asked = wanted({**{name: f"{float(value)} epochs" for name, value in times.items()}, **parts}, normalise=True)
    if not times or any(there[name] * value < 1 for name, value in times.items()):
        return
    rows = data.draw(st.integers(10**5, 10**8)) + sum(int(there[name] * value) for name, value in times.items())
    none = dict.fromkeys(names)
    found = rows_of(asked, there, rows=rows if parts else None, most=none, seq_len=8)
    for name, value in times.items():
        assert found[name] == int(there[name] * value)
    rest = rows - sum(found[name] for name in times)
    assert not parts or sum(found[name] for name in parts) == rest
    for name, part in parts.items():
        assert abs(found[name] - Fraction(part, sum(parts.values())) * rest) < 1


def test_the_most_that_shares_may_take_is_not_a_row_too_many_or_too_few() -> None:
    asked = wanted({"a": "1 epoch", "b": 0.3, "c": 0.7})
    there = {"a": 10, "b": 40, "c": 100}
    most = {name: most_rows(rows, 1.5) for name, rows in there.items()}
    found = rows_of(asked, there, rows=None, most=most, seq_len=8)
    assert (found["b"], found["c"]) == (60, 140)
    more = rows_of(asked, there, rows=sum(found.values()) + 2, most=most, seq_len=8)
    assert more["b"] > 60 or more["c"] > 150


def test_what_is_written_says_the_epochs_and_verify_holds_it_to_them(tokens: Path, tmp_path: Path) -> None:
    plan = plan_of(tokens, {"books": "1.5 epochs", "web": 1.0}, tokens=8 * 150)
    assert "1.5 epochs" in plan.table()
    mixture = write(plan, tokens, tmp_path / "mix")
    path = tmp_path / "mix" / "mix.json"
    record = json.loads(path.read_bytes())
    books, web = record["domains"]
    assert (books["asked_epochs"], books["drawn"]) == (1.5, 79)
    assert "asked_epochs" not in web
    assert verify_folder(str(tmp_path / "mix")) == []
    assert Trace(mixture, str(tokens)).plan.drawn == plan.drawn
    shares = {share.domain: share for share in mix_of("mix", record).domains}
    assert (shares["books"].asked, shares["books"].epochs, shares["web"].asked) == (1.5, 79 / 53, None)
    for changes, says in (
        ({"asked_epochs": 2.0}, "not the 2 epochs of its weight"),
        ({"drawn": 80, "epochs": 80 / 53}, "not the 80 that are listed"),
        ({"epochs": 1.5}, "1.5 epochs are not 79 rows of 53"),
        ({"name": "novels"}, "53|79 rows of a domain that is not listed"),
    ):
        path.write_text(json.dumps({**record, "domains": [{**books, **changes}, web]}))
        assert any(says in str(one) or "not listed" in str(one) for one in verify_folder(str(tmp_path / "mix")))
    assert '"asked_epochs"' not in json.dumps(plan_of(tokens, {"books": 1.0}, tokens=80).record())


@pytest.mark.parametrize("wrong", ["two epochs", "-1 epochs", "2 epoches", "epochs", "1e3 epochs", "much"])
def test_a_weight_that_cannot_be_read_is_an_error_of_the_recipe(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"extends": "llama", "mix": {"weights": {"books": wrong}}}))
    with pytest.raises(RecipeError, match=r"mine\.yaml:\d+.*expected a share like 0.05, or epochs like `2 epochs`"):
        load_recipe(str(path))


def test_a_recipe_mixes_both_and_its_tokenizer_samples_by_what_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    mix = {"weights": {"books": "2 epochs", "c4": 3, "arxiv": 1, "github": 0}, "normalise": True, "tokens": None}
    path.write_text(
        yaml.safe_dump({"extends": "llama", "mix": {**mix, "max_epochs": {"books": 7, "all": None}}}, sort_keys=False)
    )
    recipe = load_recipe(str(path))
    assert recipe.weights() == {"books": "2 epochs", "c4": 0.75, "arxiv": 0.25, "github": 0.0}
    assert recipe.weighted() == ["books", "c4", "arxiv"]
    assert recipe.mix.max_epochs == {"books": 7, "all": None}
    sizes = {"books": 10, "c4": 60, "arxiv": 40}
    assert text_weights(recipe.weights(), sizes.__getitem__) == {"books": 20, "c4": 75, "arxiv": 25, "github": 0}
    assert text_weights({"w/a": 0.25, "w/b": 0.5, "c": 0.25}, {}.__getitem__) == {"w": 0.75, "c": 0.25}
    assert text_weights({"w/a": "4 epochs", "w/b": "1 epoch"}, {"w": 10}.__getitem__) == {"w": 25}
    assert weights_of_a_new_recipe(recipe, ["books", "c4", "arxiv"], {"mine": "/data"}) == pytest.approx(
        {"c4": 0.5, "arxiv": 0.1667, "mine": 0.3333, "books": "2 epochs"}
    )


def mean_of_curve(begin: float, end: float, drop: float, power: float, rate: float) -> float:
    """Mean of (x - drop)^power e^(rate (x - drop)) over a stretch of quantiles, by the midpoint rule."""
    points = begin + (end - begin) * (np.arange(2000) + 0.5) / 2000 - drop
    return float(np.mean(np.where(points > 0, np.abs(points) ** power * np.exp(rate * points), 0)))


def test_the_curve_of_the_documentation_is_the_one_it_says() -> None:
    page = (ROOT / "docs" / "mixing.md").read_text()
    block = page[
        page.index("tokens:\n      buckets:\n        refined:\n          field: quality_bucket\n          into: {q40") :
    ]
    found = yaml.safe_load("    " + block[: block.index("\n\n")])
    weights = {name.partition("/q")[2]: float(weight.split()[0]) for name, weight in found["mix"]["weights"].items()}
    assert [int(name) for name in weights] == list(range(40, 100, 5))
    means = [mean_of_curve(at / 100, (at + 5) / 100, 0.4, 1.0, 2.0) for at in range(40, 100, 5)]
    assert list(weights.values()) == pytest.approx([7 * mean / means[-1] for mean in means], abs=0.005)
    assert max(weights.values()) == 7 == found["mix"]["max_epochs"]["refined"]
    into = found["tokens"]["buckets"]["refined"]["into"]
    assert sorted(value for taken in into.values() for value in taken) == list(range(20))
    assert {f"q{name}" for name in weights} < set(into)
    assert math.isclose(sum(weights.values()) / 20, 1.60, abs_tol=0.005)
