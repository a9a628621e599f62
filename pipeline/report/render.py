"""The report as one HTML file without scripts or outside resources: it opens anywhere, from any disk."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from llama_data.pipeline.report.collect import Histogram, RunReport

WIDTH, HEIGHT = 320, 90
COLOURS = ("#2a78b5", "#d9822b", "#3b9a5b", "#a05fb4", "#b8443f", "#7a7a3a", "#4fa3a5")


def bars(shape: Histogram) -> Markup:
    """An SVG histogram."""
    top = max(*shape.counts, 1)
    step = WIDTH / len(shape.counts)
    drawn = "".join(
        f'<rect x="{i * step:.1f}" y="{HEIGHT - HEIGHT * n / top:.1f}" width="{step - 0.6:.1f}" '
        f'height="{HEIGHT * n / top:.1f}"/>'
        for i, n in enumerate(shape.counts)
    )
    return Markup(f'<svg class="bars" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="histogram">{drawn}</svg>')


def curve(training: list[dict[str, Any]], key: str = "loss") -> Markup:
    """An SVG line of a metric over the steps."""
    points = [(line["step"], line[key]) for line in training if line.get(key) is not None]
    if len(points) < 2:
        return Markup("")
    low, high = min(y for _, y in points), max(y for _, y in points)
    first, last = points[0][0], points[-1][0]
    path = " ".join(
        f"{2 * WIDTH * (x - first) / max(last - first, 1):.1f},{2 * HEIGHT * (high - y) / max(high - low, 1e-9):.1f}"
        for x, y in points
    )
    return Markup(
        f'<svg class="curve" viewBox="-4 -4 {2 * WIDTH + 8} {2 * HEIGHT + 8}" role="img" aria-label="{key}">'
        f'<polyline points="{path}"/></svg>'
    )


def render(report: RunReport) -> str:
    """The page."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = lambda value: f"{value:,}"
    environment.filters["millions"] = lambda value: f"{value / 1e6:,.2f}"
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    template = resources.files("llama_data.pipeline.report").joinpath("page.html").read_text("utf-8")
    page = environment.from_string(template)
    return page.render(report=report, bars=bars, curve=curve, colours=COLOURS)
