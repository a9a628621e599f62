"""The ``convert`` family: the measured value and its unit, as the source gives them, in words or symbols.

What the template computes is left out. English names units in words, as the template does there; other languages
show symbols, which agree with any case of the sentence around them, and words where the source asks for them.
"""
# ruff: noqa: RUF001 - en dashes, fractions and minus signs are what the template shows

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates import locales
from llama_data.stages.wikipedia.templates.call import Call
from llama_data.stages.wikipedia.templates.numbers import amount, read_written, spell, superscript, tidy, write
from llama_data.stages.wikipedia.templates.units import is_unit, with_english_unit, with_local_unit

_SCALES = {3: "thousand", 6: "million", 9: "billion", 12: "trillion"}
_SCALED = re.compile(r"(?:e(3|6|9|12)|([kMGT])(?=oilbbl|bbl|cuft|USgal|U\.S\.gal|impgal|acre\.ft))(?=\D)")
_SCALE_LETTERS = {"k": 3, "M": 6, "G": 9, "T": 12}
_RANGES = {
    "to": " to ", "-": "–", "–": "–", "and": " and ", "or": " or ", "by": " by ", "x": " × ", "×": " × ", "xx": " × ",
    "+/-": " ± ", "±": " ± ", "to(-)": " to ", "and(-)": " and ", "or(-)": " or ", "&": " and ", "*": " × ", "+": " + ",
    "to about": " to about ", "/": "/", ",": ", ", "-to-": " to ", "through": " through ", "by(x)": " by ",
    "from": " from ", "e": " e ", "—": "–", "x(-)": " × ", "..": "–", "...": "–", "+-": " ± ", ";": "; ",
}  # fmt: skip
_LOCAL_RANGES = {
    "to": "–", "to(-)": "–", "-to-": "–", "to about": "–", "through": "–", "from": "–", "by": " × ", "by(x)": " × ",
}  # fmt: skip
_JOINING = frozenset(
    re.split(
        r"\s+",
        """à a et au ou y e o u bis und oder do i lub oraz en of till och eller til og až nebo sau și до и или і або й
        ali és vagy fino""",
    )
)
"""What other languages write between two values; shown as it is."""

_MIXED = re.compile(r"([+\-−]?)(?:([0-9][0-9,.]*)(?: ?[+\-] ?| ))?([0-9]+) ?(?://?|⁄) ?([0-9]+)")
_SIGN = re.compile(r"(±|~|≈|<|>|≤|≥) ?(?=[0-9.,+\-−])")
MAX_WORDS = 24  # "10|x|20|x|30|m" and the like are far shorter


def convert(call: Call) -> str:
    """``{{convert|50.6|C|F}}`` → "50.6 °C": the value of the source; the computed equivalent is left out."""
    if not locales.is_english(call.language):
        return measure(call, abbreviated=call.get("abbr") not in ("off", "none"))
    return measure(call, abbreviated=call.get("abbr") in ("on", "in", "values", "~", "unit"))


def cvt(call: Call) -> str:
    """``{{cvt|5|mi}}`` → "5 mi": convert with symbols."""
    return measure(call, abbreviated=call.get("abbr") not in ("off", "out", "none"))


def measure(call: Call, *, abbreviated: bool) -> str:
    """The value with ranges (``10|to|20|km``) and compounds (``6|ft|3|in``)."""
    words = [tidy(word) for word in call.positional()[:MAX_WORDS]]
    if not words or not re.search("[0-9]", words[0]):
        return words[0] if words else ""
    language = call.language
    spelled = locales.is_english(language) and call.get("spell").lower() in ("in", "on", "us")
    text, last, position = show(words[0], language, spelled), words[0], 1
    while position + 1 < len(words) and _is_range(words[position], words[position + 1], language):
        text = ranged(text, words[position], show(words[position + 1], language, spelled), language)
        last = words[position + 1]
        position += 2
    if position >= len(words) or not words[position]:
        return text
    parts = [_with_unit(call, text, last, words[position], abbreviated)]
    position += 1
    if call.get("adj") == "mid" and position < len(words) and re.match("-?[^\\W\\d]{4}", words[-1]):
        return parts[0] + ("" if words[-1].startswith("-") else " ") + words[-1]
    while position + 1 < len(words) and _is_value(words[position], language) and is_unit(words[position + 1]):
        shown = show(words[position], language, spelled)
        parts.append(_with_unit(call, shown, words[position], words[position + 1], abbreviated))
        position += 2
    return " ".join(parts)


def _is_value(word: str, language: str) -> bool:
    return bool(read_written(word, language) or _MIXED.fullmatch(word))


def _is_range(word: str, following: str, language: str) -> bool:
    low = word.casefold()
    if locales.is_english(language) or not low.isalpha():
        return low in _RANGES and bool(following)
    return (low in _RANGES or low in _JOINING) and _is_value(following, language)


def ranged(first: str, word: str, second: str, language: str) -> str:
    """Two shown values with the range word between them; no English word in another language."""
    low = word.casefold()
    if locales.is_english(language):
        return first + _RANGES.get(low, f" {word} ") + second
    if low in ("and", "and(-)", "&", "or", "or(-)"):
        return locales.joined(first, second, language, alternative=low.startswith("or"))
    sign = _LOCAL_RANGES.get(low) or _RANGES.get(low, f" {low} ") if low != "e" else " e "
    return f"{first} {sign} {second}" if sign == "–" and second[:1] in "−+" else first + sign + second


def show(number: str, language: str = "en", spelled: bool = False) -> str:
    """A value with digit groups and fractions; in English words when asked for and it is small enough."""
    mark = _SIGN.match(number)
    if mark:
        return mark[1] + show(number[mark.end() :], language)
    if spelled and number.isdecimal() and len(number) <= 6:
        return spell(int(number))
    read = read_written(number, language)
    if read:
        return write(read, language)
    mixed = _MIXED.fullmatch(number)
    if mixed:
        sign, whole, upper, lower = mixed.groups()
        return (
            sign.replace("-", "−")
            + (f"{amount(whole, language, machine=False)} " if whole else "")
            + f"{upper}⁄{lower}"
        )
    return amount(number, language, machine=False)


def _with_unit(call: Call, text: str, last: str, code: str, abbreviated: bool) -> str:
    language = call.language
    read = read_written(last, language)
    english = locales.is_english(language)
    category = "other" if english else locales.plural(read.magnitude if read else "", language)
    scale = _SCALED.match(code)
    if scale:
        power = int(scale[1]) if scale[1] else _SCALE_LETTERS[scale[2]]
        text, code = _scaled(text, power, category, language), code[scale.end() :]
        category = "many" if language in ("ru", "uk", "pl") else "other"
    if not english:
        return with_local_unit(text, code, language, category=category, long=not abbreviated)
    one = not scale and re.fullmatch(r"[-−+]?1(?:\.0*)?|\d+\s*/+\s*\d+|0?\.\d+", last) is not None
    return with_english_unit(
        text,
        code,
        one=one,
        abbreviated=abbreviated,
        adjective=call.get("adj") in ("on", "mid", "pre") or call.get("adj").startswith("ri"),
        american=call.get("sp").casefold() == "us",
    )


def _scaled(text: str, power: int, category: str, language: str) -> str:
    if locales.is_english(language):
        return f"{text} {_SCALES[power]}"
    return locales.with_scale(text, power, category, language) or f"{text}×10{superscript(str(power))}"
