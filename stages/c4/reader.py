"""Reads C4: JSON lines with ``text`` (and ``url``, ``timestamp``), or WET files for a rebuild."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import Utf8Document
from llama_data.stages.shared.json_rows import json_rows
from llama_data.stages.shared.records import Damage
from llama_data.stages.shared.wet import read_wet

DOMAIN = "c4"
WET_SUFFIXES = (".wet", ".wet.gz")


class C4Reader(Reader):
    """One document for every line of a JSON file, and for every page of a WET file.

    ``language`` is what all pages are known to be in; None when that is to be found out.
    """

    name = "read_c4"

    def __init__(
        self,
        *,
        splits: Sequence[Split] = (),
        tasks: Sequence[Sequence[Split]] | None = None,
        domain: str = DOMAIN,
        language: str | None = None,
    ) -> None:
        super().__init__(splits=splits, tasks=tasks, domain=domain)
        self.language = language

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the split's documents; the key of a record is its line number (JSON) or its offset (WET)."""
        return self._wet(split) if split.name.lower().endswith(WET_SUFFIXES) else self._json(split)

    def _json(self, split: Split) -> Iterator[Document]:
        if split.size == 0:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the file is empty")
            return
        for number, row in json_rows(split.path):
            if isinstance(row, RecordError):
                detail = f"line {number}: {row.detail}"
                yield self.failed(split, key=number, reason=row.reason, detail=detail)
                continue
            text = row.get("text")
            if not isinstance(text, str):
                detail = f"line {number}: expected a string under 'text'"
                yield self.failed(split, key=number, reason=Reason.missing_field, detail=detail)
                continue
            metadata = self._metadata(split, str(number), row.get("url"), row.get("timestamp"))
            yield Document(id=f"{self.domain}/{metadata['source']}", text=text, metadata=metadata)

    def _wet(self, split: Split) -> Iterator[Document]:
        for record in read_wet(split.path):
            if isinstance(record, Damage):
                detail = f"byte {record.key}: {record.detail}"
                yield self.failed(split, key=record.key, reason=record.reason, detail=detail)
                continue
            try:
                characters = len(record.body.decode())
            except UnicodeDecodeError as error:
                detail = f"byte {record.key}: {error.reason} at byte {error.start} of the page"
                yield self.failed(split, key=record.key, reason=Reason.invalid_encoding, detail=detail)
                continue
            metadata = self._metadata(split, record.key, record.url, record.date)
            id = f"{self.domain}/{metadata['source']}"
            yield Utf8Document(id=id, characters=characters, metadata=metadata, utf8=record.body)

    def _metadata(self, split: Split, key: str, url: object, timestamp: object) -> dict[str, Any]:
        values = {
            "domain": self.domain,
            "source": f"{split.name}#{key}",
            "url": url if isinstance(url, str) else None,
            "timestamp": timestamp if isinstance(timestamp, str) else None,
            "language": self.language,
        }
        return {name: value for name, value in values.items() if value is not None}
