"""What a WARC or ARC file holds: records and damage, each with a name that is its place, and their headers."""

from __future__ import annotations

import re
from typing import NamedTuple

from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared.members import Broken

SILENT = frozenset({"warcinfo", "request", "metadata", "revisit"})
"""The types of records that hold no page; they are not given."""

PAGES = frozenset({"response", "resource", "conversion"})
"""The types of records that may hold a page. All else is reported: a type that nobody knows, a part of a record."""

WARC = re.compile(rb"WARC/", re.IGNORECASE)
"""What a WARC record begins with."""

_ARC_FIELDS = re.compile(r"(\S.*?) ([0-9A-Fa-f.:]+|-) (\d{8,18}|-) (.*?) ?(\d+)")


class Record(NamedTuple):
    """A record: where it is in the file, its type, header fields by lower-case name, and block.

    ``offset`` is the byte offset in the file as it is stored, of the record or of the compressed member that holds
    it; ``within`` the offset in that member's decompressed bytes (0 where every record has its own member).
    ``lacking``: bytes of the block that are not held, because it is over MAX_RECORD.
    """

    offset: int
    within: int
    kind: str
    fields: dict[str, str]
    body: bytes
    lacking: int = 0

    @property
    def key(self) -> str:
        """Name of the record in its file, unique there."""
        return place_key(self.offset, self.within)

    @property
    def url(self) -> str | None:
        """The page's address; WARC 1.0 writers put it between angle brackets."""
        url = self.fields.get("warc-target-uri")
        return url[1:-1].strip() if url and url[0] == "<" and url[-1] == ">" else url


class Damage(NamedTuple):
    """A stretch of the file that is no page: where it begins, why, what was found, the address where it is known."""

    offset: int
    within: int
    reason: Reason
    detail: str
    url: str | None = None

    @property
    def key(self) -> str:
        """Name of the place in its file, unique there."""
        return place_key(self.offset, self.within)


def place_key(offset: int, within: int) -> str:
    """Name of a place in a file."""
    return f"{offset}+{within}" if within else str(offset)


class Header(NamedTuple):
    """The header of a record: the length of its block, and its fields by lower-case name."""

    length: int
    fields: dict[str, str]


def not_a_record(head: bytes) -> Broken:
    """The fault of bytes that should begin a record."""
    return Broken(Reason.damaged_record, f"expected a WARC header, found {head!r}")


def _length(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise Broken(Reason.damaged_record, f"Content-Length is {value[:40]!r}, expected a number of bytes")
    return int(value) if len(value) <= 18 else 10**18


def _unfolded(lines: list[str]) -> list[str]:
    """The lines of a header, those that begin with a blank put to the one before."""
    whole: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            whole[-1:] = [f"{' '.join(whole[-1:]).rstrip()} {line.strip()}"]
        else:
            whole.append(line)
    return whole


def parse_header(block: bytes) -> Header:
    """Parse the header of a WARC record. Raises Broken when it is not one."""
    if not WARC.match(block):
        raise not_a_record(block[:40])
    lines = block.decode("utf-8", "replace").split("\n")[1:]
    if b"\n " in block or b"\n\t" in block:
        lines = _unfolded(lines)
    parts = [line.partition(":") for line in lines]
    fields = {name.strip().lower(): value.strip() for name, colon, value in parts if colon}
    return Header(_length(fields.get("content-length", "")), fields)


def parse_arc_line(line: bytes) -> Header | None:
    """The header of an ARC record (version 1 or 2) as fields of WARC; None when the line is none. Raises Broken."""
    if not line.rstrip()[-1:].isdigit():
        return None
    found = _ARC_FIELDS.fullmatch(line.decode("utf-8", "replace").strip())
    if found is None:
        return None
    url, _, date, rest, length = found.groups()
    stamp = f"{date[:4]}-{date[4:6]}-{date[6:8]}T{date[8:10]}:{date[10:12]}:{date[12:14] or '00'}Z"
    fields = {"warc-type": "warcinfo" if url.startswith("filedesc:") else "response", "warc-target-uri": url}
    fields |= {"warc-date": stamp, "content-type": rest.partition(" ")[0]}
    return Header(_length(length), fields)


def checked(record: Record) -> Record | Damage | None:
    """The record if it may be a page, a report when nobody can tell, None when it is none."""
    kind = record.kind
    if kind in SILENT:
        return None
    place = record.offset, record.within
    if kind == "continuation" or (kind in PAGES and "warc-segment-number" in record.fields):
        return Damage(
            *place, Reason.segmented_record, f"segment {record.fields.get('warc-segment-number')}", record.url
        )
    if kind not in PAGES:
        return Damage(
            *place, Reason.damaged_record, f"WARC-Type is {kind[:40]!r}, which is no type of record", record.url
        )
    return record
