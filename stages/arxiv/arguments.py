r"""Where a macro stands as the argument of a command, so that its expansion must be one group.

TeX takes one token or one group as an undelimited argument (The TeXbook, chapter 20). A macro without braces is that
one token; what it expands to is often more. ``^`` and ``_`` are treated alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from llama_data.stages.arxiv.kernel import UNKNOWN
from llama_data.stages.arxiv.masks import CLOSE, OPEN
from llama_data.stages.arxiv.reading import closing_brace

LOOK_BEHIND = 600  # characters in which the command is looked for whose argument stands here
NEAR = 60  # those in which it is, unless groups stand between

_MOST = 2  # arguments that may stand before this one
_SINGLE = re.compile(rf"\\(?:[A-Za-z@]+|[\s\S])|[^\\{{}}\s]|{OPEN}\d+{CLOSE}")
# what would not do its work inside a group: alignment, environments, headings, delimiters, paragraphs
_STRUCTURE = re.compile(
    r"\\(?:begin|end|left|right|item|part|chapter|(?:sub)*section|par|over|atop|choose|limits|nolimits|input|\\|cr)"
    r"(?![A-Za-z@])|&|\n[ \t]*\n"
)
_WORD = re.compile(r"[A-Za-z@]+\Z")


def may_be_argument(before: str) -> bool:
    """False when what stands before is certainly no command or argument of one."""
    text = before.rstrip(" \t\n")
    last = text[-1:]
    return last.isalnum() or last in ("}", "]", "^", "_", "*") or text[-2:-1] == "\\"


def needs_braces(body: str, before: str, arity: Callable[[str], int]) -> bool:
    """True when the text before ends where a command reads its argument, and the body is not one token or group.

    ``arity`` tells how many arguments a command takes, ``UNKNOWN`` when nobody knows: braces do no harm after a
    command that takes none, and an argument without them is lost.
    """
    return not is_single(body) and _is_argument(before, arity) and not _STRUCTURE.search(body)


def is_single(body: str) -> bool:
    """True for one token, one group or one verbatim piece."""
    if _SINGLE.fullmatch(body):
        return True
    return body[:1] == "{" and body[-1:] == "}" and closing_brace(body, 0) == len(body) - 1


def _is_argument(text: str, arity: Callable[[str], int]) -> bool:
    place, items = _back_over_space(text, len(text)), 0
    while place > 0 and items <= _MOST:
        last = text[place - 1]
        escaped = _is_escaped(text, place - 1)
        if escaped:
            return arity(last) > items
        if last in "^_":
            return items == 0
        if last.isalpha() or last == "@":
            word = _WORD.search(text, max(0, place - 40), place)
            start = word.start() if word else place - 1
            if start > 0 and text[start - 1] == "\\" and not _is_escaped(text, start - 1):
                count = arity(text[start:place])
                if count > items or (count == UNKNOWN and items == 0):
                    return True
                if count != 0:
                    return False
                place = start - 1
            else:
                place -= 1
            items += 1
        elif last == "}":
            place = _opening(text, place - 1, "{", "}")
            items += 1
        elif last == "]":
            place = _opening(text, place - 1, "[", "]")
        elif last == "*" and place > 1 and text[place - 2].isalpha():
            place -= 1
            continue
        elif last in "{[(&$~|=<>+-,;:.!?\"'`":
            return False
        else:
            place -= 1
            items += 1
        place = _back_over_space(text, place)
    return False


def _back_over_space(text: str, place: int) -> int:
    """The place before the spaces and at most one line end that stand there."""
    lines = 0
    while place > 0 and text[place - 1] in " \t\n":
        lines += text[place - 1] == "\n"
        if lines > 1:
            return 0
        place -= 1
    return place


def _is_escaped(text: str, place: int) -> bool:
    count = 0
    while place > count and text[place - 1 - count] == "\\":
        count += 1
    return count % 2 == 1


def _opening(text: str, place: int, opening: str, closing: str) -> int:
    """The place of the bracket that the one at ``place`` closes; 0 when it is further away than is looked."""
    depth = 0
    while place >= 0:
        character = text[place]
        if character in (opening, closing) and not _is_escaped(text, place):
            depth += 1 if character == closing else -1
            if depth == 0:
                return place
        place -= 1
    return 0
