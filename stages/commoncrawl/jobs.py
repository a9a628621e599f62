"""CommonCrawl: the jobs of CCNet's pipeline, and LLaMA's reference classifier after it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Literal

from pydantic import Field, field_validator

from llama_data.pipeline.core.block import Rule, Sink
from llama_data.pipeline.core.exchange import HASH_GROUPS
from llama_data.pipeline.core.files import Split, list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.commoncrawl.reader import CommonCrawlReader, HashPages, Title
from llama_data.stages.commoncrawl.rules import MIN_CHARACTERS, MinimumLength
from llama_data.stages.commoncrawl.thresholds import AnnotatedReader, ApplyThresholds, Thresholds, annotated_splits
from llama_data.stages.steps.classifier import THRESHOLD as REFERENCE_THRESHOLD
from llama_data.stages.steps.classifier import ReferenceClassifier
from llama_data.stages.steps.language import THRESHOLD as LANGUAGE_THRESHOLD
from llama_data.stages.steps.language import Language
from llama_data.stages.steps.line_dedup import (
    Copies,
    DropDuplicateLines,
    FindDuplicateLines,
    Group,
)
from llama_data.stages.steps.model_files import model_path, perplexity_files
from llama_data.stages.steps.perplexity import Perplexity

DOMAIN = "commoncrawl"
COLUMNS = {
    "perplexity_bucket": "string",
    "removed_lines": "int64",
    "lines_duplicated": "int64",
    "lines_repeated": "int64",
    "removed_sample": "string",
}
Bucket = Literal["head", "middle", "tail", "all"]

_DUMP = re.compile(r"CC-MAIN-\d{4}-\d{2}")
_SHARES = re.compile(r"(\d+)/(\d+)")
_STARTER = "starter"


class Settings(DomainSettings):
    """What to do with Common Crawl. The defaults are CCNet's constants and LLaMA's choices.

    ``title``: whether a page's first line is part of its text. ``dedup_group``: within how many input files of a dump
    lines are compared: ``"50/1600"`` is 50 of 1,600 equal shards (CCNet; a shard is at least one file), a number is
    that many files, ``all`` the whole dump. ``copies``: of a line in several documents keep none, or the first.
    ``languages`` None keeps all. A model that is None switches its step off; ``starter`` is the one that comes
    with the package. ``perplexity_models``: for each language ``ccnet``, ``starter`` or a folder.
    ``annotate_only`` writes scores and rejects nothing by them; ``from_ledger`` names a run made that way, to which
    the thresholds are applied.
    """

    inputs: tuple[str, ...] = ("**/*.wet.gz", "**/*.wet")
    title: Title = "drop"
    min_characters: int | None = Field(default=MIN_CHARACTERS, gt=0)
    dedup_group: int | str = "50/1600"
    copies: Copies = "none"
    languages: tuple[str, ...] | None = ("en",)
    language_model: str | None = "lid.176.bin"
    language_threshold: float = Field(default=LANGUAGE_THRESHOLD, ge=0.0, le=1.0)
    perplexity_models: Mapping[str, str] | None = {"en": "ccnet"}
    perplexity_buckets: tuple[Bucket, ...] = ("head", "middle", "all")
    reference_model: str | None = "references.bin"
    reference_threshold: float = Field(default=REFERENCE_THRESHOLD, ge=0.0, le=1.0)
    annotate_only: bool = False
    from_ledger: str | None = None

    @field_validator("dedup_group")
    @classmethod
    def _group_can_be_read(cls, value: int | str) -> int | str:
        shares = _SHARES.fullmatch(value) if isinstance(value, str) else None
        if isinstance(value, int):
            sound = value > 0
        else:
            sound = value == "all" or (shares is not None and 0 < int(shares[1]) <= int(shares[2]))
        if not sound:
            raise ValueError('expected a number of files, shards as "50/1600", or all')
        return value

    def thresholds(self) -> Thresholds:
        """What the scores must reach."""
        return Thresholds(
            languages=self.languages,
            language_threshold=self.language_threshold,
            perplexity_buckets=self.perplexity_buckets,
            reference_threshold=self.reference_threshold,
        )


def dedup_groups(splits: Sequence[Split], group: int | str, max_task_bytes: int) -> list[Group]:
    """Cut the files into groups within which lines are compared; never across dumps (``CC-MAIN-YYYY-WW`` in a name).

    Files of a group are neighbours in the order of names. A partition of a group is a task of about as many bytes as
    four tasks that read: the hashes of its lines are about a third of the compressed text.
    """
    made: list[Group] = []
    first = 0
    for _, found in groupby(splits, key=_dump):
        dump = list(found)
        files = _files_in_group(len(dump), group)
        for start in range(0, len(dump), files):
            some = dump[start : start + files]
            parts = min(HASH_GROUPS, 1 + sum(split.size for split in some) // (4 * max_task_bytes))
            made.append(Group(len(made), first + start, first + start + len(some), parts))
        first += len(dump)
    return made


def _dump(split: Split) -> str:
    found = _DUMP.search(split.name)
    return found[0] if found else ""


def _files_in_group(files: int, group: int | str) -> int:
    if isinstance(group, int):
        return group
    if group == "all":
        return files
    some, shards = (int(number) for number in group.split("/"))
    return max(some, -(-files * some // shards))


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, one task a file.

    Raises:
        InputError: there is no input.
        ModelError: a model that the settings name is missing; says what to do.
    """
    sink = Sink(run=run, domain=DOMAIN, columns=COLUMNS)
    if settings.from_ledger is not None:
        annotated = annotated_splits(settings.from_ledger, DOMAIN)
        again = [
            AnnotatedReader(splits=annotated, domain=DOMAIN),
            ApplyThresholds(thresholds=settings.thresholds()),
            sink,
        ]
        return [Job(f"{DOMAIN}/documents", again, len(annotated))]
    splits = sorted(list_inputs(run.input, settings.inputs), key=lambda split: (_dump(split), split.name))
    groups = dedup_groups(splits, settings.dedup_group, settings.max_task_bytes)
    work = run.work(DOMAIN)
    read = CommonCrawlReader(splits=splits, domain=DOMAIN, title=settings.title)
    hashes = HashPages(reader=read, min_characters=settings.min_characters, work=work)
    length = [] if settings.min_characters is None else [MinimumLength(minimum=settings.min_characters)]
    find = FindDuplicateLines(work=work, groups=groups, copies=settings.copies)
    models = model_rules(settings, run.models_dir)
    drop = DropDuplicateLines(work=work, groups=groups)
    return [
        Job(f"{DOMAIN}/hashes", [hashes], len(splits)),
        Job(f"{DOMAIN}/duplicates", [find], sum(group.parts for group in groups)),
        Job(f"{DOMAIN}/documents", [read, *length, drop, *models, sink], len(splits)),
    ]


def model_rules(settings: Settings, models_dir: str | None) -> list[Rule]:
    """The rules that need a model, in CCNet's order: language, perplexity, then LLaMA's reference classifier."""
    rules: list[Rule] = []
    if settings.language_model is not None:
        rules.append(
            Language(
                model=_model(settings.language_model, "language", models_dir),
                languages=settings.languages,
                threshold=settings.language_threshold,
                annotate_only=settings.annotate_only,
            )
        )
    if settings.perplexity_models is not None:
        rules.append(
            Perplexity(
                models={
                    language: perplexity_files(name, language, models_dir)
                    for language, name in settings.perplexity_models.items()
                },
                kept=settings.perplexity_buckets,
                annotate_only=settings.annotate_only,
            )
        )
    if settings.reference_model is not None:
        rules.append(
            ReferenceClassifier(
                model=_model(settings.reference_model, "references", models_dir),
                threshold=settings.reference_threshold,
                annotate_only=settings.annotate_only,
            )
        )
    return rules


def _model(name: str, starter: str, models_dir: str | None) -> str:
    return model_path(f"{_STARTER}/{starter}" if name == _STARTER else name, models_dir)
