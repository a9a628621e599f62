"""Writes small fastText models with random weights, so that tests need no training."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

MAGIC, VERSION, SUPERVISED = 793712314, 12, 3
LOSSES = {"hs": 1, "ns": 2, "softmax": 3, "ova": 4}


def write_model(
    path: Path,
    *,
    words: Sequence[str],
    labels: Sequence[str],
    dim: int = 8,
    loss: str = "softmax",
    minn: int = 0,
    maxn: int = 0,
    bucket: int = 100,
    seed: int = 0,
    word_ngrams: int = 1,
    directions: ArrayLike | None = None,
) -> None:
    """Write a dense .bin model; ``labels`` are given with ``__label__``.

    ``directions`` (words x labels): how much a word speaks for each label, instead of random weights; ``dim`` is then
    the number of labels, and the scores of a text are the softmax of the mean over the words that the model knows.
    """
    rng = np.random.default_rng(seed)
    counts = sorted((random.Random(seed + n).randint(1, 99) for n in range(len(labels))), reverse=True)
    header = struct.pack(
        "<ii12id", MAGIC, VERSION, dim, 5, 3, 1, 5, word_ngrams, LOSSES[loss], SUPERVISED, bucket, minn, maxn, 100, 1e-4
    )
    entries = [(word, 10, 0) for word in words] + [(label, n, 1) for label, n in zip(labels, counts, strict=True)]
    dictionary = struct.pack("<iiiqq", len(entries), len(words), len(labels), 1000, -1)
    dictionary += b"".join(text.encode() + b"\0" + struct.pack("<qb", count, kind) for text, count, kind in entries)
    rows = len(words) + bucket
    weights = [rng.normal(size=(n, dim)) for n in (rows, len(labels))]
    if directions is not None:
        weights = [np.vstack([np.asarray(directions), np.zeros((bucket, dim))]), np.eye(dim)]
    matrices = b"".join(b"\0" + struct.pack("<qq", *part.shape) + part.astype("<f4").tobytes() for part in weights)
    path.write_bytes(header + dictionary + matrices)
