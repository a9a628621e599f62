"""What CLDR knows of a language: its signs in numbers, its plurals, its words and symbols for units.

Babel is loaded when the first number of a language other than English is shown, and once for each language.
"""
# ruff: noqa: RUF001 - Cyrillic letters

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

_SPACES = re.compile("[ \u00a0\u2007\u2009\u202f]")
_SPACED = frozenset({"es", "it", "pt"})  # MediaWiki groups with a no-break space here, CLDR with a dot
_FOUR_TOGETHER = frozenset(
    {"bg", "es", "it", "pl", "pt", "ru", "uk"}
)  # minimum grouping digits 2; Babel leaves them out


class Signs(NamedTuple):
    """How a wiki writes numbers: decimal sign, group sign, and the fewest digits before the decimal sign that are
    grouped. ``dot_groups``: people who write the language may mean groups of thousands by dots."""

    decimal: str
    group: str
    grouped_from: int
    dot_groups: bool


@lru_cache(maxsize=64)
def signs(language: str) -> Signs:
    """The signs in the numbers of a language; English ones for a language that CLDR does not have."""
    if is_english(language):
        return Signs(".", ",", 4, False)
    latin = _data(language)["number_symbols"]["latn"]
    group = " " if language in _SPACED or _SPACES.match(latin["group"]) else latin["group"]
    return Signs(latin["decimal"], group, 5 if language in _FOUR_TOGETHER else 4, latin["group"] == ".")


@lru_cache(maxsize=64)
def _data(language: str) -> Any:
    """Babel's dictionary of a language, with its aliases resolved on access; None when there is none."""
    from babel.localedata import LocaleDataDict, exists, load

    if not exists(language):
        return None
    data: dict[Any, Any] = {**load(language)}
    return LocaleDataDict(data)


def is_english(language: str) -> bool:
    """True for English, and for a language that CLDR has no numbers of: they are shown as in English."""
    return language == "en" or "latn" not in (_data(language) or {}).get("number_symbols", {})


@lru_cache(maxsize=64)
def _plural_rule(language: str) -> Callable[[Decimal], str]:
    rule: Callable[[Decimal], str] = _data(language)["plural_form"]
    return rule


MAX_PLURAL = 28  # digits that the decimals behind the rules hold exactly


def plural(number: str, language: str) -> str:
    """CLDR's plural category of a machine number ("1234.5"); "other" for anything that is not one."""
    if len(number) > MAX_PLURAL or not re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", number):
        return "other"
    return _plural_rule(language)(Decimal(number))


def with_unit(text: str, unit: str, category: str, language: str, *, long: bool) -> str:
    """A shown number with CLDR's name or symbol of one of its units ("length-kilometer"); empty when it has none."""
    patterns = _data(language)["unit_patterns"]
    forms = patterns[unit].get("long" if long else "short", {}) if unit in patterns else {}
    pattern = forms.get(category) or forms.get("other")
    return _plain(pattern.replace("{0}", text)) if pattern else ""


def symbol(unit: str, language: str) -> str:
    """CLDR's symbol of a unit without a number; empty when it has none."""
    return with_unit("", unit, "other", language, long=False).strip()


def prefix(power: int, language: str) -> str:
    """The sign of a decimal prefix: "k" or "к" for 3."""
    pattern: str = _data(language)["compound_unit_patterns"][f"10p{power}"]["short"]["prefix"]
    return pattern.replace("{0}", "").strip()


def with_scale(text: str, power: int, category: str, language: str) -> str:
    """A shown number of thousands, millions, ...: "2 миллиона"; with a power of ten where the language has no word."""
    forms = _data(language)["compact_decimal_formats"]["long"]
    found = (forms.get(category) or forms["other"]).get(str(10**power)) or forms["other"].get(str(10**power))
    pattern = getattr(found, "pattern", found) or ""
    return _plain(pattern.replace("0", text, 1)) if pattern.count("0") == 1 else ""


def territory(code: str, language: str) -> str:
    """A country by its three-letter code of ISO 3166; empty when there is none."""
    from babel.core import get_global

    short = (get_global("territory_aliases").get(code) or [""])[0]
    name: str = _data(language)["territories"].get(short, "")
    return name


def joined(first: str, second: str, language: str, *, alternative: bool) -> str:
    """Two texts with the language's "and", or its "or"."""
    pattern: str = _data(language)["list_patterns"]["or" if alternative else "standard"]["2"]
    return pattern.replace("{0}", first).replace("{1}", second)


@lru_cache(maxsize=512)
def month(number: int, language: str, *, alone: bool) -> str:
    """A month's name as it stands beside a day, or without one."""
    names = _data(language)["months"]["stand-alone" if alone else "format"]["wide"]
    name: str = names[number]
    return name


_FIELD = re.compile(r"'([^']*)'|[dMLy]+|.", re.DOTALL)
_YEAR_WORD = re.compile(r"[ \u00a0\u202f]'(?:г|р)'\.$")  # templates leave it to the sentence


@lru_cache(maxsize=128)
def _date_fields(kind: str, language: str) -> list[tuple[str, str]]:
    data = _data(language)
    pattern = data["date_formats"]["long"] if kind == "yMMMMd" else data["datetime_skeletons"][kind]
    text = _YEAR_WORD.sub("", getattr(pattern, "pattern", None) or str(pattern)).replace("'del'", "'de'")
    found = [(field.group()[0], field.group(1)) for field in _FIELD.finditer(text)]
    return [("'", quoted) if quoted is not None else (letter, "") for letter, quoted in found]


def date_in_words(day: str, month: str, year: str, language: str) -> str:
    """A date of the parts that are given, in the order and with the signs of CLDR's long form; the month is a name."""
    if not day and not year:
        return month
    kind = "yMMMMd" if day and year else "yMMMM" if year else "MMMMd"
    parts = {"d": day, "M": month, "L": month, "y": year}
    return _plain("".join(quoted or parts.get(field, field) for field, quoted in _date_fields(kind, language)))


@lru_cache(maxsize=1)
def unit_ids() -> dict[str, str]:
    """CLDR's units by the part of their name after the kind: "kilometer" → "length-kilometer"."""
    return {unit.partition("-")[2]: unit for unit in _data("en")["unit_patterns"]}


def _plain(text: str) -> str:
    return _SPACES.sub(" ", text)
