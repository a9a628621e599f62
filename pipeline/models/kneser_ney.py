"""Interpolated modified Kneser-Ney n-gram models, estimated with sorted integer keys and written as ARPA.

Source: Chen and Goodman 1998 (equation 26 and page 20) as Heafield et al. 2013 compute it; the conventions (adjusted
counts, n-grams that begin with ``<s>`` keep their full counts, pruning by full counts, pruned mass goes to the
backoff, ``<unk>`` as a word never seen) are those of KenLM's ``lmplz``, which is the oracle in the tests.
Everything is held in memory, about 150 bytes a token at order 5: beyond 50 million tokens use ``lmplz``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

UNKNOWN, BEGIN, END = 0, 1, 2
SPECIAL = (b"<unk>", b"<s>", b"</s>")
# lmplz's --discount_fallback: D1, D2, D3+ where the closed form has no answer.
FALLBACK = (0.5, 1.0, 1.5)
LOG_ZERO = np.float32(-99.0)

log = logging.getLogger(__name__)


class Corpus(NamedTuple):
    """Sentences end to end, each ``<s> words </s>``: word ids in order of first appearance after the special ones."""

    tokens: Ints
    words: list[bytes]


@dataclass
class _Order:
    """The distinct n-grams of one order, sorted by last word first, then the one before it, and so on.

    ``suffix``: the n-gram without its first word, ``prefix``: without its last (both as indexes of the order below);
    ``counts``: how often it stands in the text; ``adjusted``: Kneser-Ney's count.
    """

    first: Ints
    suffix: Ints
    prefix: Ints
    counts: Ints
    adjusted: Ints
    kept: NDArray[np.bool_]
    discounts: Floats
    probabilities: Floats
    backoffs: Floats


def read_sentences(lines: Iterable[bytes]) -> Corpus:
    """Number the words of sentences, one a line, words separated by white space.

    Raises:
        InputError: a sentence holds a word with a special meaning, or there is no sentence.
    """
    ids: dict[bytes, int] = {word: id for id, word in enumerate(SPECIAL)}
    tokens: list[NDArray[np.int32]] = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        found = [BEGIN, *(ids.setdefault(word, len(ids)) for word in words), END]
        if min(found[1:-1], default=END + 1) <= END:
            raise InputError(f"sentence {number} holds one of <unk>, <s>, </s>, which cannot be counted as words")
        tokens.append(np.array(found, np.int32))
    if not tokens:
        raise InputError("there is no text to train on; expected at least one document")
    return Corpus(np.concatenate(tokens).astype(np.int64), list(ids))


class KneserNey:
    """A model of ``order`` words; ``prune`` holds for each order the full count up to which n-grams are left out.

    A shorter ``prune`` goes on with its last value, as ``lmplz --prune`` does; words themselves are never pruned.
    """

    def __init__(self, *, order: int = 5, prune: Sequence[int] = (0,)) -> None:
        thresholds = [*prune, *[prune[-1]] * (order - len(prune))] if prune else [0] * order
        if order < 2 or len(thresholds) != order or thresholds[0] != 0 or thresholds != sorted(thresholds):
            raise RequestError(
                f"cannot estimate order {order} with pruning {list(prune)}: expected an order of at least 2 and "
                "at most that many thresholds, the first 0 and none smaller than the one before"
            )
        self.order = order
        self.thresholds = thresholds
        self.words: list[bytes] = []
        self.orders: list[_Order] = []

    def fit(self, corpus: Corpus) -> KneserNey:
        """Estimate the model of a text."""
        self.words = corpus.words
        self.orders = _count(corpus, self.order)
        for above, table in zip([*self.orders[1:], None], self.orders, strict=True):
            table.adjusted = _adjusted(table, above)
        below = np.full(1, 1 / np.float32(len(self.words) - 1), np.float32)
        last = True
        for number, (table, threshold) in enumerate(zip(self.orders, self.thresholds, strict=True), 1):
            last = last and (number == 1 or table.suffix[-1] == self.orders[number - 2].first.size - 1)
            table.kept = (table.counts > threshold) | (number == 1)
            table.discounts = _discounts(_seen_by_lmplz(table, last), number)
            contexts = self.orders[number - 2].first.size if number > 1 else 1
            gamma = _estimate(table, contexts, below)
            if number > 1:
                self.orders[number - 2].backoffs = gamma
            below = table.probabilities
        first = self.orders[0]
        first.probabilities[BEGIN] = 1.0
        return self

    def write_arpa(self, stream: BinaryIO, digits: int | None = None) -> list[int]:
        """Write the model; ``digits`` decimals for each number (None: as many as a 32-bit float needs).

        Returns the number of n-grams of each order.
        """
        sizes = [int(table.kept.sum()) for table in self.orders]
        stream.write(b"\\data\\\n" + b"".join(b"ngram %d=%d\n" % pair for pair in enumerate(sizes, 1)))
        texts: list[bytes] = [b""]
        for number, table in enumerate(self.orders, 1):
            stream.write(b"\n\\%d-grams:\n" % number)
            spelled: list[bytes] = [b""] * table.first.size
            for index in np.flatnonzero(table.kept).tolist():
                word = self.words[table.first[index]]
                spelled[index] = word + b" " + texts[table.suffix[index]] if number > 1 else word
            self._write_order(stream, table, spelled, last=number == self.order, digits=digits)
            texts = spelled
        stream.write(b"\n\\end\\\n")
        return sizes

    def _write_order(
        self, stream: BinaryIO, table: _Order, spelled: list[bytes], *, last: bool, digits: int | None
    ) -> None:
        kept = np.flatnonzero(table.kept)
        probabilities = np.minimum(_log10(table.probabilities[kept]), np.float32(0))
        left = _printed(probabilities, digits)
        if last:
            stream.writelines(b"%s\t%s\n" % (p, spelled[i]) for i, p in zip(kept.tolist(), left, strict=True))
            return
        right = _printed(_log10(table.backoffs[kept]), digits)
        rows = zip(kept.tolist(), left, right, strict=True)
        stream.writelines(b"%s\t%s\t%s\n" % (p, spelled[i], b) for i, p, b in rows)


def _log10(values: Floats) -> Floats:
    """Logarithms; that of zero is -99, as ARPA files have it."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(values), LOG_ZERO)


def _printed(values: Floats, digits: int | None) -> list[bytes]:
    if digits is None:
        return [(b"0" if value == 0 else repr(value).encode()) for value in map(_short, values)]
    return [(b"%.*f" % (digits, value)).rstrip(b"0").rstrip(b".") if value else b"0" for value in values.tolist()]


def _short(value: np.float32) -> float:
    """The double whose shortest text is that of the 32-bit float."""
    return float(str(value))


def _count(corpus: Corpus, order: int) -> list[_Order]:
    """The distinct n-grams of every order up to ``order``, with their full counts."""
    tokens = corpus.tokens
    size = len(corpus.words)
    starts = np.flatnonzero(tokens == BEGIN)
    # Words since the sentence began: an n-gram reaches back to <s> and no further.
    depth = np.arange(tokens.size) - np.repeat(starts, np.diff(np.append(starts, tokens.size)))
    counts = np.bincount(tokens, minlength=size).astype(np.int64)
    counts[BEGIN] = 0
    words = np.arange(size, dtype=np.int64)
    orders = [_table(words, np.zeros(size, np.int64), np.zeros(size, np.int64), counts)]
    ids = tokens.copy()
    for length in range(2, order + 1):
        places = np.flatnonzero(depth >= length - 1)
        keys = ids[places] * size + tokens[places - length + 1]
        distinct, representative, inverse, counts = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        prefix = ids[places[representative] - 1]
        orders.append(_table(distinct % size, distinct // size, prefix, counts.astype(np.int64)))
        above = np.full(tokens.size, -1, np.int64)
        above[places] = inverse
        ids = above
    return orders


def _table(first: Ints, suffix: Ints, prefix: Ints, counts: Ints) -> _Order:
    nothing = np.empty(0, np.float32)
    return _Order(
        first=first,
        suffix=suffix,
        prefix=prefix,
        counts=counts,
        adjusted=counts,
        kept=np.ones(first.size, np.bool_),
        discounts=nothing,
        probabilities=nothing,
        backoffs=np.ones(first.size, np.float32),
    )


def _adjusted(table: _Order, above: _Order | None) -> Ints:
    """Kneser-Ney's count: how many words stand before the n-gram; the full count at the top and after ``<s>``."""
    if above is None:
        return table.counts
    extensions = np.bincount(above.suffix, minlength=table.first.size)
    return np.where(table.first == BEGIN, table.counts, extensions).astype(np.int64)


def _seen_by_lmplz(table: _Order, last: bool) -> Ints:
    """The counts that discounts are computed from: lmplz takes the full count of the very last n-gram of an order.

    (The last of the sorted ones, and only as long as it ends with the last of the order below.) One n-gram makes no
    difference in real text, but with it the two programs agree to the last digits on any text.
    """
    if not last:
        return table.adjusted
    counts = table.adjusted.copy()
    counts[-1] = table.counts[-1]
    return counts


def _discounts(adjusted: Ints, order: int) -> Floats:
    """D0 (zero), D1, D2 and D3+ of one order, by equation 26 of Chen and Goodman."""
    n = np.bincount(adjusted[adjusted < 5], minlength=5).astype(np.float32)
    found = np.zeros(4, np.float32)
    if n[1:4].all():
        y = n[1] / np.float32(n[1] + 2.0 * n[2])
        for j in (1, 2, 3):
            found[j] = np.float32(j) - np.float32(j + 1) * y * n[j + 1] / n[j]
        if all(0 <= found[j] <= j for j in (1, 2, 3)):
            return found
    log.warning("order %d has too few counts for its discounts; they are set to %s %s %s", order, *FALLBACK)
    found[1:] = FALLBACK
    return found


def _estimate(table: _Order, contexts: int, below: Floats) -> Floats:
    """Set the interpolated probabilities of one order; return each context's weight of the order below."""
    adjusted = table.adjusted.astype(np.float64)
    prefix = table.prefix
    discount = table.discounts[np.minimum(table.adjusted, 3)]
    discounted = np.where(table.kept, discount.astype(np.float64), adjusted)
    # A pruned n-gram gives its whole count to the context's backoff, a kept one its discount.
    spare = np.bincount(prefix, weights=discounted, minlength=contexts)
    total = np.bincount(prefix, weights=adjusted, minlength=contexts)
    seen = total > 0
    gamma = np.ones(contexts, np.float32)
    gamma[seen] = (spare[seen] / total[seen]).astype(np.float32)
    own = (table.adjusted.astype(np.float32) - discount) / total[prefix].astype(np.float32)
    table.probabilities = (own + gamma[prefix] * below[table.suffix]).astype(np.float32)
    return gamma
