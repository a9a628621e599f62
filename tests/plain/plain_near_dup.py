"""Near-duplicates by the definition: all pairs, sets of word tuples, fractions; a document a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any, NamedTuple


class Text(NamedTuple):
    id: str
    text: str
    date: str = ""
    group: str = ""


def shingles(text: str, width: int) -> set[tuple[str, ...]]:
    words = re.findall(r"[^\W_]+", text.lower())
    if len(words) < width:
        return {tuple(words)} if words else set()
    return {tuple(words[start : start + width]) for start in range(len(words) - width + 1)}


def jaccard(a: set[Any], b: set[Any]) -> Fraction:
    return Fraction(len(a & b), len(a | b))


def containment(a: set[Any], b: set[Any]) -> Fraction:
    return Fraction(len(a & b), min(len(a), len(b)))


def _digest(text: Text) -> bytes:
    return blake2b(text.text.encode(), digest_size=16).digest()


ORDERS: dict[str, Callable[[Text], Any]] = {
    "longest": lambda text: (-len(text.text), _digest(text), text.id),
    "newest": lambda text: ([-ord(char) for char in text.date] or [0], _digest(text), text.id),
    "first": lambda text: text.id,
}


def near_duplicates(
    texts: Sequence[Text], *, width: int, threshold: Fraction, measure: str = "jaccard", keep: str = "longest"
) -> dict[str, tuple[str, float]]:
    """For each document that goes the kept one, the most preferred that is alike, and how alike."""
    compare = {"jaccard": jaccard, "containment": containment}[measure]
    kept: list[tuple[Text, set[tuple[str, ...]]]] = []
    gone: dict[str, tuple[str, float]] = {}
    for text in sorted(texts, key=ORDERS[keep]):
        own = shingles(text.text, width)
        for keeper, other in kept:
            if own and keeper.group == text.group and compare(own, other) >= threshold:
                gone[text.id] = (keeper.id, float(compare(own, other)))
                break
        else:
            if own:
                kept.append((text, own))
    return gone
