"""Time and peak memory of the dedup's second job and of look-ups, on synthetic hashes; extrapolates to a CCNet group.

    python benchmarks/line_dedup_scaling.py [--hashes 2e8] [--tasks 50] [--parts 4]

CCNet's group of 50 shards has 1.5 billion distinct line hashes.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time

import numpy as np

from llama_data.pipeline.core.files import join
from llama_data.stages.steps.kernels.duplicate_table import DuplicateTable
from llama_data.stages.steps.line_dedup import FindDuplicateLines, Group, write_run

CCNET_GROUP = 1.5e9
SHARED = 0.3


def main() -> None:
    """Write runs, find duplicates, look every line of one task up; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hashes", type=float, default=2e8)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--parts", type=int, default=4)
    options = parser.parse_args()
    per_task = int(options.hashes) // options.tasks
    rng = np.random.default_rng(1)
    pool = rng.integers(0, 2**64, size=int(options.hashes * SHARED / 4), dtype=np.uint64)
    with tempfile.TemporaryDirectory() as work:
        start = time.perf_counter()
        for task in range(options.tasks):
            own = rng.integers(0, 2**64, size=int(per_task * (1 - SHARED)), dtype=np.uint64)
            hashes = np.concatenate([own, rng.choice(pool, per_task - own.size)])
            write_run(work, task, hashes.copy())
        written = time.perf_counter()
        step = FindDuplicateLines(work=work, groups=[Group(0, 0, options.tasks, options.parts)], copies="none")
        for part in range(options.parts):
            list(step.run(None, part, options.parts))
        found = time.perf_counter()
        DuplicateTable(np.sort(pool[:8]), None).look_up(pool[:8])  # loads the kernel
        loaded = time.perf_counter()
        tables = [DuplicateTable.open(join(work, "duplicates", f"00000-{p:05d}.bin")) for p in range(options.parts)]
        hits = sum(int((table.look_up(hashes) >= 0).sum()) for table in tables)
        looked = time.perf_counter()
        duplicates = sum(table.hashes.size for table in tables)
    scale = CCNET_GROUP / options.hashes
    print(
        json.dumps(
            {
                "hashes": int(options.hashes),
                "tasks": options.tasks,
                "parts": options.parts,
                "duplicates": duplicates,
                "write_seconds": round(written - start, 2),
                "find_seconds": round(found - written, 2),
                "look_ups_per_second": round(hashes.size / (looked - loaded)),
                "hits": hits,
                "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
                "find_seconds_at_1.5e9": round((found - written) * scale),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
