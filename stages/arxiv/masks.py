"""Marks that stand for verbatim text, so that no pass over a paper touches it.

A mark is ``U+FDD0 number U+FDD1``; decoding has made sure that no source brings these code points.
"""

from __future__ import annotations

import re

OPEN, CLOSE = "\ufdd0", "\ufdd1"
MARK = re.compile(f"{OPEN}(\\d+){CLOSE}")


class Masks:
    """Verbatim pieces of a paper, by their number."""

    def __init__(self) -> None:
        self.pieces: list[str] = []

    def put(self, piece: str) -> str:
        """Keep a piece and return the mark that stands for it."""
        self.pieces.append(piece)
        return f"{OPEN}{len(self.pieces) - 1}{CLOSE}"

    def restore(self, text: str) -> str:
        """Replace every mark by its piece."""
        return MARK.sub(lambda found: self.pieces[int(found[1])], text) if self.pieces else text
