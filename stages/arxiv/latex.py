"""The first pass over a TeX file: comments leave, verbatim text is put behind marks that no later pass touches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from llama_data.stages.arxiv import reading, verbatim
from llama_data.stages.arxiv.masks import Masks
from llama_data.stages.arxiv.vocabulary import CONDITIONAL

_BRANCH = re.compile(
    r"\\\\|\\%|%[^\n]*|\\(newif\s*\\|let\s*\\[A-Za-z@]+\s*=?\s*\\)?(if[A-Za-z@]*|else(?![A-Za-z@])|fi(?![A-Za-z@]))"
)
_TWO_TOKENS = re.compile(r"(?:\s*(?:\\[A-Za-z@]+|\\[\s\S]|[^\s\\])){2}")
_DEEP = 20  # conditionals inside each other that are looked at
_FLAG = re.compile(r"\\newif\s*\\(if[A-Za-z@]+)")
_SETTER_LINE = re.compile(r"(?m)^[^%\n]*(?:true|false)(?![A-Za-z@])")
_LET_FLAG = re.compile(r"(?m)^[ \t]*\\let\s*\\(if[A-Za-z@]+)\s*=?\s*\\if(true|false)(?![A-Za-z@])")
_NEW_FLAG = re.compile(r"\\newif\s*\\if[A-Za-z@]+")
_UNSURE = re.compile(r"\\(?:if|else|or(?![A-Za-z@])|[gex]?def(?![A-Za-z@])|let|\w*command|Declare|Exec)")
_SETTER = re.compile(r"\\([A-Za-z@]+?)(true|false)(?![A-Za-z@])")
_WORD_END = re.compile(r"\\[A-Za-z@]+\Z")
_BLANK_LINE = re.compile(r"[ \t]*(?:\n|\Z)")
_INDENT = re.compile(r"[ \t]*")
_COMMENT_LINE = re.compile(r"[ \t]*%[^\n]*")
_IF_ZERO = re.compile(r"\s*(?:0(?![0-9])|false(?![A-Za-z]))")
_COMMAND_CHARACTERS = re.compile(r"\s*\[[^\]]{0,1000}commandchars")
_WRITTEN_FILE = re.compile(r"\s*(?:\[[^\]]{0,1000}\])?\s*\{([^{}\n]*)\}[ \t]*\n?")
_PERCENT = re.compile(r"\\%|%")


class Cleaner:
    """Removes comments from a paper's files; ``sources`` are all of them, for what they declare.

    ``write`` is given the name and the text of each file that a ``filecontents`` environment writes.

    Comments are ``%`` to the line end with the newline and the next line's indentation (The TeXbook, chapter 8),
    the ``comment`` environment and ``\\iffalse``/``\\if0`` branches.
    """

    def __init__(
        self, *, masks: Masks, sources: Iterable[str] = (), write: Callable[[str, str], None] | None = None
    ) -> None:
        self.masks = masks
        self.write = write
        sources = list(sources)
        self.verbatim = verbatim.declared(sources)
        self.inline = {name: re.compile(pattern) for name, pattern in self.verbatim.inline.items()}
        flags = set(CONDITIONAL)
        settled: dict[str, set[str]] = {}
        for text in sources:
            flags.update(_FLAG.findall(text))
            for name, value in _LET_FLAG.findall(text):
                flags.add(name)
                settled.setdefault(name, set()).add(value)
            if "\\newif" in text:
                for name, value in _switches(text):
                    settled.setdefault(name, set()).add(value)
        self._flags = flags
        # a flag that is never switched has one outcome in the whole paper; TeX starts every flag as false
        own = flags - CONDITIONAL
        self._outcomes = {"iffalse": 0, "iftrue": 1}
        self._outcomes |= {flag: 0 for flag in own if settled.get(flag, {"false"}) == {"false"}}
        self._outcomes |= {flag: 1 for flag in own if settled.get(flag) == {"true"}}
        self.settled = frozenset(own & self._outcomes.keys())
        known, names, inline = (
            "|".join(sorted(map(re.escape, words), key=len, reverse=True))
            for words in (self._outcomes, self.verbatim.names(), self.inline)
        )
        short = "".join(map(re.escape, sorted(self.verbatim.short)))
        self._special = re.compile(
            rf"%|\\(?:[\\%{short}]"
            rf"|begin\s*\{{(?P<env>{names})\}}"
            rf"|(?P<inline>{inline})(?![A-Za-z@])(?!(?<=url|ath)\s*\{{)"
            r"|(?:url|path|href|nolinkurl)\s*\{(?P<url>[^{}\n]*%[^{}\n]*)\}"
            r"|catcode\s*`\\%\s*=?\s*1[0-3](?P<percent>[^\n]*)"
            rf"|(?P<branch>{known}|if(?=\s*(?:0(?![0-9])|false))|else|fi)(?![A-Za-z@])"
            + (rf")|(?P<short>[{short}])" if short else "|(?P<short>(?!)))")
        )

    def clean(self, text: str) -> str:
        """The text without comments and with marks for verbatim pieces. Takes any text, never raises."""
        return _Pass(self, text).run()


def _switches(text: str) -> Iterator[tuple[str, str]]:
    """The flags that a file switches; one switched on inside something else may depend on an option of the class."""
    for line in _SETTER_LINE.findall(text):
        for found in _SETTER.finditer(line):
            before = _NEW_FLAG.sub("", line[: found.start()])
            sure = found[2] == "false" or (before.count("{") == before.count("}") and not _UNSURE.search(before))
            yield f"if{found[1]}", found[2] if sure else "unsure"


class _Pass:
    def __init__(self, cleaner: Cleaner, text: str) -> None:
        self._cleaner = cleaner
        self._special = cleaner._special
        self._text = text
        self._out: list[str] = []
        self._unclosed: set[str] = set()
        self._dead_end: dict[str, int] = {}
        self._jumps: dict[int, int] | None = None

    def run(self) -> str:
        text, out, pos = self._text, self._out, 0
        search = self._special.search
        while (found := search(text, pos)) is not None:
            start, end = found.span()
            if (found.lastgroup is None or found["percent"] == "") and text[start] == "\\":
                out.append(text[pos:end])
                pos = end
                continue
            out.append(text[pos:start])
            if text[start] == "%":
                pos = self._comment(start)
            elif found["env"] is not None:
                pos = self._environment(start, end, found["env"])
            elif found["inline"] is not None:
                pos = self._inline(start, end, found["inline"])
            elif found["url"] is not None:
                cut = found.start("url")
                out += (text[start:cut], self._cleaner.masks.put(found["url"]))
                pos = found.end("url")
            elif found["percent"] is not None:
                out += (text[start : found.start("percent")], self._literal_percent(found["percent"]))
                pos = end
            elif found["short"] is not None:
                pos = self._delimited(start, start, text[start])
            else:
                pos = self._branch(start, end)
        out.append(text[pos:])
        return "".join(out)

    def _comment(self, start: int) -> int:
        """Leave a comment out; returns where to go on."""
        text = self._text
        end = text.find("\n", start)
        if end < 0:
            return len(text)
        line = text.rfind("\n", 0, start) + 1
        if not text[line:start].strip(" \t"):
            if self._out:
                self._out[-1] = self._out[-1].rstrip(" \t")
            return end + 1
        while not _BLANK_LINE.match(text, end + 1):
            comment = _COMMENT_LINE.match(text, end + 1)
            if comment is None:
                break
            end = comment.end()
        else:
            return end  # the blank line ends the paragraph, as it would in TeX
        indent = _INDENT.match(text, end + 1)
        after = indent.end() if indent else end + 1
        if text[after : after + 1].isalpha() and _WORD_END.search(text[max(line, start - 64) : start]):
            self._out.append(" ")
        return after

    def _environment(self, start: int, end: int, name: str) -> int:
        """Leave out a comment environment, or put a verbatim one behind a mark."""
        closing = f"\\end{{{name}}}"
        stop = -1 if name in self._unclosed else self._text.find(closing, end)
        if stop < 0:
            self._unclosed.add(name)
            self._out.append(self._text[start:end])
            return end
        stop += len(closing)
        names = self._cleaner.verbatim
        if name in names.written:
            self._write_file(self._text[end : stop - len(closing)])
        if name in names.excluded or name in names.written:
            rest = _BLANK_LINE.match(self._text, stop)
            return rest.end() if rest and self._at_line_start(start) else stop
        if name in names.half or _COMMAND_CHARACTERS.match(self._text, end):
            self._out.append(self._literal_percent(self._text[start:stop]))
        else:
            self._out.append(self._cleaner.masks.put(self._text[start:stop]))
        return stop

    def _write_file(self, content: str) -> None:
        r"""A file that ``filecontents`` writes is there for a later ``\\input``."""
        found = _WRITTEN_FILE.match(content)
        if found is not None and self._cleaner.write is not None:
            self._cleaner.write(found[1], content[found.end() :])

    def _literal_percent(self, text: str) -> str:
        """The text with marks for the percent signs that begin no comment."""
        return _PERCENT.sub(lambda found: found[0] if len(found[0]) > 1 else self._cleaner.masks.put("%"), text)

    def _at_line_start(self, start: int) -> bool:
        return not self._text[self._text.rfind("\n", 0, start) + 1 : start].strip()

    def _inline(self, start: int, end: int, name: str) -> int:
        r"""Put ``\verb|...|`` and its kin behind a mark."""
        opening = self._cleaner.inline[name].match(self._text, end)
        place = opening.end() if opening else end
        delimiter = self._text[place : place + 1]
        if opening is None or not delimiter or delimiter.isspace() or delimiter.isalpha() or delimiter in "\\%*":
            self._out.append(self._text[start:end])
            return end
        if delimiter == "{" and name not in ("verb", "lstinline") and self._dead_end.get("balanced", -1) <= place:
            line_end = self._line_end(place)
            stop = reading.closing_brace(self._text, place, limit=line_end - place)
            if stop < 0:
                self._dead_end["balanced"] = line_end
            else:
                self._out.append(self._cleaner.masks.put(self._text[start : stop + 1]))
                return stop + 1
        return self._delimited(start, place, "}" if delimiter == "{" and name != "verb" else delimiter, end)

    def _delimited(self, start: int, place: int, delimiter: str, end: int | None = None) -> int:
        """Put the text from ``start`` up to a delimiter after ``place``, on the same line, behind a mark."""
        text, stop = self._text, -1
        if self._dead_end.get(delimiter, -1) <= place:
            line_end = self._line_end(place)
            stop = text.find(delimiter, place + 1, line_end)
            if stop < 0:
                self._dead_end[delimiter] = line_end
        if stop < 0:
            end = start + 1 if end is None else end
            self._out.append(text[start:end])
            return end
        self._out.append(self._cleaner.masks.put(text[start : stop + 1]))
        return stop + 1

    def _line_end(self, place: int) -> int:
        found = self._text.find("\n", place)
        return len(self._text) if found < 0 else found

    def _branch(self, start: int, end: int) -> int:
        r"""Leave out what stands in ``\iffalse``; keep what stands in its ``\else``."""
        if self._jumps is None:
            self._jumps = _dead_branches(self._text, self._cleaner._flags, self._cleaner._outcomes)
        target = self._jumps.get(start)
        if target is None:
            self._out.append(self._text[start:end])
            return end
        rest = _BLANK_LINE.match(self._text, target)
        return rest.end() if rest and self._at_line_start(start) else target


def _dead_branches(text: str, flags: set[str], outcomes: dict[str, int]) -> dict[int, int]:
    r"""Where to jump from each ``\iffalse``, ``\iftrue``, ``\else`` and ``\fi`` whose outcome is known."""
    jumps: dict[int, int] = {}
    open_ifs: list[list[int]] = []  # start, end, start of \else, end of \else, known outcome (-1 unknown)
    tested = 0  # \ifx compares two tokens, none of which is a conditional, unless TeX skips it
    for found in _BRANCH.finditer(text):
        name = found[2]
        if name is None or found[1] or found.start() < tested:
            continue
        start, end = found.span()
        if name == "ifx" and not any(_is_skipped(opening) for opening in open_ifs[-_DEEP:]):
            operands = _TWO_TOKENS.match(text, end)
            tested = operands.end() if operands else end
        if name == "else":
            if open_ifs and open_ifs[-1][2] < 0:
                open_ifs[-1][2:4] = start, end
        elif name == "fi":
            if open_ifs:
                _settle(jumps, open_ifs.pop(), start, end)
        elif name in flags:
            zero = _IF_ZERO.match(text, end) if name == "if" else None
            outcome = 0 if zero else outcomes.get(name, -1)
            open_ifs.append([start, zero.end() if zero else end, -1, -1, outcome])
    return jumps


def _is_skipped(opening: list[int]) -> bool:
    """True inside of a branch that is known not to be taken."""
    return opening[4] == 0 if opening[2] < 0 else opening[4] == 1


def _settle(jumps: dict[int, int], opening: list[int], fi_start: int, fi_end: int) -> None:
    start, end, else_start, else_end, outcome = opening
    if outcome == 0:
        jumps[start] = fi_end if else_start < 0 else else_end
    elif outcome == 1:
        jumps[start] = end
        if else_start >= 0:
            jumps[else_start] = fi_end
            return
    if outcome >= 0 and not (outcome == 0 and else_start < 0):
        jumps[fi_start] = fi_end
