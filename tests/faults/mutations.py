"""Seeded damage: one change to some bytes, and which of them it touched."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import NamedTuple

_NOT_UTF8 = (b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x90\x80\x80", b"\x80" * 9)
_NUMBERS = (0, -1, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 10**20)


class Damage(NamedTuple):
    """``data``: what became of the bytes; ``touched``: where in them, before, something changed, as half-open ranges
    (an empty one is where bytes were put in)."""

    kind: str
    data: bytes
    touched: list[tuple[int, int]]


def _range(rng: random.Random, size: int, most: int) -> tuple[int, int]:
    length = rng.randint(1, max(1, min(most, size // 3)))
    start = rng.randrange(max(1, size - length + 1))
    return start, start + length


def _truncate(data: bytes, rng: random.Random) -> Damage:
    at = rng.randrange(len(data))
    return Damage("truncate", data[:at], [(at, len(data))])


def _flip(data: bytes, rng: random.Random) -> Damage:
    out, touched = bytearray(data), []
    for _ in range(rng.choice((1, 1, 3, 10))):
        at = rng.randrange(len(out))
        out[at] ^= rng.randrange(1, 256)
        touched.append((at, at + 1))
    return Damage("flip", bytes(out), touched)


def _put(kind: str, data: bytes, rng: random.Random, what: bytes) -> Damage:
    at = rng.randrange(len(data) + 1)
    return Damage(kind, data[:at] + what + data[at:], [(at, at)])


def _splice(data: bytes, rng: random.Random) -> Damage:
    start, end = _range(rng, len(data), 3000)
    return _put("splice", data, rng, data[start:end])


def _zeros(data: bytes, rng: random.Random) -> Damage:
    if rng.random() < 0.5:
        return _put("zeros", data, rng, bytes(rng.randint(1, 3000)))
    start, end = _range(rng, len(data), 3000)
    return Damage("zeros", data[:start] + bytes(end - start) + data[end:], [(start, end)])


def _delete(data: bytes, rng: random.Random) -> Damage:
    start, end = _range(rng, len(data), 3000)
    return Damage("delete", data[:start] + data[end:], [(start, end)])


def _not_utf8(data: bytes, rng: random.Random) -> Damage:
    return _put("not-utf8", data, rng, rng.choice(_NOT_UTF8) * rng.randint(1, 50))


def _number(data: bytes, rng: random.Random) -> Damage:
    """A number that is written out, or that two, four or eight bytes may be, is another."""
    digits = [found.span() for found in re.finditer(rb"\d+", data)]
    if digits and rng.random() < 0.6:
        start, end = rng.choice(digits)
        old = int(data[start:end][:18])
        new = str(rng.choice((*_NUMBERS, old + 1, old - 1))).encode()
        return Damage("number", data[:start] + new + data[end:], [(start, end)])
    width = rng.choice((2, 4, 8))
    start = rng.randrange(max(1, len(data) - width + 1))
    order: list[str] = ["little", "big"]
    chosen = order[rng.randrange(2)]
    old = int.from_bytes(data[start : start + width], chosen)  # type: ignore[arg-type]
    new = (rng.choice((*_NUMBERS, old + 1, old - 1)) % 256**width).to_bytes(width, chosen)  # type: ignore[arg-type]
    return Damage("number", data[:start] + new + data[start + width :], [(start, start + width)])


KINDS: tuple[Callable[[bytes, random.Random], Damage], ...] = (
    _truncate,
    _flip,
    _flip,
    _splice,
    _zeros,
    _delete,
    _not_utf8,
    _number,
    _number,
)


def damaged(data: bytes, seed: int) -> Damage:
    """One seeded change; the same seed and bytes give the same."""
    rng = random.Random(seed)
    while True:
        found = rng.choice(KINDS)(data, rng)
        if found.data != data:
            return found
