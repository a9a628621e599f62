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
    splits: Sequence[Split], dumps: Mapping[str, Dump], languages: Iterable[str] | None, work: str
) -> list[Pass]:
    """One job over the pieces of the dumps, one over the languages (None: all); none of the two reads documents."""
    present = {dump.language for dump in dumps.values()}
    of_language = {
        language: [number for number, split in enumerate(splits) if dumps[split.name].language == language]
        for language in sorted(present if languages is None else present & set(languages))
    }
    if not of_language:
        return []
    wanted = {split.name for split in splits if dumps[split.name].language in of_language}
    return [
        Pass("template-pages", [FindDefinitions(splits=splits, wanted=wanted, work=work)], len(splits)),
        Pass("templates", [MergeDefinitions(pieces=of_language, work=work)], len(of_language)),
    ]


def definitions_path(folder: str, language: str) -> str:
    """The file of one language's definitions."""
    return join(folder, f"{language}.templates")


def _piece_path(work: str, number: int) -> str:
    return join(work, "template-pages", f"{number:05d}.bin")


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
    """Writes for each piece of a dump what its template pages define; nothing for a piece without any."""

    name = "find_templates"

    def __init__(self, *, splits: Sequence[Split], wanted: Iterable[str], work: str) -> None:
        super().__init__()
        self.splits = tuple(splits)
        self.wanted = frozenset(wanted)
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's files. Yields nothing."""
        for number in range(rank, len(self.splits), world_size):
            split = self.splits[number]
            records = list(read_templates(split)) if split.name in self.wanted else []
            if records:
                write_records(_piece_path(self.work, number), records)
                self.count({"templates": len(records)})
        yield from ()


class MergeDefinitions(Step):
    """Puts the pieces of a language together: the definition that comes first in the dumps counts."""

    name = "merge_templates"

    def __init__(self, *, pieces: Mapping[str, Sequence[int]], work: str) -> None:
        super().__init__()
        self.pieces = {language: list(numbers) for language, numbers in pieces.items()}
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the file of this task's language, if any piece has definitions. Yields nothing."""
        for language in sorted(self.pieces)[rank::world_size]:
            paths = [path for number in self.pieces[language] if exists(path := _piece_path(self.work, number))]
            if paths:
                merge(paths, definitions_path(self.work, language))
        yield from ()
