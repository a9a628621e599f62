"""The end of a command: what was made, in how long, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llama_data.pipeline.core.screen import one_line
from llama_data.pipeline.status import seconds_in_words
from llama_data.pipeline.summary import format_table

Made = Mapping[str, str | int | float]
Ending = Literal["done", "failed", "submitted"]
_ENDINGS: dict[Ending, str] = {
    "done": "done in",
    "failed": "failed after",
    "submitted": "submitted, not done yet, after",
}


@dataclass(frozen=True)
class Result:
    """``made``: a row for each thing, the same keys in all, its name first. ``then``: commands, the likeliest first.

    ``where``: folders and files, in the order in which they are to be named. ``notes``: what is said before the table.
    ``ended``: how; after ``failed`` an error follows, and this is what was done all the same.
    """

    made: Sequence[Made]
    seconds: float
    where: Sequence[str] = ()
    then: Sequence[str] = ()
    notes: Sequence[str] = ()
    ended: Ending = "done"

    def lines(self, width: int | None) -> Iterator[str]:
        """For a person; ``width``: columns of the terminal, None where it does not matter."""
        yield from self.notes
        if self.made:
            table = format_table([tuple(self.made[0]), *(tuple(map(_cell, row.values())) for row in self.made)])
            if width is None or max(map(len, table.splitlines())) <= width:
                yield table
            else:
                yield from _stacked(self.made)
        named = f": {', '.join(map(one_line, self.where))}" if self.where else ""
        yield f"{_ENDINGS[self.ended]} {seconds_in_words(self.seconds)}{named}"
        if self.then:
            yield "next:"
            yield from (f"  {command}" for command in self.then)

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {
            "made": [dict(row) for row in self.made],
            "seconds": round(self.seconds, 3),
            "where": list(self.where),
            "next": list(self.then),
        }


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return one_line(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _stacked(made: Sequence[Made]) -> Iterator[str]:
    """A block of lines for each thing, where a table is too wide."""
    for row in made:
        (_, name), *rest = row.items()
        yield _cell(name)
        most = max(len(key) for key, _ in rest)
        yield from (f"  {key:<{most}}  {_cell(value)}" for key, value in rest)
