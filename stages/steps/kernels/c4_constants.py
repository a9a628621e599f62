"""The constants of C4's line rules: those of the released C4, and what other systems have instead."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

from llama_data.pipeline.core.settings import Strict


class Line(IntEnum):
    """What became of a line; from ``lorem_ipsum`` on the whole page goes."""

    kept = 0
    long_word = 1
    no_end_mark = 2
    few_words = 3
    javascript = 4
    policy = 5
    lorem_ipsum = 6
    brace = 7
    javascript_page = 8


class LineRules(Strict):
    """Constants of the line rules; the defaults are those of the released C4 (TFDS).

    ``max_word`` in characters; ``min_words`` words a line, counted after citations are removed unless
    ``count_words_first``; ``end_marks`` ASCII characters, one of which must end a line; ``javascript``: what a
    mention costs; ``everywhere``: braces, lorem ipsum and (when it costs the page) javascript count in any line,
    also in those that other rules drop.
    """

    max_word: int | None = 1000
    min_words: int = 5
    count_words_first: bool = False
    end_marks: str = '.?!"'
    drop_ellipsis: bool = True
    remove_citations: bool = True
    javascript: Literal["line", "page"] = "line"
    drop_policy: bool = True
    everywhere: bool = False
    min_sentences: int = 3


PRESETS: dict[str, LineRules] = {
    "tfds": LineRules(),
    "datatrove": LineRules(min_words=3, count_words_first=True, end_marks=".?!\"'", min_sentences=5),
    "dolma": LineRules(
        max_word=None,
        min_words=3,
        drop_ellipsis=False,
        remove_citations=False,
        javascript="page",
        drop_policy=False,
        everywhere=True,
        min_sentences=0,
    ),
}
