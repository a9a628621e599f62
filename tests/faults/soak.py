"""Reads damaged files of every format, and checks what is promised of them.

    python tests/faults/soak.py [FORMAT ...] [--count N] [--first SEED]

For each damage: nothing is raised; no row says that the reader broke; a record that was not touched comes out as it was
(where the format lets one be found behind damage; before it in any case); and where a record is gone, a row says so.
Each format is read in a process of its own, under limits of memory and time that the system sets.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

SECONDS = 20  # of CPU, for one damaged file; more is an end by SIGPROF


def faults_of(name: str, first: int, count: int) -> dict[str, Any]:
    """The faults that so many seeds from the first on show: for each its seed, and what was seen."""
    from formats import FORMATS, read
    from mutations import damaged

    format = FORMATS[name]
    found: list[list[Any]] = []
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        sound = read(format, format.data, Path(folder))
        marks = [one.mark for one in format.records]
        assert not sound.rows, (name, sound.rows)
        assert all(any(mark in text for text in sound.texts) for mark in marks), (name, sound)
        for seed in range(first, first + count):
            damage = damaged(format.data, seed)
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                seen = read(format, damage.data, Path(folder))
            except Exception:
                found.append([seed, damage.kind, "raised", traceback.format_exc()[-1500:]])
                continue
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
                slowest = max(slowest, time.process_time() - started)
            found += [
                [seed, damage.kind, *fault] for fault in _faults(format, damage.kind, sound.texts, damage.touched, seen)
            ]
    return {"faults": found, "slowest": slowest}


def _faults(format: Any, kind: str, sound: list[str], touched: list[tuple[int, int]], seen: Any) -> list[list[Any]]:
    faults: list[list[Any]] = [["broken", detail] for reason, detail in seen.rows if reason == "broken_reader"]
    kept = set(seen.texts)
    first = min(start for start, _ in touched)
    gone = []
    for record, text in zip(format.records, sound, strict=True):
        if text in kept:
            continue
        gone.append(record.mark)
        whole = all(end <= record.start or start >= record.end for start, end in touched)
        if whole and (format.resumes or record.end <= first):
            faults.append(["neighbour", record.mark, seen.rows[:3]])
    # A record that is cut out leaves nothing to say that it was there; and a border that is gone makes one of two.
    cut = touched if kind in ("truncate", "delete", "zeros") else []
    known = {one.mark for one in format.records if not any(start < one.end and one.start < end for start, end in cut)}
    missed = [mark for mark in gone if mark in known]
    if len(missed) > 2 * len(kept - set(sound)) and not seen.rows:
        faults.append(["silent", missed])
    return faults


def main(arguments: list[str]) -> int:
    """Read all formats, or those named, and say what was found; 1 when a promise was broken."""
    from formats import FORMATS
    from limited import MEMORY, call

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--count", type=int, default=500, help="seeds for each format (default: 500)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    options = parser.parse_args(arguments)
    broken = 0
    for name in options.formats or FORMATS:
        done = call("soak", "faults_of", [name, options.first, options.count], memory=MEMORY, seconds=SECONDS * 60)
        if done.status:
            broken += 1
            print(f"{name}: ended with {done.status}: {done.said[-800:]}", flush=True)
            continue
        faults = done.answer["faults"]
        broken += len(faults)
        took = f"{done.peak / 1e6:.0f} MB, slowest {done.answer['slowest']:.2f} s"
        print(f"{name}: {options.count} damaged files, {len(faults)} faults, {took}", flush=True)
        for fault in faults[:5]:
            print("   ", json.dumps(fault)[:1500], flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "plain")]
    sys.exit(main(sys.argv[1:]))
