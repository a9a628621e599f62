"""Apostrophes: bold, italics, and those that MediaWiki shows."""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.opaque import NOTHING

_RUN = re.compile(r"(''+)")


def without_quotes(text: str) -> str:
    """Text without the apostrophes of bold and italics, line by line."""
    if "''" not in text:
        return text
    return "\n".join([_unquote(line) if "''" in line else line for line in text.split("\n")])


def _unquote(line: str) -> str:
    """Drop the apostrophes of bold and italics, and keep those that MediaWiki shows.

    Four are one and bold, more than five are the surplus and both; when bold and italics are both unbalanced,
    one run of three is an apostrophe and italics: the first after a one-letter word, else the first
    after a longer word, else the first after a space (MediaWiki's rule).
    """
    parted = _RUN.split(line)
    bold, italic = parted.count("'''"), parted.count("''")
    if len(parted) == 2 * (bold + italic) + 1 and not (bold % 2 and italic % 2):  # as in most lines: none is shown
        return "".join([NOTHING if line.startswith("''") else "", *parted[::2]])
    runs = list(_RUN.finditer(line))
    lengths = [min(len(found.group()), 5) for found in runs]
    shown = [len(found.group()) - 5 if len(found.group()) > 5 else 0 for found in runs]
    for index, length in enumerate(lengths):
        if length == 4:
            lengths[index], shown[index] = 3, 1
    bold = sum(length in (3, 5) for length in lengths)
    italic = sum(length in (2, 5) for length in lengths)
    if bold % 2 and italic % 2:
        chosen = _apostrophe(
            line, [(index, runs[index].start() + shown[index]) for index, n in enumerate(lengths) if n == 3]
        )
        if chosen is not None:
            shown[chosen] += 1
    out, position = [NOTHING if line.startswith("''") else ""], 0  # what bold text begins with is no list mark
    for found, count in zip(runs, shown, strict=True):
        out += [line[position : found.start()], "'" * count]
        position = found.end()
    return "".join(out) + line[position:]


def _apostrophe(line: str, candidates: list[tuple[int, int]]) -> int | None:
    after_word = after_space = None
    for index, at in candidates:
        before, earlier = line[at - 1 : at], line[at - 2 : at - 1]
        if before == " ":
            after_space = index if after_space is None else after_space
        elif earlier == " ":
            return index
        else:
            after_word = index if after_word is None else after_word
    return after_word if after_word is not None else after_space
