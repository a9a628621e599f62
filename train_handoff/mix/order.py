"""The order of training rows: a pure function of row counts, weights and a seed, with constant memory.

Which domain row k comes from: Tijdeman's chairman assignment (R. Tijdeman, "The chairman assignment problem",
1980), in exact integers. Which row of that domain: a keyed permutation of 0..n-1, a different one each epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

MAX_SCALE = 10**11
ROUNDS = 6

Ints = NDArray[np.int64]


def integer_weights(weights: Sequence[float | str | Fraction]) -> list[int]:
    """Whole numbers in the ratio of the weights (taken as the decimals they are written as), in lowest terms.

    Exact while their sum stays below 10^11; otherwise rounded to that sum by largest remainders, which moves a
    share by at most 10^-11. Raises ValueError for a negative or non-finite weight, or when all are zero.
    """
    exact = [weight if isinstance(weight, Fraction) else Fraction(str(weight)) for weight in weights]
    total = sum(exact, Fraction(0))
    if any(weight < 0 for weight in exact) or total <= 0:
        raise ValueError(f"weights must be non-negative and not all zero: {list(weights)}")
    scale = math.lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    common = math.gcd(*whole)
    whole = [value // common for value in whole]
    if sum(whole) <= MAX_SCALE:
        return whole
    ideal = [weight / total * MAX_SCALE for weight in exact]
    floors = [max(int(value), 1) if value else 0 for value in ideal]
    by_remainder = sorted(range(len(ideal)), key=lambda i: (floors[i] - ideal[i], i))
    missing = MAX_SCALE - sum(floors)
    for index in by_remainder[: max(missing, 0)]:
        floors[index] += 1
    return floors


def _state(weights: Sequence[int], rows: int, taken: Sequence[int]) -> tuple[Ints, Ints, Ints]:
    """The assignment's state after ``rows`` rows, from ``taken`` alone."""
    total, m = sum(weights), max(2 * len(weights) - 2, 1)
    credit = [weight * rows - total * done for weight, done in zip(weights, taken, strict=True)]
    deadlines = [divmod(((done + 1) * m - 1) * total, weight * m) for weight, done in zip(weights, taken, strict=True)]
    late = np.array([whole for whole, _ in deadlines], np.int64)
    part = np.array([rest for _, rest in deadlines], np.int64)
    return np.array(credit, np.int64), late, part


@dataclass(frozen=True)
class Assignment:
    """Which domain each row comes from; ``weights`` are whole numbers above zero (``integer_weights``).

    The assignment repeats after ``sum(weights)`` rows, so only one period is ever computed. ``marks`` holds
    ``taken`` at every ``every`` rows of the first period, as far as it was planned.
    """

    weights: tuple[int, ...]
    every: int
    marks: Ints

    @classmethod
    def plan(cls, weights: Sequence[int], rows: int, every: int) -> Assignment:
        """Compute marks for ``rows`` rows: one pass, O(1) state a domain."""
        count = min(rows, sum(weights)) // every
        marks = np.zeros((count, len(weights)), np.int64)
        taken = np.zeros(len(weights), np.int64)
        empty = np.empty(0, np.int64)
        if count:
            from llama_data.train_handoff.mix.kernels import assign

            credit, late, part = _state(weights, 0, [0] * len(weights))
            array = np.array(weights, np.int64)
            assign(array, credit, late, part, taken, empty.astype(np.uint8), empty, every, marks)
        return cls(tuple(weights), every, marks)

    def taken(self, rows: int) -> list[int]:
        """Rows of each domain among the first ``rows``."""
        period = sum(self.weights)
        whole, rest = divmod(rows, period)
        base = [whole * weight for weight in self.weights]
        mark = min(rest // self.every, len(self.marks))
        start = self.marks[mark - 1].tolist() if mark else [0] * len(self.weights)
        left = rest - mark * self.every
        if left:
            start = self._run(mark * self.every, start, left)[2]
        return [a + b for a, b in zip(base, start, strict=True)]

    def rows(self, start: int, count: int) -> tuple[NDArray[np.uint8], Ints]:
        """For rows ``start .. start + count - 1``: the domain's index, and how many rows it gave before."""
        taken = self.taken(start)
        period = sum(self.weights)
        whole = start // period
        within = [done - whole * weight for done, weight in zip(taken, self.weights, strict=True)]
        # The state at the end of a period equals the state at its start, so running on across it is exact.
        domains, index, _ = self._run(start - whole * period, within, count)
        return domains, index + np.array(self.weights, np.int64)[domains] * whole

    def row_of(self, domain: int, drawn: int) -> int:
        """The training row that is the ``drawn``-th (from 0) of a domain. Reads at most ``every`` rows on."""
        period, weight = sum(self.weights), self.weights[domain]
        whole, rest = divmod(drawn, weight)
        start = int(np.searchsorted(self.marks[:, domain], rest, side="right")) * self.every
        while True:
            count = min(self.every, period - start)
            domains, within = self.rows(whole * period + start, count)
            found = np.flatnonzero((domains == domain) & (within == drawn))
            if len(found):
                return whole * period + start + int(found[0])
            start += count

    def _run(self, rows: int, taken: Sequence[int], count: int) -> tuple[NDArray[np.uint8], Ints, list[int]]:
        from llama_data.train_handoff.mix.kernels import assign

        credit, late, part = _state(self.weights, rows, taken)
        out, within = np.empty(count, np.uint8), np.empty(count, np.int64)
        done = np.array(taken, np.int64)
        marks = np.empty((0, len(self.weights)), np.int64)
        assign(np.array(self.weights, np.int64), credit, late, part, done, out, within, 1, marks)
        return out, within, [int(value) for value in done]


def epoch_keys(seed: int, domain: str, epoch: int) -> NDArray[np.uint64]:
    """Round keys of a domain's permutation in one epoch."""
    parts = [sha256(f"llama-data order {seed} {epoch} {part} {domain}".encode()).digest() for part in range(2)]
    return np.frombuffer(b"".join(parts), "<u8")[:ROUNDS].copy()


def permute(index: Ints, n: int, keys: NDArray[np.uint64]) -> Ints:
    """The places of ``index`` (each in 0..n-1) under the keyed permutation of 0..n-1. O(1) memory."""
    out = np.empty(len(index), np.int64)
    if len(index):
        from llama_data.train_handoff.mix.kernels import permute as compiled

        compiled(np.ascontiguousarray(index, np.int64), n, keys, out)
    return out


def unpermute(places: Ints, n: int, keys: NDArray[np.uint64]) -> Ints:
    """The index that ``permute`` sends to each of ``places`` (each in 0..n-1)."""
    out = np.empty(len(places), np.int64)
    if len(places):
        from llama_data.train_handoff.mix.kernels import unpermute as compiled

        compiled(np.ascontiguousarray(places, np.int64), n, keys, out)
    return out


def draw(within: Ints, n: int, *, seed: int, domain: str) -> Ints:
    """Row of the domain that its j-th draw takes, for each j of ``within``: epoch j // n, place j % n."""
    out = np.empty(len(within), np.int64)
    epochs = within // n
    for epoch in np.unique(epochs):
        chosen = epochs == epoch
        out[chosen] = permute(within[chosen] % n, n, epoch_keys(seed, domain, int(epoch)))
    return out
