"""The parts of wikitext in which brackets mean nothing: comments, notes, formulas, code, literal text."""

from __future__ import annotations

import html
import re

GAP = "\x03"
"""Stands where something was dropped, until the punctuation around it is mended."""

BREAK = "\x04"
"""A line break inside a paragraph."""

_OPEN, _CLOSE = "\x01", "\x02"

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_START = re.compile(
    r"<!--|<(nowiki|pre|math|chem|ce|syntaxhighlight|source|ref|references|gallery|timeline|score|imagemap|graph"
    r"|mapframe|maplink|templatestyles|templatedata|hiero|inputbox|categorytree|includeonly|table|section|poem|indicator"
    r"|charinsert|dynamicpagelist|rss|phonos|style|script)\b((?:[^<>\"']++|\"[^\"<>]*+\"|['\"])*+)>",
    re.IGNORECASE,
)
_KEPT = frozenset({"nowiki", "pre", "math", "chem", "ce", "syntaxhighlight", "source", "poem"})
_OPEN_REF = re.compile(r"<ref\b(?:[^<>/]|/(?!>))*>", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


class Stash:
    """Texts that are set aside and put back at the end, untouched by what happens to the rest."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def keep(self, text: str) -> str:
        """Set a text aside; returns the mark that stands for it."""
        self.texts.append(text)
        return f"{_OPEN}{len(self.texts) - 1}{_CLOSE}"

    def restore(self, text: str) -> str:
        """Put the texts back."""
        return _MARK.sub(lambda found: self.texts[int(found.group(1))], text) if self.texts else text


def set_aside(text: str) -> tuple[str, Stash]:
    """Drop comments, notes and galleries; replace formulas (as ``$TeX$``), code and literal text by marks."""
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    stash = Stash()
    if "<" not in text:
        return text, stash
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter whose lower case is longer would shift offsets
        lowered = text
    closes: dict[str, int] = {}
    out: list[str] = []
    position = 0
    while True:
        found = _START.search(text, position)
        if not found:
            break
        at = found.start()
        out.append(text[position:at])
        if found.group(1) is None:
            end = text.find("-->", at + 4)
            position = len(text) if end < 0 else _after_comment(text, at, end + 3)
            continue
        tag = found.group(1).lower()
        if found.group(2).endswith("/"):
            out.append("" if tag not in ("ref", "references") else GAP)
            position = found.end()
            continue
        close = _find_close(lowered, tag, found.end(), closes)
        if tag == "ref":
            position = _after_ref(text, found.end(), close)
            out.append(GAP)
            continue
        if tag in ("references", "section", "templatestyles") and close < 0:
            position = found.end()
            continue
        body_end = close if close >= 0 else _line_end(text, found.end())
        dropped = GAP + "\n\n" if tag == "table" else GAP
        out.append(_kept(tag, text[found.end() : body_end], stash) if tag in _KEPT else dropped)
        position = text.find(">", body_end) + 1 if close >= 0 else body_end
    out.append(text[position:])
    return "".join(out), stash


def _kept(tag: str, body: str, stash: Stash) -> str:
    if tag == "poem":
        return body.strip("\n").replace("\n", BREAK)
    if tag == "math":
        formula = html.unescape(_SPACE.sub(" ", body)).strip()
        return stash.keep(f"${formula}$") if formula else GAP
    if tag in ("chem", "ce"):
        return stash.keep(_SPACE.sub(" ", html.unescape(body)).strip())
    if tag == "nowiki":
        return stash.keep(html.unescape(body)) if body else ""
    code = html.unescape(body.replace("<nowiki>", "").replace("</nowiki>", "")).strip("\n")
    return stash.keep(code) if code.strip() else GAP


def _find_close(lowered: str, tag: str, start: int, cache: dict[str, int]) -> int:
    """Offset of the closing tag at or after ``start``, or -1. The cache keeps a tag without a close from
    being searched for to the end of the page more than once."""
    known = cache.get(tag)
    if known is None or (known >= 0 and known < start):
        known = lowered.find(f"</{tag}", start)
        cache[tag] = known
    return known


def _after_ref(text: str, start: int, close: int) -> int:
    """Where a note ends: at its closing tag, or, if that is missing, at the next note or the end of the line."""
    limit = len(text) if close < 0 else close
    again = _OPEN_REF.search(text, start, limit)
    if again:
        line_end = text.find("\n", start, again.start())
        return again.start() if line_end < 0 else line_end
    if close < 0:
        return _line_end(text, start)
    return text.find(">", close) + 1 or len(text)


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _after_comment(text: str, at: int, end: int) -> int:
    """A comment that is alone on its line takes the line break with it."""
    alone = at == 0 or text[at - 1] == "\n"
    return end + 1 if alone and text.startswith("\n", end) else end
