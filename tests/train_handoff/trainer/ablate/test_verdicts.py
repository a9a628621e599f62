"""Intervals and verdicts of few seeds, beside published tables and scipy's own tests, and at their limits."""

from __future__ import annotations

import math

import pytest
from scipy import stats  # type: ignore[import-untyped]

from llama_data.train_handoff.trainer.ablate.verdicts import (
    BETTER,
    UNDECIDED,
    WORSE,
    detectable,
    holm,
    paired,
    verdict,
)

# Two-sided 95 % points of Student's t, from the tables in any book.
TABLE = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 10: 2.262}


@pytest.mark.parametrize(("seeds", "critical"), TABLE.items())
def test_the_interval_is_that_of_the_table(seeds: int, critical: float) -> None:
    differences = [0.1 * (number % 2) + 0.01 * number for number in range(seeds)]
    found = paired(differences)
    mean = sum(differences) / seeds
    sd = math.sqrt(sum((value - mean) ** 2 for value in differences) / (seeds - 1))
    assert found.mean == pytest.approx(mean)
    assert found.sd == pytest.approx(sd)
    assert found.high - found.mean == pytest.approx(critical * sd / math.sqrt(seeds), rel=2e-4)  # type: ignore[operator]
    assert found.mean - found.low == pytest.approx(critical * sd / math.sqrt(seeds), rel=2e-4)  # type: ignore[operator]


@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
def test_p_is_that_of_scipys_paired_test(seeds: int) -> None:
    first = [2.0 + 0.013 * (7 * number % 5) for number in range(seeds)]
    second = [value + 0.02 + 0.004 * (3 * number % 4) for number, value in enumerate(first)]
    expected = stats.ttest_rel(second, first)
    found = paired([b - a for a, b in zip(first, second, strict=True)])
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_few_or_odd_differences_give_no_more_than_they_hold() -> None:
    assert paired([]) == paired([math.nan, math.inf])
    assert paired([]).mean is None
    one = paired([0.3, math.nan])
    assert (one.differences, one.mean, one.sd, one.low, one.p) == ((0.3,), 0.3, None, None, None)
    assert verdict(one.mean, one.p) == UNDECIDED
    two = paired([0.3, math.nan, 0.5])
    assert (two.differences, two.p) == ((0.3, 0.5), pytest.approx(stats.ttest_1samp([0.3, 0.5], 0).pvalue))
    same = paired([0.0, 0.0, 0.0])
    assert (same.mean, same.sd, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert verdict(same.mean, same.p) == UNDECIDED
    certain = paired([-0.25, -0.25, -0.25])
    assert (certain.low, certain.high, certain.p) == (-0.25, -0.25, 0.0)
    assert verdict(certain.mean, certain.p) == BETTER


def test_holm_is_the_published_procedure() -> None:
    # Sorted .005 .01 .03 .04 times 4 3 2 1, each at least the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, None, 0.9]) == [0.8, None, 0.9]
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_a_verdict_needs_less_than_the_level() -> None:
    assert verdict(0.1, 0.0499) == WORSE
    assert verdict(-0.1, 0.0499) == BETTER
    assert verdict(0.1, 0.05) == UNDECIDED
    assert verdict(0.1, math.nan) == UNDECIDED
    assert verdict(0.1, None) == UNDECIDED
    assert verdict(None, None) == UNDECIDED


@pytest.mark.parametrize(("seeds", "tests"), [(2, 1), (3, 1), (3, 6), (5, 2), (30, 1)])
def test_what_can_be_detected_is_found_four_times_in_five(seeds: int, tests: int) -> None:
    sd = 0.01
    effect = detectable(sd, seeds, tests)
    assert effect is not None
    critical = stats.t.ppf(1 - 0.05 / tests / 2, seeds - 1)
    assert stats.nct.sf(critical, seeds - 1, effect / (sd / math.sqrt(seeds))) == pytest.approx(0.8, abs=1e-4)


def test_what_can_be_detected_with_many_seeds_is_the_rule_of_thumb() -> None:
    # 1.96 + 0.84 standard errors.
    assert detectable(1.0, 4000, 1) == pytest.approx(2.8 / math.sqrt(4000), rel=5e-3)
    assert detectable(0.0, 3, 1) == 0.0
    assert detectable(None, 3, 1) is None
    assert detectable(0.1, 1, 1) is None
