"""Gives a command twice at once, or two commands that share a run's folder, and looks at what came of it.

    python tests/faults/soak_pairs.py [LEG ...] [--count N] [--first SEED] [--folder DIR]

A seed chooses a leg (``chain.py``) and how much later the second one starts, up to ``LATER`` seconds. Of two that do
the same at least one must end well, and one that does not must say in one sentence who is at work; of two that do
different things in one folder both must end well. What they leave must be, byte by byte, what one leaves that is alone.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chain import Chain, Command, Leg

LATER = 6.0
SIDE_BY_SIDE = (("run-books", "run-mine"), ("tokenize-books", "tokenize-mine"))
"""Legs that need the same and may be at work in one folder at the same time."""


class Pair(NamedTuple):
    """What came of a seed: how the two ended, and what was wrong."""

    codes: tuple[int, int]
    faults: list[str]


def same_twice(chain: Chain, leg: Leg, seed: int) -> Pair:
    """Give a command twice."""
    from chain import sentence

    chain.undisturbed(leg.name)
    with tempfile.TemporaryDirectory(prefix=f"{leg.name}-{seed}-", dir=chain.folder) as folder:
        run = Path(folder) / "run"
        chain.prepare(leg, run)
        first = chain.start(leg, run)
        time.sleep(random.Random(seed).random() * LATER)
        pair = (first, chain.start(leg, run))
        codes = (pair[0].end(), pair[1].end())
        faults = []
        for command, code in zip(pair, codes, strict=True):
            told = sentence(command.said())
            if code and (code != 2 or told is None or "by process" not in told):
                faults.append(
                    f"ended with {code}, without one sentence that says who is at work: {command.said()[-800:]}"
                )
        if 0 not in codes:
            faults.append("neither has ended well")
        faults += _left(pair)
        faults += chain.faults(leg, run)
    return Pair(codes, faults)


def side_by_side(chain: Chain, legs: tuple[Leg, Leg]) -> Pair:
    """Give two commands that do different things in one folder."""
    from chain import digests, left_behind

    with tempfile.TemporaryDirectory(prefix="pair-", dir=chain.folder) as folder:
        run, expected = Path(folder) / "run", Path(folder) / "expected"
        for leg in legs:
            chain.prepare(leg, run)
            shutil.copytree(chain.undisturbed(leg.name), expected, dirs_exist_ok=True)
        pair = (chain.start(legs[0], run), chain.start(legs[1], run))
        codes = (pair[0].end(), pair[1].end())
        faults = [f"ended with {one.process.returncode}: {one.said()[-800:]}" for one in pair if one.process.returncode]
        faults += _left(pair)
        faults += [f"{path}: left behind" for path in left_behind(run)]
        found, wanted = digests(run), digests(expected)
        differ = sorted(name for name in set(found) | set(wanted) if found.get(name) != wanted.get(name))
        faults += [f"{name}: not what one leaves that is alone" for name in differ]
    return Pair(codes, faults)


def _left(pair: tuple[Command, Command]) -> list[str]:
    return [f"a process was left: {process}" for command in pair for process in command.left_alone()]


def main(arguments: list[str]) -> int:
    """Give commands twice, and say what was found; 1 when a promise was broken."""
    from chain import LEGS, PIPELINE, Chain

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("legs", nargs="*", metavar="LEG", help=", ".join(PIPELINE))
    parser.add_argument("--count", type=int, default=2 * len(PIPELINE), help="seeds (default: two for each leg)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder); is gone on with")
    options = parser.parse_args(arguments)
    names, broken, refused = options.legs or list(PIPELINE), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        chain = Chain(folder)
        for seed in range(options.first, options.first + options.count):
            leg = LEGS[names[seed % len(names)]]
            done = same_twice(chain, leg, seed)
            broken, refused = broken + len(done.faults), refused + (2 in done.codes)
            _say(f"seed {seed}: {leg.name} twice", done)
        for first, second in SIDE_BY_SIDE if not options.legs else ():
            done = side_by_side(chain, (LEGS[first], LEGS[second]))
            broken += len(done.faults)
            _say(f"{first} beside {second}", done)
    print(f"{options.count} seeds, {refused} refused, {broken} faults", flush=True)
    return int(broken > 0)


def _say(what: str, done: Pair) -> None:
    print(f"{what}: ended with {done.codes[0]} and {done.codes[1]}, {len(done.faults)} faults", flush=True)
    for fault in done.faults[:5]:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]
    sys.exit(main(sys.argv[1:]))
