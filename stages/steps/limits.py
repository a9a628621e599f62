"""Figures of a text and the limits that they are held to, in their order: one table for judging and for explaining."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.reasons import Reason

Kind = Literal["least", "most", "above", "below"]


class Limit(NamedTuple):
    """A figure passes with ``least`` or more, ``most`` or less, more than ``above``, less than ``below``: with ``at``.

    ``figure``: the ledger's column; ``setting``: the name of the limit; None for ``at`` is no limit.
    """

    reason: Reason
    figure: str
    setting: str
    kind: Kind
    at: float | None
    says: str

    def refuses(self, value: float) -> bool:
        """True when a figure does not pass."""
        if self.at is None:
            return False
        if self.kind == "least":
            return value < self.at
        if self.kind == "most":
            return value > self.at
        return value <= self.at if self.kind == "above" else value >= self.at


def checks_of(step: str, limits: Sequence[Limit]) -> tuple[Check, ...]:
    """The comparisons of a step, without those that are off."""
    return tuple(
        Check(
            step=step,
            says=limit.says,
            reasons=(limit.reason,),
            figure=limit.figure,
            setting=limit.setting,
            **{limit.kind: limit.at},
        )
        for limit in limits
        if limit.at is not None
    )


def columns_of(limits: Iterable[Limit], whole: Iterable[str] = ()) -> dict[str, str]:
    """The ledger's columns of the figures that are compared; ``whole``: those of them that are whole numbers."""
    counts = set(whole)
    return {limit.figure: "int64" if limit.figure in counts else "double" for limit in limits if limit.at is not None}
