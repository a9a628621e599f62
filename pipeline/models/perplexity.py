"""Trains CCNet-like perplexity models: SentencePiece pieces, a 5-gram model over them, and its cut-offs.

Source: cc_net's Makefile and perplexity.py. One document is one sentence: its whole text in CCNet's normal form,
cut into unigram pieces. KenLM's ``lmplz`` estimates the model when it is on PATH, else our own Kneser-Ney does.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.models.cards import file_entries, training_record, write_card
from llama_data.pipeline.models.kneser_ney import KneserNey, read_sentences
from llama_data.pipeline.models.texts import Text, find_files, read_texts, split_text
from llama_data.stages.steps.kernels.lm_text import normalise_bytes
from llama_data.stages.steps.model_files import CARD, PerplexityFiles
from llama_data.stages.steps.perplexity import PerplexityModel, require_kenlm

# SentencePiece refuses sentences longer than this many bytes and CCNet's documents are one sentence each.
_MAX_SENTENCE_BYTES = 1 << 16
_SAMPLE_SENTENCES = 1_000_000
HEAD_PERCENTILE, MIDDLE_PERCENTILE = 30, 60


@dataclass(frozen=True, kw_only=True)
class PerplexitySettings:
    """How a perplexity model is trained. The defaults are CCNet's, but for ``digits``.

    ``prune``: full counts up to which n-grams of each order are left out. ``estimator``: ``lmplz``, ``own``, or None
    for lmplz when it is on PATH. ``digits``: decimals in our own ARPA file (None: all). ``held_out``: share of the
    documents that the model does not see and is measured on. ``max_chars``: longer texts are cut into documents.
    """

    language: str = "en"
    vocab_size: int = 65_536
    coverage: float = 0.9995
    order: int = 5
    prune: tuple[int, ...] = (0,)
    estimator: str | None = None
    digits: int | None = None
    held_out: float = 0.02
    max_chars: int = 10_000
    seed: int = 1


def train_perplexity(
    texts: Sequence[str],
    cutoff_texts: Sequence[str],
    output: str,
    settings: PerplexitySettings,
    *,
    licence: str,
) -> dict[str, Any]:
    """Train a model on ``texts``, set its cut-offs on ``cutoff_texts``; returns the card beside it.

    Raises:
        InputError: there is not enough text.
        ModelError: KenLM, which measures the model, is not installed.
        RequestError: ``lmplz`` is asked for and is not on PATH.
    """
    require_kenlm()
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    language = settings.language
    kept, held_out = _split(read_texts(find_files(texts)), settings)
    pieces = folder / f"{language}.sp.model"
    _train_pieces(kept, pieces, settings)
    model = folder / f"{language}.arpa"
    sizes, estimator = _train_ngrams(kept, pieces, model, settings)
    files = PerplexityFiles(str(model), str(pieces), None)
    scorer = PerplexityModel(files)
    quality: dict[str, Any] = {
        "held_out_documents": len(held_out),
        "held_out_perplexity": _overall(scorer, held_out),
    }
    written = [model, pieces]
    if cutoff_texts:
        cutoffs = folder / f"{language}.cutoffs.json"
        quality["cutoffs"] = _write_cutoffs(scorer, cutoff_texts, cutoffs, language)
        written.append(cutoffs)
    else:
        (folder / f"{language}.cutoffs.json").unlink(missing_ok=True)
    card = {
        "name": f"perplexity.{language}",
        "about": f"SentencePiece unigram pieces and a {settings.order}-gram model over them, as CCNet makes them",
        "files": file_entries(written),
        "made_by": training_record(
            seed=settings.seed,
            data=[*texts, *cutoff_texts],
            settings=asdict(settings) | {"estimator": estimator},
        ),
        "licence": licence,
        "documents": len(kept),
        "ngrams": sizes,
        "quality": quality,
    }
    write_card(folder / f"{language}{CARD}", card)
    return card


def _split(texts: Iterable[Text], settings: PerplexitySettings) -> tuple[list[bytes], list[bytes]]:
    """Documents in normal form, each at most once: those to train on, and a seeded share that is held out.

    A document whose source declares another language is left out.
    """
    rng = random.Random(settings.seed)
    kept: list[bytes] = []
    held_out: list[bytes] = []
    seen: set[bytes] = set()
    for text in texts:
        if text.language not in (None, settings.language):
            continue
        for piece in split_text(text.text, settings.max_chars):
            line = normalise_bytes(piece.encode("utf-8", "surrogatepass"))
            if line and line not in seen:
                seen.add(line)
                (held_out if rng.random() < settings.held_out else kept).append(line)
    if len(kept) < 2 or not held_out:
        raise InputError(f"found {len(kept)} documents to train on and {len(held_out)} to hold out; expected more text")
    return kept, held_out


def _train_pieces(documents: Sequence[bytes], target: Path, settings: PerplexitySettings) -> None:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(cut.decode("utf-8", "ignore") for doc in documents for cut in _sentences(doc)),
            model_writer=model,
            model_type="unigram",
            vocab_size=settings.vocab_size,
            hard_vocab_limit=False,
            character_coverage=settings.coverage,
            max_sentence_length=_MAX_SENTENCE_BYTES + 8,
            input_sentence_size=_SAMPLE_SENTENCES,
            shuffle_input_sentence=False,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InputError(f"SentencePiece cannot learn {settings.vocab_size} pieces from this text: {error}") from None
    with atomic_write(str(target)) as stream:
        stream.write(model.getvalue())


def _sentences(document: bytes) -> Iterator[bytes]:
    """The document in pieces that SentencePiece's trainer takes, cut at spaces."""
    at = 0
    while at < len(document):
        end = len(document) if len(document) - at <= _MAX_SENTENCE_BYTES else at + _MAX_SENTENCE_BYTES
        if end < len(document):
            space = document.rfind(b" ", at + 1, end)
            end = space if space > at else end
        yield document[at:end]
        at = end


def _train_ngrams(
    documents: Sequence[bytes], pieces: Path, target: Path, settings: PerplexitySettings
) -> tuple[list[int], str]:
    """Write the ARPA file; returns the number of n-grams of each order and the name of the estimator."""
    from llama_data.tokenizer.unigram.encode import PieceEncoder

    encoder = PieceEncoder(str(pieces))
    lines = (encoder.encode(document)[0] for document in documents)
    lmplz = shutil.which("lmplz") if settings.estimator != "own" else None
    if settings.estimator == "lmplz" and lmplz is None:
        raise RequestError("lmplz is not on PATH; install KenLM's command line tools or leave --estimator out")
    if lmplz is not None:
        return _run_lmplz(lmplz, lines, target, settings), "lmplz"
    model = KneserNey(order=settings.order, prune=settings.prune).fit(read_sentences(lines))
    with atomic_write(str(target)) as stream:
        sizes = model.write_arpa(stream, settings.digits)
    return sizes, "own"


def _run_lmplz(lmplz: str, lines: Iterable[bytes], target: Path, settings: PerplexitySettings) -> list[int]:
    temporary = f"{target}.tmp-{os.getpid()}"
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        text = Path(scratch) / "pieces.txt"
        with open(text, "wb") as stream:
            stream.writelines(line + b"\n" for line in lines)
        command = [lmplz, "-o", str(settings.order), "-S", "50%", "-T", scratch, "--discount_fallback"]
        command += ["--prune", *map(str, settings.prune), "--text", str(text), "--arpa", temporary]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        Path(temporary).unlink(missing_ok=True)
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(f"lmplz failed with exit code {done.returncode}: {last}")
    os.replace(temporary, target)
    sizes = []
    with open(target, "rb") as arpa:
        for line in arpa:
            if line.startswith(b"ngram "):
                sizes.append(int(line.partition(b"=")[2]))
            elif sizes:
                break
    return sizes


def _overall(scorer: PerplexityModel, documents: Sequence[bytes]) -> float:
    """Median perplexity of documents."""
    return round(float(np.median([scorer.perplexity(doc.decode("utf-8", "replace")) for doc in documents])), 1)


def _write_cutoffs(scorer: PerplexityModel, paths: Sequence[str], target: Path, language: str) -> dict[str, Any]:
    """Percentiles 0 to 99 of the perplexity of documents, and the head and middle cut-offs (30 and 60)."""
    found = [scorer.perplexity(text.text) for text in read_texts(find_files(paths)) if text.text.strip()]
    if not found:
        raise InputError(f"{', '.join(paths)}: no text to set cut-offs on")
    percentiles = [round(float(value), 1) for value in np.percentile(found, range(100))]
    cutoffs = {"head": percentiles[HEAD_PERCENTILE], "middle": percentiles[MIDDLE_PERCENTILE]}
    data = {"language": language, **cutoffs, "documents": len(found), "percentiles": percentiles}
    with atomic_write(str(target)) as stream:
        stream.write(json.dumps(data).encode() + b"\n")
    return {**cutoffs, "documents": len(found)}
