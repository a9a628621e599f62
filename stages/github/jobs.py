"""GitHub: files of BigQuery's public dataset, by licence and heuristics, without headers, without copies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.github.languages import EXTENSIONS
from llama_data.stages.github.reader import GithubReader
from llama_data.stages.github.rules import (
    LICENCES,
    ChosenLicence,
    ChosenPath,
    CleanHash,
    HasContent,
    Heuristics,
    LettersPerToken,
    NotGenerated,
    RawHash,
    RemoveHeader,
)
from llama_data.stages.steps import exact_dup
from llama_data.stages.steps.contract import Built, StepContext, chain

DOMAIN = "github"
_COLUMNS = {
    "repo_name": "string",
    "path": "string",
    "license": "string",
    "code_language": "string",
    "max_line": "int64",
    "average_line": "float64",
    "alnum_share": "float64",
    "letters_per_token": "float64",
    "removed_lines": "int64",
    "raw_md5": "string",
    "clean_md5": "string",
    "duplicate_of": "string",
}


class Settings(DomainSettings):
    """What to keep of GitHub.

    ``licences``: families, matched with the part of the key before the first hyphen. ``extensions``: None takes
    every file. ``max_line`` and ``max_average_line`` in characters, ``min_alnum_share`` 0 to 1; None is off.
    ``min_letters_per_token`` needs ``tokenizer``, a SentencePiece model. ``header``: whose rule removes licence
    headers. ``drop_generated``: on, because such files are what the paper's "low quality" heuristics are after;
    neither the paper nor RedPajama names the rule, so a replica of RedPajama sets it to False.
    """

    inputs: tuple[str, ...] = ("**/*.jsonl", "**/*.jsonl.zst", "**/*.jsonl.gz", "**/*.json.gz", "**/*.parquet")
    licences: tuple[str, ...] = LICENCES
    extensions: tuple[str, ...] | None = EXTENSIONS
    drop_licence_texts: bool = True
    max_line: int | None = Field(default=1000, gt=0)
    max_average_line: float | None = Field(default=100.0, gt=0)
    min_alnum_share: float | None = Field(default=0.25, ge=0, le=1)
    tokenizer: str | None = None
    min_letters_per_token: float | None = Field(default=None, gt=0)
    drop_generated: bool = True
    header: Literal["llama", "redpajama", "none"] = "llama"
    deduplicate: bool = True

    @model_validator(mode="after")
    def _tokenizer_is_given(self) -> Settings:
        if self.min_letters_per_token is not None and self.tokenizer is None:
            raise ValueError("min_letters_per_token needs a tokenizer (a SentencePiece model)")
        return self


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, one task a file. Raises InputError when there is no input."""
    splits = list_inputs(run.input, settings.inputs)
    context = StepContext.reading(splits, run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    steps = [Built(rules=_cleaning(settings))]
    if settings.deduplicate:
        steps.append(exact_dup.dedup(context, Reason.duplicate_file))
    return chain(context, [GithubReader(splits=splits, domain=DOMAIN)], steps, columns=_COLUMNS)


def _cleaning(settings: Settings) -> list[Rule]:
    """The rules in the paper's order: licence, heuristics, header; the hash of what is left comes last."""
    rules: list[Rule] = [
        ChosenLicence(families=settings.licences),
        HasContent(),
        RawHash(),
        ChosenPath(extensions=settings.extensions, drop_licence_texts=settings.drop_licence_texts),
        Heuristics(
            max_line=settings.max_line,
            max_average_line=settings.max_average_line,
            min_alnum_share=settings.min_alnum_share,
        ),
    ]
    if settings.min_letters_per_token is not None and settings.tokenizer is not None:
        rules.append(LettersPerToken(model=settings.tokenizer, minimum=settings.min_letters_per_token))
    if settings.drop_generated:
        rules.append(NotGenerated())
    if settings.header != "none":
        rules.append(RemoveHeader(rule=settings.header))
        # A header may have hidden the mark.
        rules.extend([NotGenerated()] if settings.drop_generated else [])
    return [*rules, CleanHash()]
