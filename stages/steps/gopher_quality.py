"""Gopher's rules on the quality of a text (Rae et al. 2021, appendix A.1), as four systems count them.

All keep texts of 50 to 100,000 words that are 3 to 10 characters long on average, with at most a tenth as many symbols
as words, at most 0.9 of the lines behind bullets and 0.3 of them before ellipses, 0.8 of the words with a letter and
two stop words. The paper defines neither words nor lines nor bullets, so:

=============  ============================  ==================  ==================  ===============================
               datatrove                     dclm                dolma3              paper
=============  ============================  ==================  ==================  ===============================
words          spaCy's, without marks        begin alphanumeric  UAX 29; ASCII: runs ``str.split``
length         characters                    characters, split   bytes, split        characters
symbols        ``#``, ellipses: each         their sum           their sum           each
bullets        ``•`` ``-``                   also ``●`` ``*``    also ``●`` ``*``    also ``●`` ``*``
lines          ``splitlines``                not blank           blank ones too      not blank
stop words     distinct, in their case       all, any case       all, any case       distinct, any case
=============  ============================  ==================  ==================  ===============================

Sources: datatrove 0.10 ``GopherQualityFilter``; DCLM ``content_filters.py`` (361714b); datamap-rs ``map_fxn.rs``
(f771794) with Dolma 3's ``all_dressed_config.yaml``. datamap-rs divides in 32 bits, we in 64.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.pipeline.kernels.memory import padded
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.kernels.line_marks import (
    BULLETS,
    COUNTS,
    DOTS,
    ELLIPSES,
    ELLIPSIS_ENDS,
    HASHES,
    LINES,
    LINES_WITH_END,
    PYTHON_LINES,
    RAW_LINES,
    SPACED_DOTS,
    TRIMMED_LINES,
    ascii_words,
    line_marks,
    word_sums,
)
from llama_data.stages.steps.kernels.word_scan import ALPHA, STOP_SHIFT
from llama_data.stages.steps.kernels.word_scan import COUNTS as COUNTS_MARK
from llama_data.stages.steps.limits import Limit, checks_of, columns_of
from llama_data.stages.steps.words import STOP_WORDS, Kind, Words, shared_words

Variant = Literal["datatrove", "dclm", "dolma3", "paper"]
SplitBy = Literal["spacy", "whitespace"]
_KINDS: dict[Variant, Kind] = {"datatrove": "spacy", "dclm": "fasttext", "dolma3": "bytes", "paper": "whitespace"}
_LINES = {"datatrove": PYTHON_LINES, "dclm": TRIMMED_LINES, "dolma3": RAW_LINES, "paper": TRIMMED_LINES}


class Settings(StepSettings):
    """Rejects texts that are no prose by Gopher's counts of words, symbols and lines; a limit that is null is off.

    ``variant``: whose way of counting, ``datatrove`` (FineWeb), ``dclm``, ``dolma3`` or the nearest to the ``paper``.
    ``words``: of datatrove's, ``spacy`` splits as it does (extra ``words``), ``whitespace`` needs nothing and decides
    otherwise. ``stop_words``: for other languages than English.
    """

    variant: Variant = "datatrove"
    words: SplitBy | None = None
    min_words: int | None = Field(default=50, ge=0)
    max_words: int | None = Field(default=100_000, ge=0)
    min_word_length: float | None = Field(default=3, ge=0)
    max_word_length: float | None = Field(default=10, ge=0)
    max_symbols: float | None = Field(default=0.1, ge=0)
    max_bullets: float | None = Field(default=0.9, ge=0)
    max_ellipsis_lines: float | None = Field(default=0.3, ge=0)
    min_alphabetic: float | None = Field(default=0.8, ge=0)
    min_stop_words: int | None = Field(default=2, ge=0)
    stop_words: tuple[str, ...] = Field(default=STOP_WORDS, max_length=63)

    @model_validator(mode="after")
    def _words_of_datatrove(self) -> Settings:
        check_words(self.variant, self.words)
        return self

    def limits(self) -> tuple[Limit, ...]:
        """The comparisons in their order."""
        together = self.variant in ("dclm", "dolma3")
        either, both = (None, self.max_symbols) if together else (self.max_symbols, None)
        return (
            Limit(Reason.gopher_short_doc, "gopher_words", "min_words", "least", self.min_words, "needs words"),
            Limit(Reason.gopher_long_doc, "gopher_words", "max_words", "most", self.max_words, "limits the words"),
            Limit(
                Reason.gopher_below_avg_threshold, "gopher_word_length", "min_word_length", "least",
                self.min_word_length, "needs words of some length on average",
            ),
            Limit(
                Reason.gopher_above_avg_threshold, "gopher_word_length", "max_word_length", "most",
                self.max_word_length, "limits the average length of words",
            ),
            Limit(
                Reason.gopher_too_many_hashes, "gopher_hashes", "max_symbols", "most", either,
                "limits hash signs for each word",
            ),
            Limit(
                Reason.gopher_too_many_ellipsis, "gopher_ellipses", "max_symbols", "most", either,
                "limits ellipses for each word",
            ),
            Limit(
                Reason.gopher_too_many_symbols, "gopher_symbols", "max_symbols", "most", both,
                "limits hash signs and ellipses for each word",
            ),
            Limit(
                Reason.gopher_too_many_bullets, "gopher_bullets", "max_bullets", "most", self.max_bullets,
                "limits the share of lines behind a bullet",
            ),
            Limit(
                Reason.gopher_too_many_end_ellipsis, "gopher_ellipsis_lines", "max_ellipsis_lines", "most",
                self.max_ellipsis_lines, "limits the share of lines before an ellipsis",
            ),
            Limit(
                Reason.gopher_below_alpha_threshold, "gopher_alphabetic", "min_alphabetic", "least",
                self.min_alphabetic, "needs a share of words with a letter",
            ),
            Limit(
                Reason.gopher_enough_stop_words, "gopher_stop_words", "min_stop_words", "least", self.min_stop_words,
                "needs stop words",
            ),
        )  # fmt: skip

    def build(self, context: StepContext) -> Built:
        """One rule. Raises RequestError: spaCy is to split the words and is not installed."""
        limits = self.limits()
        if chosen_words(self.variant, self.words) == "spacy":
            shared_words("spacy")
        rule = GopherQuality(variant=self.variant, words=self.words, limits=limits, stop_words=self.stop_words)
        return Built(rules=[rule], columns=columns_of(limits, ("gopher_words", "gopher_stop_words")))

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """One for each limit."""
        return checks_of(GopherQuality.name, self.limits())


def check_words(variant: str, words: SplitBy | None) -> None:
    """Raises ValueError: a choice of words for a system that has none."""
    if words is not None and variant != "datatrove":
        raise ValueError(f"words: {words}: only the variant datatrove has a choice; {variant} has its own words")


def chosen_words(variant: str, words: SplitBy | None) -> Kind:
    """Which words the rules of ``gopher_quality`` count."""
    return "signs" if words == "whitespace" else _KINDS[variant]  # type: ignore[index]


class GopherQuality(Rule):
    """Rejects a text for the first of its figures that is beyond its limit; all figures go to the ledger."""

    name = "gopher_quality"

    def __init__(
        self,
        *,
        limits: tuple[Limit, ...],
        variant: Variant = "datatrove",
        words: SplitBy | None = None,
        stop_words: tuple[str, ...] = STOP_WORDS,
    ) -> None:
        super().__init__()
        self.limits = tuple(limit for limit in limits if limit.at is not None)
        self.variant = variant
        self.words = words
        self.stop_words = stop_words
        self.columns = {limit.figure for limit in self.limits}

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason of the first limit that the text is beyond."""
        found = self.figures(utf8_of(doc))
        note(doc, **{name: value for name, value in found.items() if name in self.columns})
        return next((limit.reason for limit in self.limits if limit.refuses(found[limit.figure])), None)

    def _words(self) -> Words:
        return shared_words(chosen_words(self.variant, self.words), self.stop_words)

    def figures(self, data: bytes) -> dict[str, float]:
        """The figures of a text in UTF-8, under the names of the ledger's columns."""
        src = padded(data)
        lines, sums = np.empty(COUNTS, np.int64), np.empty(6, np.int64)
        line_marks(src, len(data), _LINES[self.variant], lines)
        total, words, _ = self._words().of(data)
        word_sums(total, words.lengths, words.marks, COUNTS_MARK, ALPHA, STOP_SHIFT, sums)
        counted, counted_length, length, alphabetic, stops, distinct = sums.tolist()
        hashes, ellipses = int(lines[HASHES]), int(lines[DOTS] + lines[ELLIPSES])
        symbols = hashes + ellipses + int(lines[SPACED_DOTS])
        divisor = total
        if self.variant == "dolma3":
            counted = int(ascii_words(src, len(data)))
            if counted < 0:
                counted = shared_words("unicode").of(data).total
            # Three dots with spaces are one word there, and a text of one word has no share of letters.
            divisor -= 2 * int(lines[SPACED_DOTS])
            alphabetic = 0 if total == 1 else alphabetic
        mean_of, mean_length = (counted, counted_length) if self.variant == "datatrove" else (total, length)
        return {
            "gopher_words": counted,
            "gopher_word_length": _ratio(mean_length, mean_of),
            "gopher_hashes": _ratio(hashes, total),
            "gopher_ellipses": _ratio(ellipses, total),
            "gopher_symbols": _ratio(symbols, max(divisor, 1)),
            "gopher_bullets": _ratio(int(lines[BULLETS]), int(lines[LINES])),
            "gopher_ellipsis_lines": _ratio(int(lines[ELLIPSIS_ENDS]), int(lines[LINES_WITH_END])),
            "gopher_alphabetic": _ratio(alphabetic, total),
            "gopher_stop_words": stops if self.variant in ("dclm", "dolma3") else distinct.bit_count(),
        }


def _ratio(part: int, whole: int) -> float:
    """A share; 0 of nothing."""
    return part / whole if whole else 0.0
