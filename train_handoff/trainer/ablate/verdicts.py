"""What paired differences of a few seeds can tell: intervals, Holm's correction, and the words for it.

Student's t for paired differences (so the seeds' own luck, which both arms share, is taken out); its quantiles and
those of the noncentral t are scipy's. Holm: S. Holm, "A simple sequentially rejective multiple test procedure" (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtrinc, stdtr, stdtrit  # type: ignore[import-untyped]

LEVEL = 0.05
POWER = 0.8
RESAMPLES, AT_A_TIME = 1000, 100
BETTER, WORSE, UNDECIDED = "better", "worse", "not distinguishable at this budget"


@dataclass(frozen=True)
class Paired:
    """Differences of an arm and the baseline, seed by seed; figures that so few seeds do not give are None.

    ``low`` and ``high``: the interval of the mean at 1 - ``LEVEL``, of this comparison alone. ``p``: two-sided.
    """

    differences: tuple[float, ...]
    mean: float | None
    sd: float | None
    low: float | None
    high: float | None
    p: float | None


def paired(differences: Sequence[float]) -> Paired:
    """Mean, spread, interval and p of differences; those that are not finite (a failed run) are left out.

    Differences without any spread are certain: p is 0, or 1 where they are zero.
    """
    known = tuple(value for value in differences if math.isfinite(value))
    if not known:
        return Paired(known, None, None, None, None, None)
    mean = fmean(known)
    if len(known) < 2:
        return Paired(known, mean, None, None, None, None)
    sd = stdev(known)
    error, free = sd / math.sqrt(len(known)), len(known) - 1
    half = float(stdtrit(free, 1 - LEVEL / 2)) * error
    p = (1.0 if mean == 0 else 0.0) if error == 0 else 2 * float(stdtr(free, -abs(mean) / error))
    return Paired(known, mean, sd, mean - half, mean + half, p)


def paired_questions(differences: NDArray[np.float64]) -> Paired:
    """Mean, interval and p of differences by seed (rows) and question (columns), over both.

    Questions are a sample as seeds are, and each question is asked in every seed: the error is that of a bootstrap that
    draws seeds and questions, each with its whole row or column (A. Owen, "The pigeonhole bootstrap", 2007); one seed
    fewer is drawn than there are, or the spread of so few comes out too small (Rao and Wu 1988). Its quantile is
    Student's t with Welch's degrees of freedom between those of the seeds and those of the questions. The figures are
    the same in every call: the draws have a fixed seed.
    """
    seeds, questions = differences.shape
    by_seed, by_question = differences.mean(1), differences.mean(0)
    known = tuple(float(value) for value in by_seed)
    mean = float(differences.mean())
    if seeds < 2 or questions < 2:
        return Paired(known, mean, None, None, None, None)
    error = float(np.std(_resampled(differences), ddof=1))
    of_seeds, of_questions = (float(part.var(ddof=1)) / len(part) for part in (by_seed, by_question))
    whole = of_seeds**2 / (seeds - 1) + of_questions**2 / (questions - 1)
    free = (of_seeds + of_questions) ** 2 / whole if whole else seeds - 1
    half = float(stdtrit(free, 1 - LEVEL / 2)) * error
    p = (1.0 if mean == 0 else 0.0) if error == 0 else 2 * float(stdtr(free, -abs(mean) / error))
    return Paired(known, mean, stdev(known), mean - half, mean + half, p)


def _resampled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of values by seed and question, of seeds and questions that are drawn again, ``RESAMPLES`` times."""
    seeds, questions = values.shape
    chooser = np.random.default_rng(0)
    found = []
    for begin in range(0, RESAMPLES, AT_A_TIME):
        count = min(AT_A_TIME, RESAMPLES - begin)
        drawn = chooser.multinomial(seeds - 1, np.full(seeds, 1 / seeds), count) / (seeds - 1)
        asked = chooser.multinomial(questions, np.full(questions, 1 / questions), count) / questions
        found.append(np.einsum("rq,rq->r", drawn @ values, asked))
    return np.concatenate(found)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Each p as it counts among so many tests (Holm); one that is None is no test."""
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        found[place] = highest
    return found


def verdict(mean: float | None, adjusted: float | None) -> str:
    """The word for a difference in bits per byte, of which fewer are better; of what more is better, turn its sign."""
    if mean is None or adjusted is None or not adjusted < LEVEL:
        return UNDECIDED
    return BETTER if mean < 0 else WORSE


def detectable(sd: float | None, seeds: int, tests: int) -> float | None:
    """The smallest true difference that this many seeds find in ``POWER`` of all such experiments.

    ``sd``: of paired differences where nothing differs (the A/A arm). At the level that Holm asks of the first of so
    many tests. None where it is not known.
    """
    if sd is None or seeds < 2:
        return None
    free, level = seeds - 1, LEVEL / max(tests, 1)
    critical = float(stdtrit(free, 1 - level / 2))
    return float(nctdtrinc(free, 1 - POWER, critical)) * sd / math.sqrt(seeds)
