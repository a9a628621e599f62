"""Run benchmarks: ours and the peer in turn, in one process tree, on the same input.

    python benchmarks/run.py [NAME ...] [--corpus DIR] [--json FILE]

Rows are {"name", "unit", "ours", "peer", "peer_name", "ratio", "identical", "compared", "command", "date"}: rates are
medians, ``identical`` says whether the two made the same decisions in this run, ``compared`` of what kind and how many
they were. ``floors.json`` says what each benchmark needs, which kinds of decisions must have come up for the comparison
to say anything, and the ratio (or our own figure) that is to be held. The last table shows the figures against these
floors. Exit code 1: two made different decisions, or a kind did not come up. A figure below its floor is no error: the
machine may be busy.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from common import load

HERE = Path(__file__).resolve().parent
DEFAULT_CORPUS = Path(os.environ.get("LLAMA_DATA_CORPUS", HERE.parent.parent / "shared" / "corpus"))
SHOWN = 4  # kinds of decisions on a line

Benchmark = Callable[[Path], dict[str, Any]]
Floor = dict[str, Any]


def find() -> dict[str, Benchmark]:
    """All benchmarks of the files beside this one, by name."""
    found: dict[str, Benchmark] = {}
    for path in sorted(HERE.glob("*.py")):
        if "NAMES" in path.read_text() and path.name != Path(__file__).name:
            found |= load(path).NAMES
    return found


def missing(names: Iterable[str], floors: dict[str, Floor], corpus: Path) -> list[str]:
    """What the benchmarks need and is not there, in words."""
    packages: dict[str, list[str]] = {}
    for name in names:
        for package in floors[name].get("packages", ()):
            if find_spec(package) is None:
                packages.setdefault(package, []).append(name)
    found = [
        f"{package} is not installed, which {', '.join(users)} compares with: pip install -e '.[bench]'"
        for package, users in packages.items()
    ]
    files: dict[Path, list[str]] = {}
    for name in names:
        for file in floors[name].get("files", ()):
            if not (corpus / file).resolve().exists():
                files.setdefault((corpus / file).resolve(), []).append(name)
    return found + [f"{path} is not there, which {', '.join(users)} needs" for path, users in files.items()]


def complaint(row: dict[str, Any], floor: Floor) -> str | None:
    """Why the comparison does not hold, or None."""
    if row["identical"] is False:
        return "the two made different decisions"
    kinds = [kind for kind in floor["compared"] if not row["compared"].get(kind)]
    return f"nothing was compared of: {', '.join(kinds)}" if kinds else None


def against_floor(row: dict[str, Any], floor: Floor) -> str:
    """The figure that is to be held, and whether it was: ``8.51 (6: held)``."""
    if "ratio" in floor:
        figure, least, held = row["ratio"], floor["ratio"], row["ratio"] >= floor["ratio"]
    elif "most" in floor:
        figure, least, held = row["ours"], floor["most"], row["ours"] <= floor["most"]
    else:
        figure, least, held = row["ours"], floor["least"], row["ours"] >= floor["least"]
    unit = "x" if "ratio" in floor else f" {row['unit']}"
    return f"{figure:.2f}{unit} ({'at most' if 'most' in floor else 'floor'} {least}: {'held' if held else 'MISSED'})"


def main() -> int:
    """Run the named benchmarks (all without a name). Returns the exit code."""
    known = find()
    floors: dict[str, Floor] = json.loads((HERE / "floors.json").read_text())
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
    names = options.names or list(known)
    lacking = missing(names, floors, options.corpus)
    if lacking:
        parser.error("; ".join(lacking))
    rows, wrong = [], []
    print(f"{'name':<18} {'ours':>10} {'peer':>10} {'ratio':>7}  {'unit':<6} {'identical':<9}  peer")
    for name in names:
        row = {**known[name](options.corpus), "command": f"python benchmarks/run.py {name}"}
        row["date"] = datetime.date.today().isoformat()
        rows.append(row)
        print(
            f"{row['name']:<18} {row['ours']:>10.2f} {row['peer']:>10.2f} {row['ratio']:>7.2f}  {row['unit']:<6} "
            f"{row['identical']!s:<9}  {row['peer_name']}",
            flush=True,
        )
        kinds = sorted(row["compared"].items(), key=lambda item: -item[1])
        more = f", {len(kinds) - SHOWN} more kinds" if len(kinds) > SHOWN else ""
        print(f"{'':<18} compared: {', '.join(f'{kind} {count:,}' for kind, count in kinds[:SHOWN])}{more}", flush=True)
        if why := complaint(row, floors[name]):
            wrong.append(f"{name}: {why}")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("\nagainst the floors of benchmarks/floors.json:")
    for row in rows:
        print(f"  {row['name']:<18} {against_floor(row, floors[row['name']])}")
    for line in wrong:
        print(f"run.py: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
