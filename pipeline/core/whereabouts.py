"""What a task is at, noted where it outlives the process, so that a death is told with the record it came after."""

from __future__ import annotations

from typing import Any

SIZE = 512  # bytes of a note

_page: Any = None


def note_in(page: Any) -> None:
    """Note on this page of ``SIZE`` bytes, which the process that watches this one reads, from now on."""
    global _page
    _page = page


def at(what: str) -> None:
    """Note the record or file that is being worked on; costs nothing where nobody watches."""
    if _page is not None:
        _page[:SIZE] = what.encode("utf-8", "replace")[:SIZE].ljust(SIZE, b"\0")


def read_note(page: Any) -> str | None:
    """What was noted last; None: nothing."""
    return bytes(page[:SIZE]).rstrip(b"\0").decode("utf-8", "replace") or None
