"""Markup inside a line: tags, external links, switches, emphasis; and the punctuation around gaps."""
# ruff: noqa: RUF001 - the brackets and dashes of many scripts

from __future__ import annotations

import re
from functools import lru_cache

from llama_data.stages.wikipedia.links import without_external
from llama_data.stages.wikipedia.opaque import GAP
from llama_data.stages.wikipedia.quotes import without_quotes
from llama_data.stages.wikipedia.scripts import without_scripts
from llama_data.stages.wikipedia.switches import without_switches
from llama_data.stages.wikipedia.tags import without_tags

_VARIANT = re.compile(r"-\{((?:(?!-\{|\}-).)*+)\}-", re.DOTALL)
_VARIANT_RULE = re.compile(r"\s*[a-z]{2,3}-[a-z]+\s*:")
_WITH_VARIANTS = frozenset({"crh", "gan", "iu", "kk", "ku", "mni", "sh", "shi", "sr", "tg", "tly", "uz", "zh"})
_HIDDEN_FLAGS = frozenset("HT-")  # a rule for the page, its title, no more rule


def strip_inline(text: str, language: str) -> str:
    """Take the inline markup out of a page whose brackets are already resolved."""
    if language in _WITH_VARIANTS and "-{" in text:
        text = _VARIANT.sub(lambda found: _variant(found.group(1)), text)
    text = without_external(text)
    text = without_scripts(text, language)
    return without_quotes(without_switches(without_tags(text), language))


def _variant(rule: str) -> str:
    """Language conversion (``-{text}-``, ``-{sr-ec:ћ; sr-el:ć}-``): the text itself, or the first variant's."""
    flag, bar, text = rule.partition("|")
    if bar and flag.strip() in _HIDDEN_FLAGS:
        return ""
    text = text if bar else flag
    first = text.split(";", 1)[0]
    return first.split(":", 1)[1].strip() if _VARIANT_RULE.match(first) else text


_G = GAP
_GAPS = re.compile(f"{_G}(?: ?{_G})+")
_OPENING = re.compile(f"([(\\[（]) ?(?:{_G} ?(?:[,;:/–—-] ?|(?:or|and|oder|ou|o|и)(?= ) ?)?){{1,16}}")
_CLOSING = re.compile(f"(?:(?: ?[,;:/–—])? ?{_G}){{1,16}}+ ?[,;:]? ?(?=[)\\]）])")
_PAIR = re.compile(f" ?[(（\\[][ ,;:/–—.]*+{_G}[ ,;:/–—.{_G}]*+[)）\\]]")
_RUN = re.compile(f"{_G}[ ,;{_G}]*+")
_MOST_BEFORE = 4  # separators and spaces before a gap that are looked at
# What the patterns above cannot match without, found much faster than by trying them at every character.
_BEHIND_OPENING = re.compile(f"[(（\\[][ ,;:/–—.]*+{_G}")
_BEFORE_CLOSING = re.compile(f"{_G} ?[,;:]? ?[)\\]）]")
_WIDE_SPACE = re.compile("[\u2002-\u200a]")
_NO_SPACE_BEFORE = frozenset(",.;:!?)]»”%")
_SPACES = re.compile(r"[ \t\u2002-\u200a]{2,}|\t")


def mend(line: str) -> str:
    """Repair a line around its gaps: empty brackets, doubled separators and spaces. Other text stays as it is."""
    if "  " in line or "\t" in line or (not line.isascii() and _WIDE_SPACE.search(line)):
        line = _SPACES.sub(" ", line)
    if GAP in line:
        line = _GAPS.sub(lambda found: f" {GAP}" if " " in found.group() else GAP, line)
        if _BEHIND_OPENING.search(line):
            for _ in range(3):
                mended = _PAIR.sub(GAP, line)
                if mended == line:
                    break
                line = mended
            line = _OPENING.sub(r"\1", line)
        if _BEFORE_CLOSING.search(line):
            line = _CLOSING.sub("", line)
        line = _closed_up(line)
    return line


def _closed_up(line: str) -> str:
    """A line without its gaps."""
    out: list[str] = []
    position = 0
    for found in _RUN.finditer(line):
        at = found.start()
        before = line[max(position, at - _MOST_BEFORE) : at]
        begin = at - len(before) + len(before.rstrip(" ,;"))
        out.append(line[position:begin])
        position = found.end()
        out.append(_close_up(line[begin:position], line[position : position + 1]))
    out.append(line[position:])
    return "".join(out)


@lru_cache(maxsize=1 << 12)
def _close_up(run: str, following: str) -> str:
    """What stands in the place of gaps and the commas, semicolons and spaces around them: one of each at most.

    ``following``: the character behind them.
    """
    separator = ";" if ";" in run else "," if "," in run else ""
    cut_off = not following and " " in run[: run.index(GAP)]  # ``Paris, 2001, {{ISBN|...}}``
    if cut_off or (following and following in "–—-.!?"):
        separator = ""
    space = " " if " " in run and (following not in _NO_SPACE_BEFORE) else ""
    return separator + space
