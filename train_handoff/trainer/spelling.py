"""Text as ids come, one at a time: whole characters only, up to the first stop. Imports no torch."""

from __future__ import annotations

from typing import Any

_BEHIND = 8  # ids before the new ones, by which a piece's leading space is known to be one
_CHARACTER = 4  # bytes of the longest character in UTF-8
_BROKEN = "\N{REPLACEMENT CHARACTER}"


class Spelling:
    """The text of ids of a SentencePiece model that follow ``before``."""

    def __init__(self, processor: Any, before: list[int]) -> None:
        self._processor = processor
        self._shown = before[-_BEHIND:]
        self._new: list[int] = []

    def add(self, id: int) -> str:
        """What the text grows by: nothing while a character is spelled byte by byte and lacks some."""
        self._new.append(id)
        text = self._grown()
        if text.endswith(_BROKEN) and len(self._new) < _CHARACTER:
            return ""
        self._shown, self._new = [*self._shown, *self._new][-_BEHIND:], []
        return text

    def rest(self) -> str:
        """What was held back."""
        return self._grown()

    def _grown(self) -> str:
        whole: str = self._processor.decode([*self._shown, *self._new])
        return whole[len(self._processor.decode(self._shown)) :]


class Stops:
    """Text up to the first of some ``stops``; what may be the beginning of one is held back."""

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.found = False
        self.which = ""

    def add(self, text: str) -> str:
        """What of the text so far can be shown now; ``found`` is set when a stop has come, and ``which``."""
        self._held += text
        places = [(place, stop) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.found = True
            place, self.which = min(places)
            shown, self._held = self._held[:place], ""
            return shown
        begun = (size for stop in self._stops for size in range(1, len(stop)) if self._held.endswith(stop[:size]))
        end = len(self._held) - max(begun, default=0)
        shown, self._held = self._held[:end], self._held[end:]
        return shown

    def rest(self) -> str:
        """What was held back."""
        return self._held
