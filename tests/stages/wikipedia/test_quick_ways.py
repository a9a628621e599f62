"""What is found whole or passed over for speed, against the plain rule."""

# ruff: noqa: RUF001 - brackets and dashes of other scripts

from __future__ import annotations

import re
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.stages.wikipedia import inline, opaque
from llama_data.stages.wikipedia.brackets import match_brackets
from llama_data.stages.wikipedia.inline import mend
from llama_data.stages.wikipedia.opaque import GAP, set_aside
from llama_data.stages.wikipedia.tables import match_tables

_MANY = settings(max_examples=300, deadline=None)


def texts(pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces.split("·")), max_size=24).map("".join)


def plain_brackets(text: str) -> dict[int, int]:
    ends: dict[int, int] = {}
    stack: list[tuple[str, int]] = []
    for found in re.finditer(r"\{\{|\}\}|\[\[|\]\]", text):
        mark = found.group()
        if mark in ("{{", "[["):
            stack.append((mark, found.start()))
        elif mark == "]]":
            if stack and stack[-1][0] == "[[":
                ends[stack.pop()[1]] = found.end()
        elif any(opened == "{{" for opened, _ in stack):
            while stack[-1][0] == "[[":
                stack.pop()
            ends[stack.pop()[1]] = found.end()
    return ends


@_MANY
@given(texts("{{·}}·[[·]]·[·]·{·}·a·|·[[b]]·[[b|c]]·\n"))
@example("[[[a]]]")
def test_brackets_are_matched_as_by_a_stack(text: str) -> None:
    assert match_brackets(text) == plain_brackets(text)


@_MANY
@given(texts("{|·|}·|}}·{{|·:·*· ·\t·\n·\n{|·\n|}·\n|-·a"))
@example("{|\n|}")
def test_tables_begin_where_a_line_does(text: str) -> None:
    edges = list(re.finditer(r"^[ \t:*#;]*\{\||^[ \t]*\|\}(?!\})", text, re.MULTILINE))
    stack: list[tuple[int, int]] = []
    closed: dict[int, tuple[int, int]] = {}
    for found in edges:
        if found.group().endswith("{|"):
            stack.append((found.end() - 2, found.start()))
        elif stack:
            mark, begin = stack.pop()
            closed[mark] = begin, found.end()
    tables = match_tables(text)
    assert {mark: tables[mark] for mark in closed} == closed
    assert {mark: tables[mark][0] for mark in tables.keys() - closed.keys()} == dict(stack)


def plain_mend(line: str) -> str:
    """All patterns at every character of the line."""
    line = inline._SPACES.sub(" ", line)
    line = re.sub(f"{GAP}(?: ?{GAP})+", lambda found: f" {GAP}" if " " in found.group() else GAP, line)
    for _ in range(3):
        line = inline._PAIR.sub(GAP, line)
    line = inline._CLOSING.sub("", inline._OPENING.sub(r"\1", line))
    around = re.compile(f"[ ,;]{{0,4}}+{GAP}[ ,;{GAP}]*+")
    return around.sub(lambda found: inline._close_up(found[0], line[found.end() : found.end() + 1]), line)


@_MANY
@given(texts(f"{GAP}·{GAP}· ·  ·\t·,·;·:·.·(·)·[·]·（·）·–·or ·a·word·\u2003·é·!"))
@example(f"a ,;,, {GAP} ,b")
@example(f"( {GAP}, {GAP} )")
def test_a_line_is_mended_as_by_all_patterns(line: str) -> None:
    assert mend(line) == plain_mend(line)


@_MANY
@given(
    texts('<ref>·</ref>·</REF >·<ref name="a">·<ref name=a/>·<ref/>·<ref a / >·<refs>·<b>·<nowiki>·</nowiki>·x·\n·>·/')
)
@example("<ref name='a>b'>c</ref>")
def test_notes_that_are_found_whole_are_those_of_the_scanner(text: str) -> None:
    one_by_one = re.compile(
        rf"<(?:(?P<note>\b\B)|!--|(?P<name>{opaque._NAMES})(?=[\s/>]))",
        re.IGNORECASE,
    )
    found = set_aside(text)
    with mock.patch.object(opaque, "_START", one_by_one):
        scanned = set_aside(text)
    assert (found[0], found[1].texts) == (scanned[0], scanned[1].texts)
