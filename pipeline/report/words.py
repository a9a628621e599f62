"""Numbers as a person reads them: thin spaces between thousands, units, and no more digits than mean something."""

from __future__ import annotations

from markupsafe import Markup

THIN = "\u202f"  # a narrow space at which no line is broken
DASH = "\u2013"
MINUS = "\u2212"
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def whole(value: float) -> str:
    """A whole number: 12 345 678 with narrow spaces."""
    return f"{value:,.0f}".replace(",", THIN)


def number(value: float) -> Markup:
    """A whole number, with its plain digits for programs."""
    return Markup('<data value="{}">{}</data>').format(f"{value:.0f}", whole(value))


def short(value: float, unit: str = "") -> str:
    """Three digits and a prefix: 43.1 M."""
    for size, prefix in _LARGE:
        if abs(value) >= 0.9995 * size:
            return f"{_three(value / size)}{THIN}{prefix}{unit}"
    return f"{_three(value)}{THIN}{unit}".rstrip(THIN) if value % 1 else f"{value:.0f}{THIN}{unit}".rstrip(THIN)


def tick(value: float) -> str:
    """A round number at an axis: 0.5, 20, 4 k, 1.5 M."""
    size, prefix = next(((size, prefix) for size, prefix in _LARGE if abs(value) >= size), (1.0, ""))
    return f"{value / size:.3g}{THIN}{prefix}".rstrip(THIN)


def amount(value: float, unit: str = "") -> Markup:
    """The same, with all its digits for programs and for who points at it."""
    return Markup('<data value="{}" title="{}">{}</data>').format(f"{value:.0f}", whole(value), short(value, unit))


def share(part: float, whole_of: float) -> str:
    """A share in per cent; 0 % and 100 % only where it is none and all."""
    if not whole_of:
        return DASH
    value = part / whole_of
    if value in (0.0, 1.0):
        return f"{value * 100:.0f}{THIN}%"
    if value < 0.0005:
        return f"<{THIN}0.1{THIN}%"
    if value > 0.9995:
        return f">{THIN}99.9{THIN}%"
    return f"{value * 100:.1f}{THIN}%"


def figure(value: float) -> str:
    """A score or threshold: up to four digits, without zeros at the end."""
    if value >= 1000:
        return whole(value)
    return f"{value:.4g}"


def seconds(value: float) -> str:
    """A time: 0.4 s, 12 s, 3 min, 2.5 h."""
    if value < 10:
        return f"{value:.1f}{THIN}s"
    if value < 100:
        return f"{value:.0f}{THIN}s"
    return f"{value / 60:.0f}{THIN}min" if value < 6000 else f"{value / 3600:.1f}{THIN}h"


def _three(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.1f}" if abs(value) >= 9.995 else f"{value:.2f}"
