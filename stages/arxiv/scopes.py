"""Where the group ends in which a definition stands."""

from __future__ import annotations

import re
from bisect import bisect_left

_EDGE = re.compile(
    r"\\(?:(?P<env>begin|end)\s*\{(?P<name>[^{}]*)\}|(?P<word>begingroup|endgroup|bgroup|egroup)(?![A-Za-z@])|[\s\S])"
    r"|[{}]"
)
_KIND = {"begingroup": "g", "endgroup": "g", "bgroup": "{", "egroup": "{", "{": "{", "}": "{"}
_OPENS = frozenset({"begingroup", "bgroup", "{", "begin"})


class Scopes:
    """The groups of one text: braces, environments (but ``document``) and explicit groups, matched once."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._ends: list[int | None] = []
        self._parents: list[int] = []
        stack: list[tuple[str, int]] = []
        for found in _EDGE.finditer(text):
            word = found["env"] or found["word"] or found[0]
            kind = f"e{found['name']}" if found["env"] else _KIND.get(word)
            if kind is None or kind == "edocument":
                continue
            if word in _OPENS:
                self._parents.append(stack[-1][1] if stack else -1)
                stack.append((kind, len(self._starts)))
                self._starts.append(found.start())
                self._ends.append(None)
            elif stack and stack[-1][0] == kind:
                self._ends[stack.pop()[1]] = found.start()

    def end_of_group(self, pos: int) -> int | None:
        """The place of the closing edge of the innermost group around ``pos``; None outside of all groups.

        To be asked about places in ascending order.
        """
        first = group = bisect_left(self._starts, pos) - 1
        while group >= 0:
            end = self._ends[group]
            if end is not None and end >= pos:
                break
            group = self._parents[group]
        while first >= 0 and first != group:  # later questions are about later places: leave out what has ended
            self._parents[first], first = group, self._parents[first]
        return self._ends[group] if group >= 0 else None
