"""Counters of limited size, scales and samples, against plain counting."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from llama_data.pipeline.report.tally import Draw, Named, Scale, Tally


@pytest.mark.parametrize(
    ("passes", "at", "below", "above"),
    [(">=", True, False, True), ("<", False, True, False), ("<=", True, True, False)],
)
def test_a_figure_at_a_threshold_counts_as_the_rule_has_it(passes: str, at: bool, below: bool, above: bool) -> None:
    for value, expected in ((0.5, at), (np.nextafter(0.5, 0), below), (np.nextafter(0.5, 1), above)):
        scale = Scale(np.array([0.0, 0.5, 1.0]), 2, passes)  # type: ignore[arg-type]
        scale.add(np.array([value, np.nan]), np.array([1, 1]))
        assert scale.passing(0.5, 1) == int(expected), (passes, value)
        assert scale.passing(0.5, 0) == 0
        assert scale.total == 1


def test_bars_hold_every_figure_once_those_beyond_the_ends_too() -> None:
    values = np.array([-5.0, 0.0, 0.1, 0.3, 0.5, 0.99, 1.0, 7.0, np.inf])
    scale = Scale(np.round(np.arange(0, 1.01, 0.1), 1), 1, ">=")
    scale.add(values[:4], np.zeros(4, np.int64))
    scale.add(values[4:], np.zeros(5, np.int64))
    assert scale.between(np.array([0.0, 0.5, 1.0])).tolist() == [[4, 5]]
    assert scale.between(np.array([0.0, 0.2, 0.6, 1.0])).tolist() == [[3, 2, 4]]


def test_names_beyond_the_limit_are_put_together_and_nothing_is_lost() -> None:
    tally = Tally(limit=2)
    for name, records in (("a", 9), ("b", 7), ("c", 1), ("d", 2), ("e", 3), ("a", 1), ("f", 1)):
        tally.add(name, records, kept=records // 2, chars=10 * records)
    assert tally.top(2) == [Named("a", 10, 4, 100), Named("b", 7, 3, 70)]
    assert tally.others(2) == Named("", 7, 2, 70)
    assert tally.least == 3
    assert len(tally) <= 4
    assert Tally(limit=2).others(3) is None


def test_every_item_has_the_same_chance_whatever_the_batches() -> None:
    met: Counter[int] = Counter()
    for seed in range(600):
        drawn: Draw[int] = Draw(3, f"seed {seed}")
        drawn.offer(1, lambda place: place)
        drawn.offer(8, lambda place: 1 + place)
        drawn.offer(0, lambda place: 99)
        drawn.offer(1, lambda place: 9 + place)
        assert len(set(drawn.items)) == 3
        met.update(drawn.items)
    # 600 draws of 3 of 10: 180 each, with a standard deviation of 11.
    assert set(met) == set(range(10))
    assert all(abs(count - 180) < 56 for count in met.values()), met


def test_a_draw_is_the_same_again() -> None:
    draws = []
    for _ in range(2):
        drawn: Draw[int] = Draw(4, "seed")
        drawn.offer(1000, lambda place: place)
        draws.append(drawn.items)
    assert draws[0] == draws[1]
