"""What a run has come to, for a terminal. Imports no torch."""

from __future__ import annotations

from typing import Any

from llama_data.train_handoff.trainer.watch.observer import HeldOut


def held_out_line(result: HeldOut) -> str:
    """The held-out loss of all and of each domain, and bits per byte where they are known."""
    parts = []
    for name, figures in (("all", result.all), *result.domains.items()):
        bits = figures["bits_per_byte"]
        parts.append(f"{name} {figures['loss']:.4f}{'' if bits is None else f' ({bits:.3f} bits/byte)'}")
    return f"held out after step {result.step + 1}: " + "  ".join(parts)


def summary_table(summary: dict[str, Any]) -> str:
    """Tokens, epochs and losses of each domain, and what the run took."""
    lines = [
        f"{'domain':<20}{'tokens':>20}{'epochs':>9}{'last loss':>11}{'mean loss':>11}{'held out':>10}{'bits/byte':>11}"
    ]
    for name, figures in summary["domains"].items():
        lines.append(
            f"{name:<20}{figures['tokens']:>20,}{_number(figures['epochs'], 2):>9}{_number(figures['last_loss']):>11}"
            f"{_number(figures['mean_loss']):>11}{_number(figures['held_out_loss']):>10}"
            f"{_number(figures['bits_per_byte']):>11}"
        )
    left_out = sum(figures["tokens_left_out"] for figures in summary["domains"].values())
    if left_out:
        lines.append(f"{left_out:,} tokens were read in steps that were left out")
    if summary["counted_since_row"]:
        lines.append(f"tokens and mean losses are counted since row {summary['counted_since_row']:,}")
    hours, energy = summary["device_hours"], summary.get("energy_kwh")
    took = f"{_quantity(hours)} device hours"
    if energy is not None:
        took += f", {_quantity(energy)} kWh, {_quantity(summary['co2e_kg'])} kg CO2e ({summary['energy_formula']})"
    lines.append(took)
    return "\n".join(lines)


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _quantity(value: float) -> str:
    """Three digits of a small one, a large one in full."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
