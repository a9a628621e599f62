"""Superscripts and subscripts as plain text: never so that they can be read as digits of what they stand at.

``10<sup>5</sup>`` without its tag is 105. What Unicode has raised or lowered is written with its characters, another
exponent or index after a caret or an underscore, in brackets when it has several terms. Endings of ordinals and
abbreviations (1st, XXe, Mme) belong to their word and follow it as they are.
"""
# ruff: noqa: RUF001 - signs of many scripts are the subject

from __future__ import annotations

import re
from typing import Literal

PowerStyle = Literal["unicode", "caret"]
"""How a plain power is written: ``10⁵`` or ``10^5``."""

_UP = str.maketrans("0123456789+-−–=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿ")
_DOWN = str.maketrans("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎")
_RAISABLE = re.compile(r"[0-9+\-−–=()n]+")
_LOWERABLE = re.compile(r"[0-9+\-−–=()]+")
# One term: a sign, then a number with its marks, or letters and digits. Primes and stars belong to their letter.
_TERM = re.compile(r"[+\-−–±∓]?(?:[0-9]+(?:[.,][0-9]+)*%?|[^\W\d_](?:(?![⁰¹²³⁴-⁹ⁿ])[\w′'*])*|∞)")
_MARKS = re.compile(r"[^\w+\-−–±∓=∞]+")  # stars, daggers, degree signs: nothing to take for a digit
_NOTE = re.compile(r"\[.*\]|\(?[^\W\d_]{2,}[\s:]+.*", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]{3}")
_PROSE_BEFORE = re.compile(r"(?:[^\W\d_]{3}|[.,;:!?\"”’])\Z")  # a word of running text, or the end of its sentence
_NO_BASE = ("", *" \t\n([{«“„‘/|\x03")  # what a script may stand after that is not its base
_TRADE = {"TM": "™", "(TM)": "™", "SM": "℠", "(SM)": "℠", "R": "®", "(R)": "®"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENDINGS = _words("st nd rd th er ère re eme ème ième ieme nde de os as ers res ste te")
_ENDINGS_IN = {
    "ca": frozenset({"a", "o", "r", "n", "t", "è", "é", "ns", "ts"}),
    "es": frozenset({"a", "o"}),
    "fr": frozenset({"e", "es", "o"}),
    "it": frozenset({"a", "o", "i", "e"}),
    "nl": frozenset({"e"}),
    "pt": frozenset({"a", "o"}),
}
_ROMAN_ENDINGS = frozenset({"e", "è", "a", "o"})
_NUMBER_BEFORE = re.compile(r"[0-9]\Z")
_ROMAN_BEFORE = re.compile(r"(?<!\w)[IVXLCDM]+\Z")
_WORD_BEFORE = re.compile(r"[^\W\d_]+\Z")
_ABBREVIATIONS = _words("""
    Mr Mrs Mme Mmes Mlle Mlles Mgr Mgrs Me Mes Dr Drs Dre Pr St Ste Sts Stes Cie Vve Mc Mac Wm Jas Chas Geo Thos No Nos
    no nos Sr Sra Srta Fr Gal Gral Cap Capt Col Lt Sgt
""")


def raised(text: str, before: str, *, style: PowerStyle = "unicode", language: str = "en") -> str:
    """A superscript as it follows ``before`` on its line.

    ``text``: the superscript without markup; space at its ends is left out. ``language``: whose ordinals may stand
    there (``1<sup>a</sup>`` is one in Spanish, a power in English).
    """
    text, rest = _core(text)
    return _raised(text, before, style, language) + rest


def _raised(text: str, before: str, style: PowerStyle, language: str) -> str:
    base = before[-1:]
    if not text or base in _NO_BASE:
        return _alone(text, before, style)
    if _belongs(text, before, language):
        return text
    if text in _TRADE and _PROSE_BEFORE.search(before):
        return _TRADE[text]
    if text == "o" and base.isdecimal():
        return "º"  # an ordinal, or somebody's degree sign: the letter stays raised
    if _MARKS.fullmatch(text):
        return text
    if _NOTE.fullmatch(text) or (_WORD.search(text) and _PROSE_BEFORE.search(before)):
        return f"[{text}]" if text[0] not in "[(" else text
    if style == "unicode" and _RAISABLE.fullmatch(text):
        return text.translate(_UP)
    return "^" + _one(text)


def lowered(text: str, before: str) -> str:
    """A subscript as it follows ``before`` on its line; ``text`` is the subscript without markup."""
    text, rest = _core(text)
    if _LOWERABLE.fullmatch(text):
        return text.translate(_DOWN) + rest
    if before[-1:] in _NO_BASE or _MARKS.fullmatch(text) or text[:1] in ("(", "["):  # (aq), [note]
        return text + rest
    if _NOTE.fullmatch(text):
        return f" {text}{rest}"
    return "_" + _one(text) + rest if text else rest


def _core(text: str) -> tuple[str, str]:
    """The script itself, and the punctuation of the sentence that has got into it."""
    text = " ".join(text.split())
    end = len(text)
    while end > 1 and (text[end - 1] in ",;:." or (text[end - 1] == ")" and "(" not in text[:end])):
        end -= 1
    return text[:end], text[end:]


def _alone(text: str, before: str, style: PowerStyle) -> str:
    """A superscript after a space: a mass number, a note's sign, or a power with a gap before it."""
    if style == "unicode" and _RAISABLE.fullmatch(text) and text != "n":
        return text.translate(_UP)
    return "^" + _one(text) if text[:1].isdecimal() and before.rstrip()[-1:].isdecimal() else text


def _one(text: str) -> str:
    """The text as one term."""
    if _TERM.fullmatch(text) or (text[0] == "(" and text[-1] == ")" and text.count("(") == 1):
        return text
    return f"({text})"


def _belongs(text: str, before: str, language: str) -> bool:
    """True for the ending of an ordinal or an abbreviation."""
    if not text.rstrip(".").isalpha():
        return False
    ending = text.rstrip(".").lower()
    if before[-1:] == "." and before[-2:-1].isalnum():  # 1.<sup>a</sup>, n.<sup>o</sup>: the point goes before it
        before = before[:-1]
    number = _NUMBER_BEFORE.search(before) is not None
    roman = not number and _ROMAN_BEFORE.search(before) is not None
    if number or roman:
        if ending in _ENDINGS or ending in _ENDINGS_IN.get(language, ()) or (roman and ending in _ROMAN_ENDINGS):
            return True
        if not ending[0].isascii() and not "α" <= ending[0] <= "ω":
            return True  # 5<sup>й</sup>: exponents are Latin or Greek
    word = _WORD_BEFORE.search(before)
    if word is None:
        return False
    nth = len(word.group()) == 1 and ending in ("th", "st", "nd", "rd", "ième", "ème")
    return nth or word.group() + text.rstrip(".") in _ABBREVIATIONS
