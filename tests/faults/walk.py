"""Walks all verbs over an S3 that fails, and here, and compares every byte.

    python tests/faults/walk.py --slow-down 0.5 --reset 0.05 --truncate 0.05 --stall 0.02    # exit 1: they differ
    python tests/faults/walk.py --domains wikipedia,books --requests       # what each verb asks the store, no faults

The dumps are those of ``llama-data quickstart``, or another folder that is shaped like a corpus. Dumps and run lie in
the store; each verb is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s3_server import Faults, Store, environment

DOMAINS = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange")
PARTS = ("documents", "ledger", "rejected", "signatures", "tokenizer", "tokens", "mix")

Command = Callable[[Sequence[str]], None]


def upload(store: Store, folder: Path, bucket: str) -> None:
    """Put a folder's files into a bucket."""
    for path in folder.rglob("*"):
        if path.is_file():
            store.put(f"{bucket}/{path.relative_to(folder)}", path.read_bytes())


def verbs(domains: Sequence[str], recipe: Path, input: str, run: str) -> Iterator[list[str]]:
    """The verbs of the whole way, as they are typed."""
    chosen = ["-c", str(recipe), "--output", run]
    yield ["run", *domains, *chosen, "--input", input]
    yield ["train-tokenizer", *chosen]
    yield ["tokenize", *chosen]
    yield ["mix", *chosen]
    yield ["verify", run]
    yield ["verify", run, "--full"]


def write_recipe(path: Path, domains: Sequence[str], workers: int) -> Path:
    """The quickstart's recipe for some domains, which share the mix evenly."""
    recipe = {
        "extends": "quickstart",
        "name": "walk",
        "executor": {"workers": workers},
        "domains": {name: None for name in DOMAINS if name not in domains},
        "tokenizer": {"vocab_size": 400},
        "mix": {"weights": dict.fromkeys(domains, 1 / len(domains)), "max_epochs": 400, "tokens": "100K"},
    }
    path.write_text(json.dumps(recipe))
    return path


def contents(files: Mapping[str, bytes]) -> dict[str, Any]:
    """What two runs have in common that made the same: every byte, and of manifests their hash, which leaves out when
    and where they were written."""
    found: dict[str, Any] = {}
    for name, data in files.items():
        if name.split("/")[0] not in PARTS or name.endswith("manifest.inputs.zst"):
            continue
        found[name] = json.loads(data)["sha256"] if name.endswith("/manifest.json") else data
    return found


def in_store(store: Store, prefix: str) -> dict[str, Any]:
    """The contents of a run in the store."""
    objects = store.objects.items()
    return contents({key.removeprefix(prefix): data for key, (data, _) in objects if key.startswith(prefix)})


def in_folder(folder: Path) -> dict[str, Any]:
    """The contents of a run on this machine."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return contents({str(path.relative_to(folder)): path.read_bytes() for path in files})


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of the files that differ, or that only one has."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def process(env: Mapping[str, str], words: Sequence[str]) -> None:
    """Run a verb. Raises SystemExit: it failed; with what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "llama_data.pipeline.cli", *words],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr[-3000:]}")


def shape(asked: str) -> str:
    """A request without its numbers and digests: what asks for the same kind of thing."""
    method, _, rest = asked.partition(" ")
    path, _, query = rest.partition(" ")[0].partition("?")
    prefix = re.search(r"prefix=([^&]*)", query)
    what = "LIST" if "list-type" in query else method + ("" if not query else f" {query.split('&')[0].split('=')[0]}")
    where = path if prefix is None else f"{path}/{prefix[1].replace('%2F', '/')}"
    return f"{what} {re.sub(r'[0-9a-f]{8,}|[0-9]{4,}', 'N', where)}"


def main() -> int:
    """Walk there and here; 1 where the results differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, help="raw dumps [default: the quickstart's]")
    parser.add_argument("--domains", default=",".join(DOMAINS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--requests", action="store_true", help="list what was asked, and how often")
    for name, kind in (("seed", int), *((kind, float) for kind in Faults.KINDS)):
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=0)
    options = vars(parser.parse_args())
    corpus, domains = options.pop("corpus"), options.pop("domains").split(",")
    workers, listed = options.pop("workers"), options.pop("requests")
    with tempfile.TemporaryDirectory() as name, Store().serving() as store:
        folder = Path(name)
        if corpus is None:
            from llama_data.pipeline.samples import build_samples

            corpus = folder / "dumps"
            build_samples(corpus)
        recipe = write_recipe(folder / "recipe.yaml", domains, workers)
        upload(store, corpus, "raw")
        store.buckets.add("runs")
        store.faults = Faults(**options)
        for words in verbs(domains, recipe, "s3://raw", "s3://runs/walk"):
            store.clear()
            began = time.monotonic()
            process({**environment(store), "LLAMA_DATA_CACHE": f"{folder}/copies"}, words)
            counts = Counter(store.counts)
            faults = {kind: counts.pop(kind) for kind in Faults.KINDS if kind in counts}
            told = ", ".join(f"{count} {what}" for what, count in counts.most_common())
            verb = " ".join(word for word in words if word in ("--full", words[0]))
            print(f"{verb:<16} {time.monotonic() - began:6.1f} s  {sum(counts.values()):>5} requests: {told}; {faults}")
            if listed:
                for what, count in Counter(shape(asked) for asked in store.asked.elements()).most_common():
                    print(f"{count:>8}  {what}")
        for words in verbs(domains, recipe, str(corpus), f"{folder}/run"):
            process({}, words)
        differ = unlike(in_store(store, "runs/walk/"), in_folder(folder / "run"))
        count = len(in_folder(folder / "run"))
    print(f"{count} files, {len(differ)} of them differ{': ' if differ else ''}{', '.join(differ[:10])}")
    return 1 if differ or not count else 0


if __name__ == "__main__":
    sys.exit(main())
