"""Removes licence headers: the "boilerplate, such as headers" of LLaMA's section on GitHub.

``llama``: of the comments before the first line of code, the paragraphs from the first that speaks of licence or
copyright to the last. Everything else stays: shebang, encoding line, includes, pragmas, headings, other comments.
``redpajama``: RedPajama's documented rule, with what it loses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LICENCE = re.compile(
    r"copyright|\(c\)\s*(?:19|20)\d\d|©|licen[cs]e|spdx-|all rights reserved|permission is hereby granted"
    r"|redistribution and use|warrant(?:y|ies)|free software|public domain",
    re.IGNORECASE,
)
# What belongs to a licence when it stands before one.
_ATTRIBUTION = re.compile(r"\(c\)|this file is part of|\bauthors?\b|@\w+\.", re.IGNORECASE)
_PREAMBLE = re.compile(
    r"#!|<\?xml|<\?php|<\?\s*$|<!doctype|@charset|(?:#|//|--|;|%|\"|/\*)\s*-\*-.*-\*-|.*\b(?:vim?|ex):\s*set?\b"
    r"|#.*\bcoding[:=]|# *frozen_string_literal|[\"']use strict[\"'];?\s*$",
    re.IGNORECASE,
)
# What may stand before the header of a C file: include guards, includes and pragmas.
_DIRECTIVE = re.compile(r"#\s*(?:include|ifndef|define|pragma|import)\b")
_C_NAMES = "c h cpp hpp c++ h++ cc hh C H m mm cu cuh"
_C_FAMILY = frozenset(_C_NAMES.split())
_WORD = re.compile(r"\w")
_FEW_LINES, _MAX_LINES = 50, 400
_C_LIKE = "c h cs cpp hpp c++ h++ cc hh C H css scss go java js jsx ts tsx rs scala php php3 php4 php5 phps phpt m mm"
_C_LIKE += " kt kts swift dart proto groovy cu cuh sql vue sass less"
_HASH = "py pyx pxd rb sh bash command zsh pl pm pod perl ps1 psd1 psm1 jl cmake dockerfile Dockerfile Makefile r R"
_HASH += " tcl ex exs php php3 php4 php5 phps phpt yaml yml toml conf in mk asm elixir"


class _Style(NamedTuple):
    """How comments are written: markers of whole lines, and pairs of marks around blocks."""

    lines: tuple[str, ...]
    blocks: tuple[tuple[str, str], ...]


def _styles() -> dict[str, _Style]:
    lines: dict[str, list[str]] = {}
    blocks: dict[str, list[tuple[str, str]]] = {}
    # .h.cmake is a C header to be filled in
    for marker, extensions in (
        ("//", _C_LIKE.replace(" css", "") + " asm cmake"),
        ("#", _HASH),
        ("--", "sql lua hs vhd"),
        ("%", "tex m erl hrl cls sty"),
        (";", "asm lisp el clj cljs ini"),
        ("'", "vb"),
        ("!", "f90 f f03 f08 f77 f95 for fpp"),
        ("rem ", "bat cmd"),
        ("::", "bat cmd"),
        ("dnl", "m4 ac"),
    ):
        for extension in extensions.split():
            lines.setdefault(extension, []).append(marker)
    for pair, extensions in (
        (("/*", "*/"), _C_LIKE + " asm s S cmake"),
        (("<!--", "-->"), "html xml md markdown vue xsd xsl svg"),
        (("{-", "-}"), "hs"),
        (("--[[", "]]"), "lua"),
        (("<#", "#>"), "ps1 psd1 psm1"),
        (("(*", "*)"), "ml mli"),
        (("=begin", "=end"), "rb"),
    ):
        for extension in extensions.split():
            blocks.setdefault(extension, []).append(pair)
    names = lines.keys() | blocks.keys()
    return {name: _Style(tuple(lines.get(name, ())), tuple(blocks.get(name, ()))) for name in names}


_STYLES = _styles()
_NO_COMMENTS = _Style((), ())


class Stripped(NamedTuple):
    """A text without its licence header, and how many lines went."""

    text: str
    removed: int


def strip_header(text: str, extension: str) -> Stripped:
    """Remove the licence header by the ``llama`` rule; comment marks follow from the file's extension."""
    if "\n" not in text and "\r" in text:
        stripped = strip_header(text.replace("\r", "\n"), extension)
        return stripped._replace(text=stripped.text.replace("\n", "\r"))
    for limit in (_FEW_LINES, _MAX_LINES):
        lines = text.split("\n", limit)
        rest = lines[limit:]
        del lines[limit:]
        kept, at, decided = _leading(lines, extension)
        if decided or not rest:
            break
    if at == len(kept):
        return Stripped(text, 0)
    while kept and not kept[0].strip():
        kept.pop(0)
    while kept and not kept[-1].strip() and at < len(lines) and not lines[at].strip():
        kept.pop()
    if not kept:
        while at < len(lines) and not lines[at].strip():
            at += 1
    left = [*kept, *lines[at:]]
    return Stripped("\n".join([*left, *rest]), len(lines) - len(left))


def _leading(lines: list[str], extension: str) -> tuple[list[str], int, bool]:
    """The lines that stay of the leading comments, where these end, and whether more lines would change nothing."""
    style = _STYLES.get(extension, _NO_COMMENTS)
    kept: list[str] = []
    at = 0
    settled = 0
    while at < len(lines):
        line = lines[at].strip().lstrip("\ufeff")
        if not line or _PREAMBLE.match(line) or (extension in _C_FAMILY and _DIRECTIVE.match(line)):
            kept.append(lines[at])
            at += 1
            continue
        end = _comment_end(lines, at, style, extension)
        if end is None or end == at:
            return kept[: len(kept) - (at - settled)], settled, end is not None
        comment = lines[at:end]
        closing = _closing(comment[0], style)
        left = _without_licence(comment, closing)
        if left is not comment and at == 0 and comment[0].startswith("\ufeff") and left:
            left[0] = "\ufeff" + left[0].lstrip("\ufeff")
        kept.extend(left)
        at = end
        settled = at
    return kept[: len(kept) - (at - settled)], settled, False


def _closing(line: str, style: _Style) -> str | None:
    stripped = line.lstrip(" \t\ufeff")
    for begin, end in style.blocks:
        if stripped.startswith(begin):
            return end
    return None


def _comment_end(lines: list[str], at: int, style: _Style, extension: str) -> int | None:
    """Where the comment that begins at line ``at`` ends; ``at`` itself when none begins there, None when none ends."""
    first = lines[at].lstrip(" \t\ufeff")
    if extension == "rst":
        return _rst_comment_end(lines, at)
    for begin, end in style.blocks:
        if first.startswith(begin):
            return _block_end(lines, at, begin, end)
    end_at = at
    while end_at < len(lines) and _is_line_comment(lines[end_at], style, extension):
        end_at += 1
    return end_at


def _block_end(lines: list[str], at: int, begin: str, end: str) -> int | None:
    first = lines[at].lstrip(" \t\ufeff")
    tail = first[len(begin) :]
    here = at
    while end not in tail:
        here += 1
        if here == len(lines):
            return None
        tail = lines[here]
    # Code after the comment on its last line: not a header of its own.
    return at if tail.split(end, 1)[1].strip() else here + 1


def _is_line_comment(line: str, style: _Style, extension: str) -> bool:
    stripped = line.lstrip(" \t\ufeff").lower()
    if extension in ("f", "for", "f77") and line[:1] in ("c", "C", "*") and not line[1:2].isalnum():
        return True
    return stripped.startswith(style.lines) and not stripped.startswith("#!") if style.lines else False


def _rst_comment_end(lines: list[str], at: int) -> int:
    line = lines[at]
    if not (line == ".." or line.startswith(".. ")) or re.match(r"\.\. (?:[\w-]+::|_|\[|\|)", line):
        return at
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" ", "\t"))):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return end


def _without_licence(comment: list[str], closing: str | None) -> list[str]:
    """The comment without its licence paragraphs and what is between them; the same list when it has none."""
    paragraphs = _paragraphs(comment)
    speaking = [number for number, (a, b) in enumerate(paragraphs) if _LICENCE.search(" ".join(comment[a:b]))]
    if not speaking:
        return comment
    opening = speaking[0]
    while opening and _ATTRIBUTION.search(" ".join(comment[slice(*paragraphs[opening - 1])])):
        opening -= 1
    first, last = paragraphs[opening][0], paragraphs[speaking[-1]][1]
    before, after = comment[:first], comment[last:]
    if not _says_something(before):
        before = []
    if not _says_something(after):
        after = []
    while before and not _WORD.search(before[-1]):
        before.pop()
    while after and not _WORD.search(after[0]):
        after.pop(0)
    if closing is None:
        return before + after
    line_end = "\r" if comment[0].endswith("\r") else ""
    if before and not after:
        return [*before, f" {closing}{line_end}"]
    if after and not before:
        mark = re.match(r"\ufeff?\s*(?:/\*+!?|<!--|\{-|--\[\[|<#|\(\*|=begin)", comment[0])
        return [(mark[0] if mark else "") + line_end, *after]
    return before + after


def _says_something(lines: list[str]) -> bool:
    return any(_WORD.search(line) for line in lines)


def _paragraphs(comment: list[str]) -> list[tuple[int, int]]:
    """Ranges of consecutive lines that hold a word."""
    ranges: list[tuple[int, int]] = []
    start: int | None = None
    for at, line in enumerate([*comment, ""]):
        if _WORD.search(line):
            start = at if start is None else start
        elif start is not None:
            ranges.append((start, at))
            start = None
    return ranges


_RP_BLOCK = re.compile(r"/\*.*?\*/", re.DOTALL)


def strip_header_redpajama(text: str) -> Stripped:
    """RedPajama's rule: the first ``/* */`` anywhere goes if it says "copyright" and ends the matter either way;
    without one, every leading line goes that is empty or begins with ``//``, ``#`` or ``--``.
    """
    found = _RP_BLOCK.search(text)
    if found is not None:
        if "copyright" not in found[0].lower():
            return Stripped(text, 0)
        return Stripped(text[: found.start()] + text[found.end() :], found[0].count("\n") + 1)
    lines = text.split("\n")
    skip = 0
    while skip < len(lines) and (not lines[skip] or lines[skip].startswith(("//", "#", "--"))):
        skip += 1
    return Stripped("\n".join(lines[skip:]), skip) if skip else Stripped(text, 0)
