"""Runs commands where there is too little room, makes room, and gives them again.

    python tests/faults/soak_full.py [LEG ...] [--count N] [--first SEED] [--way disk|files|limit] [--folder DIR]

A seed chooses a leg (``chain.py``) and how much room it has: a share of what it writes. ``disk``: bytes of a small
file system in memory; ``files``: how many files that holds; both need root, to mount it. ``limit``: the size of a file
that a process may write (RLIMIT_FSIZE). A command that finds too little must end with 1 and one sentence that says what
to do; no file under its final name may be half; and the same command must go on once there is room, byte by byte to
what an undisturbed run leaves.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chain import Chain, Leg

WAYS = ("disk", "files", "limit")
_TOLD = {"disk": "make room", "files": "make room", "limit": "raise the limit"}
_LARGE = 4 << 30
_MANY = 1 << 20  # files, more than any command leaves
_LEAST = 512  # bytes a file may have in any case


class Full(NamedTuple):
    """What came of a seed: whether there was too little room, what was said of it, and what was wrong."""

    met: bool
    said: str
    faults: list[str]


def can_mount() -> bool:
    """Whether a file system in memory can be mounted here."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), 1 << 20):
                return True
        except (OSError, subprocess.SubprocessError):
            return False


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[int, int], None]]:
    """A file system of so many bytes at the folder; gives what changes its bytes and its number of files.

    The number is limited from the beginning: one that has none cannot be given one.
    """

    def change(size: int, files: int = _MANY) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size},nr_inodes={files}", str(folder)], check=True)

    given = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={_MANY}", "tmpfs", str(folder)]
    subprocess.run(given, check=True, capture_output=True)
    try:
        yield change
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_one(chain: Chain, leg: Leg, seed: int, way: str) -> Full:
    """Run a leg with as little room as the seed says, and then with enough of it."""
    from chain import files

    undisturbed, share = chain.undisturbed(leg.name), random.Random(seed).random()
    with tempfile.TemporaryDirectory(prefix=f"{leg.name}-{seed}-", dir=chain.folder) as folder:
        disk = Path(folder)
        if way == "limit":
            chain.prepare(leg, disk / "run")
            had = set(digest_names(disk / "run"))
            new = [path for path in files(undisturbed) if str(path.relative_to(undisturbed)) not in had]
            most = _LEAST + int(share * max(path.stat().st_size for path in new))

            def limit() -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

            return _fill(chain, leg, disk / "run", way, limit)
        with small_disk(disk, _LARGE) as change:
            chain.prepare(leg, disk / "run")
            bytes_now, files_now = _used(disk)
            blocks = sum(-(-path.stat().st_size // 4096) * 4096 for path in files(undisturbed))
            more_bytes = max(0, blocks - bytes_now)
            more_files = max(0, sum(1 for _ in undisturbed.rglob("*")) - files_now)
            if way == "disk":
                change(max(4096, bytes_now + int(share * more_bytes)))
            else:
                change(_LARGE, files_now + 1 + int(share * more_files))
            return _fill(chain, leg, disk / "run", way, None, lambda: change(_LARGE))


def digest_names(run: Path) -> list[str]:
    """The names of all files of a folder."""
    from chain import files

    return [str(path.relative_to(run)) for path in files(run)]


def _used(disk: Path) -> tuple[int, int]:
    about = os.statvfs(disk)
    return (about.f_blocks - about.f_bfree) * about.f_frsize, sum(1 for _ in disk.rglob("*")) + 1


def _fill(
    chain: Chain, leg: Leg, run: Path, way: str, limit: Callable[[], None] | None, make_room: Callable[[], None] = list
) -> Full:
    from chain import sentence

    command = chain.start(leg, run, limit)
    code = command.end()
    faults = [f"a process was left: {process}" for process in command.left_alone()]
    said = command.said()
    if code:
        if code != 1:
            faults.append(f"ended with {code}: {said[-800:]}")
        faults += told_badly(said, sentence(said) if leg.same else said, way, run)
        faults += half_files(chain, leg, run)
    make_room()
    again = chain.start(leg, run)
    if again.end():
        faults.append(f"with room enough it ended with {again.process.returncode}: {again.said()[-800:]}")
    else:
        faults += chain.faults(leg, run)
    return Full(code != 0, (sentence(said) or said[-300:]) if code else "", faults)


def told_badly(said: str, told: str | None, way: str, run: Path) -> list[str]:
    """What is wrong with what a command says that had no room; ``told``: the one sentence in it."""
    if told is None or _TOLD[way] not in told or "Traceback" in said:
        return [f"not one sentence that says what to do: {said[-1200:]}"]
    return [] if str(run) in told else [f"it does not say for which file: {told[-1200:]}"]


def half_files(chain: Chain, leg: Leg, run: Path) -> list[str]:
    """Files of a command that failed which have their final name, and not what belongs in them."""
    from chain import digests

    if not leg.same:
        return []
    whole = digests(chain.undisturbed(leg.name))
    return [f"{name}: half" for name, digest in digests(run).items() if name in whole and digest != whole[name]]


def soak(chain: Chain, names: list[str], ways: list[str], first: int, count: int) -> int:
    """Fill the disk of the legs in turn, with so many seeds from the first on; how many faults were found."""
    from chain import LEGS

    met = broken = 0
    for seed in range(first, first + count):
        leg, way = LEGS[names[seed % len(names)]], ways[seed // len(names) % len(ways)]
        done = fill_one(chain, leg, seed, way)
        met, broken = met + done.met, broken + len(done.faults)
        print(f"seed {seed}: {leg.name}, {way}: {len(done.faults)} faults; {done.said or 'there was room'}", flush=True)
        for fault in done.faults[:5]:
            print(f"    {fault}", flush=True)
    print(f"{count} seeds, {met} without room, {broken} faults", flush=True)
    return broken


def main(arguments: list[str]) -> int:
    """Fill disks, and say what was found; 1 when a promise was broken."""
    from chain import LEGS, Chain

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("legs", nargs="*", metavar="LEG", help=", ".join(LEGS))
    parser.add_argument("--count", type=int, default=3 * len(LEGS), help="seeds (default: each leg in each way)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--way", choices=WAYS, action="append", help="may be repeated (default: all)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder); is gone on with")
    options = parser.parse_args(arguments)
    ways = options.way or list(WAYS)
    if not can_mount():
        print("no file system can be mounted here (it needs root): only --way limit", flush=True)
        ways = ["limit"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return int(soak(Chain(folder), options.legs or list(LEGS), ways, options.first, options.count) > 0)


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent)]
    sys.exit(main(sys.argv[1:]))
