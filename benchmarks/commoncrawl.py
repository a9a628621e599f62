"""The CommonCrawl stage and its kernels against the same rules in plain Python and against fastText's own predict."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import os
import pickle
import random
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import fasttext
import kenlm
import pyarrow.parquet as pq
import sentencepiece
from common import TESTS, load, row, wet_pages

from llama_data.pipeline.core.job import RunContext
from llama_data.stages.commoncrawl.jobs import Settings, jobs
from llama_data.stages.commoncrawl.reader import page_text
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.kernels.line_hash import hash_lines


def _language_model(corpus: Path) -> str:
    folder = Path(os.environ.get("LLAMA_DATA_ORACLE_MODELS", corpus.parent / "models"))
    path = folder / "lid.176.ftz"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: set LLAMA_DATA_ORACLE_MODELS to a folder with lid.176.ftz")
    return str(path)


def _texts(corpus: Path) -> list[str]:
    return [page_text(page) for page in wet_pages(corpus)]


def line_hash(corpus: Path) -> dict[str, Any]:
    """Normalising and hashing every line of the corpus's pages."""
    plain = load(TESTS / "plain" / "plain_commoncrawl.py")
    texts = _texts(corpus)
    batches = [("\n".join(texts[n : n + 100])) for n in range(0, len(texts), 100)]
    encoded = [batch.encode() for batch in batches]

    def ours() -> list[list[int]]:
        return [hash_lines(batch).hashes.tolist() for batch in encoded]

    def peer() -> list[list[int]]:
        return [[plain.hash_of(line) for line in batch.split("\n")] for batch in batches]

    size = sum(map(len, encoded)) / 1e6
    mine = ours()
    compared = {"lines": sum(map(len, mine))}
    return row("line_hash", "the same rules in plain Python, hashlib", size, compared, mine == peer(), ours, peer)


def language(corpus: Path) -> dict[str, Any]:
    """The language of every page, newlines removed; a fresh table of words in every round."""
    path = _language_model(corpus)
    texts = [text.replace("\n", "") for text in _texts(corpus)]
    encoded = [text.encode() for text in texts]
    file = FastTextModel.load(path).file
    theirs = fasttext.load_model(path)

    def ours() -> list[tuple[str | None, float]]:
        model = FastTextModel(file)
        found = [model.predict(encoded[n : n + 128]) for n in range(0, len(encoded), 128)]
        return [(one.label, round(one.score, 2)) for some in found for one in some]

    def peer() -> list[tuple[str | None, float]]:
        found = (theirs.predict(text) for text in texts)
        return [(labels[0].removeprefix("__label__"), round(float(scores[0]), 2)) for labels, scores in found]

    size = sum(map(len, encoded)) / 1e6
    mine = ours()
    compared = Counter(str(label) for label, _ in mine)
    return row("language", "fastText's predict", size, compared, mine == peer(), ours, peer)


def _train_models(folder: Path, texts: list[str], plain: ModuleType) -> None:
    """Models that are only good for timing: SentencePiece of 8,000 pieces, bigrams of its pieces, random references."""
    lines = [plain.for_model(line) for text in texts for line in text.split("\n") if len(line) > 60]
    random.Random(1).shuffle(lines)
    (folder / "lines.txt").write_text("\n".join(lines[:20_000]) + "\n")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "lines.txt"),
        model_prefix=str(folder / "en.sp"),
        vocab_size=8000,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "en.sp.model"))
    conftest = load(TESTS / "stages" / "commoncrawl" / "conftest.py")
    conftest._write_arpa(folder / "en.arpa", [pieces.encode_as_pieces(line) for line in lines[:20_000]])
    (folder / "en.cutoffs.json").write_text(json.dumps({"head": 150.0, "middle": 400.0}))
    words = sorted({word for line in lines[:2000] for word in line.split()})
    load(TESTS / "plain" / "fasttext_writer.py").write_model(
        folder / "references.bin", words=words, labels=["__label__cc", "__label__wiki"], dim=100
    )


def commoncrawl(corpus: Path) -> dict[str, Any]:
    """The whole stage, both passes, reading WET and writing what is kept; the peer writes JSON lines with gzip."""
    plain = load(TESTS / "plain" / "plain_commoncrawl.py")
    paths = sorted((corpus / "cc").glob("*.wet.gz"))
    texts = _texts(corpus)
    size = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(None):
        folder = Path(name)
        _train_models(folder, [text for text in texts if " the " in text], plain)
        language_model = _language_model(corpus)
        models = plain.Models(
            fasttext.load_model(language_model),
            {"en": sentencepiece.SentencePieceProcessor(model_file=str(folder / "en.sp.model"))},
            {"en": kenlm.Model(str(folder / "en.arpa"))},
            {"en": (150.0, 400.0)},
            fasttext.load_model(str(folder / "references.bin")),
        )
        settings = Settings(
            inputs=("*.wet.gz",),
            language_model=language_model,
            perplexity_models={"en": str(folder)},
            reference_model=str(folder / "references.bin"),
            dedup_group="all",
        )
        runs = (
            RunContext(input=str(corpus / "cc"), output=str(folder / f"run{number}"), rejected_sample=0.01)
            for number in itertools.count()
        )

        def ours() -> RunContext:
            run = next(runs)  # a folder of its own: to rename a file over another costs more
            for job in jobs(settings, run):
                for rank in range(job.tasks):
                    data = None
                    for step in pickle.loads(pickle.dumps(job.steps)):
                        data = step.run(data, rank, job.tasks)
                    for _ in data or ():
                        pass
            return run

        def decisions(run: RunContext) -> dict[str, tuple[Any, ...]]:
            columns = ["source", "reason", "perplexity", "language_score"]
            rows = pq.read_table(run.ledger("commoncrawl"), columns=columns).to_pylist()
            return {row["source"]: (row["reason"], row["perplexity"], row["language_score"]) for row in rows}

        def peer() -> dict[str, tuple[Any, ...]]:
            found: dict[str, tuple[Any, ...]] = {}
            with gzip.open(folder / "peer.json.gz", "wt") as stream:

                def report(path: Path, page: Any, row: dict[str, Any]) -> None:
                    scores = (row.get("perplexity"), row.get("language_score"))
                    found[f"{path.name}#{page.offset}"] = (row["reason"], *scores)
                    if row["reason"] is None:
                        stream.write(json.dumps(row) + "\n")

                plain.whole_stage(paths, models, report)
            return found

        mine = decisions(ours())
        compared = Counter(reason or "kept" for reason, *_ in mine.values())
        return row("commoncrawl", "CCNet's rules in plain Python", size, compared, mine == peer(), ours, peer, rounds=5)


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "commoncrawl": commoncrawl,
    "line_hash": line_hash,
    "language": language,
}
