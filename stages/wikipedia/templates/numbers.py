"""Numbers as the Wikipedias write them: read as they are given, shown in the language's way, never another number.

There are three ways to read one. A *machine* number has a dot before its fraction and no groups (what MediaWiki's
``formatnum`` takes). A *local* one has the signs that the wiki itself shows. A *written* one is what people give to
templates: either, told apart by the rules at `read_written`. What cannot be read is shown as it was written.
"""
# ruff: noqa: RUF001, RUF002 - the minus sign is not a hyphen, nor the times sign an x

from __future__ import annotations

import html
import re
from functools import lru_cache, partial
from typing import NamedTuple

from llama_data.stages.wikipedia.opaque import GAP
from llama_data.stages.wikipedia.templates.locales import signs

_UP = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_ANY_SPACE = re.compile(r"[ \u00a0\u2002-\u200a\u202f]")
_LONE_DOT = re.compile(r"[+\-−±]?[1-9][0-9]{0,2}\.[0-9]{3}")  # "1.234": a fraction or a thousand

ONES = [
    "zero", "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


class Number(NamedTuple):
    """The digits of a number, as given: nothing is computed, rounded, added or left out."""

    sign: str
    whole: str
    fraction: str
    exponent: str

    @property
    def machine(self) -> str:
        """With a dot before the fraction, without groups: "-1234.5e6"."""
        fraction = f".{self.fraction}" if self.fraction else ""
        exponent = f"e{self.exponent.replace('−', '-')}" if self.exponent else ""
        return f"{self.sign.replace('−', '-')}{self.whole}{fraction}{exponent}"

    @property
    def magnitude(self) -> str:
        """The machine number without sign; empty when it has a power of ten. Plurals go by it."""
        return "" if self.exponent else (self.whole or "0") + (f".{self.fraction}" if self.fraction else "")


@lru_cache(maxsize=32)
def _shape(decimal: str, group: str) -> re.Pattern[str]:
    """Numbers with this decimal sign; groups of three digits by that sign (and nothing else), or none."""
    groups = f"|[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+" if group else ""
    tail = "(?: [0-9]+)*" if group == " " else ""
    return re.compile(
        rf"([+\-−±]?)([0-9]*{groups})(?:{re.escape(decimal)}([0-9]+{tail}))?(?:[eE]([+\-−]?[0-9]{{1,4}}))?"
    )


def _match(text: str, decimal: str, group: str) -> Number | None:
    found = _shape(decimal, group).fullmatch(text)
    if not found or not (found[2] or found[3]):
        return None
    whole, fraction = found[2].replace(group, "") if group else found[2], (found[3] or "").replace(" ", "")
    return Number(found[1], whole, fraction, found[4] or "")


def tidy(text: str) -> str:
    """A template's value without entities and gaps, all its spaces plain."""
    text = html.unescape(text) if "&" in text else text
    return _ANY_SPACE.sub(" ", text.replace(GAP, "")).strip()


def read_machine(text: str) -> Number | None:
    """``1234.5``, ``-5``, ``1.5e6``."""
    return _match(tidy(text), ".", "")


def read_local(text: str, language: str) -> Number | None:
    """A number with the signs that this wiki shows: what `write` gives."""
    mine, text = signs(language), tidy(text)
    return _match(text, mine.decimal, mine.group) or _match(text, mine.decimal, " ")


def read_written(text: str, language: str) -> Number | None:
    """What people write in templates; None when it can be read in two ways or in none.

    In English a comma groups and a dot is decimal. Elsewhere a lone comma is decimal; a lone dot is too, but
    before exactly three digits, where it may stand for a thousand if the language groups by dots; and both signs
    together, or one of them repeated, tell their meaning by their places. Groups have three digits each.
    """
    text = tidy(text)
    mine = signs(language)
    if mine.decimal == ".":
        return _match(text, ".", ",") or _match(text, ".", " ")
    number = _match(text, ",", " ")
    if number:
        return number
    if mine.dot_groups and _LONE_DOT.fullmatch(text):
        return None
    if text.count(".") == 1 and "," not in text:
        return _match(text, ".", " ")
    return _match(text, ",", ".") or _match(text, ".", ",")


def write(number: Number, language: str) -> str:
    """A number with the language's signs and digit groups."""
    mine = signs(language)
    whole = number.whole
    if len(whole) >= mine.grouped_from and whole[0] != "0":
        whole = group(whole, mine.group)
    shown = number.sign.replace("-", "−") + whole + (mine.decimal + number.fraction if number.fraction else "")
    return f"{shown}×10{superscript(number.exponent)}" if number.exponent else shown


def read_value(text: str, language: str) -> Number | None:
    """A machine number, or else a written one: for templates that stand on ``formatnum``."""
    return read_machine(text) or read_written(text, language)


def format_number(text: str, language: str) -> str:
    """A machine number with the language's signs; a written one keeps its value; anything else stays as it is."""
    number = read_value(text, language)
    return write(number, language) if number else text.strip()


_BETWEEN = re.compile(r"(?<=[0-9]) ?(–|—|-|±|×) ?(?=[+\-−]?[0-9,.])")


def amount(text: str, language: str, *, machine: bool = True) -> str:
    """A number, or two with a dash, ± or × between them; anything else stays as it is.

    ``machine``: a lone dot is decimal, as for all templates that stand on ``formatnum``.
    """
    read = partial(read_value if machine else read_written, language=language)
    number = read(text)
    if number:
        return write(number, language)
    plain = tidy(text)
    between = _BETWEEN.search(plain)
    if between:
        first, second = read(plain[: between.start()]), read(plain[between.end() :])
        if first and second:
            sign = {"-": "–", "—": "–"}.get(between[1], between[1])
            space = " " if sign == "×" or second.sign else ""
            return f"{write(first, language)}{space}{sign}{space}{write(second, language)}"
    return text.strip()


FORMATNUM = frozenset({
    "formatnum", "formatnombre", "formátujčíslo", "zahlenformat", "formatonúmero", "formatonumero", "oblikbroja",
    "formázottszám", "számformázás", "számform", "formatteernum", "numformatteren", "formatnr", "форматировать_число",
    "форматировать число", "форматувати_число", "форматувати число", "formateranum", "formateratal", "número", "nombre",
})  # fmt: skip
"""The names of MediaWiki's parser function, with those that single wikis give it."""

# A number that follows \x01 is that of a text which is set aside (opaque.Stash); it stays as it is.
_RUN = re.compile(r"(?<![0-9\x01])-?(?:[0-9][0-9.,]*[0-9]|[0-9]|\.[0-9]+)(?:[eE][+\-]?[0-9]+)?(?![0-9])")
_RAW = frozenset({"r", "sf", "brut", "b", "neo", "v", "н", "р"})
_NO_GROUPS = frozenset({"nosep", "sanssep", "geenscheidingsteken"})


def formatnum(text: str, option: str, language: str) -> str:
    """MediaWiki's ``{{formatnum:N|option}}``: machine numbers within the text in the wiki's format.

    With ``R`` (or the wiki's word for it) a local number becomes a machine number; with ``NOSEP`` nothing is
    grouped. What is not a number stays.
    """
    word = option.strip().casefold()
    if word in _RAW:
        number = read_local(text, language)
        return number.machine if number else text.strip()
    if word in _NO_GROUPS:
        return text.strip()
    return _RUN.sub(lambda found: format_number(found.group(), language), text.strip())


def group(digits: str, separator: str = ",") -> str:
    """Digits in groups of three from the right."""
    head = len(digits) % 3
    parts = ([digits[:head]] if head else []) + [digits[i : i + 3] for i in range(head, len(digits), 3)]
    return separator.join(parts)


def superscript(text: str) -> str:
    """A whole number raised; anything else after a caret, in brackets when it has several terms."""
    text = tidy(text)
    if not text:
        return ""
    if re.fullmatch(r"[+\-−]?[0-9]+", text):
        return text.translate(_UP)
    return f"^{text}" if re.fullmatch(r"[+\-−]?[\w.,]+|\(.*\)|\{.*\}", text) else f"^({text})"


def fraction_name(name: str) -> str:
    """What ``{{3/4}}`` shows: "3⁄4"; empty for other names."""
    found = re.fullmatch(r"([0-9]{1,3})/([0-9]{1,3})", name)
    return f"{found[1]}⁄{found[2]}" if found else ""


_FRACTION_FIRST = re.compile(r"[0-9]+[⁄/][0-9]")


def apart(before: str, shown: str) -> str:
    """A template's text as it stands behind another: a fraction after a digit is set apart (``4{{frac|1|2}}``)."""
    return f" {shown}" if before.isdigit() and _FRACTION_FIRST.match(shown) else shown


def spell(number: int) -> str:
    """An English number word, up to 999,999."""
    if number < 20:
        return ONES[number]
    if number < 100:
        ones = number % 10
        return TENS[number // 10 - 2] + (f"-{ONES[ones]}" if ones else "")
    if number < 1000:
        rest = number % 100
        return f"{ONES[number // 100]} hundred" + (f" and {spell(rest)}" if rest else "")
    rest = number % 1000
    return f"{spell(number // 1000)} thousand" + (f" {spell(rest)}" if rest else "")
