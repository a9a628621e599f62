"""CommonCrawl: the jobs of CCNet's pipeline, and LLaMA's reference classifier after it."""

from __future__ import annotations

from llama_data.pipeline.core.block import Sink
from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.settings import DomainSettings
from llama_data.stages.commoncrawl.reader import CommonCrawlReader
from llama_data.stages.commoncrawl.rules import MIN_CHARACTERS, MinimumLength
from llama_data.stages.shared.line_dedup import DropDuplicateLines, FindDuplicateLines, Group, WriteLineHashes

DOMAIN = "commoncrawl"
COLUMNS = {"removed_lines": "int64"}


class Settings(DomainSettings):
    """What to do with Common Crawl."""

    inputs: tuple[str, ...] = ("**/*.wet.gz", "**/*.wet")
    dedup_group: str = "50/1600"
    annotate_only: bool = False
    from_ledger: str | None = None


def jobs(settings: Settings, run: RunContext) -> list[Job]:
    """The jobs of the domain, one task a file. Raises InputError when there is no input."""
    splits = list_inputs(run.input, settings.inputs)
    work = run.work(DOMAIN)
    groups = [Group(0, 0, len(splits), 1)]
    read = [CommonCrawlReader(splits=splits), MinimumLength(minimum=MIN_CHARACTERS)]
    return [
        Job(f"{DOMAIN}/hashes", [*read, WriteLineHashes(work=work)], len(splits)),
        Job(f"{DOMAIN}/duplicates", [FindDuplicateLines(work=work, groups=groups, copies="none")], 1),
        Job(
            f"{DOMAIN}/documents",
            [*read, DropDuplicateLines(work=work, groups=groups), Sink(run=run, domain=DOMAIN, columns=COLUMNS)],
            len(splits),
        ),
    ]
