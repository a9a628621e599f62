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

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.kernels.memory import PADDING
from llama_data.pipeline.kernels.utf8 import Bytes, characters, strip_left, strip_right
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.gopher_quality import SplitBy, Variant, check_words
from llama_data.stages.steps.kernels.repetition import (
    ALL,
    LATER,
    count_copies,
    covered_by,
    covered_by_marked,
    find_segments,
    join_words,
    mark_repeated,
    most_common,
    repeated_characters,
)
from llama_data.stages.steps.limits import Limit, checks_of, columns_of
from llama_data.stages.steps.words import Kind, shared_words

_KINDS: dict[Variant, Kind] = {"datatrove": "spacy", "dclm": "uniseg", "dolma3": "unicode", "paper": "whitespace"}
_TOP, _REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)
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
        names = [*segments, *(f"top_{n}_gram" for n in _TOP), *(f"duplicated_{n}_n_grams" for n in _REPEATED)]
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
        figures = self._counter.figures(data, [limit.figure for limit in self.limits])
        for limit, value in zip(self.limits, figures, strict=True):
            found[limit.figure] = value
            if limit.refuses(value):
                reason = limit.reason
                break
        note(doc, **found)
        return reason


def _padded(data: bytes) -> Bytes:
    return np.frombuffer(data + bytes(PADDING), np.uint8)


class Repetition:
    """Counts what repeats in one text after the other, in buffers that grow with the texts."""

    def __init__(self, *, variant: Variant, words: SplitBy | None = None) -> None:
        self.variant = variant
        self.greedy = variant == "datatrove"
        self.in_bytes = variant == "dolma3"
        self.kind: Kind = "signs" if words == "whitespace" else _KINDS[variant]
        self._make_room(1 << 16)

    def _make_room(self, size: int) -> None:
        self._room = size
        slots = 1 << (2 * size + 16).bit_length()
        self._starts, self._ends = np.empty(size + 2, np.int64), np.empty(size + 2, np.int64)
        self._keys, self._firsts, self._seen = (np.empty(slots, kind) for kind in (np.uint64, np.int32, np.int32))
        self._sums, self._backs = np.empty(size + 2, np.uint64), np.empty(size + 2, np.uint64)
        self._offsets, self._marked = np.empty(size + 2, np.int64), np.empty(size + 2, np.bool_)

    def is_empty(self, data: bytes) -> bool:
        """True for a text that has nothing to count: no bytes; for dclm and paper, nothing but spaces."""
        if self.variant in ("dclm", "paper"):
            return bool(strip_left(_padded(data), 0, len(data)) == len(data))
        return not data and self.variant == "datatrove"

    def figures(self, data: bytes, names: list[str]) -> Iterator[float]:
        """The figures of a text under these names, one after the other; each is counted when it is asked for."""
        if len(data) > self._room or (self._room > _KEEP_BYTES >= len(data)):
            self._make_room(max(len(data), 1 << 16))
        src = _padded(data)
        segments: dict[str, tuple[float, float]] = {}
        joined: tuple[int, int] | None = None
        marked_for = 0
        for name in names:
            if name.startswith("dup_"):
                kind = name[4:8]
                if kind not in segments:
                    segments[kind] = self._segments(src, len(data), kind)
                yield segments[kind][name.endswith("char_frac")]
                continue
            if joined is None:
                joined = self._join(data, src)
            size = _number(name)
            if name.startswith("top_"):
                yield self._top(joined, size)
            else:
                yield self._repeated(joined, size, marked_for)
                marked_for = size

    def _segments(self, src: Bytes, end: int, kind: str) -> tuple[float, float]:
        """The shares of duplicates and of their characters among lines or paragraphs (``para``)."""
        start, newlines, most = 0, 1 if kind == "line" else 2, _ENDLESS
        if not self.greedy:
            most = newlines
        elif kind == "para":
            start = strip_left(src, 0, end)
            end = strip_right(src, start, end)
        trimmed = self.variant in ("dclm", "paper")
        count = find_segments(src, start, end, newlines, most, trimmed, self.greedy, self._starts, self._ends)
        if not self.greedy and count < 2:
            # Of one segment nothing repeats; datamap-rs calls a text of none all repeated.
            return (0.0, 0.0) if count else (1.0, 1.0)
        slots = 1 << (2 * count).bit_length()
        found = np.empty(3, np.int64)
        copies = LATER if self.greedy else ALL
        count_copies(
            src, count, self._starts, self._ends, copies, self.in_bytes, self._keys[:slots], self._firsts, self._seen,
            found,
        )  # fmt: skip
        duplicates, chars, total = found.tolist()
        return duplicates / count, chars / (self._characters(src) if self.greedy else total)

    def _characters(self, src: Bytes) -> int:
        return int(characters(src, 0, src.size - PADDING))

    def _join(self, data: bytes, src: Bytes) -> tuple[int, int]:
        """Prepare the words for n-grams; how many they are, and what figures are divided by."""
        count, words = shared_words(self.kind).of(data)
        join_words(count, words.hashes, words.lengths, self.greedy, self._sums, self._backs, self._offsets)
        return count, self._characters(src) if self.greedy else int(self._offsets[count])

    def _table(self, count: int) -> tuple[NDArray[np.uint64], np.uint64]:
        """Room for as many keys, and by how much a key is shifted to its slot."""
        bits = max((2 * count).bit_length(), 4)
        return self._keys[: 1 << bits], np.uint64(64 - bits)

    def _top(self, joined: tuple[int, int], size: int) -> float:
        """The share of the commonest n-gram."""
        count, whole = joined
        if count < size:
            return 0.0
        keys, shift = self._table(count)
        sums, backs, ends = self._sums, self._backs, self._offsets
        times, where = most_common(
            count, size, sums, backs, ends, keys, shift, self._seen, self._firsts, not self.greedy
        )  # fmt: skip
        length = int(ends[where + size] - ends[where])
        if self.greedy:
            return times * (length + size - 1) / whole
        if times == 1:
            return 0.0
        if self.in_bytes:
            return int(covered_by(count, size, where, sums, backs, ends)) / whole
        return times * length / whole

    def _repeated(self, joined: tuple[int, int], size: int, marked_for: int) -> float:
        """The share of the n-grams that come again. ``marked_for``: for which n the marks were made before."""
        count, whole = joined
        if count < size:
            return 0.0
        keys, shift = self._table(count)
        sums, backs, ends = self._sums, self._backs, self._offsets
        if self.greedy:
            return int(repeated_characters(count, size, sums, backs, ends, keys, shift)) / whole
        known = marked_for == size - 1
        mark_repeated(count, size, sums, backs, keys, shift, self._firsts, self._marked, known)
        return int(covered_by_marked(count, size, ends, self._marked)) / whole
