"""What a plan and a run say of what is missing, and what a plan's estimates rest on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline import calibrate
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.plan import DomainPlan, describe, make_plan
from llama_data.pipeline.ready import changed, find, with_starters
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.registry import STAGES, Rate, rate_of

PAGE = b"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: 4\r\n\r\ntext\r\n\r\n"


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    folder = tmp_path / "dumps"
    for name, data in (("books/a.txt", b"a book\n"), ("commoncrawl/a.warc.wet", PAGE), ("notes.pdf", b"x")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def recipe_of(dumps: Path, **changes: Any) -> Recipe:
    given = {"input": str(dumps), "output": str(dumps.parent / "run"), "models_dir": str(dumps.parent / "models")}
    domains = {"domains.commoncrawl.inputs": ["commoncrawl/*.wet"], "executor.workers": 2}
    return load_recipe("llama", {**given, **domains, **changes})


def test_a_step_that_is_nothing_without_its_model_is_missed_with_the_rest(dumps: Path) -> None:
    models = [{"model": "good.bin", "label": "hq"}, {"model": "better.bin", "label": "hq"}]
    steps = [{"language": {"model": "absent.bin"}}, {"quality": {"models": models, "keep": "10%"}}]
    sources = {"mine": {"inputs": ["notes.pdf"], "format": "text", "steps": steps}}
    recipe = recipe_of(dumps, sources=sources, domains=dict.fromkeys(STAGES))
    plan = make_plan(recipe)
    assert plan.domains == []
    with pytest.raises(RequestError, match=r"^3 things are missing; nothing was started:") as error:
        find(recipe, recipe.chosen()).require()
    for name in ("absent.bin", "good.bin", "better.bin"):
        assert f"{name}: no such model" in str(error.value)


def test_all_that_is_missing_is_said_at_once_and_the_rest_is_planned(dumps: Path) -> None:
    recipe = recipe_of(dumps)
    plan = make_plan(recipe)
    # Without its models too; the other five have no input.
    assert [one.domain for one in plan.domains] == ["commoncrawl", "books"]
    text = describe(plan)
    models = dumps.parent / "models"
    for part in (
        "lid.176.bin: no such model; bring it",
        f"{models}/en.arpa.bin, {models}/en.sp.model: no such model; bring them",
        "references.bin: no such model file; LLaMA's classifier was never published",
        f"c4: {dumps}: no file matches c4/**/*.json.gz; it holds",
        "arxiv: ",
        f"llama-data models pull lid.176.bin en.sp.model en.arpa.bin --models-dir {models}",
        "the same command with --starter-models (in a recipe: language_model: starter, "
        "perplexity_models: {en: starter}, reference_model: starter)",
    ):
        assert part in text
    with pytest.raises(RequestError, match=r"^8 things are missing; nothing was started:") as error:
        find(recipe, recipe.chosen()).require()
    assert all(line in str(error.value) for line in plan.missing)
    assert not (dumps.parent / "run").exists()


def test_one_thing_is_one_sentence_and_nothing_is_none(dumps: Path) -> None:
    with pytest.raises(RequestError, match=r"^[^\n]*c4/\*\*/\*\.json\.gz[^\n]*$"):
        find(recipe_of(dumps), ["c4", "books"]).require()
    find(recipe_of(dumps), ["books"]).require()


def test_starters_stand_for_every_model_and_nothing_else_changes(dumps: Path) -> None:
    recipe = recipe_of(dumps, **{"domains.commoncrawl.perplexity_models": {"en": "ccnet", "fr": "ccnet"}})
    changed_recipe, told = with_starters(recipe, recipe.chosen())
    before, after = recipe.settings("commoncrawl"), changed_recipe.settings("commoncrawl")
    assert before is not None
    assert after is not None
    ours = {"language_model": "starter", "perplexity_models": {"en": "starter", "fr": "ccnet"}}
    assert after.model_dump() == {**before.model_dump(), **ours, "reference_model": "starter"}
    assert told == [
        "commoncrawl: the package's small models in place of lid.176.bin (language_model), "
        "ccnet (perplexity_models.en), references.bin (reference_model)"
    ]
    assert [need.name for _, need in find(changed_recipe, ["commoncrawl"]).missing] == ["ccnet"]


def test_the_models_of_a_source_s_steps_are_found_and_replaced(dumps: Path) -> None:
    steps = ["length", {"language": {"languages": ["en"]}}, {"perplexity": {"models": {"fr": "ccnet"}}}]
    recipe = recipe_of(dumps, **{"sources.mine": {"inputs": ["books/*.txt"], "steps": steps}})
    settings = recipe.settings("mine")
    assert settings is not None
    assert [need.key for need in settings.needs()] == ["steps.1.language.model", "steps.2.perplexity.models.fr"]
    found = find(recipe, ["mine"])
    assert len(found.lacks) == 2
    assert list(found.jobs) == ["mine"]
    same = changed(settings, {"steps.1.language.model": "starter"})
    assert same.model_fields_set == settings.model_fields_set
    assert list(same.model_dump()["steps"]) == [
        {"length": {"min_characters": 300, "max_characters": None}},
        {"language": {**settings.model_dump()["steps"][1]["language"], "model": "starter"}},
        settings.model_dump()["steps"][2],
    ]


def test_the_start_is_counted_once_a_task_and_the_work_by_the_byte() -> None:
    rate = Rate(bytes_per_second=10e6, output=1, work=0, memory=0, start=2.0)
    plan = DomainPlan("c4", 1, 30_000_000, (Job("c4/a", [], 5), Job("c4/b", [], 1)), rate, "")
    assert plan.core_seconds == pytest.approx(6 * 2.0 + 3.0)


@pytest.mark.parametrize(
    ("start", "speed", "there", "taken"),
    [
        (2.0, 1e6, 1000, 24),  # the work is already long beside the starts
        (2.0, 9e6, 1000, 384),  # 96 MB take 10.7 s, and three starts 6
        (2.0, 9e6, 30, 30),
        (0.0, 1e6, 4, 4),
        (8.0, 40e6, 1000, 384),  # never long, but long enough to tell
    ],
)
def test_calibration_takes_so_much_that_the_work_is_told_from_the_start(
    start: float, speed: float, there: int, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, basis = calibrated(start, speed, there * 1_000_000, tmp_path, monkeypatch)
    assert rate.bytes_per_second == pytest.approx(speed)
    assert rate.start == pytest.approx(start, abs=1e-6)
    assert (rate.output, rate.work, rate.text) == (0.5, 0.25, 3.0)
    assert basis == f"measured here on {taken}.0 MB of 1 file"


@pytest.mark.parametrize(("seconds", "told"), [(1.99, False), (2.01, True)])
def test_too_little_input_measures_the_start_alone(
    seconds: float, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three starts and a little take 8 s, of which a quarter is the least that the rest must take.
    little, rest = 250_000, 1_750_000
    speed = rest / seconds
    start = (8 - little / speed) / 3
    rate, basis = calibrated(start, speed, little + rest, tmp_path, monkeypatch)
    own = rate_of("c4").bytes_per_second
    assert rate.bytes_per_second == pytest.approx(speed if told else own)
    assert rate.start == pytest.approx(start if told else (8 - little / own) / 3)
    assert ("too little for the speed, which is the package's own" in basis) is not told


def calibrated(start: float, speed: float, there: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``measure`` of a file of so many bytes, on a machine where three starts and the bytes take what is given."""
    with open(folder / "a.json.gz", "wb") as file:
        file.truncate(there)
    compiled: set[int] = set()

    def trial(recipe: Recipe, domain: str, chosen: Any) -> Any:
        size = sum(most for _, most in chosen)
        cpu = 3 * start + size / speed + (0.0 if size in compiled else 60.0)
        compiled.add(size)
        return calibrate._Trial(size, cpu, 3, size // 2, size // 4, 3 * size)

    monkeypatch.setattr(calibrate, "_try", trial)
    recipe = load_recipe("llama", {"input": str(folder), "output": "x", "domains.c4.inputs": ["*.gz"]})
    return calibrate.measure(recipe, "c4", find(recipe, ["c4"]).jobs["c4"])


def test_a_sample_is_cut_from_all_over_the_input_and_archives_stay_whole() -> None:
    def source(name: str, size: int) -> Any:
        return calibrate._Source(name, name, size)

    many = [source(f"{number:03}.wet.gz", 1_000_000) for number in range(100)]
    chosen = calibrate._chosen(many, 5_000_000)
    assert [one.name for one, _ in chosen] == [f"{number:03}.wet.gz" for number in (0, 20, 40, 60, 80)]
    assert [most for _, most in chosen] == [1_000_000] * 5
    assert calibrate._chosen([source("dump.bz2", 10**11)], 500_000)[0][1] == 500_000
    zips = [source("small.zip", 1000), source("huge.7z", 10**10)]
    assert calibrate._chosen(zips, 500_000) == [(zips[0], 1000)]
    with pytest.raises(InputError, match="no input file can be cut"):
        calibrate._chosen(zips[1:], 500_000)


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    folder = tmp_path / "wiki"
    folder.mkdir()
    with pytest.raises(InputError, match=r"no file matches \*\.bz2; it holds nothing; name"):
        list_inputs(str(folder), ["*.bz2"])
    (folder / "dump.xml").write_text("x")
    (folder / "old").mkdir()
    with pytest.raises(InputError, match=r"holds 1 file: dump\.xml; 1 folder that no glob enters: old/; name"):
        list_inputs(str(folder), ["*.bz2"])
    with pytest.raises(InputError, match=r"dump\.xlm: no such file or folder; did you mean \S+/dump\.xml\?; exp"):
        list_inputs(str(folder / "dump.xlm"), ["*.bz2"])
    with pytest.raises(InputError, match=r"no such file or folder \(\S+ holds no wikki\); did you mean \S+/wiki\?"):
        list_inputs(str(tmp_path / "wikki" / "dump.xml"), ["*.bz2"])
