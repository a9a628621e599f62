"""Formulas of chemistry, and raised and lowered text: written as the tags that the cleaner writes out later.

Sources: the documentation of Template:Chem, Template:Chem2 and Template:Su.
"""
# ruff: noqa: RUF001 - the minus sign is not a hyphen

from __future__ import annotations

import re

from llama_data.stages.wikipedia.templates.call import Call

_CHARGE = re.compile(r"\d*[+\-−–]|[+\-−–]\d+")
_COUNT = re.compile(r"\d+(?:[.,]\d+)?|[nmxyz](?:[+\-−]\d+)?")
# One token of chem2: its own marks for a raised and a lowered text, a charge, a count after an element or a bracket.
_LINEAR = re.compile(
    r"\^\{(?P<up>[^{}]*)\}|_\{(?P<down>[^{}]*)\}|\((?P<charge>\d*[+\-−])\)|(?<=[\w)\]])(?P<sign>[+\-−](?=\s|$|\]))"
    r"|(?<=[A-Za-z)\]])(?P<count>\d+(?:\.\d+)?)"
)


def raised(call: Call) -> str:
    """``{{sup|5}}`` → a superscript."""
    return _tagged("sup", call.get(1))


def lowered(call: Call) -> str:
    """``{{sub|2}}`` → a subscript."""
    return _tagged("sub", call.get(1))


def both(call: Call) -> str:
    """``{{su|p=2|b=1}}``: a superscript above a subscript; what is below stands first."""
    return _tagged("sub", call.get("b", 2)) + _tagged("sup", call.get("p", 1))


def chem(call: Call) -> str:
    """``{{chem|SO|4|2-}}`` → "SO₄²⁻": counts are lowered, charges and the mass before an element raised."""
    words = call.positional()
    shown = []
    for place, word in enumerate(words):
        following = words[place + 1 : place + 2]
        if _CHARGE.fullmatch(word):
            shown.append(_tagged("sup", word))
        elif place == 0 and word.isdecimal() and following:
            shown.append(_tagged("sup", word))  # a mass number
        elif _COUNT.fullmatch(word) and place:
            shown.append(_tagged("sub", word))
        else:
            shown.append(word)
    return "".join(shown)


def chem2(call: Call) -> str:
    """``{{chem2|SO4(2-)}}`` → "SO₄²⁻"; ``^{14}C`` and ``_{2}`` say it themselves; arguments follow one another."""
    return "".join(_LINEAR.sub(_mark, word) for word in call.positional())


def _mark(found: re.Match[str]) -> str:
    kind = found.lastgroup or ""
    return _tagged("sub" if kind in ("down", "count") else "sup", found.group(kind))


def _tagged(tag: str, text: str) -> str:
    return f"<{tag}>{text}</{tag}>" if text else ""
