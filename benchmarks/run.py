"""Run benchmarks: ours and the peer in turn, in one process tree, on the same input.

    python benchmarks/run.py [NAME ...] [--corpus DIR] [--json FILE]

Prints a table and writes rows of {"name", "unit", "ours", "peer", "peer_name", "ratio", "identical", "command",
"date"}: rates are medians, ``identical`` says whether the two made the same decisions in this run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import load

HERE = Path(__file__).resolve().parent
DEFAULT_CORPUS = Path(os.environ.get("LLAMA_DATA_CORPUS", HERE.parent.parent / "shared" / "corpus"))

Benchmark = Callable[[Path], dict[str, Any]]


def find() -> dict[str, Benchmark]:
    """All benchmarks of the files beside this one, by name."""
    found: dict[str, Benchmark] = {}
    for path in sorted(HERE.glob("*.py")):
        if "NAMES" in path.read_text() and path.name != Path(__file__).name:
            found |= load(path).NAMES
    return found


def main() -> int:
    """Run the named benchmarks (all without a name). Returns the exit code."""
    known = find()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(known))
    parser.add_argument("--corpus", type=Path, default=DEFAULT_CORPUS, help="folder of raw dumps")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"{unknown[0]}: no such benchmark; known: {' '.join(known)}")
    if not options.corpus.is_dir():
        parser.error(f"{options.corpus}: no such folder; give --corpus DIR with sample dumps")
    rows = []
    print(f"{'name':<18} {'ours':>10} {'peer':>10} {'ratio':>7}  unit   identical  peer")
    for name in options.names or known:
        row = {**known[name](options.corpus), "command": f"python benchmarks/run.py {name}"}
        row["date"] = datetime.date.today().isoformat()
        rows.append(row)
        print(
            f"{row['name']:<18} {row['ours']:>10.2f} {row['peer']:>10.2f} {row['ratio']:>7.2f}  {row['unit']:<6} "
            f"{row['identical']!s:<9}  {row['peer_name']}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
