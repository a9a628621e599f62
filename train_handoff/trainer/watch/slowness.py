"""Which process keeps the others waiting, and whether rows come too slowly: the rules. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

IN_A_ROW = 2  # a process is named when so many samples in a row say so: one that was slow once is no news
SILENT = 20  # samples that pass before the same is said again


@dataclass(frozen=True)
class Sample:
    """Of one process: ``seconds`` of a step in which it did not wait for others, of which ``data`` for its rows.

    ``share``: its waiting for rows in all steps since the last sample, over the time they took.
    """

    seconds: float
    data: float
    share: float


class SlowProcess:
    """Names a process that takes over ``factor`` times the median of the others, ``IN_A_ROW`` samples in a row."""

    def __init__(self, factor: float, hosts: Sequence[str]) -> None:
        self.factor = factor
        self.hosts = hosts
        self._seen = [0] * len(hosts)
        self._silent = [0] * len(hosts)

    def judge(self, samples: Sequence[Sample]) -> list[str]:
        """What is to be said after a sample of every process."""
        said = []
        for rank, sample in enumerate(samples):
            usual = median(other.seconds for number, other in enumerate(samples) if number != rank)
            self._seen[rank] = self._seen[rank] + 1 if sample.seconds > self.factor * usual else 0
            self._silent[rank] = max(0, self._silent[rank] - 1)
            if self._seen[rank] >= IN_A_ROW and not self._silent[rank]:
                self._silent[rank] = SILENT
                said.append(
                    f"process {rank} on {self.hosts[rank]} is slow: {_seconds(sample.seconds)} a step without waiting "
                    f"for others ({_seconds(sample.data)} of them for its rows), where the median of the others is "
                    f"{_seconds(usual)}; all wait for it"
                )
        return said


class SlowRows:
    """Says when a process waits for its rows for over ``limit`` (0..1) of the time."""

    def __init__(self, limit: float, hosts: Sequence[str]) -> None:
        self.limit = limit
        self.hosts = hosts
        self._silent = 0

    def judge(self, samples: Sequence[Sample]) -> list[str]:
        """What is to be said after a sample of every process."""
        self._silent = max(0, self._silent - 1)
        worst = max(range(len(samples)), key=lambda rank: samples[rank].share)
        if samples[worst].share <= self.limit or self._silent:
            return []
        self._silent = SILENT
        return [
            f"process {worst} on {self.hosts[worst]} waits for its rows for {samples[worst].share:.0%} of the time; "
            "the storage of --data is too slow for this model"
        ]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.1 else f"{1000 * value:.1f} ms"
