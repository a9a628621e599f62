"""Lines out of bytes that come in pieces. What damage costs is each caller's choice, made in one place of its own.

``core.jsonl.read_jsonl`` and ``train_handoff.read`` read what we wrote: damage is an error that names the line.
``stages.shared.json_rows`` reads what others wrote: damage costs a row, and everything before it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def cut_lines(pieces: Iterable[bytes], max_line: int | None = None) -> Iterator[list[bytes | None]]:
    """Yield the lines that each piece completes, without their newlines, and a last one that has no newline.

    A line of more than ``max_line`` bytes is None and is not held in memory. What ``pieces`` raises is raised when all
    whole lines before it have been given; the line that it cut is not given.
    """
    limit = float("inf") if max_line is None else max_line
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        size += len(first)
        if size <= limit:
            held.append(first)
        else:
            held.clear()
        if others:
            last = others.pop()
            yield [
                b"".join(held) if size <= limit else None,
                *(others if len(piece) <= limit else [line if len(line) <= limit else None for line in others]),
            ]
            held, size = [last], len(last)
    if size:
        yield [b"".join(held) if size <= limit else None]
