"""Text of others on a person's screen: without what a terminal would take for commands.

Both programs print through ``clean_streams``, so nothing that a record, a name or an error holds reaches a terminal as
a command, whoever prints it. What stands on a line of its own because we say so goes through ``one_line`` besides.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

# Escape sequences (CSI, OSC and the like, up to their ends), then every control character but newline and tab.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # bytes of a file's name that are no UTF-8; written, they are bytes again
_BLANK = re.compile(r"\s")


def plain(text: str) -> str:
    """The text without escape sequences, control characters and marks that turn the direction of writing."""
    if text.isascii() and text.isprintable():
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", _SEQUENCE.sub("", text)))


def one_line(text: object) -> str:
    """The same on one line: an id, a name or an address cannot make a line of its own."""
    return " ".join(plain(_BLANK.sub(" ", str(text))).split())


def json_line(content: Any) -> str:
    """JSON on one line that keeps every character, those that ``plain`` would take away as escapes of JSON."""
    text = json.dumps(content, ensure_ascii=False)
    return re.sub(f"{_CONTROL.pattern}|{_SURROGATE.pattern}", lambda found: f"\\u{ord(found[0]):04x}", text)


def size_of(count: float) -> str:
    """Bytes in a unit that a person reads: 999 bytes, 1.5 kB, 24.0 TB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError("there is a last unit")


class _Clean:
    """A text stream of which nothing but ``plain`` text comes out."""

    def __init__(self, stream: TextIO) -> None:
        self.raw = stream

    def write(self, text: str) -> int:
        """Write the text; what the stream's encoding does not have as an escape of Python's."""
        shown = plain(text)
        try:
            self.raw.write(shown)
        except UnicodeEncodeError:
            name = self.raw.encoding
            self.raw.write(shown.encode(name, "backslashreplace").decode(name))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextmanager
def clean_streams() -> Iterator[None]:
    """While the block runs, what is printed is ``plain``; child processes write what they like."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Clean(raw(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def raw(stream: TextIO) -> TextIO:
    """The stream itself, for who draws on a terminal and makes ``plain`` what comes from elsewhere."""
    return stream.raw if isinstance(stream, _Clean) else stream
