"""Trains a quality classifier for the step ``quality``: texts that are wanted against texts at random, with fastText.

Source: DCLM's classifier (train_fasttext_classifier.py and its README): fastText's defaults with runs of two words,
lines joined by spaces, as many texts of each side. One thread and a fixed order make the result repeatable; which texts
are taken and which are held out depends on what they say and on the seed, not on files or their order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.models.cards import file_entries, training_record, write_card
from llama_data.pipeline.models.fasttext_train import FastTextSettings, train_fasttext
from llama_data.pipeline.models.references import measure
from llama_data.pipeline.models.texts import Text, find_files, read_texts, split_text
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.model_cards import card_path
from llama_data.stages.steps.scorer import LINES, prepared

LEAST_EACH = 20
# Shares of the held-out negatives at which the card names the score.
CUTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """How the classifier is trained; ``fasttext`` has fastText's own defaults.

    ``label``, ``other``: names of the two sides. ``min_chars``: shorter texts of both sides are left out.
    ``max_chars``: longer ones are cut between lines into several (None: never). ``max_each``: at most this many texts
    of each side. ``equal``: as many of each side. ``held_out``: share that is only measured on.
    """

    fasttext: FastTextSettings
    label: str = "hq"
    other: str = "cc"
    min_chars: int = 1
    max_chars: int | None = None
    max_each: int = 300_000
    equal: bool = True
    held_out: float = 0.1
    seed: int = 1


@dataclass
class _Side:
    """Texts of a side by their digests; those with the lowest ones are taken, so that the order does not matter."""

    most: int
    heap: list[tuple[bytes, str]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, digest: bytes, line: str) -> None:
        """Take a text, or leave out the one with the highest digest."""
        # A heap gives its lowest entry: the complement turns the order round.
        entry = (bytes(255 - byte for byte in digest), line)
        if len(self.heap) < self.most:
            heappush(self.heap, entry)
        else:
            heappushpop(self.heap, entry)
            self.left_out["beyond max_each"] += 1

    def lines(self, most: int) -> list[tuple[bytes, str]]:
        """Digests and texts, the lowest digests first."""
        self.left_out["to have as many of each side"] += max(0, len(self.heap) - most)
        return [(bytes(255 - byte for byte in digest), line) for digest, line in sorted(self.heap, reverse=True)[:most]]


def train_quality(
    *, positives: Sequence[str], negatives: Sequence[str], output: str, settings: QualitySettings, licence: str
) -> dict[str, Any]:
    """Train on two sides of texts and return the card that was written beside the model.

    Raises:
        InputError: a side has too few texts.
        RequestError: the two sides have one name.
    """
    if settings.label == settings.other:
        raise RequestError(f"both sides are called {settings.label!r}; give them two names")
    seen: set[bytes] = set()
    sides = {
        settings.label: _side(read_texts(find_files(positives)), settings, seen),
        settings.other: _side(read_texts(find_files(negatives)), settings, seen),
    }
    for name, side in sides.items():
        if len(side.heap) < LEAST_EACH:
            raise InputError(
                f"found {len(side.heap)} texts for the side {name!r} of at least {settings.min_chars} characters, not "
                f"counting copies; expected {LEAST_EACH} or more"
            )
    most = min(len(side.heap) for side in sides.values()) if settings.equal else settings.max_each
    train: list[tuple[bytes, str, str]] = []
    test: list[tuple[str, str]] = []
    for name, side in sides.items():
        for digest, line in side.lines(most):
            # Other bytes than those that choose, which are low where many texts are left out.
            if int.from_bytes(digest[-8:], "big") < settings.held_out * 2**64:
                test.append((name, line))
            else:
                train.append((digest, name, line))
    if len({name for name, _ in test}) < 2:
        raise InputError(f"a share of {settings.held_out} holds out no text of one side; give a larger --held-out")
    train_fasttext([(name, line) for _, name, line in sorted(train)], output, settings.fasttext)
    scores = FastTextModel.load(output).scores(
        [line.encode("utf-8", "surrogatepass") for _, line in test], settings.label
    )
    truth = np.array([name == settings.label for name, _ in test])
    card = {
        "name": Path(output).name,
        "about": f"fastText classifier of quality: {settings.label} against {settings.other}",
        "files": file_entries([output]),
        "positive": settings.label,
        "preparation": LINES,
        "made_by": training_record(seed=settings.seed, data=[*positives, *negatives], settings=asdict(settings)),
        "licence": licence,
        "examples": dict(Counter(name for _, name, _ in train)),
        "held_out": dict(Counter(name for name, _ in test)),
        "left_out": {name: dict(side.left_out) for name, side in sides.items()},
        "quality": {"held_out": len(test), **measure(truth, scores.astype(np.float64), 0.5)},
        "cuts": cuts(truth, scores),
    }
    write_card(card_path(output), card)
    return card


def _side(texts: Iterable[Text], settings: QualitySettings, seen: set[bytes]) -> _Side:
    """One side's texts: long enough, and not met before on either side."""
    side = _Side(settings.max_each)
    for text in texts:
        for part in [text.text] if settings.max_chars is None else split_text(text.text, settings.max_chars):
            line = prepared(part, LINES).decode("utf-8", "surrogatepass")
            if len(line) < max(1, settings.min_chars):
                side.left_out["too short"] += 1
                continue
            digest = hashlib.sha256(f"{settings.seed}:{line}".encode("utf-8", "surrogatepass")).digest()
            if digest in seen:
                side.left_out["copies"] += 1
                continue
            seen.add(digest)
            side.add(digest, line)
    return side


def cuts(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> list[dict[str, float]]:
    """For shares of the held-out negatives the score that so many of them reach at most, with precision and recall.

    Precision is that of a source in which the sides are as they were held out.
    """
    negatives = np.sort(scores[~truth])[::-1]
    found = []
    for share in CUTS:
        # The lowest score that no more than the share reach: just above that of the first that must not.
        most = int(share * len(negatives))
        score = np.nextafter(negatives[most], np.float32(2), dtype=np.float32)
        chosen = scores >= score
        right = int((chosen & truth).sum())
        found.append(
            {
                "of_negatives": share,
                "score": float(str(score)),
                "precision": round(right / max(1, int(chosen.sum())), 4),
                "recall": round(right / int(truth.sum()), 4),
            }
        )
    return found
