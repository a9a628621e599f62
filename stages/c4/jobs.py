"""C4: the released files as they are, or the recipe applied again to raw pages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llama_data.pipeline.core.block import Rule, Sink
from llama_data.pipeline.core.exchange import HASH_GROUPS
from llama_data.pipeline.core.files import Split, list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.c4.dedup import (
    DropOlderCopies,
    DropRepeatedLines,
    FindOlderCopies,
    FindRepeatedLines,
    WriteHashes,
)
from llama_data.stages.c4.reader import C4Reader
from llama_data.stages.c4.rules import (
    MAX_CHARACTERS,
    BadWords,
    ChosenLanguage,
    CleanPage,
    EmptyText,
    PageLimit,
)
from llama_data.stages.steps.kernels.c4_constants import PRESETS, LineRules
from llama_data.stages.steps.model_files import model_path

DOMAIN = "c4"
_COLUMNS = {"timestamp": "string", "removed_lines": "int64"}


class Settings(DomainSettings):
    """What to do with C4.

    ``rebuild``: False takes the released files as they are (LLaMA's choice); True applies the recipe to raw
    pages. ``rules``: whose constants the line rules use. ``max_characters``: longer pages go (None: no limit).
    ``newest_page``, ``line_dedup``: the two corpus-wide steps. ``language`` with ``language_model`` (a fastText
    model) and ``min_language_score``: which pages stay (None: all). ``bad_words``: a list, one entry a line.
    """

    inputs: tuple[str, ...] = ("**/*.json.gz", "**/*.jsonl", "**/*.jsonl.gz", "**/*.jsonl.zst")
    rebuild: bool = False
    rules: Literal["tfds", "datatrove", "dolma"] = "tfds"
    max_characters: int | None = Field(default=MAX_CHARACTERS, gt=0)
    newest_page: bool = True
    line_dedup: bool = True
    language: str | None = "en"
    language_model: str = "lid.176.bin"
    min_language_score: float = Field(default=0.5, ge=0, le=1)
    bad_words: str | None = None

    @property
    def line_rules(self) -> LineRules:
        """The constants that ``rules`` names."""
        return PRESETS[self.rules]


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, one task a file. Raises InputError when there is no input."""
    splits = list_inputs(run.input, settings.inputs)
    return _rebuild(settings, run, splits) if settings.rebuild else [_released(run, splits)]


def _released(run: RunContext, splits: list[Split]) -> Job:
    steps = [
        C4Reader(splits=splits, language="en"),
        EmptyText(),
        Sink(run=run, domain=DOMAIN, columns=_COLUMNS),
    ]
    return Job(f"{DOMAIN}/documents", steps, len(splits))


def partitions(splits: list[Split], max_task_bytes: int) -> int:
    """Ranges of hashes: as many as keep a task under about a gigabyte, for hashes come to a tenth of the input."""
    total = sum(split.size for split in splits)
    return min(HASH_GROUPS, 1 + total // (8 * max_task_bytes))


def _rebuild(settings: Settings, run: RunContext, splits: list[Split]) -> list[Job]:
    tasks, parts = len(splits), partitions(splits, settings.max_task_bytes)
    work = run.work(DOMAIN)
    read = C4Reader(splits=splits)
    limit = [] if settings.max_characters is None else [PageLimit(maximum=settings.max_characters)]
    clean = CleanPage(rules=settings.line_rules)
    last: list[Rule] = []
    if settings.language is not None:
        model = model_path(settings.language_model, run.models_dir)
        last.append(ChosenLanguage(model=model, language=settings.language, minimum=settings.min_language_score))
    if settings.bad_words is not None:
        last.append(BadWords(path=settings.bad_words))
    sink = Sink(run=run, domain=DOMAIN, columns=_COLUMNS)
    older = [DropOlderCopies(work=work, parts=parts)] if settings.newest_page else []
    repeated = (
        [DropRepeatedLines(work=work, parts=parts, min_sentences=settings.line_rules.min_sentences)]
        if settings.line_dedup
        else []
    )
    made = []
    if older or repeated:
        hashes = WriteHashes(work=work, newest_page=settings.newest_page)
        made = [
            Job(f"{DOMAIN}/hashes", [read, *limit, clean, hashes], tasks),
            Job(f"{DOMAIN}/older_copies", [FindOlderCopies(work=work, tasks=tasks, parts=parts)], parts),
            Job(f"{DOMAIN}/repeated_lines", [FindRepeatedLines(work=work, tasks=tasks, parts=parts)], parts),
        ]
    return [*made, Job(f"{DOMAIN}/documents", [read, *limit, *older, clean, *repeated, *last, sink], tasks)]
