"""Progress for a person: one line that is written over on a terminal, lines elsewhere. Imports no torch."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TextIO

from llama_data.pipeline.core.screen import plain, raw
from llama_data.train_handoff.trainer.watch.observer import HeldOut, Observer, StepSeen
from llama_data.train_handoff.trainer.watch.tables import held_out_line, summary_table

REDRAW_SECONDS = 0.2
LINE_SECONDS = 1.0  # where the output is no terminal
RECENT = 100  # steps whose pace the remaining time is reckoned from
CLEAR = "\r\x1b[2K"


class Terminal(Observer):
    """Tells the steps on ``out`` and warnings on ``errors``; ``steps`` is the last step of the run.

    On a terminal one line is written over, elsewhere a line is written for every ``every``-th step, at most one a
    second, and for the first and the last. ``quiet``: warnings alone. No colour with NO_COLOR, or where there is no
    terminal.
    """

    def __init__(
        self,
        steps: int,
        every: int,
        *,
        quiet: bool = False,
        out: TextIO | None = None,
        errors: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = steps
        self.every = every
        self.quiet = quiet
        self.out = raw(sys.stdout) if out is None else out
        self.errors = raw(sys.stderr) if errors is None else errors
        self.clock = clock
        self.live = self.out.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self._moments: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._shown: float | None = None
        self._drawn = False

    def step(self, seen: StepSeen) -> None:
        """Draw or write the step's line, unless it is too early for one."""
        now = self.clock()
        self._moments.append((now, seen.step + 1))
        if seen.skipped is not None:
            self.warned(
                f"step {seen.step} (rows {seen.row} to {seen.end - 1} of the mix): loss {seen.loss:.4f}, gradient norm "
                f"{seen.norm:.4f}: {seen.skipped}; left out"
            )
        if self.quiet:
            return
        last = seen.step + 1 >= self.steps
        pause = REDRAW_SECONDS if self.live else LINE_SECONDS
        early = self._shown is not None and now - self._shown < pause
        if (early or (not self.live and seen.step % self.every)) and not last and self._shown is not None:
            return
        self._shown = now
        line = self.line(seen)
        if not self.live:
            self._say(line)
            return
        width = shutil.get_terminal_size().columns
        self.out.write(CLEAR + line[: width - 1])
        self.out.flush()
        self._drawn = True

    def line(self, seen: StepSeen) -> str:
        """What is told of a step."""
        parts = [
            f"step {seen.step + 1:>6}/{self.steps}",
            f"loss {seen.loss:7.4f}",
            f"lr {seen.lr:.2e}",
            f"norm {seen.norm:7.3f}",
            f"{seen.tokens_per_second:10,.0f} tokens/s",
            *([] if seen.mfu is None else [f"MFU {seen.mfu:.1%}"]),
            f"data {seen.data_wait / seen.seconds if seen.seconds else 0.0:4.0%}",
            f"ETA {_duration(self.remaining())}",
            *(f"{name} {loss:.3f}" for name, loss in seen.by_domain.items()),
        ]
        return "  ".join(parts)

    def remaining(self) -> float | None:
        """Seconds to the last step at the pace of the recent ones; None before there are two."""
        (began, first), (now, last) = self._moments[0], self._moments[-1]
        return None if last == first else (self.steps - last) * (now - began) / (last - first)

    def held_out(self, result: HeldOut) -> None:
        """Write the held-out losses."""
        if not self.quiet:
            self._say(held_out_line(result))

    def saved(self, row: int) -> None:
        """Write that there is something to go on from."""
        if not self.quiet:
            self._say(f"checkpoint at row {row:,}")

    def warned(self, text: str) -> None:
        """Write a warning."""
        self._clear()
        text = f"llama-train: {plain(text)}"
        print(f"\x1b[33m{text}\x1b[0m" if self.colour else text, file=self.errors, flush=True)

    def end(self, summary: dict[str, Any]) -> None:
        """Write the table by domain, and what the run took."""
        if not self.quiet:
            self._say(summary_table(summary), keep=True)

    def close(self) -> None:
        """Leave the cursor at the beginning of a line."""
        if self._drawn:
            self.out.write("\n")
            self.out.flush()
            self._drawn = False

    def _say(self, text: str, *, keep: bool = False) -> None:
        if keep:
            self.close()
        else:
            self._clear()
        print(text, file=self.out, flush=True)

    def _clear(self) -> None:
        if self._drawn:
            self.out.write(CLEAR)
            self.out.flush()
            self._drawn = False


def _duration(seconds: float | None) -> str:
    """Days, hours, minutes and seconds, the two largest of them."""
    if seconds is None:
        return "-"
    total = round(seconds)
    units = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
    for (name, size), (next_name, next_size) in pairwise(units):
        if total >= size:
            return f"{total // size}{name}{total % size // next_size:02}{next_name}"
    return f"{total}s"
