"""Reads WET files: one record a page, as plain text. Framing and damage are those of every WARC file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.framing import MAX_RECORD
from llama_data.stages.shared.records import Damage, Record, place_key
from llama_data.stages.shared.warc import read_warc
from llama_data.stages.shared.wet_batch import WetBatch


class WetRecord(NamedTuple):
    """A page: where it is in the file, its header fields (None where absent) and its body.

    ``offset`` is the byte offset in the file as it is stored, of the record or of the gzip member that holds
    it; ``within`` the offset in that member's decompressed bytes (0 where every record has its own member).
    """

    offset: int
    within: int
    url: str | None
    date: str | None
    digest: str | None
    record_id: str | None
    languages: str | None
    body: bytes

    @property
    def key(self) -> str:
        """Name of the record in its file, unique there."""
        return place_key(self.offset, self.within)


def is_text(record: Record) -> bool:
    """True for a page of WET: the conversion of a page to plain text."""
    kind = record.fields.get("content-type", "text/plain")
    return record.kind == "conversion" and kind.lower().startswith("text/plain")


def wet_record(record: Record) -> WetRecord | Damage:
    """The page of a WET record, or why it is none."""
    place = record.offset, record.within
    if not is_text(record):
        kind = record.fields.get("content-type", "no type")
        return Damage(*place, Reason.wrong_format, f"a {record.kind} of {kind}, expected a conversion to text/plain")
    if record.lacking:
        size = len(record.body) + record.lacking
        return Damage(*place, Reason.too_complex, f"Content-Length {size} is over the limit of {MAX_RECORD} bytes")
    get = record.fields.get
    date, digest, name = get("warc-date"), get("warc-block-digest"), get("warc-record-id")
    return WetRecord(*place, record.url, date, digest, name, get("warc-identified-content-language"), record.body)


def read_batch(found: WetBatch) -> Iterator[WetRecord]:
    """Yield the pages of a batch."""
    for offset, (begin, end), fields in zip(found.offsets, found.bodies.tolist(), found.fields(), strict=True):
        url, date, digest, record_id, languages = fields
        yield WetRecord(offset, 0, url, date, digest, record_id, languages, found.data[begin:end])


def read_wet(path: str) -> Iterator[WetRecord | Damage]:
    """Yield every ``conversion`` record of a WET file, and a report for what is damaged or of another format.

    Raises:
        InputError: there is no such file.
    """
    for found in read_warc(path):
        if isinstance(found, WetBatch):
            yield from read_batch(found)
        elif isinstance(found, Damage):
            yield found
        else:
            yield wet_record(found)
