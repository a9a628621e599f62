"""Markup inside a line: tags, external links, switches, emphasis; and the punctuation around gaps."""
# ruff: noqa: RUF001 - the brackets and dashes of many scripts

from __future__ import annotations

import re

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
_AROUND = re.compile(f"[ ,;]{{0,4}}+{_G}[ ,;{_G}]*+")
_NO_SPACE_BEFORE = frozenset(",.;:!?)]»”%")
_SPACES = re.compile(r"[ \t\u2002-\u200a]{2,}|\t")


def mend(line: str) -> str:
    """Repair a line around its gaps: empty brackets, doubled separators and spaces. Other text stays as it is."""
    line = _SPACES.sub(" ", line)
    if GAP in line:
        line = _GAPS.sub(lambda found: f" {GAP}" if " " in found.group() else GAP, line)
        for _ in range(3):
            mended = _PAIR.sub(GAP, line)
            if mended == line:
                break
            line = mended
        line = _OPENING.sub(r"\1", line)
        line = _CLOSING.sub("", line)
        line = _AROUND.sub(_close_up, line)
    return line


def _close_up(found: re.Match[str]) -> str:
    """What stands in the place of gaps and the commas, semicolons and spaces around them: one of each at most."""
    run, following = found.group(), found.string[found.end() : found.end() + 1]
    separator = ";" if ";" in run else "," if "," in run else ""
    cut_off = not following and " " in run[: run.index(GAP)]  # ``Paris, 2001, {{ISBN|...}}``
    if cut_off or (following and following in "–—-.!?"):
        separator = ""
    space = " " if " " in run and (following not in _NO_SPACE_BEFORE) else ""
    return separator + space
