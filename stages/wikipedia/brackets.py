"""Which bracket closes which."""

from __future__ import annotations

import re

# Most links hold no other brackets: they are found whole.
_BRACKETS = re.compile(r"\{\{|\}\}|\]\]|\[\[(?:[^\[\]{}]*+\]\])?+")


def match_brackets(text: str) -> dict[int, int]:
    """Offsets of ``{{`` and ``[[`` with the offset after the bracket that closes each; unclosed ones are absent."""
    ends: dict[int, int] = {}
    stack: list[tuple[str, int]] = []
    open_templates = 0
    for found in _BRACKETS.finditer(text):
        mark = found.group()
        if mark == "{{":
            stack.append((mark, found.start()))
            open_templates += 1
        elif mark == "[[":
            stack.append((mark, found.start()))
        elif mark[0] == "[":
            ends[found.start()] = found.end()
        elif mark == "]]":
            if stack and stack[-1][0] == "[[":
                ends[stack.pop()[1]] = found.end()
        elif open_templates:
            while stack[-1][0] == "[[":
                stack.pop()
            ends[stack.pop()[1]] = found.end()
            open_templates -= 1
    return ends
