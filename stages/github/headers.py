"""Removes licence headers: the "boilerplate, such as headers" of LLaMA's section on GitHub.

``llama``: of the comments before the first line of code, the sentences of licence and copyright go, with the authors,
headings and addresses beside them. Everything else stays: shebang, encoding line, includes, pragmas, headings, other
comments, and what stands before or between the comments (``preludes``).
``redpajama``: RedPajama's documented rule, with what it loses.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llama_data.stages.github.comments import RST, Comment, begins_block, comment_at
from llama_data.stages.github.preludes import prelude_end
from llama_data.stages.github.trimming import without_licence

# Without one of these in a comment, none of its sentences is one of a licence.
_CUES = (
    "copy", "licen", "(c)", "©", "spdx", "rights", "permi", "warrant", "public domain", "redistrib", "gpl", "as is",
    "as-is", "free software", "unencumbered", "copr.", "propriet", "confident", "liable", "mpl", "cddl", "mit", "bsd",
    "apache", "reserv", "vorbehalten", "derechos", "diritti", "droits", "direitos", "legal", "property of",
    "prohibited",
    "wtfpl", "gfdl", "lizenz", "freie software", "logiciel libre", "software libre", "software livre",
    "software libero", "права защищены", "版权", "版權", "著作権",
)  # fmt: skip
_FEW_LINES, _MAX_LINES = 50, 800
_PHP = frozenset(["php", "php3", "php4", "php5", "phps", "phpt", "phtml", "inc"])
_PHP_OPENING = re.compile(r"(\s*<\?(?:php)?)[ \t]+(?=/\*|//|#)", re.IGNORECASE)
_REGION = re.compile(r"\s*#\s*region\b", re.IGNORECASE)
_END_REGION = re.compile(r"\s*#\s*end\s?region\b", re.IGNORECASE)


class Stripped(NamedTuple):
    """A text without its licence header, and how many lines went."""

    text: str
    removed: int


def strip_header(text: str, extension: str) -> Stripped:
    """Remove the licence header by the ``llama`` rule; comment marks follow from the file's extension."""
    if "\n" not in text and "\r" in text:
        stripped = strip_header(text.replace("\r", "\n"), extension)
        return stripped._replace(text=stripped.text.replace("\n", "\r"))
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    for limit in (_FEW_LINES, _MAX_LINES):
        lines = text[len(mark) :].split("\n", limit)
        rest = lines[limit:]
        del lines[limit:]
        if extension in _PHP and (opening := _PHP_OPENING.match(lines[0])) is not None:
            lines[:1] = [opening[1], lines[0][opening.end() :]]
        walk = _Walk(lines, extension)
        decided = walk.run()
        if decided or not rest:
            break
    if not walk.changed:
        return Stripped(text, 0)
    left = "\n".join([*walk.kept, *lines[walk.at :], *rest])
    return Stripped(("" if walk.began else mark) + left, text.count("\n") - left.count("\n"))


class _Walk:
    """Goes over preludes and comments to the first line of code. ``began``: the file's first comment went whole."""

    def __init__(self, lines: list[str], extension: str) -> None:
        self.lines = lines
        self.extension = extension
        self.kept: list[str] = []
        self.at = 0
        self.changed = False
        self.began = False
        self.regions: list[tuple[int, bool]] = []

    def run(self) -> bool:
        """Fill ``kept`` and move ``at``; true when more lines would change nothing."""
        lines = self.lines
        while self.at < len(lines):
            if not lines[self.at].strip():
                self._keep(self.at + 1)
                continue
            comment = comment_at(lines, self.at, self.extension)
            if comment is None:
                end = prelude_end(lines, self.at, self.extension)
                if end == self.at:
                    return not begins_block(lines[self.at], self.extension)
                self._keep(end)
                continue
            if comment.end == len(lines) and not comment.tail:
                # It may go on behind the lines that are looked at.
                self._cut(comment)
                return False
            self._cut(comment)
            if comment.tail:
                return True
        return False

    def _keep(self, end: int) -> None:
        line = self.lines[self.at]
        if _REGION.match(line):
            self.regions.append((len(self.kept), self.changed))
        self.kept.extend(self.lines[self.at : end])
        self.at = end
        if _END_REGION.match(line) and self.regions:
            start, changed = self.regions.pop()
            if changed != self.changed and not any(inner.strip() for inner in self.kept[start + 1 : -1]):
                del self.kept[start:]
                self._close_gap()

    def _cut(self, comment: Comment) -> None:
        lines = self.lines[comment.start : comment.end]
        left = None
        said = "\n".join(lines).lower()
        if any(cue in said for cue in _CUES):
            left = without_licence(lines, comment, self.extension)
        if left is None:
            self.kept.extend(lines)
            self.at = comment.end
            return
        if left and self.extension in RST and comment.marks and not left[0].startswith(".."):
            left.insert(0, "..")
        if comment.marks == ("", "=cut") and left and not left[0].startswith("="):
            left[:0] = ["=pod", ""]
        self.began = self.began or (comment.start == 0 and not left)
        self.changed = True
        self.at = comment.end
        if left == ["?>"] and self.kept and self.kept[-1].strip().lower() in ("<?php", "<?"):
            self.kept.pop()
            left = []
        self.kept.extend(left)
        if not left:
            self._close_gap()

    def _close_gap(self) -> None:
        """No blank lines in front, and not two gaps where there was one comment."""
        while self.kept and not self.kept[-1].strip() and self.at < len(self.lines) and not self.lines[self.at].strip():
            self.kept.pop()
        if not any(line.strip() for line in self.kept):
            self.kept.clear()
            while self.at < len(self.lines) and not self.lines[self.at].strip():
                self.at += 1


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
