"""Text of others on a person's screen: without what a terminal would take for commands."""

from __future__ import annotations

import re

# Escape sequences (CSI, OSC and the like, up to their ends), then every control character but newline and tab.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BLANK = re.compile(r"\s")


def plain(text: str) -> str:
    """The text without escape sequences, control characters and marks that turn the direction of writing."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def one_line(text: object) -> str:
    """The same on one line: an id, a name or an address cannot make a line of its own."""
    return " ".join(plain(_BLANK.sub(" ", str(text))).split())
