"""GitHub: files of BigQuery's rows or of repositories at hand, by licence and heuristics, without headers, copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, join, share_tasks
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import DomainSettings, limit_of
from llama_data.stages.github.archives import is_archive
from llama_data.stages.github.entry import Limits
from llama_data.stages.github.languages import EXTENSIONS, extension
from llama_data.stages.github.reader import GithubReader
from llama_data.stages.github.repositories import Repository, find, into_tasks, repository_at
from llama_data.stages.github.repository_reader import RepositoryReader
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
from llama_data.stages.steps.model_files import refuse_starter

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
_REPOSITORY_COLUMNS = {"commit": "string"}


class Settings(DomainSettings):
    """What to keep of GitHub.

    ``licences``: families, matched with the part of the key before the first hyphen; None takes all.
    ``extensions``: None takes every file. ``max_line`` and ``max_average_line`` in characters, ``min_alnum_share``
    0 to 1; None is off. ``min_letters_per_token`` needs ``tokenizer``, a SentencePiece model. ``header``: whose
    rule removes licence headers. ``drop_generated``: on, because such files are what the paper's "low quality"
    heuristics are after; neither the paper nor RedPajama names the rule, so a replica of RedPajama sets it to
    False. ``drop_vendored``: paths that hold copies of other people's code, by Linguist's list (node_modules,
    third_party, jquery.js ...).

    ``repositories``: globs, like those of ``inputs``, of git repositories (working, bare or worktrees) and of source
    archives (zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst), ``.`` for the input folder itself; their files at HEAD are
    rows beside those of ``inputs``. ``max_file_bytes``: a larger file has no content, as in BigQuery's rows.
    ``max_files``, ``max_unpacked_bytes`` and ``max_ratio`` (unpacked bytes for a stored one): limits on one
    repository or archive (None: no limit).
    """

    inputs: tuple[str, ...] = ("**/*.jsonl", "**/*.jsonl.zst", "**/*.jsonl.gz", "**/*.json.gz", "**/*.parquet")
    repositories: tuple[str, ...] = ()
    max_file_bytes: int = Field(default=1 << 20, gt=0)
    max_files: int | None = Field(default=1_000_000, ge=0)
    max_unpacked_bytes: int | None = Field(default=64 << 30, ge=0)
    max_ratio: int | None = Field(default=300, ge=0)
    licences: tuple[str, ...] | None = LICENCES
    extensions: tuple[str, ...] | None = EXTENSIONS
    drop_licence_texts: bool = True
    drop_vendored: bool = False
    max_line: int | None = Field(default=1000, ge=0)
    max_average_line: float | None = Field(default=100.0, ge=0)
    min_alnum_share: float | None = Field(default=0.25, ge=0, le=1)
    tokenizer: str | None = None
    min_letters_per_token: float | None = Field(default=None, ge=0)
    drop_generated: bool = True
    header: Literal["llama", "redpajama", "none"] = "llama"
    deduplicate: bool = True

    @model_validator(mode="after")
    def _tokenizer_is_given(self) -> Settings:
        if self.min_letters_per_token is not None and self.tokenizer is None:
            raise ValueError("min_letters_per_token needs a tokenizer (a SentencePiece model)")
        return self

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The paper's order: licence, heuristics, header, copies."""
        found: list[Check] = []
        if self.licences is not None:
            licence = Check(
                step=ChosenLicence.name,
                says="keeps the chosen families of licences",
                reasons=(Reason.licence_not_chosen,),
                figure="license",
                setting="licences",
                one_of=self.licences,
            )
            found.append(licence)
        empty = (Reason.no_content, Reason.empty_text)
        found += [
            Check(step=HasContent.name, says="needs text", reasons=empty),
            Check(
                step=ChosenPath.name,
                says="keeps the chosen extensions; no licence texts, certificates, copies of others' code",
                reasons=(Reason.extension_not_chosen, Reason.excluded_path),
                setting="extensions",
                shows=("path", "code_language"),
            ),
            *self._heuristics(),
        ]
        if self.drop_generated:
            says = "refuses files that a program wrote"
            found.append(Check(step=NotGenerated.name, says=says, reasons=(Reason.generated_file,)))
        if self.header != "none":
            reasons = (Reason.empty_after_cleaning,)
            says = "removes the licence header"
            found.append(Check(step=RemoveHeader.name, says=says, reasons=reasons, shows=("removed_lines",)))
        return (*found, exact_dup.copies_check(Reason.duplicate_file)) if self.deduplicate else tuple(found)

    def _heuristics(self) -> list[Check]:
        line = Check(
            step=Heuristics.name,
            says="limits the longest line, in characters",
            reasons=(Reason.long_line,),
            figure="max_line",
            setting="max_line",
            most=self.max_line,
        )
        average = Check(
            step=Heuristics.name,
            says="limits the average line, in characters",
            reasons=(Reason.long_lines_on_average,),
            figure="average_line",
            setting="max_average_line",
            most=self.max_average_line,
        )
        alnum = Check(
            step=Heuristics.name,
            says="needs a share of letters and digits",
            reasons=(Reason.few_alphanumerics,),
            figure="alnum_share",
            setting="min_alnum_share",
            least=self.min_alnum_share,
        )
        letters = Check(
            step=LettersPerToken.name,
            says="needs letters for each token",
            reasons=(Reason.few_letters_per_token,),
            figure="letters_per_token",
            setting="min_letters_per_token",
            least=self.min_letters_per_token,
        )
        return [line, average, alnum] if self.min_letters_per_token is None else [line, average, alnum, letters]


def claims(head: Head) -> bool:
    """True for the head of rows with paths, and of an archive of source files."""
    rows = bool({"path", "sample_path"} & head.fields and {"content", "repo_name", "sample_repo_name"} & head.fields)
    return rows or (is_archive(head.name) and any(extension(name) in EXTENSIONS for name in head.members))


def reader(settings: Settings, splits: Sequence[Split]) -> Reader:
    """What reads these files, archives or repositories as a run does."""
    repositories = [split for split in splits if is_archive(split.name) or isinstance(split, Repository)]
    if not repositories:
        return GithubReader(splits=splits, domain=DOMAIN)
    found = [one if isinstance(one, Repository) else repository_at(one) for one in repositories]
    return RepositoryReader(tasks=[found], first_task=0, domain=DOMAIN, limits=_limits(settings))


def _limits(settings: Settings) -> Limits:
    wanted = (settings.max_files, settings.max_unpacked_bytes, settings.max_ratio)
    return Limits(settings.max_file_bytes, *map(limit_of, wanted))


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, tasks of files of rows, then those of repositories. Raises InputError: no input."""
    found = find(run.input, settings.repositories)
    rows = share_tasks(_rows(settings, run, found), settings.max_task_bytes)
    tasks = into_tasks(found, settings.max_task_bytes)
    context = StepContext.reading([*rows, *tasks], run=run, domain=DOMAIN, task_bytes=settings.max_task_bytes)
    readers: list[Reader] = [GithubReader(tasks=rows, domain=DOMAIN)]
    columns = dict(_COLUMNS)
    if settings.repositories:
        readers.append(RepositoryReader(tasks=tasks, first_task=len(rows), domain=DOMAIN, limits=_limits(settings)))
        columns |= _REPOSITORY_COLUMNS
    # The hash of what is left is for the ledger; the job of hashes makes its own.
    steps = [Built(rules=_cleaning(settings)), Built(rules=[CleanHash()])]
    if settings.deduplicate:
        copies = exact_dup.dedup(context, Reason.duplicate_file)
        steps[-1] = replace(copies, rules=[CleanHash(), *copies.rules])
    return chain(context, readers, steps, columns=columns)


def _rows(settings: Settings, run: RunContext, repositories: Sequence[Repository]) -> list[Split]:
    """The files of rows; what lies in a repository is one of its files, whatever its name.

    Raises:
        InputError: there is no input at all.
    """
    if not settings.repositories:
        return run.find(settings.inputs)
    try:
        rows = run.find(settings.inputs) if settings.inputs else []
    except InputError:
        if not repositories:
            raise
        rows = []
    inside = tuple(join(one.path, "") for one in repositories)
    run.left_out.claim_folders(join(run.input, one.name) for one in repositories)
    paths = {one.path for one in repositories}
    rows = [split for split in rows if split.path not in paths and not split.path.startswith(inside)]
    if not rows and not repositories:
        wanted = ", ".join((*settings.repositories, *settings.inputs))
        raise InputError(f"{run.input}: no repository, archive or file of rows matches {wanted}")
    return rows


def _cleaning(settings: Settings) -> list[Rule]:
    """The rules in the paper's order: licence, heuristics, header."""
    rules: list[Rule] = [
        *([] if settings.licences is None else [ChosenLicence(families=settings.licences)]),
        HasContent(),
        RawHash(),
        ChosenPath(
            extensions=settings.extensions,
            drop_licence_texts=settings.drop_licence_texts,
            drop_vendored=settings.drop_vendored,
        ),
        Heuristics(
            max_line=settings.max_line,
            max_average_line=settings.max_average_line,
            min_alnum_share=settings.min_alnum_share,
        ),
    ]
    if settings.min_letters_per_token is not None and settings.tokenizer is not None:
        refuse_starter(settings.tokenizer)
        rules.append(LettersPerToken(model=settings.tokenizer, minimum=settings.min_letters_per_token))
    if settings.drop_generated:
        rules.append(NotGenerated())
    if settings.header != "none":
        rules.append(RemoveHeader(rule=settings.header))
        # A header may have hidden the mark.
        rules.extend([NotGenerated()] if settings.drop_generated else [])
    return rules
