"""The figures by which a recipe decides, where its thresholds stand, and what moving one would do."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import LlamaDataError
from llama_data.pipeline.report.tally import Passes, Scale
from llama_data.stages.steps.model_files import perplexity_files
from llama_data.stages.steps.perplexity import HEAD, MIDDLE, TAIL, read_cutoffs

# What became of a record that has the figure: kept; rejected by a later step; rejected here, by this threshold;
# anything else (its language is not chosen, or the step had another reason).
KEPT, LATER, HERE, OTHER = range(4)
CLASSES = 4
_SHARE = np.round(np.arange(0, 1.0001, 0.01), 2)
_MOVES = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
_FACTORS = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0)


class Figure(NamedTuple):
    """A column of the ledger that a step decides by. ``settings``: where the threshold stands in a domain's settings.

    ``log``: the decades of a logarithmic scale; None: 0 to 1.
    """

    column: str
    title: str
    axis: str
    step: str
    reason: str
    passes: Passes
    settings: tuple[str, ...]
    log: tuple[int, int] | None = None


FIGURES = (
    Figure(
        "language_score", "Language confidence", "confidence of the language model, 0 to 1", "language",
        "language_uncertain", ">=", ("language_threshold", "min_language_score", "language.threshold"),
    ),
    Figure(
        "perplexity", "Perplexity", "perplexity, logarithmic; lower is more like edited prose", "perplexity",
        "high_perplexity", "<", (), (0, 6),
    ),
    Figure(
        "reference_score", "Likeness to references", "probability of being cited by Wikipedia, 0 to 1",
        "reference_classifier", "not_like_references", ">=", ("reference_threshold", "references.threshold"),
    ),
    Figure(
        "alnum_share", "Letters and digits", "share of characters, 0 to 1", "heuristics", "few_alphanumerics", ">=",
        ("min_alnum_share",),
    ),
    Figure(
        "average_line", "Average line", "characters a line, logarithmic", "heuristics", "long_lines_on_average", "<=",
        ("max_average_line",), (0, 6),
    ),
    Figure(
        "max_line", "Longest line", "characters, logarithmic", "heuristics", "long_line", "<=", ("max_line",), (0, 7),
    ),
    Figure(
        "gopher_words", "Words (Gopher)", "words, logarithmic", "gopher_quality", "gopher_short_doc", ">=",
        ("gopher_quality.min_words",), (0, 6),
    ),
    Figure(
        "gopher_alphabetic", "Words with a letter (Gopher)", "share of words, 0 to 1", "gopher_quality",
        "gopher_below_alpha_threshold", ">=", ("gopher_quality.min_alphabetic",),
    ),
    Figure(
        "gopher_stop_words", "Stop words (Gopher)", "number, logarithmic", "gopher_quality",
        "gopher_enough_stop_words", ">=", ("gopher_quality.min_stop_words",), (0, 5),
    ),
    Figure(
        "dup_line_frac", "Duplicate lines (Gopher)", "share of lines, 0 to 1", "gopher_repetition",
        "dup_line_frac", "<=", ("gopher_repetition.dup_line_frac",),
    ),
    Figure(
        "top_2_gram", "Commonest 2-gram (Gopher)", "share of characters, 0 to 1", "gopher_repetition",
        "top_2_gram", "<=", ("gopher_repetition.top_2_gram",),
    ),
    Figure(
        "duplicated_5_n_grams", "Repeated 5-grams (Gopher)", "share of characters, 0 to 1",
        "gopher_repetition", "duplicated_5_n_grams", "<=", ("gopher_repetition.duplicated_5_n_grams",),
    ),
    Figure(
        "line_punct_ratio", "Lines with a stop (FineWeb)", "share of lines, 0 to 1", "fineweb_quality",
        "line_punct_ratio", ">=", ("fineweb_quality.line_punct_ratio",),
    ),
    Figure(
        "short_line_ratio", "Short lines (FineWeb)", "share of lines, 0 to 1", "fineweb_quality",
        "short_line_ratio", "<=", ("fineweb_quality.short_line_ratio",),
    ),
    Figure(
        "char_dup_ratio", "Copied lines (FineWeb)", "share of characters, 0 to 1", "fineweb_quality",
        "char_dup_ratio", "<=", ("fineweb_quality.char_dup_ratio",),
    ),
    Figure(
        "list_ratio", "Newlines for a word (FineWeb)", "number, 0 to 1", "fineweb_quality", "list_ratio",
        "<=", ("fineweb_quality.list_ratio",),
    ),
)  # fmt: skip


class Cut(NamedTuple):
    """A threshold: its name in plain words, and where it stands."""

    name: str
    at: float


class Moved(NamedTuple):
    """What another threshold would do. ``passed``: records that pass it. ``kept``: of those kept today, how many still
    are. ``added``: rejected by it today, and then let through, to be kept unless a later step rejects them.
    """

    at: float
    today: bool
    passed: int
    kept: int
    added: int


class Choice:
    """What a domain's settings say of its figures; made once, before the ledger is read."""

    def __init__(self, settings: Mapping[str, Any], models_dir: str | None = None) -> None:
        self.settings = _flat(settings)
        self.models_dir = models_dir
        chosen = self.settings.get("languages") or self.settings.get("language.languages")
        self.languages: tuple[str, ...] | None = None if chosen is None else tuple(chosen)
        self._cutoffs: dict[str, dict[str, float]] = {}

    def cuts(self, figure: Figure, language: str) -> list[Cut]:
        """The thresholds of a figure; none where it is off, or its model is not at hand to say its cut-offs."""
        if figure.column == "perplexity":
            names = {HEAD: "end of “head”", MIDDLE: "end of “middle”"}
            return [Cut(names[name], at) for name, at in self._cutoffs_of(language).items()]
        found = [self.settings[name] for name in figure.settings if self.settings.get(name) is not None]
        return [Cut("threshold", float(found[0]))] if found else []

    def deciding(self, figure: Figure, language: str) -> float | None:
        """The threshold that decides today, which can be moved; None: there is none."""
        if figure.column != "perplexity":
            cuts = self.cuts(figure, language)
            return cuts[0].at if cuts else None
        kept = self.settings.get("perplexity_buckets") or self.settings.get("perplexity.buckets")
        cutoffs = self._cutoffs_of(language)
        if kept is None or not cutoffs or HEAD not in kept or TAIL in kept:
            return None
        return cutoffs[MIDDLE if MIDDLE in kept else HEAD]

    def _cutoffs_of(self, language: str) -> dict[str, float]:
        if language not in self._cutoffs:
            self._cutoffs[language] = {}
            models = self.settings.get("perplexity_models") or self.settings.get("perplexity.models") or {}
            with suppress(LlamaDataError, OSError):
                if language in models:
                    found = read_cutoffs(perplexity_files(models[language], language, self.models_dir), language)
                    self._cutoffs[language] = {HEAD: found.head, MIDDLE: found.middle}
        return self._cutoffs[language]

    def scale(self, figure: Figure, language: str) -> Scale:
        """An empty scale with an edge at every threshold that will be asked for."""
        edges = [*drawn_edges(figure), *(cut.at for cut in self.cuts(figure, language))]
        edges += self.candidates(figure, language)
        return Scale(np.unique(np.array(edges, np.float64)), CLASSES, figure.passes)

    def candidates(self, figure: Figure, language: str) -> list[float]:
        """Thresholds to compare with today's, which is one of them."""
        today = self.deciding(figure, language)
        if today is None:
            return []
        if figure.log is None:
            return sorted({round(min(max(today + move, 0.0), 1.0), 4) for move in _MOVES} | {today})
        return sorted({float(f"{today * factor:.4g}") for factor in _FACTORS if factor != 1.0} | {today})

    def moved(self, figure: Figure, language: str, scale: Scale) -> list[Moved]:
        """What each of the candidates would do."""
        today = self.deciding(figure, language)
        rows = []
        for at in self.candidates(figure, language):
            kept, later, here = (scale.passing(at, kind) for kind in (KEPT, LATER, HERE))
            rows.append(Moved(at, at == today, kept + later + here, kept, here))
        return rows


def drawn_edges(figure: Figure) -> NDArray[np.float64]:
    """Edges of the bars that are drawn: a hundredth each, or ten a decade."""
    if figure.log is None:
        return _SHARE
    low, high = figure.log
    return np.asarray(10.0 ** (np.arange(10 * low, 10 * high + 1) / 10))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a domain, and those of a list of steps under ``step.setting``."""
    found = dict(settings)
    for step in settings.get("steps") or ():
        if isinstance(step, Mapping):
            for name, values in step.items():
                found |= {f"{name}.{key}": value for key, value in (values or {}).items()}
    return found
