"""Reads a user's own source: rows of any format, by named fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, make_document, reject
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split, cut_split, group_splits
from llama_data.pipeline.core.ledger import COLUMNS
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.custom.fields import Fields, SplitBy
from llama_data.stages.custom.formats import rows_of
from llama_data.stages.custom.pages import PageError
from llama_data.stages.custom.values import find, names_of, plain
from llama_data.stages.shared.html import ALL, NO_PAGE, Reading

# Names of the metadata that have a meaning here; a kept field of the same name is kept as ``row.NAME``.
RESERVED = frozenset(
    {
        *COLUMNS,
        "source_id",
        "title",
        "license",
        "removed_lines",
        "lines_duplicated",
        "lines_repeated",
        "removed_sample",
        "perplexity_bucket",
        "duplicate_of",
    }
)


class SourceReader(Reader):
    """One document for every row of the source's files.

    Ids: ``DOMAIN/FILE#ROW``, and ``DOMAIN/ID@FILE#ROW`` where the source has ids of its own. File and row make an id
    unique in a run even when the source gives one id to two rows, and nothing needs to see them all; in ID, ``%`` and
    ``@`` are written as ``%25`` and ``%40``, so that it ends at the first ``@``. The source's id as it is stands in the
    metadata as ``source_id``.

    ``tasks``: the splits of each task. ``where``: rows are taken of which each field has one of its values.
    ``split``: the domain of a row by the value of a field; the ids and the metadata have that domain. A row that is
    not taken is rejected under ``domain``, whatever else is wrong with it; a text of no characters is rejected too.
    ``language``, ``license``: of all texts; None: not known. ``reading``: what of an HTML page is its text. The row of
    a page is called by the place of its record; a record that is no page is rejected.
    """

    name = "read_source"

    def __init__(
        self,
        *,
        tasks: Sequence[Sequence[Split]],
        domain: str,
        format: str,
        fields: Fields,
        where: Mapping[str, tuple[str, ...]],
        split: SplitBy | None,
        language: str | None,
        license: str | None,
        reading: Reading = ALL,
    ) -> None:
        super().__init__(tasks=tasks, domain=domain)
        self.format = format
        self.fields = fields
        self.where = {field: frozenset(values) for field, values in where.items()}
        self.split = split
        self.domains = {value: name for name, values in split.into.items() for value in values} if split else {}
        self.language = language
        self.license = license
        self.reading = reading

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the split's documents; the key of a row is its number in the file, from 1; 0 is the file itself."""
        if split.size == 0:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the file is empty")
            return
        try:
            rows = rows_of(split, self.format, self._read_fields(), self.reading)
        except RecordError as error:
            # What is wrong with a whole file is said by its first piece.
            if split.start == 0:
                yield self.failed(split, key=0, reason=error.reason, detail=error.detail)
            return
        for number, row in rows:
            try:
                if isinstance(row, RecordError):
                    raise row
                yield self._document(f"{split.name}#{number}", row)
            except PageError as error:
                yield self._no_page(split, str(number), error)
            except RecordError as error:
                yield self.failed(split, key=number, reason=error.reason, detail=f"row {number}: {error.detail}")

    def _no_page(self, split: Split, key: str, error: PageError) -> Document:
        doc = self.failed(split, key=key, reason=error.reason, detail=error.detail)
        if error.url is not None:
            doc.metadata["url"] = error.url
        if error.reason in NO_PAGE:
            reject(doc, error.reason, self.name, error.detail)
        return doc

    def _read_fields(self) -> list[str]:
        """The fields that are looked at."""
        named = [self.fields.text, self.fields.id, self.fields.url, self.fields.title, *self.fields.keep, *self.where]
        return [field for field in (*named, self.split.field if self.split else None) if field is not None]

    def _document(self, source: str, row: dict[str, Any]) -> Document:
        fields = self.fields
        text = find(row, fields.text)
        domain = self._domain(row)
        if domain is None:
            doc = self._make(self.domain, None, text if isinstance(text, str) else "", source, row)
            reject(doc, Reason.row_not_chosen, self.name)
            return doc
        if not isinstance(text, str):
            raise _missing(row, fields.text, text, "a string")
        doc = self._make(domain, None if fields.id is None else _source_id(row, fields.id), text, source, row)
        for field in fields.keep:
            value = plain(find(row, field))
            if value is not None:
                doc.metadata[f"row.{field}" if field in RESERVED else field] = value
        if not text:
            reject(doc, Reason.empty_text, self.name)
        return doc

    def _make(self, domain: str, id: str | None, text: str, source: str, row: dict[str, Any]) -> Document:
        own = "" if id is None else id.replace("%", "%25").replace("@", "%40") + "@"
        return make_document(
            Document,
            domain=domain,
            id=f"{domain}/{own}{source}",
            text=text,
            source=source,
            source_id=id,
            url=_string(row, self.fields.url),
            title=_string(row, self.fields.title),
            language=self.language,
            license=self.license,
        )

    def _domain(self, row: dict[str, Any]) -> str | None:
        """The domain of a row; None when it is not taken."""
        for field, values in self.where.items():
            if values.isdisjoint(names_of(find(row, field))):
                return None
        if self.split is None:
            return self.domain
        found = (self.domains.get(name) for name in names_of(find(row, self.split.field)))
        return next((domain for domain in found if domain is not None), None)


def _source_id(row: dict[str, Any], field: str) -> str:
    value = find(row, field)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise _missing(row, field, value, "a string or a whole number")


def _string(row: dict[str, Any], field: str | None) -> str | None:
    value = None if field is None else find(row, field)
    return value if isinstance(value, str) and value else None


def _missing(row: dict[str, Any], field: str, value: Any, expected: str) -> RecordError:
    found = f"{type(value).__name__}" if value is not None else f"nothing; the row has {', '.join(map(str, row))[:200]}"
    return RecordError(Reason.missing_field, f"expected {expected} under {field!r}, found {found}")


def make_tasks(splits: Sequence[Split], max_task_bytes: int) -> list[list[Split]]:
    """The splits of each task: neighbours of at most ``max_task_bytes`` stored bytes; a larger parquet file is cut.

    A piece of a parquet file is the row groups that begin in its bytes; any other file is read whole.
    """
    pieces: list[Split] = []
    for split in splits:
        if split.name.lower().endswith(".parquet") and split.size > max_task_bytes:
            *others, last = cut_split(split, max_task_bytes)
            pieces += [*others, replace(last, end=None)]
        else:
            pieces.append(split)
    return group_splits(pieces, max_task_bytes)
