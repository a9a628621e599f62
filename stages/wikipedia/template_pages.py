"""The jobs before the cleaning: what the dumps' own Template namespaces define, gathered by language."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.files import Split, exists, join
from llama_data.stages.steps.contract import Pass
from llama_data.stages.wikipedia.dump.pieces import Dump
from llama_data.stages.wikipedia.dump.stream import read_range
from llama_data.stages.wikipedia.reader import frame_pages
from llama_data.stages.wikipedia.templates.definitions import record_of
from llama_data.stages.wikipedia.templates.store import merge, write_records

_TEMPLATE = re.compile(rb"<ns>\s*10\s*</ns>")
_HEAD = 4096
_FIELDS = re.compile(
    rb"<title>(?P<title>[^<]*)</title>|<redirect\s[^<>]*title=\"(?P<redirect>[^\"<>]*)\"|<model>(?P<model>[^<]*)</model>"
    rb"|<text(?P<attributes>[^<>]*)>(?P<text>[^<]*)</text>"
)


def passes(
    tasks: Sequence[Sequence[Split]], dumps: Mapping[str, Dump], languages: Iterable[str] | None, work: str
) -> list[Pass]:
    """One job over the pieces of the dumps, one over the languages (None: all); none of the two reads documents."""
    present = {dump.language for dump in dumps.values()}
    chosen = sorted(present if languages is None else present & set(languages))
    if not chosen:
        return []
    language_of = {name: dump.language for name, dump in dumps.items() if dump.language in chosen}
    readers = {
        language: [
            number
            for number, task in enumerate(tasks)
            if any(language_of.get(split.name) == language for split in task)
        ]
        for language in chosen
    }
    return [
        Pass("template-pages", [FindDefinitions(tasks=tasks, language_of=language_of, work=work)], len(tasks)),
        Pass("templates", [MergeDefinitions(readers=readers, work=work)], len(chosen)),
    ]


def definitions_path(folder: str, language: str) -> str:
    """The file of one language's definitions."""
    return join(folder, f"{language}.templates")


def _found_path(work: str, language: str, task: int) -> str:
    return join(work, "template-pages", f"{language}-{task:05d}.bin")


def template_records(pages: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Title and record of the pages (XML) that are templates and define something that can be shown."""
    for page in pages:
        if not _TEMPLATE.search(page, 0, _HEAD):
            continue
        fields: dict[str, str] = {}
        for found in _FIELDS.finditer(page):
            for name, value in found.groupdict().items():
                if value is not None:
                    fields[name] = html.unescape(value.decode("utf-8", "replace"))
        title = fields.get("title", "").strip().partition(":")[2]
        if title and fields.get("model", "wikitext").strip() == "wikitext":
            record = record_of(title, fields.get("text", ""), fields.get("redirect", ""))
            if record is not None:
                yield title, record


def read_templates(split: Split) -> Iterator[tuple[str, str]]:
    """The records of a piece of a dump. What is damaged is passed over: it has its row in the ledger later."""
    pages = frame_pages(read_range(split.path, split.start, split.end))
    return template_records(page.xml for page in pages if page.problem is None)


class FindDefinitions(Step):
    """Writes what the template pages of a task's pieces define, a file a language; none for a language without any.

    ``language_of``: the language of each dump that is looked at, by the dump's name.
    """

    name = "find_templates"

    def __init__(self, *, tasks: Sequence[Sequence[Split]], language_of: Mapping[str, str], work: str) -> None:
        super().__init__()
        self.tasks = tuple(map(tuple, tasks))
        self.splits = tuple(split for task in self.tasks for split in task)
        self.language_of = dict(language_of)
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's files. Yields nothing."""
        for number in range(rank, len(self.tasks), world_size):
            found: dict[str, list[tuple[str, str]]] = {}
            for split in self.tasks[number]:
                if split.name in self.language_of:
                    found.setdefault(self.language_of[split.name], []).extend(read_templates(split))
            for language, records in found.items():
                if records:
                    write_records(_found_path(self.work, language, number), records)
                    self.count({"templates": len(records)})
        yield from ()


class MergeDefinitions(Step):
    """Puts what the tasks found together: of a language the definition that comes first in the dumps counts.

    ``readers``: which tasks read dumps of each language.
    """

    name = "merge_templates"

    def __init__(self, *, readers: Mapping[str, Sequence[int]], work: str) -> None:
        super().__init__()
        self.readers = {language: list(tasks) for language, tasks in readers.items()}
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the file of this task's language, if any piece has definitions. Yields nothing."""
        for language in sorted(self.readers)[rank::world_size]:
            named = (_found_path(self.work, language, task) for task in self.readers[language])
            paths = [path for path in named if exists(path)]
            if paths:
                merge(paths, definitions_path(self.work, language))
        yield from ()
