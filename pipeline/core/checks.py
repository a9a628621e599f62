"""What a step looks at when it decides, so that a person is told how far a record was from each threshold.

Settings declare their checks beside the rules that they build (``DomainSettings.checks``, ``StepSettings.checks``).
Whether a record passed is in the ledger and nowhere else: a check only says what was compared with what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llama_data.pipeline.core.reasons import Reason


@dataclass(frozen=True, kw_only=True)
class Check:
    """One comparison of a step, or, without a figure, what the step does.

    ``step``: its name in the ledger. ``says``: what it does, as a clause. ``reasons``: for what it rejects here.
    ``figure``: the ledger's column that is compared; ``setting``: of the recipe, the threshold's name. A record passes
    with ``least`` or more, ``most`` or less, more than ``above``, less than ``below``, or a value among ``one_of``;
    None: no such bound.
    ``only``: a column and the value that it must have for the check to be made. ``shows``: columns that the step
    fills. ``annotates``: the figure is written and nobody is rejected for it. ``unknown``: why no bound can be said.
    """

    step: str
    says: str
    reasons: tuple[Reason, ...] = ()
    figure: str | None = None
    setting: str | None = None
    least: float | None = None
    most: float | None = None
    below: float | None = None
    above: float | None = None
    one_of: tuple[str, ...] | None = None
    only: tuple[str, str] | None = None
    shows: tuple[str, ...] = ()
    annotates: bool = False
    unknown: str = ""

    @property
    def bound(self) -> float | None:
        """The number that the figure is compared with; None: it is not compared with a number."""
        return next((bound for bound in (self.least, self.most, self.below, self.above) if bound is not None), None)

    def applies(self, row: dict[str, Any]) -> bool:
        """True when the check is made on a record like this one."""
        return self.only is None or row.get(self.only[0]) == self.only[1]
