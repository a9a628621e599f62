"""A few steps under torch's profiler, as a file for https://ui.perfetto.dev or chrome://tracing."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

OPERATIONS = 40  # of the table beside the trace


class ProfilerWindow:
    """Steps ``begin`` to ``end`` - 1 of a process; writes FOLDER/rankR-steps-BEGIN-END.json.gz and a table (.txt)."""

    def __init__(self, folder: Path, rank: int, begin: int, end: int, device: torch.device) -> None:
        self.path = folder / f"rank{rank}-steps-{begin}-{end}.json.gz"
        self.begin = begin
        self.end = end
        self.device = device
        self._profiler: profile | None = None

    def before(self, step: int) -> None:
        """Step ``step`` comes."""
        if self.begin <= step < self.end and self._profiler is None:
            activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self.device.type == "cuda" else [])
            self._profiler = profile(activities=activities)
            self._profiler.start()

    def after(self, step: int) -> None:
        """Step ``step`` has been taken."""
        if step + 1 >= self.end:
            self.close()

    def close(self) -> None:
        """Write what was seen, if anything was."""
        found, self._profiler = self._profiler, None
        if found is None:
            return
        found.stop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        found.export_chrome_trace(str(self.path))
        by = "self_cuda_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        table = found.key_averages().table(sort_by=by, row_limit=OPERATIONS)
        self.path.with_name(self.path.name.replace(".json.gz", ".txt")).write_text(table)
