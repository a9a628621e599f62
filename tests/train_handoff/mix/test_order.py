"""The order of rows: shares at every prefix, prefix stability, permutations."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.train_handoff.mix.order import (
    MAX_SCALE,
    ROUNDS,
    Assignment,
    draw,
    epoch_keys,
    integer_weights,
    permute,
)

LLAMA = [0.67, 0.15, 0.045, 0.045, 0.045, 0.025, 0.02]
WEIGHTS = st.lists(st.integers(1, 1000), min_size=1, max_size=9)


def reference_assignment(weights: list[int], rows: int) -> list[int]:
    """Tijdeman's rule in exact fractions, as DESIGN states it."""
    n, total = len(weights), sum(weights)
    shares = [Fraction(weight, total) for weight in weights]
    slack = Fraction(1, 2 * n - 2) if n > 1 else Fraction(0)
    taken, result = [0] * n, []
    for k in range(1, rows + 1):
        open_to = [d for d in range(n) if shares[d] * k - taken[d] >= slack]
        chosen = min(open_to, key=lambda d: ((taken[d] + 1 - slack) / shares[d], d)) if n > 1 else 0
        taken[chosen] += 1
        result.append(chosen)
    return result


@settings(deadline=None, max_examples=80)
@given(WEIGHTS, st.integers(1, 400))
def test_the_assignment_is_tijdemans(weights: list[int], rows: int) -> None:
    whole = integer_weights(weights)
    domains, within = Assignment.plan(whole, rows, 16).rows(0, rows)
    assert domains.tolist() == reference_assignment(whole, rows)
    for domain in range(len(whole)):
        assert within[domains == domain].tolist() == list(range(int((domains == domain).sum())))


@settings(deadline=None, max_examples=80)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_shares_hold_within_one_row_a_domain_at_every_prefix(weights: list[float]) -> None:
    rows = 3000
    whole = integer_weights(weights)
    domains, _ = Assignment.plan(whole, rows, 512).rows(0, rows)
    prefix = np.arange(1, rows + 1)
    bound = 1 - 1 / max(2 * len(whole) - 2, 1) if len(whole) > 1 else 0
    for domain, weight in enumerate(weights):
        share = weight / sum(weights)
        assert np.abs(np.cumsum(domains == domain) - share * prefix).max() <= bound + 1e-6


def test_llamas_shares_at_every_prefix_of_a_million_rows() -> None:
    whole = integer_weights(LLAMA)
    assert whole == [134, 30, 9, 9, 9, 5, 4]
    domains, _ = Assignment.plan(whole, 10**6, 65536).rows(0, 10**6)
    for domain, share in enumerate(LLAMA):
        assert np.abs(np.cumsum(domains == domain) - share * np.arange(1, 10**6 + 1)).max() < 0.92


@settings(deadline=None, max_examples=60)
@given(WEIGHTS, st.integers(0, 3000), st.integers(1, 200), st.integers(1, 3000))
def test_any_stretch_can_be_computed_on_its_own(weights: list[int], start: int, every: int, planned: int) -> None:
    whole = integer_weights(weights)
    assignment = Assignment.plan(whole, planned, every)
    all_domains, all_within = Assignment.plan(whole, 1, 10**6).rows(0, start + 50)
    domains, within = assignment.rows(start, 50)
    assert np.array_equal(domains, all_domains[start:])
    assert np.array_equal(within, all_within[start:])
    assert assignment.taken(start) == [int((all_domains[:start] == d).sum()) for d in range(len(whole))]


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=20).filter(lambda w: sum(w) > 1e-3))
def test_integer_weights_keep_the_shares(weights: list[float]) -> None:
    whole = integer_weights(weights)
    assert sum(whole) <= MAX_SCALE + len(weights)
    for weight, number in zip(weights, whole, strict=True):
        assert number / sum(whole) == pytest.approx(weight / sum(weights), abs=1e-10)
        assert (number > 0) == (weight > 0)


def test_integer_weights_are_exact_for_decimals() -> None:
    assert integer_weights([0.1, 0.2, 0.7]) == [1, 2, 7]
    assert integer_weights([Fraction(1, 3), Fraction(2, 3)]) == [1, 2]
    for wrong in ([0.0, 0.0], [-1.0, 2.0], []):
        with pytest.raises(ValueError, match=r"weights|at least|non-negative"):
            integer_weights(wrong)


def feistel_reference(value: int, n: int, keys: list[int]) -> int:
    def mix(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
        return x ^ (x >> 31)

    half = 1
    while 4**half < n:
        half += 1
    while True:
        left, right = value >> half, value & (2**half - 1)
        for key in keys:
            left, right = right, left ^ (mix(right ^ key) & (2**half - 1))
        value = left << half | right
        if value < n:
            return value


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.integers(0, 2**40), st.integers(0, 5))
def test_an_epoch_is_a_permutation(n: int, seed: int, epoch: int) -> None:
    keys = epoch_keys(seed, "books", epoch)
    assert len(keys) == ROUNDS
    found = permute(np.arange(n), n, keys)
    assert sorted(found.tolist()) == list(range(n))
    assert found[:20].tolist() == [feistel_reference(i, n, [int(key) for key in keys]) for i in range(min(n, 20))]


def test_a_permutation_of_very_many_rows_needs_no_memory() -> None:
    n = 3 * 10**11
    found = permute(np.arange(n - 1000, n), n, epoch_keys(1, "web", 0))
    assert len(set(found.tolist())) == 1000
    assert found.min() >= 0
    assert found.max() < n
    assert found.std() > n / 10


def test_below_one_epoch_nothing_is_drawn_twice_and_epochs_differ() -> None:
    n = 997
    drawn = draw(np.arange(3 * n), n, seed=4, domain="books")
    epochs = drawn.reshape(3, n)
    assert all(sorted(epoch.tolist()) == list(range(n)) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[1], epochs[2])
    assert not np.array_equal(epochs[0], draw(np.arange(n), n, seed=5, domain="books"))
    assert not np.array_equal(epochs[0], draw(np.arange(n), n, seed=4, domain="web"))
    correlation = np.corrcoef(np.arange(n), epochs[0])[0, 1]
    assert abs(correlation) < 0.15


def test_planning_llamas_684_million_rows_is_immediate() -> None:
    start = time.monotonic()
    assignment = Assignment.plan(integer_weights(LLAMA), 683_593_750, 65536)
    taken = assignment.taken(683_593_750)
    assert sum(taken) == 683_593_750
    assert all(abs(done - share * 683_593_750) < 0.92 for done, share in zip(taken, LLAMA, strict=True))
    domains, within = assignment.rows(683_593_000, 750)
    assert within[domains == 0][-1] == taken[0] - 1
    assert time.monotonic() - start < 60
