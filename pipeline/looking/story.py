"""A record's story: what each step looked at, the figure, the threshold, and how far the one was from the other.

The ledger says which step ended a record and what was measured before; the settings say what is compared with what
(``core.checks``). Whether a step let a record pass is taken from the ledger alone, never computed here anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Outcome
from llama_data.pipeline.recipe import Recipe

PASSED, ENDED, NOT_REACHED, NOT_TOLD = "passed", "ended", "not reached", "not told"
_READERS = ("read", "gather")


class Told(NamedTuple):
    """What one step did with a record.

    ``state``: ``passed``; ``ended``: here it was rejected or failed; ``not reached``; ``not told``: the ledger does not
    say. ``distance``: figure minus threshold; None where there is no number. ``threshold``: with its sign, in words.
    ``shows``: other values that the step has left.
    """

    step: str
    says: str
    state: str
    figure: str | None
    value: Any
    threshold: str | None
    bound: float | None
    distance: float | None
    setting: str | None
    shows: dict[str, Any]


def checks_of(recipe: Recipe, domain: str) -> tuple[Check, ...]:
    """The checks of the stage whose ledger a domain is."""
    settings = recipe.settings(recipe.stage_of(domain))
    return () if settings is None else settings.checks(recipe.models_dir)


def story(row: Mapping[str, Any], checks: Sequence[Check]) -> list[Told]:
    """The steps in their order, as far as they concern a record like this one."""
    row = dict(row)
    made = [check for check in checks if check.applies(row)]
    kept = row["outcome"] == Outcome.kept
    end = None if kept else _end(row, made)
    told = []
    for number, check in enumerate(made):
        if kept:
            state = PASSED
        elif end is None:
            state = NOT_REACHED if str(row["step"]).startswith(_READERS) else NOT_TOLD
        else:
            state = PASSED if number < end else ENDED if number == end else NOT_REACHED
        told.append(_told(row, check, state))
    if not kept and end is None:
        ended = Told(str(row["step"]), "ended it here", ENDED, None, None, None, None, None, None, {})
        told.insert(0 if str(row["step"]).startswith(_READERS) else len(told), ended)
    return told


def _end(row: Mapping[str, Any], checks: Sequence[Check]) -> int | None:
    """The number of the check that ended a record: of the step, if possible for the reason, and beyond its bound."""
    of_step = [n for n, check in enumerate(checks) if check.step == row["step"]]
    fitting = [n for n in of_step if row["reason"] in checks[n].reasons] or of_step
    beyond = [n for n in fitting if _beyond(row, checks[n])]
    return next(iter(beyond or fitting), None)


def _beyond(row: Mapping[str, Any], check: Check) -> bool:
    value = row.get(check.figure) if check.figure else None
    if not isinstance(value, int | float):
        return False
    return (
        (check.least is not None and value < check.least)
        or (check.most is not None and value > check.most)
        or (check.below is not None and value >= check.below)
        or (check.above is not None and value <= check.above)
    )


def _told(row: Mapping[str, Any], check: Check, state: str) -> Told:
    reached = state in (PASSED, ENDED)
    # A length as it was written is known of what was written alone.
    measured = check.figure != "chars_out" or row["outcome"] == Outcome.kept
    value = row.get(check.figure) if check.figure and measured and (reached or check.figure != "chars_in") else None
    distance = None
    if check.bound is not None and isinstance(value, int | float) and not isinstance(value, bool):
        distance = value - check.bound
    return Told(
        step=check.step,
        says=check.says + (", and rejects nobody for it" if check.annotates else ""),
        state=state,
        figure=check.figure,
        value=value,
        threshold=_threshold(check),
        bound=check.bound,
        distance=distance,
        setting=check.setting,
        shows={name: row[name] for name in check.shows if reached and row.get(name) is not None},
    )


def _threshold(check: Check) -> str | None:
    if check.least is not None:
        return f"at least {check.least:,g}" if check.least < 1e6 else f"at least {check.least:,}"
    if check.most is not None:
        return f"at most {check.most:,}"
    if check.below is not None:
        return f"below {check.below:,}"
    if check.above is not None:
        return f"above {check.above:,}"
    if check.one_of is not None:
        return "one of " + ", ".join(check.one_of)
    return check.unknown or None


def label(name: str | None) -> str:
    """A column of the ledger in plain words."""
    return {"chars_in": "characters", "chars_out": "characters left"}.get(name or "", (name or "").replace("_", " "))


def number(value: Any) -> str:
    """A value of the ledger as a person reads it: at most four digits behind the point."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}".rstrip("0").rstrip(".")
