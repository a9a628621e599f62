"""Charts as SVG inside the page: text that can be read and searched, colours by the page's style, no script.

Sizes are chosen so that the writing is legible on a phone: a chart is 360 units wide, and never set narrower than about
so many pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from markupsafe import Markup

from llama_data.pipeline.core.screen import one_line
from llama_data.pipeline.report.tally import Scale
from llama_data.pipeline.report.thresholds import HERE, KEPT, LATER, OTHER, Choice, Figure, drawn_edges
from llama_data.pipeline.report.training import Curve
from llama_data.pipeline.report.words import DASH, tick, whole
from llama_data.pipeline.report.words import figure as said

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 22, 34
_INNER = WIDTH - LEFT - RIGHT
_DEEP = HEIGHT - TOP - BOTTOM
_ORDER = ((KEPT, "kept"), (LATER, "later"), (HERE, "here"), (OTHER, "other"))
_BARS = 50
ROW = 26  # of intervals
Points = Sequence[tuple[float, float]]


def bar(parts: Sequence[tuple[str, float]], whole_of: float) -> Markup:
    """A flat bar of parts, each with the name of its colour; decoration beside figures, so without words."""
    x, drawn = 0.0, []
    for name, value in parts:
        width = 100 * value / whole_of if whole_of else 0.0
        drawn.append(Markup('<rect class="c-{}" x="{}" width="{}" height="8"/>').format(name, _n(x), _n(width)))
        x += width
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="c-none" width="100" height="8"/>{}</svg>'
    ).format(Markup("").join(drawn))


def distribution(figure: Figure, language: str, scale: Scale, choice: Choice) -> Markup:
    """Bars of how many documents have which figure, by what became of them, with the thresholds as lines."""
    edges = _shown_edges(figure, scale)
    counts = scale.between(edges)
    top = _round_up(int(counts.sum(axis=0).max()))
    places = _places(figure, edges)
    drawn = [*_floor(top), *_ticks(figure, edges)]
    for column in range(counts.shape[1]):
        x, width = places[column], places[column + 1] - places[column]
        y = float(TOP + _DEEP)
        for kind, name in _ORDER:
            high = _DEEP * int(counts[kind, column]) / top
            y -= high
            if high:
                drawn.append(_rect(f"c-{name}", x + 0.3, y, max(width - 0.6, 0.4), high))
    cuts = choice.cuts(figure, language)
    low, high_ = places[0], places[-1]
    for index, cut in enumerate(cuts):
        x = _place(figure, edges, cut.at)
        if low <= x <= high_:
            drawn += _cut(x, said(cut.at), index)
    what = f"{figure.title}{f' ({language})' if language else ''} of {whole(scale.total)} documents. "
    lines = "; ".join(f"{cut.name} at {said(cut.at)}" for cut in cuts) or "no threshold is known"
    return _svg(drawn, f"{what}Thresholds: {lines}. The table below has the figures.")


def bins(figure: Figure, scale: Scale) -> list[tuple[str, list[int]]]:
    """The bars as rows of a table: from, to, and the counts by class; at most twenty-odd, without empty ends."""
    edges = _shown_edges(figure, scale)
    edges = edges[:: max(1, (len(edges) - 1) // 20)] if figure.log is None else edges[:: 2 if len(edges) > 25 else 1]
    last = _shown_edges(figure, scale)[-1]
    if edges[-1] != last:
        edges = np.append(edges, last)
    counts = scale.between(edges)
    rows = []
    for column in range(counts.shape[1]):
        rows.append((f"{said(edges[column])} {DASH} {said(edges[column + 1])}", [int(n) for n in counts[:, column]]))
    return rows


def curves(title: str, trained: Curve | None, held_out: Curve | None, low: float, high: float, end: float) -> Markup:
    """Loss over tokens: the mean while training as a line, held-out rows as dots. All charts have one scale."""
    drawn = _frame(low, high, end)

    def point(x: float, y: float) -> tuple[float, float]:
        return LEFT + _INNER * x / end, TOP + _DEEP * (high - min(max(y, low), high)) / (high - low)

    if trained is not None:
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in (point(*place) for place in trained.points()))
        drawn.append(Markup('<polyline class="trained" points="{}"/>').format(path))
    if held_out is not None:
        for place in held_out.points():
            x, y = point(*place)
            drawn.append(Markup('<circle class="held" cx="{}" cy="{}" r="3"/>').format(_n(x), _n(y)))
    finals = [
        f"{what} {curve.last:.3f}"
        for what, curve in (("training", trained), ("held out", held_out))
        if curve is not None and curve.last is not None
    ]
    return _svg(drawn, f"Loss of {title} over tokens, at the end: {', '.join(finals)}. The table has the figures.")


def lines(drawn: Sequence[tuple[str, Points]], span: tuple[float, float], end: float, alt: str) -> Markup:
    """Lines over tokens, each with its class, on a scale that holds ``span``; points above the scale are left out."""
    step = _step(max(span[1] - span[0], 1e-6))
    low, high = math.floor(span[0] / step) * step, math.ceil(span[1] / step + 1e-9) * step
    made = _frame(low, high, end)
    for name, points in drawn:
        path = " ".join(
            f"{_n(LEFT + _INNER * x / end)},{_n(TOP + _DEEP * (high - y) / (high - low))}"
            for x, y in points
            if y <= high
        )
        made.append(Markup('<polyline class="{}" points="{}"/>').format(name, path))
    return _svg(made, alt)


def intervals(rows: Sequence[tuple[str, str, float, float | None, float | None]], alt: str) -> Markup:
    """Differences, one a row with its class: a dot at the mean and a line over the interval, beside zero."""
    ends = [end for _, _, *figures in rows for end in figures if end is not None] + [0.0]
    step = _step(max(max(ends) - min(ends), 1e-6) * 1.02)
    low, high = math.floor(min(ends) / step - 0.1) * step, math.ceil(max(ends) / step + 0.1) * step
    tall = TOP + ROW * len(rows) + BOTTOM

    def place(value: float) -> float:
        return LEFT / 2 + (WIDTH - LEFT) * (value - low) / (high - low)

    made = []
    for at in _steps(low, high):
        x = place(at)
        made += [_line("grid", x, TOP - 6, x, tall - BOTTOM), _text("x", x, tall - BOTTOM + 15, said(round(at, 6)))]
    made += [_line("zero", place(0), TOP - 6, place(0), tall - BOTTOM)]
    made.append(_text("x", WIDTH / 2, tall - 4, "bits per byte less (left) or more (right) than the baseline"))
    for number, (name, look, mean, least, most) in enumerate(rows):
        y = TOP + ROW * (number + 0.65)
        made.append(_text("row", LEFT / 2, y - 8, name))
        if least is not None and most is not None:
            made.append(_line(f"arm whisker {look}", place(least), y, place(most), y))
        made.append(Markup('<circle class="dot {}" cx="{}" cy="{}" r="3.5"/>').format(look, _n(place(mean)), _n(y)))
    return _svg(made, alt, tall)


def limits(all_curves: Iterable[Curve]) -> tuple[float, float, float]:
    """The scale of several charts of loss: lowest, highest, and how many tokens."""
    points = [point for curve in all_curves for point in curve.points()]
    low, high = min(y for _, y in points), max(y for _, y in points)
    step = _step(max(high - low, 1e-6))
    return math.floor(low / step) * step, math.ceil(high / step + 1e-9) * step, max(x for x, _ in points) or 1.0


def _frame(low: float, high: float, end: float) -> list[Markup]:
    """The axes of a chart over tokens."""
    drawn = []
    for at in _steps(low, high):
        y = TOP + _DEEP * (high - at) / (high - low)
        drawn += [_line("grid", LEFT, y, WIDTH - RIGHT, y), _text("y", LEFT - 6, y + 4, said(round(at, 3)))]
    for at in (0.0, end / 2, end):
        x = LEFT + _INNER * at / end
        drawn.append(_text("x" if at < end else "x end", x, HEIGHT - BOTTOM + 15, tick(at)))
    drawn.append(_text("x", LEFT + _INNER / 2, HEIGHT - 4, "tokens trained on"))
    return drawn


def _shown_edges(figure: Figure, scale: Scale) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The edges that are drawn: the whole of 0 to 1, or of a logarithmic scale the decades in which something lies."""
    edges = drawn_edges(figure)
    if figure.log is None:
        return edges[:: (len(edges) - 1) // _BARS]
    filled = np.flatnonzero(scale.between(edges).sum(axis=0))
    first, last = int(filled[0]) // 10 * 10, -(-(int(filled[-1]) + 1) // 10) * 10
    return edges[first : last + 1]


def _place(figure: Figure, edges: np.ndarray[tuple[int], np.dtype[np.float64]], value: float) -> float:
    low, high = float(edges[0]), float(edges[-1])
    if figure.log is not None:
        low, high, value = math.log10(low), math.log10(high), math.log10(max(value, 1e-12))
    return LEFT + _INNER * (value - low) / (high - low)


def _places(figure: Figure, edges: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    return [_place(figure, edges, float(edge)) for edge in edges]


def _floor(top: int) -> list[Markup]:
    """The axis of counts, from 0."""
    drawn = []
    for part in (0, 0.5, 1):
        y = TOP + _DEEP * (1 - part)
        drawn += [_line("grid", LEFT, y, WIDTH - RIGHT, y), _text("y", LEFT - 6, y + 4, tick(top * part))]
    return drawn


def _ticks(figure: Figure, edges: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Markup]:
    if figure.log is None:
        marks = [(at, f"{at:.1f}") for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    else:
        first, last = round(math.log10(edges[0])), round(math.log10(edges[-1]))
        marks = [(10.0**power, tick(10**power)) for power in range(first, last + 1)]
    y = HEIGHT - BOTTOM
    drawn = [_text("x", LEFT + _INNER / 2, HEIGHT - 4, figure.axis)]
    for at, label in marks:
        x = _place(figure, edges, at)
        drawn += [_line("axis", x, y, x, y + 3), _text("x end" if at == marks[-1][0] else "x", x, y + 15, label)]
    return drawn


def _cut(x: float, label: str, index: int) -> list[Markup]:
    # Of two lines near each other the first is labelled to the left, the second to the right.
    side = "cut left" if index == 0 and x > LEFT + 60 else "cut right" if x < WIDTH - 60 else "cut left"
    return [
        _line("threshold", x, TOP - 8, x, TOP + _DEEP),
        _text(side, x + (-4 if side == "cut left" else 4), TOP - 8, label),
    ]


def _round_up(value: int) -> int:
    """The next number of 1, 2, 4, 5, 6, 8 and zeros."""
    power = 10 ** max(len(str(max(value, 2))) - 1, 0)
    return next((int(n * power) for n in (1, 2, 4, 5, 6, 8, 10) if n * power >= value and n * power >= 2), 10 * power)


def _step(span: float) -> float:
    power = 10.0 ** math.floor(math.log10(span))
    return next(factor * power for factor in (0.2, 0.5, 1.0, 2.0) if span / (factor * power) <= 6)


def _steps(low: float, high: float) -> list[float]:
    step = _step(high - low)
    return [low + step * index for index in range(round((high - low) / step) + 1)]


def _svg(drawn: Iterable[Markup], alt: str, height: float = HEIGHT) -> Markup:
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, _n(height), one_line(alt), Markup("").join(drawn)
    )


def _rect(name: str, x: float, y: float, width: float, height: float) -> Markup:
    form = '<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>'
    return Markup(form).format(name, _n(x), _n(y), _n(width), _n(height))


def _line(name: str, x: float, y: float, to_x: float, to_y: float) -> Markup:
    form = '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
    return Markup(form).format(name, _n(x), _n(y), _n(to_x), _n(to_y))


def _text(name: str, x: float, y: float, words: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(name, _n(x), _n(y), one_line(words))


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
