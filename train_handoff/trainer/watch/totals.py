"""What the parameters have been trained on, by domain. Imports no torch."""

from __future__ import annotations

from typing import Any

from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.loader import TrainingRows


class Totals:
    """Tokens and loss of each domain in the steps that made the parameters; a checkpoint holds them.

    ``tokens`` that were learnt from, ``left_out`` that were read in steps which were left out; ``nats``: the summed
    loss of the former; ``last``: the mean loss of the newest step with rows of the domain. ``since``: the row that
    counting began with, which is not 0 when the run was begun by a version that did not count.
    """

    def __init__(self, domains: tuple[str, ...], state: dict[str, Any], row: int) -> None:
        known = state or {"since": row}
        self.since: int = known["since"]
        self.tokens: dict[str, int] = {name: known.get("tokens", {}).get(name, 0) for name in domains}
        self.left_out: dict[str, int] = {name: known.get("left_out", {}).get(name, 0) for name in domains}
        self.nats: dict[str, float] = {name: known.get("nats", {}).get(name, 0.0) for name in domains}
        self.last: dict[str, float] = dict(known.get("last", {}))

    def add(self, tokens: dict[str, int], losses: dict[str, float], skipped: bool) -> None:
        """Count a step: tokens and mean loss of each of its domains."""
        for name, count in tokens.items():
            if skipped:
                self.left_out[name] += count
                continue
            self.tokens[name] += count
            self.nats[name] += count * losses[name]
            self.last[name] = losses[name]

    def state(self) -> dict[str, Any]:
        """All of it, as a checkpoint's record holds it."""
        return {
            "since": self.since, "tokens": dict(self.tokens), "left_out": dict(self.left_out), "nats": dict(self.nats),
            "last": dict(self.last),
        }  # fmt: skip

    def mean_loss(self, name: str) -> float | None:
        """Mean loss of a domain's tokens over the run, nats a token; None before the first."""
        return self.nats[name] / self.tokens[name] if self.tokens[name] else None


def tokens_of_domains(rows: TrainingRows) -> dict[str, int]:
    """Tokens that each domain has, each counted once; empty where the rows do not say."""
    if not isinstance(rows, Mixture):
        return {}
    return {domain["name"]: domain["rows"] * rows.footer.seq_len for domain in rows.record["domains"]}
