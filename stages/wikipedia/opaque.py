"""The parts of wikitext in which brackets mean nothing: comments, notes, formulas, code, literal text."""

from __future__ import annotations

import re

from llama_data.stages.wikipedia.entities import decode

GAP = "\x03"
"""Stands where something was dropped, until the punctuation around it is mended."""

BREAK = "\x04"
"""A line break inside a paragraph."""

NOTHING = "\x05"
"""Stands where markup was that shows nothing and leaves no gap, so that what it parted stays apart: ``'<nowiki/>''``,
and what follows it at the beginning of a line is text."""

_OPEN, _CLOSE = "\x01", "\x02"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CONTROL = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_KEPT = _words("nowiki pre math chem ce syntaxhighlight source poem")
_DROPPED = _words(
    "ref references gallery timeline score imagemap graph mapframe maplink templatestyles templatedata hiero inputbox"
    " categorytree includeonly section indicator charinsert dynamicpagelist rss phonos langconvert page-collection"
    " style script"
)
EXTENSIONS = _KEPT | _DROPPED
"""Tags of MediaWiki's extensions, and two whose content is no text: wikitext's rules end at them."""

MARKUP_ALONE = frozenset({"ref", "references", "includeonly", "section", "pre"})
"""Those whose tags are never shown. A tag of the others that has no partner is text, as in MediaWiki."""

_NAMES = "|".join(sorted(map(re.escape, EXTENSIONS | {"table"}), key=len, reverse=True))
# Most notes hold no other tag: they are found whole.
_START = re.compile(
    rf"<(?:(?P<note>ref(?:\s[^<>]*+)?+(?:(?<=/)>|>[^<]*+</ref\s*+>))|!--|(?P<name>{_NAMES})(?=[\s/>]))", re.IGNORECASE
)
_ENDS = {name: re.compile(rf"</{re.escape(name)}\s*+>", re.IGNORECASE) for name in EXTENSIONS}
_OPEN_REF = re.compile(r"<ref(?:\s(?:[^<>/]|/(?!>))*)?>", re.IGNORECASE)
_TABLE_TAG = re.compile(r"<(/?)table(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_CELL_TAG = re.compile(r"<(/?)(?:td|th|caption)(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_ANY_TAG = re.compile(r"</?(?:table|tr|tbody|thead|tfoot|colgroup|col)(?=[\s/>])[^<>]*+>", re.IGNORECASE)
_NOWIKI_PAIR = re.compile(r"<nowiki>([^<]*+(?:<(?!/?nowiki>)[^<]*+)*+)</nowiki>", re.IGNORECASE)
_INLINE_CODE = re.compile(r"\binline\b|\benclose\s*=\s*[\"']?none\b", re.IGNORECASE)
_STANZA = re.compile(r"\n[ \t]*\n\s*")
_VERSE = re.compile(r"\n:*")
_SPACE = re.compile(r"\s+")
_BLANKS = re.compile(r"[ \t]*+")
_MARK = re.compile(f"{_OPEN}(\\d+){_CLOSE}")


class Stash:
    """Texts that are set aside and put back at the end, untouched by what happens to the rest.

    ``hidden``: how many characters of the page stand behind a comment that is never closed.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.hidden = 0

    def keep(self, text: str) -> str:
        """Set a text aside; returns the mark that stands for it."""
        self.texts.append(text)
        return f"{_OPEN}{len(self.texts) - 1}{_CLOSE}"

    def restore(self, text: str) -> str:
        """Put the texts back."""
        return _MARK.sub(lambda found: self.texts[int(found.group(1))], text) if self.texts else text


def set_aside(text: str) -> tuple[str, Stash]:
    """Drop comments, notes and galleries; replace formulas (as ``$TeX$``), code and literal text by marks.

    As in MediaWiki's preprocessor a tag goes to the first ``>``, and an element to the first tag that closes it. A
    tag that is never closed is text, and so is what follows; an unclosed note costs its line. A comment that is
    never closed goes to the end of the page, as for the readers of the wiki.
    """
    stash = Stash()
    text = _without_control(text)
    return _Scanner(text, stash).run() if "<" in text else text, stash


def _without_control(text: str) -> str:
    """Text without control characters, its lines ending in line feeds."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = text.encode("utf-8", "surrogatepass")
    plain = data.translate(None, _CONTROL)
    return text if len(plain) == len(data) else plain.decode("utf-8", "surrogatepass")


class _Scanner:
    """One pass over a text. What was searched for in vain is not searched for again, so the pass is linear."""

    def __init__(self, text: str, stash: Stash) -> None:
        self._text = text
        self._stash = stash
        self._out: list[str] = []
        self._closes: dict[str, tuple[int, int]] = {}
        self._tag_end = 0
        self._next_ref = 0
        self._tables: dict[int, int] | None = None

    def run(self) -> str:
        """The text with marks and gaps."""
        text, position = self._text, 0
        while found := _START.search(text, position):
            at = found.start()
            self._out.append(text[position:at])
            if found["note"]:
                self._out.append(GAP)
                position = found.end()
            else:
                position = self._comment(at, position) if found["name"] is None else self._element(found)
        self._out.append(text[position:])
        return "".join(self._out)

    def _comment(self, at: int, position: int) -> int:
        """Step over a comment. Comments that are alone on their line take the line with them."""
        text = self._text
        end = text.find("-->", at + 4)
        if end < 0:
            self._stash.hidden += len(text) - at
            return len(text)
        end += 3
        begin = at
        while begin > position and text[begin - 1] in " \t":
            begin -= 1
        if begin and text[begin - 1] != "\n":
            return end
        line_end = _skip_blanks(text, end)
        while text.startswith("<!--", line_end) and (further := text.find("-->", line_end + 4)) >= 0:
            line_end = _skip_blanks(text, further + 3)
        if not text.startswith("\n", line_end):
            return end
        self._out[-1] = self._out[-1][: len(self._out[-1]) - (at - begin)]
        return line_end + 1

    def _element(self, found: re.Match[str]) -> int:
        text, out, name = self._text, self._out, found["name"].lower()
        tag_end = self._find_tag_end(found.end())
        if tag_end < 0:
            out.append(found.group())
            return found.end()
        if name == "table":
            stop = self._find_table_end(found.start())
            out.append(_outside_cells(text[tag_end:stop]) or GAP + "\n\n" if stop else "\n\n")
            return stop or tag_end
        attributes = text[found.end() : tag_end - 1]
        if attributes.endswith("/"):
            out.append(GAP if name in ("ref", "references") else NOTHING)
            return tag_end
        close, after = self._find_close(name, tag_end)
        if name == "ref":
            out.append(GAP)
            return self._after_ref(tag_end, close, after)
        if close < 0:
            out.append("\n\n" if name == "pre" else "" if name in MARKUP_ALONE else text[found.start() : tag_end])
            return tag_end
        out.append(self._kept(name, attributes, text[tag_end:close]) if name in _KEPT else GAP)
        return after

    def _kept(self, name: str, attributes: str, body: str) -> str:
        keep = self._stash.keep
        if name == "poem":
            verses = _Scanner(body.strip("\n"), self._stash).run()
            return BREAK + "\n\n".join(_VERSE.sub(BREAK, "\n" + part) for part in _STANZA.split(verses)) + BREAK
        if name == "math":
            formula = decode(_SPACE.sub(" ", body)).strip()
            return keep(f"${formula}$") if formula else GAP
        if name in ("chem", "ce"):
            return keep(_SPACE.sub(" ", decode(body)).strip())
        if name == "nowiki":
            return keep(decode(body)) if body else NOTHING
        code = body if name != "pre" else decode(_NOWIKI_PAIR.sub(r"\1", body))
        code = code.strip("\n")
        if not code.strip():
            return GAP
        return keep(code) if name != "pre" and _INLINE_CODE.search(attributes) else BREAK + keep(code) + BREAK

    def _find_tag_end(self, start: int) -> int:
        """Offset after the next ``>``, -1 when there is none."""
        if 0 <= self._tag_end <= start:
            self._tag_end = self._text.find(">", start) + 1 or -1
        return self._tag_end

    def _find_close(self, name: str, start: int) -> tuple[int, int]:
        """Where the first closing tag at or after ``start`` begins and ends, (-1, -1) when there is none."""
        known = self._closes.get(name)
        if known is None or 0 <= known[0] < start:
            found = _ENDS[name].search(self._text, start)
            known = self._closes[name] = found.span() if found else (-1, -1)
        return known

    def _after_ref(self, start: int, close: int, after: int) -> int:
        """Where a note ends: at its closing tag, or, if that is missing, at the next note or the end of the line."""
        if 0 <= self._next_ref < start:
            found = _OPEN_REF.search(self._text, start)
            self._next_ref = found.start() if found else -1
        if self._next_ref >= 0 and (close < 0 or self._next_ref < close):
            line_end = self._text.find("\n", start, self._next_ref)
            return self._next_ref if line_end < 0 else line_end
        return _line_end(self._text, start) if close < 0 else after

    def _find_table_end(self, start: int) -> int:
        """Offset after the table that begins here with the tables inside it, 0 when it is never closed."""
        if self._tables is None:
            self._tables, stack = {}, []
            for found in _TABLE_TAG.finditer(self._text):
                if not found.group(1):
                    stack.append(found.start())
                elif stack:
                    self._tables[stack.pop()] = found.end()
        return self._tables.get(start, 0)


def _outside_cells(table: str) -> str:
    """Plain text of an HTML table that stands in none of its cells, which browsers show before the table."""
    out: list[str] = []
    depth = position = 0
    for found in _CELL_TAG.finditer(table):
        out += [table[position : found.start()]] if depth == 0 else []
        depth = max(0, depth + (-1 if found.group(1) else 1))
        position = found.end()
    out += [table[position:]] if depth == 0 else []
    loose = _ANY_TAG.sub("", "".join(out)).strip()
    return "" if "<" in loose or "{" in loose else loose


def _skip_blanks(text: str, start: int) -> int:
    found = _BLANKS.match(text, start)
    return found.end() if found else start


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
