"""Reading groups, tokens, options and delimited arguments from a text, as TeX does (The TeXbook, chapter 20)."""

from __future__ import annotations

import re
from functools import lru_cache

from llama_data.stages.arxiv.masks import OPEN

_WORDS = re.compile(r"\\(?:([A-Za-z@]+)|[\s\S])")
_BRACES = re.compile(r"[{}]|\\[\s\S]")
_BRACKETS = re.compile(r"[{}\]]|\\[\s\S]")
_SPACE = re.compile(r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?")
_WORD_END = re.compile(r"\\[A-Za-z@]+\Z")
_DELIMITER_PART = re.compile(r"\s+|\\[A-Za-z@]+|\\[\s\S]|[\s\S]")


def skip_space(text: str, pos: int) -> int:
    """The place after spaces and at most one line end."""
    found = _SPACE.match(text, pos)
    return found.end() if found else pos


def closing_brace(text: str, pos: int, limit: int | None = None) -> int:
    """The place of the brace that closes the one at ``pos`` (within ``limit`` characters), or -1."""
    depth = 0
    for found in _BRACES.finditer(text, pos, len(text) if limit is None else pos + limit):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return found.start()
    return -1


def matched_braces(text: str) -> dict[int, int]:
    """For each brace that is closed the place of the one that closes it."""
    found: dict[int, int] = {}
    waiting: list[int] = []
    for brace in _BRACES.finditer(text):
        if brace[0] == "{":
            waiting.append(brace.start())
        elif brace[0] == "}" and waiting:
            found[waiting.pop()] = brace.start()
    return found


def read_group(text: str, pos: int) -> tuple[str, int] | None:
    """The content of the brace group at ``pos`` (spaces before it skipped) and the place after it."""
    pos = skip_space(text, pos)
    if text[pos : pos + 1] != "{":
        return None
    end = closing_brace(text, pos)
    return None if end < 0 else (text[pos + 1 : end], end + 1)


def read_token(text: str, pos: int) -> tuple[str, int] | None:
    """An undelimited argument: a brace group's content, a command, a mark, or one character."""
    place = skip_space(text, pos)
    return read_group(text, place) if text[place : place + 1] == "{" else read_single(text, place)


def read_single(text: str, pos: int) -> tuple[str, int] | None:
    """An undelimited argument that is no group: a command, a mark, or one character."""
    pos = skip_space(text, pos)
    first = text[pos : pos + 1]
    if first in ("", "{", "}", "\n"):
        return None
    if first == "\\":
        found = _WORDS.match(text, pos)
        return None if found is None or found[1] in ("end", "par", "item") else (found[0], found.end())
    if first == OPEN:
        end = pos + 1
        while end < len(text) and text[end].isdigit():
            end += 1
        return text[pos : end + 1], end + 1
    return first, pos + 1


def read_option(
    text: str, pos: int, limit: int | None = None, marks: tuple[str, str] = ("[", "]")
) -> tuple[str, int] | None:
    """The content of the bracket group at ``pos`` (spaces before it skipped) and the place after it.

    A bracket inside braces closes nothing, and braces around the whole content are no part of it. ``limit``: in
    how many characters it must end. ``marks``: other characters that open and close it.
    """
    pos = skip_space(text, pos)
    if text[pos : pos + 1] != marks[0] or text.find(marks[1], pos + 1) < 0:
        return None
    depth = nested = 0
    tokens = _BRACKETS if marks[1] == "]" else _tokens_with(*marks)
    for found in tokens.finditer(text, pos + 1, len(text) if limit is None else pos + limit):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and token == marks[1] and not nested:
            return strip_braces(text[pos + 1 : found.start()]), found.end()
        elif depth == 0 and marks[1] != "]" and token in marks:
            nested += 1 if token == marks[0] else -1
    return None


def strip_braces(content: str) -> str:
    """The content of a group when the text is one group, else the text."""
    if content.startswith("{") and closing_brace(content, 0) == len(content) - 1:
        return content[1:-1]
    return content


@lru_cache(maxsize=64)
def _tokens_with(opening: str, closing: str) -> re.Pattern[str]:
    return re.compile(rf"[{{}}]|\\[\s\S]|{re.escape(closing)}|{re.escape(opening)}")


@lru_cache(maxsize=4096)
def delimiter_pattern(delimiter: str) -> re.Pattern[str]:
    """What matches a delimiter's tokens in a text: spaces after a command do not count, others are one."""
    parts: list[str] = []
    for part in _DELIMITER_PART.findall(delimiter):
        if part[0] == "\\" and part[1:2].isalpha():
            parts.append(re.escape(part) + r"(?![A-Za-z@])[ \t]*")
        elif part.isspace():
            parts.append("" if parts and parts[-1].endswith("*") else r"[ \t]*[\n \t][ \t]*")
        else:
            parts.append(re.escape(part))
    return re.compile(rf"(?P<delimiter>{''.join(parts)})|\\[A-Za-z@]+|\\[\s\S]|[{{}}]")


def read_delimited(text: str, pos: int, delimiter: str) -> tuple[str, int] | None:
    """The text up to a delimiter that stands outside of all groups, and the place after the delimiter."""
    depth = 0
    for found in delimiter_pattern(delimiter).finditer(text, pos):
        if found["delimiter"] is not None:
            if depth == 0:
                return strip_braces(text[pos : found.start()]), found.end()
        elif found[0] == "{":
            depth += 1
        elif found[0] == "}":
            depth -= 1
            if depth < 0:
                return None
    return None


def ends_in_word(text: str) -> bool:
    """True when the text ends in a command made of letters, which a following letter would lengthen."""
    return bool(text) and text[-1:].isalpha() and _WORD_END.search(text, max(0, len(text) - 80)) is not None


def join(left: str, right: str) -> str:
    """Put two texts together so that no command swallows the letters after it."""
    return f"{left} {right}" if right[:1].isalpha() and ends_in_word(left) else left + right
