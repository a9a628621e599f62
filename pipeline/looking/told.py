"""All that is told of a record: its verdict, its steps, its text, its tokens, what was removed; for screen and page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.document import Outcome
from llama_data.pipeline.core.errors import InputError, LlamaDataError
from llama_data.pipeline.core.files import exists, join
from llama_data.pipeline.core.reasons import sentence_of
from llama_data.pipeline.looking.diff import Comparison, compare
from llama_data.pipeline.looking.raw import SECONDS, Raw, raw_text
from llama_data.pipeline.looking.rows import Found, Ledgers, Place
from llama_data.pipeline.looking.story import Told as Step
from llama_data.pipeline.looking.story import checks_of, story
from llama_data.pipeline.looking.texts import Texts
from llama_data.pipeline.recipe import RECIPE_FILE, Recipe, load_recipe
from llama_data.pipeline.whereabouts import follow


@dataclass(frozen=True, kw_only=True)
class Account:
    """What is told of one record. ``tokens``: sentences about its tokens. ``comparison``: raw against cleaned text."""

    place: Place
    row: dict[str, Any]
    steps: list[Step]
    share: str | None
    tokens: list[str]
    record: dict[str, Any] | None
    raw_why: str | None = None
    comparison: Comparison | None = None

    @property
    def text(self) -> str | None:
        """The kept or rejected text; None when it was not sampled."""
        return None if self.record is None else str(self.record["text"])

    @property
    def verdict(self) -> str:
        """What became of the record, in a sentence."""
        row = self.row
        if row["outcome"] == Outcome.kept:
            chars = f"{row['chars_out']:,} of {row['chars_in']:,} characters"
            return f"kept: {chars}, {row['lines_out']:,} of {row['lines_in']:,} lines"
        detail = f" ({row['detail']})" if row["detail"] else ""
        return f"{row['outcome']} by {row['step']}: {row['reason']} — {sentence_of(row['reason'])}{detail}"

    def as_json(self) -> dict[str, Any]:
        """For other programs; without what is empty."""
        made = {
            "place": self.place._asdict(),
            "row": {key: value for key, value in self.row.items() if value is not None},
            "verdict": self.verdict,
            "share": self.share,
            "steps": [step._asdict() for step in self.steps],
            "tokens": self.tokens,
            "text": self.text,
            "metadata": None if self.record is None else self.record["metadata"],
            "raw": self.raw_why,
            "removed": None if self.comparison is None else self.comparison.removed(),
        }
        return {key: value for key, value in made.items() if value not in (None, [])}


class Told:
    """Tells of records of one run. ``rows``: so many training rows of a mix are named; None: all."""

    def __init__(self, ledgers: Ledgers, *, rows: int | None = 8) -> None:
        self.ledgers = ledgers
        self.run = ledgers.run
        self.rows = rows
        self.texts = Texts(self.run)
        self._counts = lru_cache(maxsize=64)(self._counted)

    @cached_property
    def recipe(self) -> Recipe | None:
        """The recipe as it ran; None: there is none, or one that this version cannot read."""
        path = join(self.run, RECIPE_FILE)
        try:
            return load_recipe(path) if exists(path) else None
        except LlamaDataError:
            return None

    def accounts(self, found: Iterable[Found], *, raw: bool = False) -> Iterator[Account]:
        """What is told of some rows, in their order."""
        found = list(found)
        texts = self.texts.of(found)
        for one in found:
            yield self.account(one, texts.get(one.place), raw=raw)

    def account(self, found: Found, record: dict[str, Any] | None, *, raw: bool = False) -> Account:
        """What is told of a row, given its text; ``raw``: read the record again and compare."""
        place, row = found
        again = self.raw(found) if raw else Raw(None, None)
        comparison = None if again.text is None or record is None else compare(again.text, record["text"])
        checks = () if self.recipe is None else checks_of(self.recipe, place.domain)
        return Account(
            place=place,
            row=row,
            steps=story(row, checks),
            share=self._share(place.domain, row),
            tokens=self._tokens(row),
            record=record,
            raw_why=again.why,
            comparison=comparison,
        )

    def raw(self, found: Found, seconds: float = SECONDS) -> Raw:
        """The raw text of a row, or why there is none."""
        if self.recipe is None:
            return Raw(None, "the run has no recipe that can be read, so nothing says how its input is read")
        return raw_text(self.run, self.recipe, found, seconds)

    def _counted(self, domain: str) -> dict[str, Any] | None:
        """The counts of a domain by outcome and reason; None: it is not finished."""
        made = manifest.find(join(self.run, "documents", domain))
        return None if made is None else made.content["account"]

    def _share(self, domain: str, row: dict[str, Any]) -> str | None:
        """How many records share what became of this one."""
        counts = self._counts(domain)
        if counts is None:
            return None
        total = sum(counts["outcomes"].values())
        kept = row["outcome"] == Outcome.kept
        same = counts["outcomes"].get("kept", 0) if kept else counts["reasons"].get(row["reason"])
        if not same or not total:
            return None
        return f"as {same:,} of the {total:,} records of {domain} ({same / total:.1%})"

    def _tokens(self, row: dict[str, Any]) -> list[str]:
        if row["outcome"] != Outcome.kept:
            return []
        try:
            return list(follow(self.run, row["domain"], row["id"], self.rows))
        except InputError as error:
            return [f"its tokens cannot be followed: {error}"]
