"""Numbers as the Wikipedias write them: digit groups, fractions, powers of ten, centuries in words."""
# ruff: noqa: RUF001 - the minus sign is not a hyphen

from __future__ import annotations

import re

_COMMA = frozenset({"en"})
_DOT = frozenset({"de", "it", "nl", "da", "hr", "sl", "sr", "ca", "ro"})
_FOUR_UNGROUPED = frozenset({"es", "pt", "pl", "bg", "it"})
_PLAIN = re.compile(r"([+\-−]?)(\d+)(\.\d+)?")
_UP = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")

ONES = [
    "zero", "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def format_number(text: str, language: str) -> str:
    """A plain number with the language's separators; anything else comes back as it is."""
    found = _PLAIN.fullmatch(text.strip().replace(",", "") if re.fullmatch(r"[\d,.\s+\-−]+", text) else "")
    if not found:
        return text.strip()
    sign, whole, fraction = found.groups()
    if language in _COMMA:
        separator, point = ",", "."
    elif language in _DOT:
        separator, point = ".", ","
    else:
        separator, point = " ", ","
    if not (len(whole) == 4 and language in _FOUR_UNGROUPED) and not (len(whole) > 1 and whole[0] == "0"):
        whole = group(whole, separator)
    return sign.replace("-", "−") + whole + (fraction or "").replace(".", point)


def group(digits: str, separator: str = ",") -> str:
    """Digits in groups of three from the right."""
    head = len(digits) % 3
    parts = ([digits[:head]] if head else []) + [digits[i : i + 3] for i in range(head, len(digits), 3)]
    return separator.join(parts)


def superscript(text: str) -> str:
    """Digits and signs raised; anything else after a caret."""
    raised = text.translate(_UP)
    return raised if not re.search(r"[^⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]", raised) else f"^{text}"


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
