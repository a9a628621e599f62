"""Takes memory, to see that a limit holds."""

from __future__ import annotations


def zeros(size: int) -> int:
    """Hold so many bytes, all of them written."""
    return len(bytearray(b"\1") * size)
