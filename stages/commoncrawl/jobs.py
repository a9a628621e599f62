"""CommonCrawl: the jobs of CCNet's pipeline, and LLaMA's reference classifier after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from pydantic import Field, field_validator, model_validator

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, group_splits, share_tasks, task_size
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.commoncrawl.page import MinimumPage
from llama_data.stages.commoncrawl.reader import CommonCrawlReader, HashPages, Title
from llama_data.stages.commoncrawl.thresholds import AnnotatedReader, ApplyThresholds, Thresholds, annotated_splits
from llama_data.stages.shared.html import Content, Reading, check_extractor
from llama_data.stages.shared.main_content import Extractor
from llama_data.stages.steps import classifier, language, length, line_dedup, perplexity
from llama_data.stages.steps.contract import Built, StepContext, StepSettings, chain
from llama_data.stages.steps.line_dedup import Copies, Group, check_group, dedup, group_parts, group_ranges
from llama_data.stages.steps.model_files import one_model

DOMAIN = "commoncrawl"
COLUMNS = {
    "perplexity_bucket": "string",
    "removed_lines": "int64",
    "lines_duplicated": "int64",
    "lines_repeated": "int64",
    "removed_sample": "string",
}

_DUMP = re.compile(r"CC-MAIN-\d{4}-\d{2}")


class Settings(DomainSettings):
    """What to do with Common Crawl. The defaults are CCNet's constants and LLaMA's choices.

    Files are WET or WARC (or ARC), as their records say: see ``docs/web-pages.md``. ``content``: what of an HTML page
    is its text, ``all`` that is visible (as WET has it) or the ``main`` content, which ``extractor`` finds.
    ``title``: whether a page's first
    line is part of its text. ``min_characters`` counts a page as CCNet does, with a newline behind a last line that
    has none. ``dedup_group``: within how many input files of a dump lines are compared: ``"50/1600"`` is 50 of 1,600
    equal shards (CCNet; a shard is at least one file), a number is that many files, ``all`` the whole dump (null:
    lines are not compared). ``copies``: of a line in several documents keep none, or the first. ``languages`` None
    keeps all, as a threshold or ``perplexity_buckets`` does that is None; the scores are written. A model that is None
    switches its step off; ``starter`` is the one that comes with the package. ``perplexity_models``: for each language
    ``ccnet``, ``starter`` or a folder. ``annotate_only`` writes scores and rejects nothing by them; ``from_ledger``
    names a run made that way, to which the thresholds are applied.
    """

    inputs: tuple[str, ...] = ("**/*.wet.gz", "**/*.wet")
    content: Content = "all"
    extractor: Extractor = "resiliparse"
    title: Title = "drop"
    min_characters: int | None = Field(default=length.MIN_CHARACTERS, ge=0)
    dedup_group: int | str | None = "50/1600"
    copies: Copies = "none"
    languages: tuple[str, ...] | None = ("en",)
    language_model: str | None = "lid.176.bin"
    language_threshold: float | None = Field(default=language.THRESHOLD, ge=0.0, le=1.0)
    perplexity_models: perplexity.ByLanguage | None = Field(default_factory=lambda: {"en": "ccnet"})
    perplexity_buckets: tuple[perplexity.Bucket, ...] | None = ("head", "middle", "all")
    reference_model: str | None = "references.bin"
    reference_threshold: float | None = Field(default=classifier.THRESHOLD, ge=0.0, le=1.0)
    annotate_only: bool = False
    from_ledger: str | None = None

    @field_validator("dedup_group")
    @classmethod
    def _group_can_be_read(cls, value: int | str | None) -> int | str | None:
        return None if value is None else check_group(value)

    @model_validator(mode="after")
    def _extractor_is_asked(self) -> Settings:
        check_extractor(self.content, self.extractor)
        return self

    @property
    def reading(self) -> Reading:
        """What of an HTML page is its text."""
        return Reading(self.content, self.extractor)

    @property
    def reads_dumps(self) -> bool:
        """Not with ``from_ledger``: the annotated run's documents are read instead."""
        return self.from_ledger is None

    def needs(self) -> list[Need]:
        """The models of language, perplexity and references."""
        if self.from_ledger is not None:
            return []
        language_model, reference_model = self.language_model, self.reference_model
        return [
            *([] if language_model is None else [one_model("language_model", language_model, "language")]),
            *perplexity.perplexity_needs("perplexity_models", self.perplexity_models or {}),
            *([] if reference_model is None else [one_model("reference_model", reference_model, "references")]),
        ]

    def thresholds(self) -> Thresholds:
        """What the scores must reach."""
        return Thresholds(
            languages=self.languages,
            language_threshold=self.language_threshold,
            perplexity_buckets=self.perplexity_buckets,
            reference_threshold=self.reference_threshold,
        )

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """CCNet's steps, then LLaMA's classifier; a run ``from_ledger`` rejects under the names of the same steps."""
        counted = "needs a length in characters, with a newline behind a last line that has none"
        found = [READING, *length.minimum_check(self.min_characters, counted)]
        if self.dedup_group is not None:
            found.append(line_dedup.LINES)
        annotates = self.annotate_only
        if self.language_model is not None:
            names = ("languages", "language_threshold")
            found += language.language_checks(
                language.Language.name, self.languages, self.language_threshold, names, annotates=annotates
            )
        if self.perplexity_models is not None:
            found += perplexity.perplexity_checks(
                perplexity.Perplexity.name,
                self.perplexity_models,
                self.perplexity_buckets,
                models_dir,
                "perplexity_buckets",
                annotates=annotates,
            )
        if self.reference_model is not None:
            found.append(
                classifier.reference_check(
                    classifier.ReferenceClassifier.name,
                    self.reference_threshold,
                    "reference_threshold",
                    annotates=annotates,
                )
            )
        return tuple(found)


READING = Check(
    step=CommonCrawlReader.name,
    says="reads the pages of a WET or WARC file",
    reasons=(Reason.not_a_page, Reason.http_status),
)


def claims(head: Head) -> bool:
    """True for the head of a WARC, WET or ARC file."""
    return head.data.startswith((b"WARC/", b"filedesc://"))


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these files as a run does. Raises InputError: they are no files of a dump."""
    if settings.from_ledger is not None:
        raise InputError(f"this run read no dump but the ledger of {settings.from_ledger}: look there")
    return CommonCrawlReader(splits=splits, domain=DOMAIN, title=settings.title, reading=settings.reading)


def dedup_tasks(
    splits: Sequence[Split], group: int | str, max_task_bytes: int
) -> tuple[list[list[Split]], list[Group]]:
    """The tasks, and the groups of them within which lines are compared.

    A group is so many files, whatever their size, and never goes across dumps (``CC-MAIN-YYYY-WW`` in a name); small
    files share a task within their group.
    """
    size = task_size(splits, max_task_bytes)
    tasks: list[list[Split]] = []
    groups: list[Group] = []
    for _, dump in groupby(splits, key=_dump):
        files = list(dump)
        for start, end in group_ranges(len(files), group):
            some, first = files[start:end], len(tasks)
            tasks += group_splits(some, size)
            parts = group_parts(sum(split.size for split in some), max_task_bytes)
            groups.append(Group(len(groups), first, len(tasks), parts))
    return tasks, groups


def _dump(split: Split) -> str:
    found = _DUMP.search(split.name)
    return found[0] if found else ""


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain; small files share a task.

    Raises:
        InputError: there is no input.
        ModelError: a model that the settings name is missing; says what to do.
    """
    if settings.from_ledger is not None:
        annotated = annotated_splits(settings.from_ledger, DOMAIN)
        reader = AnnotatedReader(splits=annotated, domain=DOMAIN)
        apply = Built(rules=[ApplyThresholds(thresholds=settings.thresholds())])
        return chain(_context(settings, run, reader), [reader], [apply], columns=COLUMNS)
    splits = sorted(run.find(settings.inputs, exact=False), key=lambda split: (_dump(split), split.name))
    tasks, groups = (
        (share_tasks(splits, settings.max_task_bytes), [])
        if settings.dedup_group is None
        else dedup_tasks(splits, settings.dedup_group, settings.max_task_bytes)
    )
    read = CommonCrawlReader(tasks=tasks, domain=DOMAIN, title=settings.title, reading=settings.reading)
    context = _context(settings, run, read)
    # Straight from the reader's bytes: no document is made of a page only to hash its lines.
    hashes = HashPages(reader=read, min_characters=settings.min_characters, work=context.work)
    minimum = settings.min_characters
    steps = [Built(rules=[] if minimum is None else [MinimumPage(minimum=minimum)])]
    if settings.dedup_group is not None:
        steps.append(dedup(context.work, groups, settings.copies, [hashes], reads=False))
    steps += model_steps(settings, context)
    return chain(context, [read], steps, columns=COLUMNS)


def _context(settings: Settings, run: RunContext, reader: Reader) -> StepContext:
    # An annotated run may name models of perplexity without one of language: then every page is in bucket `all`.
    known = frozenset({"language"})
    return StepContext.reading(reader.tasks, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes, known=known)


def model_steps(settings: Settings, context: StepContext) -> list[Built]:
    """The steps that need a model, in CCNet's order: language, perplexity, then LLaMA's reference classifier."""
    steps: list[StepSettings] = []
    annotate_only = settings.annotate_only
    if settings.language_model is not None:
        steps.append(
            language.Settings(
                model=settings.language_model,
                languages=settings.languages,
                threshold=settings.language_threshold,
                annotate_only=annotate_only,
            )
        )
    if settings.perplexity_models is not None:
        steps.append(
            perplexity.Settings(
                models=dict(settings.perplexity_models),
                buckets=settings.perplexity_buckets,
                annotate_only=annotate_only,
            )
        )
    if settings.reference_model is not None:
        steps.append(
            classifier.Settings(
                model=settings.reference_model,
                threshold=settings.reference_threshold,
                annotate_only=annotate_only,
            )
        )
    return [step.build(context) for step in steps]
