"""Pages of the rows that a filter takes, in the order of the ledger, at a bounded cost each."""

from __future__ import annotations

import time
from dataclasses import dataclass

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.ledger_reading import LedgerFile
from llama_data.pipeline.looking.rows import Filter, Found, Ledgers

MOST_GROUPS = 256
"""A page is made of at most so many row groups (a group is 65,536 rows), read or passed over by their statistics."""

SECONDS = 2.0
"""After so long a page ends behind the row group that it is at."""


@dataclass(frozen=True)
class Cursor:
    """Where the next page begins: in which of the ledger's files, in which row group, at which of its rows."""

    file: int = 0
    group: int = 0
    row: int = 0

    @classmethod
    def read(cls, text: str | None) -> Cursor:
        """The cursor that a page has named. Raises RequestError: it is none."""
        if not text:
            return cls()
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 12 for part in parts):
            raise RequestError(f"{text[:40]!r}: no place in a ledger; expected three numbers like 0.0.0")
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return f"{self.file}.{self.group}.{self.row}"


@dataclass(frozen=True)
class Page:
    """Rows in their order; ``next``: where the next page begins, None at the end; ``looked``: rows gone through."""

    found: list[Found]
    next: Cursor | None
    looked: int


def page(ledgers: Ledgers, wanted: Filter, cursor: Cursor, count: int, seconds: float = SECONDS) -> Page:
    """The next ``count`` rows that are wanted, or fewer where ``MOST_GROUPS`` or the time is used up."""
    until = time.monotonic() + seconds
    files = ledgers.files(wanted.domain)
    found: list[Found] = []
    groups = looked = 0
    for number in range(cursor.file, len(files)):
        domain, path = files[number]
        with LedgerFile(path) as file:
            start = cursor.group if number == cursor.file else 0
            first = sum(file.group_rows(group) for group in range(min(start, file.groups)))
            for group in range(start, file.groups):
                if groups and (groups >= MOST_GROUPS or time.monotonic() > until):
                    return Page(found, Cursor(number, group), looked)
                groups += 1
                begin = cursor.row if (number, group) == (cursor.file, cursor.group) else 0
                if wanted.may_hold(file, group):
                    rows = [row for row in wanted.rows(file, group) if row >= begin]
                    taken = rows[: count - len(found)]
                    found += ledgers.take(domain, file, group, taken, first)
                    if len(taken) < len(rows):
                        behind = taken[-1] + 1 if taken else begin
                        return Page(found, Cursor(number, group, behind), looked + behind - begin)
                looked += file.group_rows(group) - begin
                first += file.group_rows(group)
    return Page(found, None, looked)
