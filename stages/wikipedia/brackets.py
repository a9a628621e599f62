"""Which bracket closes which."""

from __future__ import annotations

import re

# Most links hold no other brackets: they are found whole.
_BRACKETS = re.compile(r"\{\{|\}\}|\]\]|\[\[(?:[^\[\]{}]*+\]\])?+")


def match_brackets(text: str) -> dict[int, int]:
    """Offsets of ``{{`` and ``[[`` with the offset after the bracket that closes each; unclosed ones are absent."""
    ends: dict[int, int] = {}
    templates: list[int] = []
    links: list[int] = []  # those in the innermost open template, and outside of all
    outer: list[list[int]] = []  # those around each open template
    for found in _BRACKETS.finditer(text):
        at, end = found.span()
        if end - at > 2:
            ends[at] = end
            continue
        mark = text[at]
        if mark == "{":
            templates.append(at)
            outer.append(links)
            links = []
        elif mark == "[":
            links.append(at)
        elif mark == "]":
            if links:
                ends[links.pop()] = end
        elif templates:
            ends[templates.pop()] = end
            links = outer.pop()
    return ends
