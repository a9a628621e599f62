"""What the report shows, gathered from a run's folder. Every part that is not there yet is simply left out.

Memory does not grow with the run: ledgers are read a row group at a time into counters of limited size, curves are
thinned out while they are read, and texts come from a few files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from llama_data.pipeline import chain
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import exists, file_size, join, list_files, read_bytes
from llama_data.pipeline.core.manifest import Manifest
from llama_data.pipeline.core.sink import SUFFIX
from llama_data.pipeline.ledger_reading import ledger_domains
from llama_data.pipeline.recipe import RECIPE_FILE
from llama_data.pipeline.report.domain import DomainLedger, count_domain
from llama_data.pipeline.report.evaluations import EvaluationTask, evaluation_tasks
from llama_data.pipeline.report.recipes import Change, changes_of, recipe_text
from llama_data.pipeline.report.samples import Sample, draw_kept, draw_rejected
from llama_data.pipeline.report.speed import ResultSpeed, input_bytes, speed_of
from llama_data.pipeline.report.step_times import StepCost, costs
from llama_data.pipeline.report.steps import FunnelStep, funnel, order_of
from llama_data.pipeline.report.thresholds import Choice
from llama_data.pipeline.report.tokens import (
    Compression,
    DomainTokens,
    MixReport,
    compression_of,
    mix_of,
    ordered,
    read_json,
    sampled_tokens,
    tokens_of,
)
from llama_data.pipeline.report.training import Training, read_training


@dataclass
class DomainReport:
    """One domain: its ledger's counts, its way step by step, and texts.

    ``bytes_in``: of the input files as they are stored; ``bytes_out``: of its documents on disk, compressed.
    ``finished``: it has a manifest.
    """

    ledger: DomainLedger
    steps: list[FunnelStep]
    finished: bool
    bytes_in: int = 0
    bytes_out: int = 0
    compression: list[Compression] = field(default_factory=list)
    kept: list[Sample] = field(default_factory=list)
    rejected: dict[str, list[Sample]] = field(default_factory=dict)
    evaluations: list[EvaluationTask] = field(default_factory=list)
    costs: list[StepCost] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The domain."""
        return self.ledger.domain


@dataclass
class RunReport:
    """The whole run."""

    run: str
    name: str
    tool: str
    finished: str
    domains: list[DomainReport]
    tokenizer: dict[str, Any] | None
    tokens: list[DomainTokens]
    mixes: list[MixReport]
    training: Training | None
    speed: list[ResultSpeed]
    recipe: str
    changes: list[Change]
    earlier: int


def collect(run: str, *, texts: bool = True) -> RunReport:
    """Gather a run; ``texts``: samples of texts and compression too. Raises InputError: it is not a run's folder."""
    if not exists(join(run, RECIPE_FILE)):
        raise InputError(f"{run}: no recipe.yaml there; expected the folder of a run")
    recipe = yaml.safe_load(read_bytes(join(run, RECIPE_FILE)))
    if not isinstance(recipe, dict):
        raise InputError(f"{join(run, RECIPE_FILE)}: expected a recipe, found {type(recipe).__name__}")
    made = {folder: found for folder, found in chain.results(run).items() if found is not None}
    changes, earlier = changes_of(run)
    abouts = [found.record["about"] for found in made.values()]
    return RunReport(
        run=run,
        name=str(recipe.get("name") or run),
        tool=str(max((about.get("tool", "") for about in abouts), default="")),
        finished=str(max((about.get("finished", "") for about in abouts), default="")),
        domains=[_domain(run, name, recipe, made.get(f"documents/{name}"), texts) for name in ledger_domains(run)],
        tokenizer=read_json(join(run, chain.TOKENIZER, "card.json")),
        tokens=tokens_of(run),
        mixes=[mix_of(folder, found) for folder in chain.mixes(run) if (found := _mix(run, folder)) is not None],
        training=read_training(run),
        speed=[speed_of(run, folder, made[folder]) for folder in _ordered(list(made))],
        recipe=recipe_text(run),
        changes=changes,
        earlier=earlier,
    )


def _ordered(folders: list[str]) -> list[str]:
    """Results in the order of the way, domains within each as LLaMA's Table 1 has them."""
    kinds = dict.fromkeys(folder.partition("/")[0] for folder in folders)
    names = ordered([*dict.fromkeys(folder.partition("/")[2] for folder in folders)])
    return [path for kind in kinds for name in names if (path := f"{kind}/{name}".rstrip("/")) in folders]


def _mix(run: str, folder: str) -> dict[str, Any] | None:
    return read_json(join(run, folder, "mix.json"))


def _domain(run: str, domain: str, recipe: dict[str, Any], made: Manifest | None, texts: bool) -> DomainReport:
    found = (recipe.get("domains") or {}).get(domain) or (recipe.get("sources") or {}).get(domain) or {}
    settings, jobs = found, [f"{domain}/documents"]
    if made is not None:
        settings, jobs = made.made_from["settings"], [name for name, _ in made.made_from["jobs"]]
    tokens = sampled_tokens(run, domain) if texts else {}
    choice = Choice(settings if isinstance(settings, dict) else {}, recipe.get("models_dir"))
    group_by = "code_language" if domain == "github" else "language"
    ledger = count_domain(run, domain, choice, tokens, group_by)
    order = order_of(run, jobs)
    report = DomainReport(ledger, funnel(ledger, order), made is not None)
    report.costs = costs(run, jobs, ledger, order)
    report.bytes_in = input_bytes(made) if made is not None else 0
    report.bytes_out = _documents_bytes(run, domain, made)
    report.evaluations = evaluation_tasks(run, domain, ledger.evaluations)
    if texts:
        report.compression = compression_of(ledger, tokens) if tokens else []
        report.kept, report.rejected = draw_kept(run, domain), draw_rejected(run, domain)
    return report


def _documents_bytes(run: str, domain: str, made: Manifest | None) -> int:
    if made is not None:
        return int(made.content["account"]["bytes_out"])
    return sum(file_size(path) for path in list_files(join(run, "documents", domain), SUFFIX))


def is_same_result(run_a: str, run_b: str, folder: str) -> bool:
    """True when both runs have finished a folder and made the same from the same."""
    found = [manifest.find(join(run, folder)) for run in (run_a, run_b)]
    return found[0] is not None and found[1] is not None and found[0].sha256 == found[1].sha256
