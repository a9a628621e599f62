"""In every setting null is off and 0 is 0; `starter` is one word with one meaning."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from llama_data.pipeline.core.domains import DOMAINS
from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.recipe import (
    ExecutorSettings,
    MixSettings,
    RaySettings,
    Recipe,
    SlurmSettings,
    TokenizerChoice,
)
from llama_data.pipeline.registry import STAGES
from llama_data.pipeline.samples.build import build_samples
from llama_data.stages.custom.jobs import Settings as SourceSettings
from llama_data.stages.steps.catalogue import STEPS
from llama_data.stages.steps.contract import StepContext
from llama_data.stages.steps.model_files import starters
from llama_data.train_handoff.pack import PackSettings
from llama_data.train_handoff.trainer.config import BenchConfig, ModelConfig, OptimConfig, SpikeConfig, TrainConfig
from llama_data.train_handoff.trainer.watch.settings import WatchConfig

MODELS: dict[str, type[BaseModel]] = {
    **{f"domains.{name}": stage.settings for name, stage in STAGES.items()},
    **{f"steps.{name}": step for name, step in STEPS.items()},
    "sources": SourceSettings,
    "recipe": Recipe,
    "tokenizer": TokenizerChoice,
    "tokens": PackSettings,
    "mix": MixSettings,
    "executor": ExecutorSettings,
    "executor.slurm": SlurmSettings,
    "executor.ray": RaySettings,
    "train": TrainConfig,
    "train.model": ModelConfig,
    "train.optim": OptimConfig,
    "train.spikes": SpikeConfig,
    "train.watch": WatchConfig,
    "bench": BenchConfig,
}
# What a value of nothing would make no sense for: sizes of work and of memory, and what a model is built of.
SIZES = {
    "max_task_deaths",
    "max_task_seconds",
    "cache_bytes",
    *("max_task_bytes", "bucket_bytes", "rows_per_shard", "documents_per_file", "workers", "max_table_bytes"),
    *("cpus_per_task", "mem_per_cpu_gb", "max_array_size", "max_file_bytes", "max_book_bytes", "max_growth"),
    *(
        "bands",
        "rows",
        "min_similarity",
        "shingle_words",
        "permutations",
        "vocab_size",
        "input_sentence_size",
        "sample_bytes",
        "seq_len",
        "tokens",
    ),
    *("dim", "n_layers", "n_heads", "n_kv_heads", "multiple_of", "norm_eps", "rope_theta", "init_std", "lr", "eps"),
    *("batch_tokens", "micro_rows", "steps", "replicate", "save_every", "keep_checkpoints", "log_every", "clip"),
    *("profiled", "max_epochs", "max_overlap", "save_minutes", "factor", "window", "in_a_row", "loss_tokens", "epochs"),
    "share",
    *("validate_every", "validate_rows", "sample_every", "slow_factor", "device_watts", "pue", "cache_bytes"),
}
# Numbers that are no decision which can be off.
VALUES = {"seed", "beta1", "beta2", "weight_decay", "warmup_steps", "min_lr_ratio", "warmup", "kg_co2e_per_kwh"}


def numbers() -> Iterator[tuple[str, str, bool]]:
    """Section and name of every setting that is a number, and whether it may be null."""
    for section, model in MODELS.items():
        for name, field in model.model_fields.items():
            kinds = _kinds(field.annotation)
            if (
                {int, float} & kinds
                and bool not in kinds
                and name not in ("weights", "group", "dedup_group", "skip_rows", "profile_steps", "profile_ranks")
            ):
                yield section, name, NoneType in kinds


def _kinds(annotation: Any) -> set[Any]:
    parts = get_args(annotation)
    return {annotation} if not parts else {kind for part in parts for kind in _kinds(part)}


def accepts(section: str, name: str, value: object) -> bool:
    field = MODELS[section].model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(("section", "name", "nullable"), list(numbers()))
def test_a_number_is_off_with_null_and_zero_with_zero(section: str, name: str, nullable: bool) -> None:
    if name in SIZES:
        assert not accepts(section, name, 0), "nothing of a size is no work at all: it is refused"
    else:
        assert accepts(section, name, 0), "0 is a value like another"
        assert nullable or name in VALUES or section == "executor.ray", "a decision can be switched off with null"
    assert not accepts(section, name, "off")


@pytest.mark.parametrize(("section", "name"), [("domains.commoncrawl", "dedup_group"), ("steps.line_dedup", "group")])
def test_a_group_of_no_files_is_refused(section: str, name: str) -> None:
    for value in (0, "0/1600"):
        with pytest.raises(ValidationError, match="expected a number of files"):
            MODELS[section].model_validate({name: value})


@pytest.mark.parametrize(
    ("section", "name"),
    [
        *(("domains.commoncrawl", name) for name in ("languages", "dedup_group", "perplexity_buckets")),
        *(("domains.commoncrawl", name) for name in ("language_model", "perplexity_models", "reference_model")),
        *(("domains.github", name) for name in ("licences", "extensions")),
        ("domains.wikipedia", "languages"),
        ("domains.c4", "language"),
        *(("domains.stackexchange", name) for name in ("sites", "largest")),
        ("domains.c4", "bad_words"),
        ("steps.language", "languages"),
        ("steps.perplexity", "buckets"),
    ],
)
def test_a_choice_is_off_with_null(section: str, name: str) -> None:
    assert NoneType in _kinds(MODELS[section].model_fields[name].annotation)


Kept = Callable[..., list[str]]
MODEL_FREE = {"language_model": None, "perplexity_models": None, "reference_model": None}
BASE: dict[str, dict[str, Any]] = {
    "commoncrawl": {"inputs": ["cc/*.wet.gz"], **MODEL_FREE},
    "c4": {"inputs": ["c4/*.json.gz"], "rebuild": True, "language": None},
    "github": {"inputs": ["github/*.jsonl.zst"]},
    "wikipedia": {"inputs": ["wikipedia/*.bz2"]},
    "books": {"inputs": ["books/*"]},
    "arxiv": {"inputs": ["arxiv/*.tar"]},
    "stackexchange": {"inputs": ["stackexchange/*.7z", "stackexchange/*/Posts.xml*"]},
}
# What needs a model is asked of the steps themselves.
WITH_MODEL = ("min_letters_per_token", "min_language_score")
DOMAIN_NUMBERS = [
    (section, name) for section, name, nullable in numbers() if section.startswith("domains.") and nullable
]
LEAST = [(section, name) for section, name in DOMAIN_NUMBERS if name.startswith("min_") and name not in WITH_MODEL]
MOST = [
    (section, name) for section, name in DOMAIN_NUMBERS if name.startswith(("max_", "largest")) and name not in SIZES
]


@pytest.fixture(scope="session")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dumps")
    build_samples(folder)
    return folder


def nothing(domain: str) -> dict[str, None]:
    """All these settings of a domain, off."""
    return {name: None for section, name in (*LEAST, *MOST) if section == f"domains.{domain}"}


@pytest.fixture(scope="module")
def off(
    dumps: Path, tmp_path_factory: pytest.TempPathFactory, run_jobs: Callable[..., None]
) -> Callable[..., list[str]]:
    """The ids of the documents that a domain makes of the sample dumps when all of them are off."""

    @functools.cache
    def run(domain: str) -> list[str]:
        found = kept_of(domain, nothing(domain), dumps, tmp_path_factory.mktemp(domain), run_jobs)
        assert found
        return found

    return run


@pytest.fixture
def kept(dumps: Path, tmp_path: Path, run_jobs: Callable[..., None]) -> Kept:
    """The ids of the documents that a domain makes of the sample dumps, with some settings of its own."""

    def run(domain: str, **settings: Any) -> list[str]:
        return kept_of(domain, settings, dumps, tmp_path, run_jobs)

    return run


def kept_of(
    domain: str, settings: dict[str, Any], dumps: Path, output: Path, run_jobs: Callable[..., None]
) -> list[str]:
    stage, context = STAGES[domain], RunContext(input=str(dumps), output=str(output))
    run_jobs(stage.jobs(stage.settings(**{**BASE[domain], **settings}), context))
    return [doc["id"] for path in list_files(context.documents(domain), ".zst") for doc in read_jsonl(path)]


@pytest.mark.parametrize(
    ("section", "name"), [(s, n) for s, n in LEAST if n not in ("min_letters_per_token", "min_language_score")]
)
def test_a_least_of_nothing_is_none(kept: Kept, off: Kept, section: str, name: str) -> None:
    domain = section.removeprefix("domains.")
    assert kept(domain, **{**nothing(domain), name: 0}) == off(domain)


@pytest.mark.parametrize(("section", "name"), MOST)
def test_a_most_of_nothing_keeps_nothing(kept: Kept, off: Kept, section: str, name: str) -> None:
    domain = section.removeprefix("domains.")
    if name in ("max_members", "max_ratio", "max_unpacked_bytes", "max_posts_bytes", "max_files"):
        # Not every record stands in an archive; of GitHub's rows none does.
        assert len(kept(domain, **{**nothing(domain), name: 0})) < len(off(domain)) or domain == "github"
    else:
        assert off(domain)
        assert kept(domain, **{name: 0}) == []


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        ("language", {"model": "starter", "threshold": None}),
        ("language", {"model": "starter/", "threshold": 0}),
        ("language", {"model": "starter/language"}),
        ("references", {"model": "starter", "threshold": None}),
        ("perplexity", {"models": {"en": "starter"}, "buckets": None}),
        ("perplexity", {"models": {"en": "starter/"}}),
    ],
)
def test_starter_is_the_model_of_the_package(step: str, settings: dict[str, Any], tmp_path: Path) -> None:
    assert STEPS[step](**settings).build(_context(tmp_path)).rules


@pytest.mark.parametrize(
    ("step", "settings", "named"),
    [
        ("bad_words", {"path": "starter"}, "starter"),
        ("language", {"model": "starter/nothing"}, "starter/nothing"),
        ("perplexity", {"models": {"de": "starter"}}, "starter/perplexity.de"),
    ],
)
def test_where_there_is_no_starter_one_text_says_so(
    step: str, settings: dict[str, Any], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as raised:
        STEPS[step](**settings).build(_context(tmp_path))
    assert str(raised.value) == f"{named}: no such starter model; there are: {', '.join(starters())}"


def test_no_domain_takes_starter_for_a_file(dumps: Path, tmp_path: Path) -> None:
    context = RunContext(input=str(dumps), output=str(tmp_path))
    for domain, settings in (
        ("github", {"tokenizer": "starter", "min_letters_per_token": 1.5}),
        ("c4", {"bad_words": "starter"}),
        ("commoncrawl", {"perplexity_models": {"xx": "starter"}}),
    ):
        stage = STAGES[domain]
        with pytest.raises(ModelError, match="no such starter model; there are"):
            stage.jobs(stage.settings(**{**BASE[domain], **settings}), context)
    for domain, settings in (
        ("c4", {"language": "en", "language_model": "starter"}),
        ("commoncrawl", {"language_model": "starter", "reference_model": "starter"}),
    ):
        stage = STAGES[domain]
        assert stage.jobs(stage.settings(**{**BASE[domain], **settings}), context)
    assert set(BASE) == set(DOMAINS)


def _context(folder: Path) -> StepContext:
    run = dataclasses.replace(RunContext(input="", output=str(folder)), models_dir=str(folder / "models"))
    return StepContext(run, "web", (1,), 1 << 20, str(folder / "work"), frozenset({"language"}))
