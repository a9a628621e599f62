"""Markup inside a line: emphasis, HTML tags, external links, magic words; and the punctuation around gaps."""
# ruff: noqa: RUF001 - the brackets and dashes of many scripts

from __future__ import annotations

import html
import re

from llama_data.stages.shared.scripts import lowered, raised
from llama_data.stages.wikipedia.opaque import BREAK, GAP

# Possessive quantifiers: what follows cannot be found by giving characters back, and trying would take quadratic time.
_SCRIPT = re.compile(r"<(su[pb])\b[^<>]*+>((?:[^<]|<(?!/?su[pb]\b))*+)</\1\s*+>", re.IGNORECASE)
_EMPHASIS = re.compile(r"'{2,}")
MAX_SCRIPT = 200  # characters; a longer one is small print
_BASE = 60  # characters before a script in which its base is looked for
_NESTED = 4
_BREAK = re.compile(r"<\s*+/?\s*+br\b[^<>]*+>[ \t]*+\n?", re.IGNORECASE)
_BLOCK = re.compile(r"</?(?:p|div|blockquote|center|ul|ol|dl|h[1-6]|hr|table)\b[^<>]*+>", re.IGNORECASE)
_ITEM = re.compile(r"<(?:li|dt|dd|tr)\b[^<>]*+>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9:-]*+(?:\s[^<>]*+|/)?>")
_EXTERNAL = re.compile(
    r"\[(?:(?:https?|ftps?|gopher|irc|news|mailto|telnet):|//)[^\s\[\]<>\"]*+[ \t]*+([^\[\]\n]*+)\]", re.IGNORECASE
)
_MAGIC = re.compile(r"__[A-ZÀ-ÖØ-ÞА-ЯЁІЇЄҐĐŠŽČĆ]{3,}(?:_[A-ZÀ-ÖØ-ÞА-ЯЁІЇЄҐĐŠŽČĆ]+)*__")
_VARIANT = re.compile(r"-\{((?:(?!-\{|\}-).)*+)\}-", re.DOTALL)
_RUN = re.compile(r"'{2,}")


def strip_inline(text: str, language: str = "en") -> str:
    """Take the inline markup out of a page whose brackets are already resolved."""
    if "<" in text:
        text = _write_scripts(text, language)
        text = _BREAK.sub(BREAK, text)
        text = _BLOCK.sub("\n\n", text)
        text = _ITEM.sub(BREAK, text)
        text = _TAG.sub("", text)
    if "[" in text:
        text = _EXTERNAL.sub(lambda found: found.group(1) or GAP, text)
    if "__" in text:
        text = _MAGIC.sub("", text)
    if "-{" in text:
        text = _VARIANT.sub(lambda found: _variant(found.group(1)), text)
    if "''" in text:
        text = "\n".join([_unquote(line) if "''" in line else line for line in text.split("\n")])
    if "&" in text:
        text = html.unescape(text)
    return text.replace("\xa0", " ")


def _write_scripts(text: str, language: str) -> str:
    """Superscripts and subscripts from the innermost outwards."""
    for _ in range(_NESTED):
        written = _SCRIPT.sub(lambda found: _script(found, language), text)
        if written == text:
            break
        text = written
    return text


def _script(found: re.Match[str], language: str) -> str:
    inner = html.unescape(_plain(found.group(2))).replace(GAP, "")
    if len(inner) > MAX_SCRIPT:
        return found.group(2)
    start = found.start()
    before = _plain(found.string[max(0, start - _BASE) : start])
    script = raised(inner, before, language=language) if found.group(1).lower() == "sup" else lowered(inner, before)
    return script + inner[len(inner.rstrip()) :]


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", _TAG.sub("", text))


def _variant(rule: str) -> str:
    """Serbian language conversion: the text itself, or the first variant's."""
    flagless = rule.split("|", 1)[-1]
    first = flagless.split(";", 1)[0]
    return first.split(":", 1)[1].strip() if re.match(r"\s*[a-z]{2}-[a-z]+\s*:", first) else flagless


def _unquote(line: str) -> str:
    """Drop the apostrophes of bold and italics, and keep those that MediaWiki shows.

    Four are one and bold, more than five are the surplus and both; when bold and italics are both unbalanced,
    one run of three is an apostrophe and italics: the first after a one-letter word, else the first
    after a longer word, else the first after a space (MediaWiki's rule).
    """
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
    out, position = [], 0
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
        line = _GAPS.sub(GAP, line)
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
    if following and following in "–—-":
        separator = ""
    space = " " if " " in run and (following not in _NO_SPACE_BEFORE) else ""
    return separator + space
