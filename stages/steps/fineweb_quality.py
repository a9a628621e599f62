"""FineWeb's own rules, on how the lines of a text end, how long they are and how many come again.

=======================  =======================  ===========================  ==============================
                         datatrove                v1                           paper
=======================  =======================  ===========================  ==============================
lines                    not blank                all (copies: not blank)      not blank
end with a stop          0.12 or more             more than 0.12               more than 0.12
of 30 characters         at most 0.67             less than 0.67               less than 0.67
in lines seen before     at most 0.01             less than 0.01               less than 0.1
newlines for a word      at most 0.3              at most 0.3                  off
stop characters          Unicode's terminal       ``. ' " ! ?``                ``. ' " ! ?``
=======================  =======================  ===========================  ==============================

``datatrove`` is ``FineWebQualityFilter`` of datatrove 0.10; ``v1`` the code of April to December 2024, with which
FineWeb was made (its words were NLTK's, ours are spaCy's); ``paper`` section 3.6 of the FineWeb paper: the code's 0.01
and the paper's 0.1 are a disagreement of theirs. Lines are not trimmed: a space or CR at its end hides a line's stop
character, unless a step before has taken it away (in FineWeb C4's rules do).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from datatrove.utils.text import TERMINAL_PUNCTUATION  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.kernels.memory import padded
from llama_data.pipeline.kernels.utf8 import Bytes
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.gopher_quality import SplitBy
from llama_data.stages.steps.kernels.line_marks import LINE_COUNTS, fineweb_lines
from llama_data.stages.steps.kernels.repetition import LATER, Slots, count_copies
from llama_data.stages.steps.limits import Kind, Limit, checks_of, columns_of
from llama_data.stages.steps.words import shared_words

Variant = Literal["datatrove", "v1", "paper"]
_PLAIN_STOPS = (".", "'", '"', "!", "?")


class _Preset(NamedTuple):
    stops: tuple[str, ...]
    punctuation: Kind
    others: Kind
    char_dup_ratio: float
    list_ratio: float | None


PRESETS: dict[Variant, _Preset] = {
    "datatrove": _Preset(tuple(sorted(TERMINAL_PUNCTUATION)), "least", "most", 0.01, 0.3),
    "v1": _Preset(_PLAIN_STOPS, "above", "below", 0.01, 0.3),
    "paper": _Preset(_PLAIN_STOPS, "above", "below", 0.1, None),
}


class Settings(StepSettings):
    """Rejects texts of lists and menus by how lines end, how short they are and how many come again (FineWeb).

    ``variant``: ``datatrove`` (today's code), ``v1`` (that made FineWeb), ``paper``. A limit that is left out is the
    variant's; null is off. ``stop_characters``: what a line ends with; null: the variant's. ``short_line``: the most
    characters of a short one; null: none is. ``words``: how words are found for ``list_ratio``, as in
    ``gopher_quality``.
    """

    variant: Variant = "datatrove"
    words: SplitBy = "spacy"
    line_punct_ratio: float | None = Field(default=0.12, ge=0)
    short_line_ratio: float | None = Field(default=0.67, ge=0)
    char_dup_ratio: float | None = Field(default=0.01, ge=0)
    list_ratio: float | None = Field(default=0.3, ge=0)
    short_line: int | None = Field(default=30, ge=0)
    stop_characters: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _limits_of_the_variant(cls, data: Any) -> Any:
        # Here, so that settings that are written down say what they are.
        if isinstance(data, dict) and data.get("variant") in PRESETS:
            preset = PRESETS[data["variant"]]
            data = {"char_dup_ratio": preset.char_dup_ratio, "list_ratio": preset.list_ratio, **data}
        return data

    def limits(self) -> tuple[Limit, ...]:
        """The comparisons in their order."""
        preset = PRESETS[self.variant]
        short = None if self.short_line is None else self.short_line_ratio
        marks, others = preset.punctuation, preset.others
        table: tuple[tuple[str, Kind, float | None, str], ...] = (
            ("line_punct_ratio", marks, self.line_punct_ratio, "needs lines that end with a stop character"),
            ("short_line_ratio", others, short, "limits the share of short lines"),
            ("char_dup_ratio", others, self.char_dup_ratio, "limits characters in lines that came before"),
            ("list_ratio", "most", self.list_ratio, "limits newlines for each word"),
        )
        return tuple(Limit(Reason[name], name, name, kind, at, says) for name, kind, at, says in table)

    def build(self, context: StepContext) -> Built:
        """One rule. Raises RequestError: spaCy is to split the words and is not installed."""
        limits = self.limits()
        if self.words == "spacy" and limits[-1].at is not None:
            shared_words("spacy")
        rule = FineWebQuality(
            limits=limits,
            stops=self.stop_characters or PRESETS[self.variant].stops,
            short_line=self.short_line or 0,
            count_blank=self.variant == "v1",
            words=self.words,
        )
        return Built(rules=[rule], columns=columns_of(limits))

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """One for each limit."""
        return checks_of(FineWebQuality.name, self.limits())


class FineWebQuality(Rule):
    """Rejects a text for the first of its figures that is beyond its limit; those up to it go to the ledger."""

    name = "fineweb_quality"

    def __init__(
        self,
        *,
        limits: tuple[Limit, ...],
        stops: tuple[str, ...],
        short_line: int,
        count_blank: bool,
        words: SplitBy = "spacy",
    ) -> None:
        super().__init__()
        if any(len(stop) != 1 for stop in stops):
            raise ValueError(f"stop_characters: expected single characters, found {stops}")
        self.limits = tuple(limit for limit in limits if limit.at is not None)
        self.stops = stops
        self.short_line = short_line
        self.count_blank = count_blank
        self.words = words
        self._slots = Slots()

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason of the first limit that the text is beyond."""
        data = utf8_of(doc)
        src = padded(data)
        starts, ends = np.empty(len(data) + 2, np.int64), np.empty(len(data) + 2, np.int64)
        counts = np.empty(LINE_COUNTS, np.int64)
        stops = np.array(sorted(map(ord, self.stops)), np.int64)
        shown = fineweb_lines(src, len(data), self.count_blank, self.short_line, stops, starts, ends, counts)
        lines, stopped, short, newlines, chars = counts.tolist()
        if not shown:
            return Reason.empty
        found: dict[str, float] = {}
        reason = None
        for limit in self.limits:
            if limit.figure == "line_punct_ratio":
                value = stopped / lines
            elif limit.figure == "short_line_ratio":
                value = short / lines
            elif limit.figure == "char_dup_ratio":
                value = _copied(src, shown, starts, ends, self._slots) / (chars - newlines)
            else:
                total = shared_words("signs" if self.words == "whitespace" else "spacy").of(data).total
                value = newlines / total
            found[limit.figure] = value
            if limit.refuses(value):
                reason = limit.reason
                break
        note(doc, **found)
        return reason


def _copied(src: Bytes, count: int, starts: NDArray[np.int64], ends: NDArray[np.int64], slots: Slots) -> int:
    """Characters of lines that came before."""
    seen, found = np.empty(count, np.int32), np.empty(3, np.int64)
    count_copies(src, count, starts, ends, LATER, False, *slots.take(count, 1), seen, found)
    return int(found[1])
