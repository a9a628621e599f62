"""Gopher's rules as DCLM, datamap-rs and the paper have them, in plain loops over tuples and dictionaries."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import regex

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
BULLETS = ("●", "•", "*", "-")
ENDS = ("...", ". . .", "…")


def boundaries(text: str) -> list[str]:
    """What lies between Unicode's word boundaries."""
    return [part for part in regex.split(r"(?V1w)\b", text) if part]


def words_of(variant: str, text: str) -> list[str]:
    """The words whose n-grams are compared."""
    if variant == "paper":
        return text.split()
    if variant == "dclm":
        return [word for word in boundaries(text) if word[0].isalnum()]
    return [word for word in boundaries(text) if regex.search(r"[\p{Alphabetic}\p{N}]", word)]


def quality(variant: str, text: str) -> str | None:
    """The reason for which a text goes, with the paper's limits."""
    raw = variant == "dolma3"
    words = [w for w in regex.split(r"\p{White_Space}+", text) if w] if raw else text.split()
    if variant == "dclm":
        count = sum(word[0].isalnum() for word in re.split("[\t-\r ]+", text) if word)
    elif raw and text.isascii():
        count = len(re.findall("[A-Za-z0-9]+", text))
    else:
        count = len(words_of("dolma3", text)) if raw else len(words)
    if not 50 <= count <= 100_000:
        return "gopher_short_doc" if count < 50 else "gopher_long_doc"
    mean = sum(len(word.encode()) if raw else len(word) for word in words) / len(words)
    if not 3 <= mean <= 10:
        return "gopher_below_avg_threshold" if mean < 3 else "gopher_above_avg_threshold"
    hashes, ellipses = text.count("#"), text.count("...") + text.count("…")
    if variant == "paper":
        if hashes / len(words) > 0.1:
            return "gopher_too_many_hashes"
        if ellipses / len(words) > 0.1:
            return "gopher_too_many_ellipsis"
    else:
        divisor = len(text.replace(". . .", "...").split()) if raw else len(words)
        if (hashes + ellipses + text.count(". . .")) / max(divisor, 1) > 0.1:
            return "gopher_too_many_symbols"
    lines = text.split("\n") if raw else [line.strip() for line in text.split("\n") if line.strip()]
    if sum(line.startswith(BULLETS) for line in lines) > 0.9 * len(lines):
        return "gopher_too_many_bullets"
    ended = [line for line in (line.removesuffix("\r") for line in lines) if line]
    if sum(line.endswith(ENDS) for line in ended) > 0.3 * len(ended):
        return "gopher_too_many_end_ellipsis"
    if raw and len(words) == 1:
        return "gopher_below_alpha_threshold"
    if sum(not any(map(str.isalpha, word)) for word in words) / len(words) > 0.2:
        return "gopher_below_alpha_threshold"
    stops = [word.lower() for word in words if word.lower() in STOP_WORDS]
    return "gopher_enough_stop_words" if len(set(stops) if variant == "paper" else stops) < 2 else None


def repetition(variant: str, text: str) -> str | None:
    """The reason for which a text goes."""
    size = _bytes if variant == "dolma3" else len
    parts = {"line": text.split("\n"), "para": text.split("\n\n")}
    for kind, found in parts.items():
        parts[kind] = [p for p in (found if variant == "dolma3" else map(str.strip, found)) if p]
    if variant != "dolma3" and not parts["line"]:
        return "empty"
    for kind, what, limit in (("line", "", 0.3), ("para", "", 0.3), ("line", "char_", 0.2), ("para", "char_", 0.2)):
        if _copies(parts[kind], size if what else _one) > limit:
            return f"dup_{kind}_{what}frac"
    words = words_of(variant, text)
    for n, limit in ((2, 0.2), (3, 0.18), (4, 0.16)):
        if top(variant, words, n) > limit:
            return f"top_{n}_gram"
    for n, limit in zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.1), strict=True):
        if repeated(words, n, size) > limit:
            return f"duplicated_{n}_n_grams"
    return None


def _bytes(text: str) -> int:
    return len(text.encode())


def _one(text: str) -> int:
    return 1


def _copies(parts: Sequence[str], size: Any) -> float:
    if len(parts) < 2:
        return 0.0 if parts else 1.0
    counts = Counter(parts)
    return sum(size(part) for part in parts if counts[part] > 1) / sum(map(size, parts))


def top(variant: str, words: Sequence[str], n: int) -> float:
    """The share of the commonest n-gram, of several the longest."""
    size = _bytes if variant == "dolma3" else len
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    counts = Counter(grams)
    if not grams or max(counts.values()) == 1:
        return 0.0
    best = max(counts, key=lambda gram: (counts[gram], sum(map(size, gram))))
    total = sum(map(size, words))
    if variant != "dolma3":
        return counts[best] * sum(map(size, best)) / total
    return _cover(words, [at for at, gram in enumerate(grams) if gram == best], n, size) / total


def repeated(words: Sequence[str], n: int, size: Any = len) -> float:
    """The share of the words in n-grams that are there more than once."""
    grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
    counts = Counter(grams)
    places = [at for at, gram in enumerate(grams) if counts[gram] > 1]
    return _cover(words, places, n, size) / sum(map(size, words)) if places else 0.0


def _cover(words: Sequence[str], places: Sequence[int], n: int, size: Any) -> int:
    covered = {at for place in places for at in range(place, place + n)}
    return sum(size(words[at]) for at in covered)
