"""The page of `llama-train ablate`: a function of what ablate.json says, with the looks of the report."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from markupsafe import Markup

from llama_data.pipeline.report import charts, words
from llama_data.pipeline.report.render import Css, environment, page_css

COLOURS = 6  # lines of arms that look different
START = 0.2  # of a run, whose first losses would make the rest of a curve flat
BETTER, WORSE = "better", "worse"
_SIGN = {True: "+", False: words.MINUS}


def render_ablation(found: Mapping[str, Any]) -> str:
    """The page."""
    made = environment()
    css = page_css() + resources.files("llama_data.pipeline.report").joinpath("ablation.css").read_text()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    made.globals["css"] = Css(Markup(css), f"sha256-{digest}")
    made.filters |= {"bits": bits, "signed": signed, "p": p_value, "word": word}
    looks = _looks(found)
    return made.get_template("ablation.html").render(
        found=found,
        looks=looks,
        stroke=_stroke,
        said=[_sentence(found, arm) for arm in looks if arm not in (found["baseline"], found["control"])],
        control=_control(found),
        curves=[(one["name"], _curves(found, f"text/{one['name']}", looks)) for one in found["sets"]],
        losses=_losses(found, looks),
        forests=[(one["set"], _forest(one, looks)) for one in found["verdicts"]],
        settings=_settings(found),
    )


def bits(value: float | None) -> str:
    """Bits per byte, or a dash."""
    return words.DASH if value is None else f"{value:.4f}"


def signed(value: float | None) -> str:
    """A difference with its sign."""
    return words.DASH if value is None else f"{_SIGN[value >= 0]}{abs(value):.4f}"


def p_value(value: float | None) -> str:
    """A probability with as many digits as mean something."""
    return words.DASH if value is None else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def word(verdict: str | None) -> str:
    """The class of a verdict."""
    return {BETTER: "gain", WORSE: "loss"}.get(verdict or "", "undecided")


def _looks(found: Mapping[str, Any]) -> dict[str, str]:
    """The look of each arm's line."""
    looks = {arm["name"]: f"arm-{number % COLOURS}" for number, arm in enumerate(found["arms_read"])}
    return {**looks, found["control"]: "arm-control"}


def _stroke(look: str) -> Markup:
    return Markup(
        '<svg class="stroke" viewBox="0 0 26 8" aria-hidden="true"><line class="arm {}" x1="0" y1="4" x2="26" y2="4"/>'
        "</svg>"
    ).format(look)


def _sentence(found: Mapping[str, Any], arm: str) -> tuple[str, str, str]:
    """An arm, what it is on how many sets, and the class of that."""
    own = [(one["set"], each) for one in found["verdicts"] for each in one["arms"] if each["arm"] == arm]
    named = [each["verdict"] for name, each in own if name != "all sets"]
    parts = [f"{verdict} on {named.count(verdict)} of {len(named)}" for verdict in dict.fromkeys(named)]
    overall = own[0][1]["verdict"]
    return arm, f"{', '.join(parts)} {'sets' if len(named) > 1 else 'set'}", word(overall)


def _control(found: Mapping[str, Any]) -> list[str]:
    """The sets on which the A/A arm differs."""
    return [
        one["set"]
        for one in found["verdicts"]
        for each in one["arms"]
        if each["arm"] == found["control"] and each["verdict"] in (BETTER, WORSE)
    ]


Points = list[tuple[float, float]]


def _known(points: Sequence[Sequence[float | None]]) -> Points:
    return [(float(x), y) for x, y in points if x is not None and y is not None]


def _mean(lines: Sequence[Points]) -> Points:
    """The mean of lines at the places that all of them have."""
    if not lines:
        return []
    tables = [dict(line) for line in lines]
    return [(x, sum(table[x] for table in tables) / len(tables)) for x, _ in lines[0] if all(x in t for t in tables)]


def _curves(found: Mapping[str, Any], key: str, looks: Mapping[str, str]) -> Markup:
    lines = {arm: [_known(run["curves"].get(key, [])) for run in found["runs"] if run["arm"] == arm] for arm in looks}
    return _lines(f"Bits per byte of {key.partition('/')[2]}", lines, looks)


def _losses(found: Mapping[str, Any], looks: Mapping[str, str]) -> Markup:
    lines = {arm: [_known(run["losses"]) for run in found["runs"] if run["arm"] == arm] for arm in looks}
    return _lines("Loss while training", lines, looks)


def _lines(title: str, lines: Mapping[str, Sequence[Points]], looks: Mapping[str, str]) -> Markup:
    """Each seed as a thin line, the mean of an arm as a thick one; what lies above the scale is not drawn."""
    drawn: list[tuple[str, Points]] = []
    ends = []
    for arm, each in lines.items():
        whole = [line for line in each if line]
        drawn += [(f"arm seed {looks[arm]}", line) for line in whole]
        mean = _mean(whole)
        drawn.append((f"arm {looks[arm]}", mean))
        if mean:
            ends.append(f"{arm} {mean[-1][1]:.4f}")
    everything = [point for _, line in drawn for point in line]
    if not everything:
        return Markup("<p>No figures.</p>")
    end = max(x for x, _ in everything)
    late = [y for x, y in everything if x >= START * end]
    return charts.lines(drawn, (min(late), max(late)), end, f"{title} over tokens; at the end: {', '.join(ends)}.")


def _forest(one: Mapping[str, Any], looks: Mapping[str, str]) -> Markup:
    rows = [
        (each["arm"], looks[each["arm"]], each["difference"], each["low"], each["high"])
        for each in one["arms"]
        if each["difference"] is not None
    ]
    if not rows:
        return Markup("<p>No figures.</p>")
    said = "; ".join(f"{name} {signed(mean)}, {signed(low)} to {signed(high)}" for name, _, mean, low, high in rows)
    return charts.intervals(rows, f"Differences on {one['set']} with their intervals: {said}.")


def _settings(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings of all runs, flat."""
    flat: list[tuple[str, str]] = []

    def add(content: Mapping[str, Any], above: str) -> None:
        for name, value in content.items():
            if isinstance(value, Mapping):
                add(value, f"{above}{name}.")
            elif value is not None and (not isinstance(value, float) or math.isfinite(value)):
                flat.append((above + name, str(value)))

    add(found["settings"], "")
    return flat
