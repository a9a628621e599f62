"""Loads damaged models of every kind, and works with those that load.

    python tests/faults/soak_models.py [KIND ...] [--count N] [--first SEED]

Each is refused in one sentence that names the file, or does its work: no signal ends the process, nothing is raised
but an error of ours, and memory and time stay within limits that the system sets. Where one dies, the next process
goes on behind it.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

SECONDS = 30  # of CPU, for one damaged file; more is an end by SIGPROF
# PyTorch, SentencePiece and KenLM are loaded in the same process.
MEMORY = 3 << 30


def faults_of(name: str, first: int, count: int, mark: str) -> dict[str, Any]:
    """What so many seeds from the first on show; ``mark``: the file that says which seed is at work."""
    from models import kinds
    from mutations import damaged

    from llama_data.pipeline.core.errors import InputError, ModelError

    kind = kinds()[name]
    found: list[list[Any]] = []
    loaded = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        path.write_bytes(kind.data)
        kind.use(path)
        for seed in range(first, first + count):
            Path(mark).write_text(str(seed))
            damage = damaged(kind.data, seed)
            path.unlink()
            path.write_bytes(damage.data)
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                kind.use(path)
                loaded += 1
            except (InputError, ModelError) as error:
                if "\n" in str(error) or len(str(error)) > 600:
                    found.append([seed, damage.kind, "no sentence", str(error)[:800]])
            except Exception:
                found.append([seed, damage.kind, "raised", traceback.format_exc()[-1500:]])
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    return {"faults": found, "loaded": loaded}


def soak(name: str, first: int, count: int) -> tuple[list[list[Any]], int]:
    """All faults of so many seeds, a death of the process among them, and how many models loaded."""
    from limited import call

    faults: list[list[Any]] = []
    loaded, at = 0, first
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "seed"
        while at < first + count:
            mark.unlink(missing_ok=True)
            left = first + count - at
            arguments = [name, at, left, str(mark)]
            done = call("soak_models", "faults_of", arguments, memory=MEMORY, seconds=SECONDS * 20)
            if not done.status:
                return faults + done.answer["faults"], loaded + done.answer["loaded"]
            if not mark.exists():
                raise RuntimeError(f"{name}: nothing could be read: {done.said[-1500:]}")
            dead = int(mark.read_text())
            faults.append([dead, "", f"ended with {done.status}", done.said[-800:]])
            at = dead + 1
    return faults, loaded


def main(arguments: list[str]) -> int:
    """Load all kinds, or those named, and say what was found; 1 when a promise was broken."""
    from models import NAMES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(NAMES))
    parser.add_argument("--count", type=int, default=500, help="seeds for each kind (default: 500)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    options = parser.parse_args(arguments)
    broken = 0
    for name in options.kinds or NAMES:
        faults, loaded = soak(name, options.first, options.count)
        broken += len(faults)
        print(f"{name}: {options.count} damaged models, {loaded} of them load, {len(faults)} faults", flush=True)
        for fault in faults[:5]:
            print("   ", *fault, flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "plain")]
    sys.exit(main(sys.argv[1:]))
