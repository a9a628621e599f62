"""Gopher's rules on repetition (Rae et al. 2021, table A1), as four systems count them.

All have the paper's limits: duplicate lines and paragraphs 0.3 of their number and 0.2 of the characters; the
commonest 2-, 3- and 4-gram 0.20, 0.18 and 0.16; repeated 5- to 10-grams 0.15 down to 0.10. They differ in all else:

=============  ==========================  ==============================  ========================
               datatrove                   dclm, paper                     dolma3
=============  ==========================  ==============================  ========================
words          spaCy's                     UAX 29; paper: ``str.split``    UAX 29
lines          ``\\n+``, as they are        trimmed, not blank              of some bytes
a duplicate    later copies                all copies                      all copies
commonest      times its length, spaces    times its length, the longest   what it covers, the
n-gram         too; also of those there    of those as common              longest of those as
               once                                                        common, once
repeated       later copies, left to       what they cover, all copies     what they cover, all
n-grams        right, not overlapping                                      copies
divided by     the text's characters       those of lines, of words        bytes of lines, of words
order          paragraphs, lines, n-grams  lines, paragraphs by number,    as dclm
                                           by characters; n-grams
=============  ==========================  ==============================  ========================

A text without a line is ``empty``; a single line repeats nothing in dclm, dolma3 and paper. Of n-grams that are equally
common and long dolma3 takes any, we the first. Sources as in ``gopher_quality``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.kernels.memory import PADDING, padded
from llama_data.pipeline.kernels.utf8 import Bytes, characters, strip_left, strip_right
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.gopher_quality import SplitBy, Variant, check_words
from llama_data.stages.steps.kernels.repetition import (
    ALL,
    COLUMNS,
    LARGEST,
    LARGEST_TOP,
    LATER,
    SMALLEST,
    Slots,
    count_copies,
    count_joined,
    count_n_grams,
    find_segments,
)
from llama_data.stages.steps.kernels.word_scan import hash_words
from llama_data.stages.steps.limits import Limit, checks_of, columns_of
from llama_data.stages.steps.words import BOUNDED, Kind, shared_words

_KINDS: dict[Variant, Kind] = {"datatrove": "spacy", "dclm": "uniseg", "dolma3": "unicode", "paper": "whitespace"}
_TOP, _REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)
_N_GRAMS = [*(f"top_{n}_gram" for n in _TOP), *(f"duplicated_{n}_n_grams" for n in _REPEATED)]
_ENDLESS = 1 << 62
_KEEP_BYTES = 16 << 20


class Settings(StepSettings):
    """Rejects texts that repeat themselves, by Gopher's counts of lines, paragraphs and n-grams; null is off.

    ``variant``, ``words``: as in ``gopher_quality``. Where paragraphs are not marked by blank lines, as in some
    extractions, switch ``dup_para_frac`` and ``dup_para_char_frac`` off.
    """

    variant: Variant = "datatrove"
    words: SplitBy | None = None
    dup_line_frac: float | None = Field(default=0.3, ge=0)
    dup_para_frac: float | None = Field(default=0.3, ge=0)
    dup_line_char_frac: float | None = Field(default=0.2, ge=0)
    dup_para_char_frac: float | None = Field(default=0.2, ge=0)
    top_2_gram: float | None = Field(default=0.2, ge=0)
    top_3_gram: float | None = Field(default=0.18, ge=0)
    top_4_gram: float | None = Field(default=0.16, ge=0)
    duplicated_5_n_grams: float | None = Field(default=0.15, ge=0)
    duplicated_6_n_grams: float | None = Field(default=0.14, ge=0)
    duplicated_7_n_grams: float | None = Field(default=0.13, ge=0)
    duplicated_8_n_grams: float | None = Field(default=0.12, ge=0)
    duplicated_9_n_grams: float | None = Field(default=0.11, ge=0)
    duplicated_10_n_grams: float | None = Field(default=0.10, ge=0)

    @model_validator(mode="after")
    def _words_of_datatrove(self) -> Settings:
        check_words(self.variant, self.words)
        return self

    def limits(self) -> tuple[Limit, ...]:
        """The comparisons in their order."""
        segments = ["dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac"]
        if self.variant == "datatrove":
            segments = ["dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"]
        names = [*segments, *_N_GRAMS]
        return tuple(
            Limit(Reason[name], name, name, "most", getattr(self, name), "limits what repeats: " + _about(name))
            for name in names
        )

    def build(self, context: StepContext) -> Built:
        """One rule. Raises RequestError: spaCy is to split the words and is not installed."""
        limits = self.limits()
        if _KINDS[self.variant] == "spacy" and self.words != "whitespace":
            shared_words("spacy")
        rule = GopherRepetition(variant=self.variant, words=self.words, limits=limits)
        return Built(rules=[rule], columns=columns_of(limits))

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """One for each limit."""
        return checks_of(GopherRepetition.name, self.limits())


def _about(name: str) -> str:
    """What a figure is about, in words."""
    kinds = {"dup_line_frac": "lines", "dup_para_frac": "paragraphs"}
    kinds |= {"dup_line_char_frac": "characters in lines", "dup_para_char_frac": "characters in paragraphs"}
    if name in kinds:
        return kinds[name]
    return f"the commonest {_number(name)}-gram" if name.startswith("top_") else f"{_number(name)}-grams"


def _number(name: str) -> int:
    """The n of a figure of n-grams."""
    return int(name.split("_")[1])


class GopherRepetition(Rule):
    """Rejects a text for the first of its figures that is beyond its limit; those up to it go to the ledger."""

    name = "gopher_repetition"

    def __init__(
        self, *, limits: tuple[Limit, ...], variant: Variant = "datatrove", words: SplitBy | None = None
    ) -> None:
        super().__init__()
        self.limits = tuple(limit for limit in limits if limit.at is not None)
        self.variant = variant
        self.words = words
        self._names = [limit.figure for limit in self.limits]
        self._counter: Repetition | None = None

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason of the first limit that the text is beyond."""
        if self._counter is None:
            self._counter = Repetition(variant=self.variant, words=self.words)
        data = utf8_of(doc)
        if self._counter.is_empty(data):
            return Reason.empty
        found: dict[str, float] = {}
        reason = None
        figures = self._counter.figures(data, self._names)
        for limit, value in zip(self.limits, figures, strict=True):
            found[limit.figure] = value
            if limit.refuses(value):
                reason = limit.reason
                break
        note(doc, **found)
        return reason


class _Room(NamedTuple):
    """Memory of ``Repetition``, for texts of at most ``size`` bytes."""

    size: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    offsets: NDArray[np.int64]
    bounds: NDArray[np.int64]
    places: NDArray[np.int32]
    firsts: NDArray[np.int32]
    times: NDArray[np.int32]
    joined: Bytes

    @classmethod
    def of(cls, size: int) -> Self:
        """New memory."""
        starts, ends, offsets, bounds = (np.empty(size + 2, np.int64) for _ in range(4))
        places, firsts, times = (np.empty(size + 2, np.int32) for _ in range(3))
        joined = np.empty(size + PADDING, np.uint8)
        return cls(size, starts, ends, offsets, bounds, places, firsts, times, joined)


class Repetition:
    """Counts what repeats in one text after the other, in buffers that grow with the texts."""

    def __init__(self, *, variant: Variant, words: SplitBy | None = None) -> None:
        self.variant = variant
        self.greedy = variant == "datatrove"
        self.in_bytes = variant == "dolma3"
        self.kind: Kind = "signs" if words == "whitespace" else _KINDS[variant]
        self._slots = Slots()
        self._room = _Room.of(1 << 16)

    def is_empty(self, data: bytes) -> bool:
        """True for a text that has nothing to count: no bytes; for dclm and paper, nothing but spaces."""
        if self.variant in ("dclm", "paper"):
            return bool(strip_left(padded(data), 0, len(data)) == len(data))
        return not data and self.variant == "datatrove"

    def figures(self, data: bytes, names: Sequence[str]) -> Iterator[float]:
        """The figures of a text under these names, one after the other; each is counted when it is asked for."""
        if len(data) > self._room.size or (self._room.size > _KEEP_BYTES >= len(data)):
            self._room = _Room.of(max(len(data), 1 << 16))
        src = padded(data)
        found: dict[str, float] = {}
        for name in names:
            if name not in found:
                if name.startswith("dup_"):
                    kind = name[4:8]
                    found[f"dup_{kind}_frac"], found[f"dup_{kind}_char_frac"] = self._segments(src, len(data), kind)
                else:
                    found.update(self._n_grams(data, src))
            yield found[name]

    def _segments(self, src: Bytes, end: int, kind: str) -> tuple[float, float]:
        """The shares of duplicates and of their characters among lines or paragraphs (``para``)."""
        start, newlines, most = 0, 1 if kind == "line" else 2, _ENDLESS
        if not self.greedy:
            most = newlines
        elif kind == "para":
            start = strip_left(src, 0, end)
            end = strip_right(src, start, end)
        trimmed = self.variant in ("dclm", "paper")
        room = self._room
        count = find_segments(src, start, end, newlines, most, trimmed, self.greedy, room.starts, room.ends)
        if not self.greedy and count < 2:
            # Of one segment nothing repeats; datamap-rs calls a text of none all repeated.
            return (0.0, 0.0) if count else (1.0, 1.0)
        found = np.empty(3, np.int64)
        slots, base = self._slots.take(count, 1)
        copies = LATER if self.greedy else ALL
        count_copies(src, count, room.starts, room.ends, copies, self.in_bytes, slots, base, room.times, found)
        duplicates, chars, total = found.tolist()
        return duplicates / count, chars / (int(characters(src, 0, src.size - PADDING)) if self.greedy else total)

    def _n_grams(self, data: bytes, src: Bytes) -> dict[str, float]:
        """All figures of n-grams."""
        room = self._room
        count, words, text = shared_words(self.kind).of(data)
        out = np.zeros((LARGEST - SMALLEST + 1, COLUMNS), np.int64)
        slots, base = self._slots.take(count, len(out))
        work = room.offsets, room.places, room.firsts, room.times
        largest = LARGEST_TOP if self.greedy else LARGEST
        if self.kind not in BOUNDED:
            hash_words(text, count, words.starts, words.ends, words.hashes)
        count_n_grams(count, words.hashes, words.lengths, largest, not self.greedy, slots, base, *work, out)
        whole = int(room.offsets[count])
        if self.greedy:
            slots, base = self._slots.take(count, len(_REPEATED) + 1)
            joined = room.offsets, room.joined, room.bounds, room.places, room.firsts, room.times
            count_joined(text, count, words.starts, words.ends, slots, base, *joined, out)
            whole = int(characters(src, 0, len(data)))
        shares = (
            self._share(size, count, whole, row) if count >= size else 0.0
            for size, row in enumerate(out.tolist(), SMALLEST)
        )
        return dict(zip(_N_GRAMS, shares, strict=True))

    def _share(self, size: int, count: int, whole: int, row: list[int]) -> float:
        """The figure of the n-grams of one size."""
        times, length, covered = row
        if size > LARGEST_TOP or self.in_bytes:
            return covered / whole
        if not self.greedy:
            return times * length / whole
        # datatrove's commonest may be there once, and has its spaces.
        if not times:
            times, length = 1, int(self._room.offsets[size])
        return times * (length + size - 1) / whole
