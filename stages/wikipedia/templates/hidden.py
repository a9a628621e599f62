"""HTML elements in the output of templates that a reader does not see as running text: boxes, hints, sort keys."""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import GAP

_TAG = re.compile(
    r"<(/?)(div|span|sup|sub|small|strong|p|i|table|ul|li|abbr)\b((?:[^<>\"']++|\"[^\"<>]*+\"|['\"])*+)>", re.IGNORECASE
)
_UNSEEN = re.compile(
    r"""\bclass\s*=\s*["']?[^"'<>]*(?:\bnoprint\b|navbox|infobox|taxobox|\bmetadata\b|\b[acfiot]?mbox|hatnote|dablink|rellink
    |boilerplate|sidebar|bandeau|\bstub\b|sisterproject|\berror\b|navigation|NavFrame|sortkey|\bgeo\b|coordinates|thumb|magnify
    |\bnoexcerpt\b|\bportal|\btoc\b|printonly|\bnavbar\b|hauptartikel|\bhintergrund|NavContent|noviewer|\breference\b)
    |\bstyle\s*=\s*["']?[^"'<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|speak\s*:\s*none)|\bhidden\b""",
    re.IGNORECASE | re.VERBOSE,
)


def without_hidden(text: str) -> str:
    """The text with a gap in the place of every element that is not shown, or not as running text.

    An element that is never closed is taken for its tag alone.
    """
    if "<" not in text:
        return text
    stack: list[tuple[str, int, bool]] = []
    cuts: list[tuple[int, int]] = []
    for found in _TAG.finditer(text):
        name = found.group(2).lower()
        if not found.group(1):
            if not found.group(3).endswith("/"):
                unseen = name == "table" or _UNSEEN.search(found.group(3)) is not None
                stack.append((name, found.start(), unseen))
            continue
        if not any(opened == name for opened, _, _ in stack[-8:]):
            continue
        while stack:
            opened, start, unseen = stack.pop()
            if opened == name:
                if unseen:
                    cuts.append((start, found.end()))
                break
    if not cuts:
        return text
    out, position = [], 0
    for start, end in sorted(cuts):
        if start >= position:
            out += [text[position:start], GAP]
            position = end
        elif end > position:
            position = end
    return "".join(out) + text[position:]
