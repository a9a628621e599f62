"""Signatures of near-duplicates: the whole step that makes and writes them, and datatrove's of the same texts.

python benchmarks/near_dup.py [--documents 4000] [--words 500]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any

from llama_data.pipeline.core.document import Document, new_document
from llama_data.stages.steps.near.candidates import WriteSignatures
from llama_data.stages.steps.near.signers import PRESETS, Signer, System

ROUNDS = 3


def main() -> None:
    """Sign invented texts in every way; print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--words", type=int, default=500)
    options = parser.parse_args()
    docs = texts(options.documents, options.words)
    characters = sum(len(doc.text) for doc in docs) // len(docs)
    rates = {system: round(len(docs) / _seconds(lambda system=system: write(docs, system))) for system in PRESETS}
    found = {"words": options.words, "characters": characters, "documents_a_core_second": rates}
    print(json.dumps(found | {"datatrove_itself": round(len(docs[:200]) / _seconds(lambda: datatrove(docs[:200])))}))


def texts(count: int, words: int) -> list[Document]:
    """Documents of words drawn with the frequencies of a language (Zipf)."""
    chance = random.Random(1)
    known = ["".join(chance.choices("etaoinshrdlu", k=chance.choice((2, 3, 4, 5, 6, 7, 9)))) for _ in range(20_000)]
    weights = [1 / (rank + 10) for rank in range(len(known))]
    return [
        new_document(domain="d", id=f"d/{n}", source="s", text=" ".join(chance.choices(known, weights, k=words)))
        for n in range(count)
    ]


def write(docs: list[Document], system: System) -> None:
    """Sign and write as a run's first job does."""
    signer = Signer(system, *PRESETS[system][:3])
    with tempfile.TemporaryDirectory() as work:
        list(WriteSignatures(work=work, signer=signer, keep="longest", date="date", within=None).run(docs))


def datatrove(docs: list[Document]) -> None:
    """datatrove's own signatures, with its tokenizer, unwritten."""
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature

    with tempfile.TemporaryDirectory() as work:
        step = MinhashDedupSignature(work)
        for doc in docs:
            step.get_signature(step.get_shingles(doc.text))


def _seconds(call: Callable[[], Any]) -> float:
    """Seconds of CPU, the best of some rounds behind one that compiles."""
    call()
    took = []
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        took.append(time.process_time() - start)
    return min(took)


if __name__ == "__main__":
    main()
