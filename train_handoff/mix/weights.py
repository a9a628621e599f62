"""Weights of a mix: epochs of what there is, or shares of the rest; and how many rows that is of each domain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from llama_data.pipeline.core.errors import RecipeError
from llama_data.train_handoff.buckets import domain_of

MOST_EPOCHS = 4.0
"""How often a domain may be repeated unless a recipe says otherwise (Muennighoff 2023, arXiv:2305.16264)."""
OTHERS = "all"
_EPOCHS = re.compile(r"(\d+(?:\.\d+)?)\s*epochs?")


def _weight(value: Any) -> Any:
    """Hold a text to a number, or to how epochs are written; anything else is left for pydantic."""
    if not isinstance(value, str):
        return value
    if _EPOCHS.fullmatch(value.strip()):
        return value.strip()
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"expected a share like 0.05, or epochs like `2 epochs`, found {value!r}") from None


Weight = Annotated[float | str, BeforeValidator(_weight)]
Weights = Mapping[str, float | str]
Limit = Annotated[float, Field(gt=0)]
Limits = Mapping[str, float | None] | float | None


def most_rows(rows: int, max_epochs: float | None) -> int | None:
    """Rows that ``max_epochs``, as it is written in decimals, allows to draw of so many; None: any number."""
    return None if max_epochs is None else int(rows * Fraction(str(max_epochs)))


def most_of_mix(most: Sequence[int | None], weights: Sequence[int]) -> int:
    """Rows of a mix by whole-number weights, to within one a domain, before a domain reaches the ``most`` it may give.

    Raises RecipeError: none has such a limit.
    """
    bounds = [
        int((limit - 1) * Fraction(sum(weights), weight))
        for limit, weight in zip(most, weights, strict=True)
        if limit is not None
    ]
    if not bounds:
        raise RecipeError("mix: without a number of tokens at least one domain needs max_epochs; give --tokens")
    return min(bounds)


class Wanted(NamedTuple):
    """Weights above zero as exact fractions: ``epochs`` of a domain's or bucket's rows, and ``shares`` that sum to one
    (of all rows, or of those that the epochs leave)."""

    shares: dict[str, Fraction]
    epochs: dict[str, Fraction]

    @property
    def names(self) -> tuple[str, ...]:
        """All that is weighted."""
        return tuple(sorted({**self.shares, **self.epochs}))


def epochs_in(weight: float | str) -> Fraction | None:
    """The epochs that a weight asks for; None: it is a share."""
    found = _EPOCHS.fullmatch(weight) if isinstance(weight, str) else None
    return None if found is None else Fraction(found[1])


def is_used(weight: float | str) -> bool:
    """Whether a weight is above zero."""
    epochs = epochs_in(weight)
    return (float(weight) if epochs is None else epochs) > 0


def told(weight: float | str) -> str:
    """A weight for people: ``15.0%``, ``2 epochs``."""
    return weight if isinstance(weight, str) else f"{weight:.1%}"


def wanted(weights: Weights, *, normalise: bool = False) -> Wanted:
    """What the weights ask for. Raises RecipeError: as ``normalised`` for those that are shares."""
    epochs = {name: found for name, weight in weights.items() if (found := epochs_in(weight)) is not None}
    shares = {name: weight for name, weight in weights.items() if name not in epochs}
    used = {name: times for name, times in epochs.items() if times}
    given = not used or any(weight != 0 for weight in shares.values())
    return Wanted(normalised(shares, normalise=normalise) if given else {}, used)


def normalised(weights: Weights, *, normalise: bool = False) -> dict[str, Fraction]:
    """Shares above zero as exact fractions that sum to one.

    Raises:
        RecipeError: a weight is negative or not a number, all are zero, or they do not sum to one and
            ``normalise`` was not asked for; the message shows what they would be normalised to.
    """
    try:
        exact = {name: Fraction(Decimal(str(weight))) for name, weight in weights.items()}
    except (ArithmeticError, ValueError):
        raise RecipeError(f"weights: every weight must be a number, found {dict(weights)}") from None
    wrong = [name for name, weight in exact.items() if weight < 0]
    if wrong:
        raise RecipeError(f"weights: {wrong[0]} is {weights[wrong[0]]}; a weight is a share between 0 and 1")
    total = sum(exact.values(), Fraction(0))
    if total == 0:
        raise RecipeError("weights: all are zero or there is none; give at least one domain a share")
    result = {name: weight / total for name, weight in exact.items() if weight}
    if abs(total - 1) > Fraction(1, 10**6) and not normalise:
        shares = ", ".join(f"{name}: {float(share):.6g}" for name, share in result.items())
        raise RecipeError(
            f"weights: they sum to {float(total):.6g}, not to 1; divided by their sum they are {{{shares}}}: "
            "write those, or give `--normalise` (in the recipe: `normalise: true` under `mix`)"
        )
    return result


def text_weights(weights: Weights, size: Callable[[str], int]) -> dict[str, float]:
    """By which weight each domain's text is sampled, for a tokenizer: its share, or its size times its epochs.

    ``size``: how much text a domain has; asked where there are epochs. Of buckets shares are added, and of epochs the
    mean is taken. Where there are both, the domains with shares divide among them as much as they have together.
    """
    shares: dict[str, float] = {}
    epochs: dict[str, list[Fraction]] = {}
    for name, weight in weights.items():
        domain, times = domain_of(name), epochs_in(weight)
        if times is None:
            shares[domain] = shares[domain] + float(weight) if domain in shares else float(weight)
        else:
            epochs.setdefault(domain, []).append(times)
    if not any(map(any, epochs.values())):
        return shares
    scale = sum(size(domain) for domain, share in shares.items() if share > 0) / (sum(shares.values()) or 1)
    found = {domain: share * scale for domain, share in shares.items()}
    for domain, of_buckets in epochs.items():
        if any(of_buckets):
            mean = sum(of_buckets, Fraction(0)) / len(of_buckets)
            found[domain] = found.get(domain, 0.0) + float(mean) * size(domain)
    return found


def limits_of(limits: Limits, names: Iterable[str], known: Iterable[str]) -> dict[str, float | None]:
    """How often each name may be repeated: by its own name, its domain's, ``all``, else ``MOST_EPOCHS``.

    ``known``: the domains that may be named besides. Raises RecipeError: a limit is for something that is not there.
    """
    names = tuple(names)
    if not isinstance(limits, Mapping):
        return dict.fromkeys(names, limits)
    there = {OTHERS, *names, *map(domain_of, names), *known}
    unknown = [name for name in limits if name not in there]
    if unknown:
        raise RecipeError(
            f"max_epochs: {unknown[0]}: no domain or bucket of the weights is called that (there are: "
            f"{', '.join(sorted(there))})"
        )
    others = limits.get(OTHERS, MOST_EPOCHS)
    return {name: limits.get(name, limits.get(domain_of(name), others)) for name in names}


def rows_of(
    asked: Wanted, there: Mapping[str, int], *, rows: int | None, most: Mapping[str, int | None], seq_len: int
) -> dict[str, int]:
    """Rows that each domain or bucket gives where some are weighted in epochs.

    Epochs are of the rows ``there`` and come first, rounded down; what is left of ``rows`` is divided by the shares, by
    largest remainders. ``rows``: of the mix; None: as many as ``most`` allows of those with shares.

    Raises:
        RecipeError: the epochs alone are more than ``rows``, or leave rows that no share takes, or a weight comes to
            no row.
    """
    drawn = {name: int(times * there[name]) for name, times in asked.epochs.items()}
    _refuse_none(drawn, "of its rows are less than one row; weigh it higher, or leave it out")
    fixed = sum(drawn.values())
    if not asked.shares:
        if rows is not None and rows != fixed:
            what = "fewer" if rows < fixed else "more"
            raise RecipeError(
                f"mix: every weight is in epochs, which is {fixed * seq_len:,} tokens; {rows * seq_len:,} are asked "
                f"for, {what} than that; leave `tokens` out (null), weigh in other epochs, or give a domain a share, "
                "which takes what the epochs leave"
            )
        return drawn
    rest = _most_rest(asked.shares, most) if rows is None else rows - fixed
    if rest < 1:
        raise RecipeError(
            f"mix of {(fixed + rest) * seq_len:,} tokens: the weights in epochs take {fixed * seq_len:,} and leave "
            f"none for the shares of {', '.join(asked.shares)}; ask for more tokens, or weigh in fewer epochs"
        )
    drawn |= _divided(asked.shares, rest)
    _refuse_none(
        drawn, f"of the {rest:,} rows that the epochs leave is less than one; ask for more tokens, or leave it out"
    )
    return drawn


def _refuse_none(drawn: Mapping[str, int], why: str) -> None:
    none = [name for name, count in drawn.items() if count < 1]
    if none:
        raise RecipeError(f"weights: {none[0]}: its weight {why}")


def _most_rest(shares: Mapping[str, Fraction], most: Mapping[str, int | None]) -> int:
    """The most rows that can be divided by the shares before one of them reaches what it may give."""
    bounds = [int(limit / share) for name, share in shares.items() if (limit := most[name]) is not None]
    if not bounds:
        raise RecipeError("mix: without a number of tokens at least one share needs max_epochs; give --tokens")
    return min(bounds)


def _divided(shares: Mapping[str, Fraction], rows: int) -> dict[str, int]:
    """Rows by shares that sum to one; those that are left over go to the largest remainders, ties by name."""
    ideal = {name: share * rows for name, share in shares.items()}
    whole = {name: int(value) for name, value in ideal.items()}
    by_remainder = sorted(ideal, key=lambda name: (whole[name] - ideal[name], name))
    for name in by_remainder[: rows - sum(whole.values())]:
        whole[name] += 1
    return whole
