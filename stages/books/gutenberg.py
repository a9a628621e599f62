"""Project Gutenberg's own text around a book: header, small print, credits, licence. All generations since 1991.

``frame`` finds where books begin and end, ``production`` what the makers of the file wrote; here both are put together.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llama_data.stages.books.frame import LONGEST, find_bodies
from llama_data.stages.books.production import is_credit, without_end_matter, without_front_matter

_LEAST_BODY = 20
_HEADER_LINE = re.compile(
    r"Project Gutenberg|gutenberg\.(?:org|net)|\[?e-?(?:text|book) ?#|release date|character set encoding", re.I
)
# What only a header says: without one of these a text that begins with Gutenberg's name is about Gutenberg.
_HEADER_ONLY = re.compile(
    r"\A[\W_]*(?:(?:this is )?the )?Project Gutenberg(?:['\u2019]s)?(?:-tm)? (?:e-?text|e-?book|edition)s?\b"
    r"|\A[\W_]*Project Gutenberg['\u2019]s [^.]{1,200}, by "
    r"|no restrictions\s+whatsoever|very few\s+restrictions|release date: |\[(?:e-?text|e-?book) ?#\d"
    r"|character set encoding:|free plain vanilla|information in this header|this header should be"
    r"|file should be named|date first posted:",
    re.I,
)
# What stands between the lines of a header that name Gutenberg: its words on copyright, and rules.
_HEADER_MORE = re.compile(r"copyright laws are changing|almost no\s+restrictions|\A[\W_]+\Z", re.I)
_PARAGRAPH_END = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_FIELD = re.compile(r"^_?(Title|Author):_? *(\S[^\n]*(?:\n {4,}\S[^\n]*)*)", re.M)
_NUMBER = re.compile(r"\[?(?:e-?text|e-?book) ?#(\d{1,6})", re.I)
# World Library's notice stands between the scenes of its Shakespeare too.
_NOTICE = re.compile(r"<<THIS ELECTRONIC VERSION OF [^<>]{1,1500}>>\s*")


class Stripped(NamedTuple):
    """A book without Gutenberg's text. ``method``: the marks that were found, joined with ``+``, or ``none``."""

    text: str
    method: str
    title: str | None
    author: str | None
    number: int | None


def strip_gutenberg(text: str) -> Stripped:
    """Remove what Project Gutenberg put before and after a book, or before and after each of several.

    Source: Gutenberg's texts themselves; c-w/gutenberg's list of marks for the generations there are.
    """
    bodies = find_bodies(_NOTICE.sub("", text) if "<<THIS ELECTRONIC VERSION" in text else text)
    kinds, header = set(bodies.kinds), bodies.header
    pieces = []
    for piece in bodies.pieces:
        body = piece.strip("\n")
        if not kinds.intersection(("opening", "small_print_end")):
            rest = _without_header_paragraphs(body)
            if rest is not None:
                header, body = body[: len(body) - len(rest)], rest
                kinds.add("phrases")
        framed = bool(kinds)
        rest = without_front_matter(body, framed=framed)
        kinds.update(["credits"] if rest is not body else [])
        body = without_end_matter(rest, framed=framed)
        kinds.update(["note"] if body is not rest else [])
        pieces.append(body.rstrip().lstrip("\n"))
    body = "\n\n\n".join(piece for piece in pieces if piece.strip())
    if len(body.strip()) < _LEAST_BODY and len(text.strip()) >= _LEAST_BODY:
        return Stripped(text, "kept_whole", None, None, None)
    order = ("opening", "small_print_end", "phrases", "credits", "note", "small_print", "closing")
    method = "+".join(kind for kind in order if kind in kinds) or "none"
    return Stripped(body, method, *_fields(header))


def _without_header_paragraphs(text: str) -> str | None:
    """The text after leading paragraphs that speak of Project Gutenberg; None when they are not those of a header."""
    position, seen = 0, False
    text_start = len(text) - len(text.lstrip())
    position = text_start
    while position < min(len(text), LONGEST):
        match = _PARAGRAPH_END.search(text, position)
        end = match.end() if match else len(text)
        paragraph = text[position:end]
        goes_on = seen and (_FIELD.match(paragraph) or _HEADER_MORE.search(paragraph) or is_credit(paragraph))
        if not (goes_on or _HEADER_LINE.search(paragraph)):
            break
        position, seen = end, True
    if not seen or position == len(text) or not _HEADER_ONLY.search(text[text_start:position]):
        return None
    return text[position:]


def _fields(header: str) -> tuple[str | None, str | None, int | None]:
    fields = {name: " ".join(value.split()) for name, value in _FIELD.findall(header)}
    number = _NUMBER.search(header)
    return fields.get("Title"), fields.get("Author"), int(number.group(1)) if number else None
