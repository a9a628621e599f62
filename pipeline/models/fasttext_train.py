"""fastText's supervised training, one thread so that it is repeatable, with an optional quantised result."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, ModelError, RequestError, RunError
from llama_data.pipeline.core.extras import require
from llama_data.stages.fasttext.model import FastTextModel

LABEL = "__label__"
# Where fastText's readWord ends a word.
_SPACES = " \t\n\v\f\r\0"
_MARKS = re.compile(rf"(?<![^{_SPACES}])(?:</s>(?![^{_SPACES}])|{LABEL}[^{_SPACES}]*)")
# glibc's mallopt parameter: new memory is filled with the complement of this byte.
_M_PERTURB = -6
CALIBRATION_ROUNDS = 8
CALIBRATED = 0.01  # log-odds: a quarter of a percent of probability
_MORE = 1 << 20  # bytes, more than a disk has that has just been full

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FastTextSettings:
    """fastText's settings; the defaults are its own. ``features`` given: keep that many and quantise (.ftz)."""

    lr: float = 0.1
    dim: int = 100
    epoch: int = 5
    min_count: int = 1
    word_ngrams: int = 1
    minn: int = 0
    maxn: int = 0
    bucket: int = 2_000_000
    loss: str = "softmax"
    features: int | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Where the probability of ``label`` (one of two) is to lie: ``share`` of ``texts`` reach ``threshold``."""

    label: str
    texts: Sequence[str]
    share: float
    threshold: float = 0.5


def train_fasttext(
    examples: Iterable[tuple[str, str]], output: str, settings: FastTextSettings, calibration: Calibration | None = None
) -> float:
    """Train on (label, text) pairs and write the model to ``output``, atomically; returns by how much the log-odds of
    all texts were moved for the calibration.

    Raises:
        InputError: fastText cannot train on the examples.
        RequestError: fastText is not installed, or a quantised model is to be written under another suffix than
            .ftz, or the reverse.
        OSError, RunError: there was no room for the whole model.
    """
    require_fasttext()
    if output.endswith(".ftz") != (settings.features is not None):
        raise RequestError(f"{output}: a model that is quantised (--features) ends with .ftz, another with .bin")
    target = Path(output)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        text = str(Path(scratch) / "examples.txt")
        with open(text, "w", encoding="utf-8", errors="replace") as stream:
            for label, line in examples:
                stream.write(f"{LABEL}{_checked_label(label)} {without_marks(one_line(line))}\n")
        temporary = str(Path(scratch) / "model")
        shift = 0.0
        try:
            _write(_train_repeatably(text, settings), temporary, output)
            for _ in range(CALIBRATION_ROUNDS):
                if calibration is None:
                    break
                missed = _distance(temporary, calibration)
                if abs(missed) < CALIBRATED:
                    break
                # What quantising keeps depends on the weights, so the move is found in a few rounds.
                shift += missed
                _write(_train_repeatably(text, settings, shift, calibration.label), temporary, output)
        except (RuntimeError, ValueError) as error:
            raise InputError(f"fastText cannot train on these examples: {error}; try a smaller --lr") from None
        os.replace(temporary, target)
    return shift


def _distance(path: str, wanted: Calibration) -> float:
    """By how much the log-odds of the wanted label must grow, so that the wanted share of the texts is chosen."""
    scores = np.clip(scores_of(path, wanted.texts, wanted.label), 1e-6, 1 - 1e-6)
    odds = np.log(scores / (1 - scores))
    return float(np.log(wanted.threshold / (1 - wanted.threshold)) - np.quantile(odds, 1 - wanted.share))


def _move(model: Any, shift: float, label: str) -> None:
    """Add ``shift`` to the log-odds that a model of two labels gives ``label``, for every text.

    These are the mean over a text's words of a product with one direction: along it every word's vector is moved.
    """
    vectors, outputs = model.get_input_matrix(), model.get_output_matrix()
    sign = 1.0 if model.get_labels()[0] == f"{LABEL}{label}" else -1.0
    direction = sign * (outputs[0] - outputs[1])
    model.set_matrices(vectors + shift * direction / (direction @ direction), outputs)


def _write(model: Any, path: str, output: str) -> None:
    """Write a model. Raises OSError or RunError when not all of it was written: fastText says neither that nor why."""
    model.save_model(path)
    try:
        FastTextModel.load(path)
        return
    except ModelError:
        pass
    try:
        with open(path, "ab") as stream:  # the system says it: the disk is full, or the file as large as it may be
            stream.write(bytes(_MORE))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(output)) from None
    raise RunError(
        f"{output}: the model could not be written whole, as on a full disk: make room and give the same command again"
    )


def _checked_label(label: str) -> str:
    if not label or any(space in label for space in _SPACES):
        raise InputError(f"the label {label!r}: expected one word; fastText would end it at the space")
    return label


def without_marks(text: str) -> str:
    """The text without the words that are no text to fastText: ``</s>``, which ends the example, and ``__label__...``.

    What fastText reads would otherwise have labels that a page has written. In prediction it steps over words with the
    prefix too; a ``</s>`` ends the text there (``FastTextModel`` does the same).
    """
    return _MARKS.sub("", text)


def require_fasttext() -> None:
    """Refuse a request that trains where fastText is not installed; reading its models needs no fastText.

    Raises:
        RequestError: it is not; says how to install it.
    """
    require("fasttext", "training this model")


def _train_repeatably(text: str, settings: FastTextSettings, shift: float = 0.0, label: str = "") -> Any:
    import fasttext  # type: ignore[import-untyped]

    with _zeroed_memory():
        model = fasttext.train_supervised(
            input=text,
            lr=settings.lr,
            dim=settings.dim,
            epoch=settings.epoch,
            minCount=settings.min_count,
            wordNgrams=settings.word_ngrams,
            minn=settings.minn,
            maxn=settings.maxn,
            # Without n-grams the buckets are never used and would only fill the file.
            bucket=settings.bucket if settings.maxn or settings.word_ngrams > 1 else 0,
            loss=settings.loss,
            thread=1,
            verbose=0,
        )
        if shift:
            _move(model, shift, label)
        if settings.features is not None:
            model.quantize(text, cutoff=settings.features, retrain=False, qnorm=True, thread=1, verbose=0)
        return model


@contextmanager
def _zeroed_memory() -> Iterator[None]:
    """Let the C library fill newly allocated memory with zeros.

    fastText sets a tenth of its input matrix in each of up to ten threads: with one thread, nine tenths are what
    happened to be in memory, which makes training differ from run to run and at times fail with a NaN.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or not mallopt(_M_PERTURB, 0xFF):
        log.warning("the C library cannot zero memory (glibc can): training may differ from run to run")
        yield
        return
    try:
        yield
    finally:
        mallopt(_M_PERTURB, 0)


class LabelProbabilities:
    """Probabilities of chosen labels, from fastText itself."""

    def __init__(self, path: str) -> None:
        require_fasttext()
        import fasttext

        self._model = fasttext.load_model(path)

    def probabilities(self, text: str, labels: Sequence[str]) -> list[float]:
        """The probability of each label for a text of one line; 0 for one that the model does not know."""
        names, scores = self._model.predict(text, k=-1)
        found = dict(zip(names, scores, strict=True))
        return [float(found.get(f"__label__{label}", 0.0)) for label in labels]


def one_line(text: str) -> str:
    """The text without line ends, which separate fastText's examples; CCNet removes them in the same way."""
    return text.replace("\r", "").replace("\n", "")


def scores_of(path: str, texts: Sequence[str], label: str) -> NDArray[np.float64]:
    """Probability of a label for each text, for a model of two labels."""
    model = FastTextModel.load(path)
    found = model.predict([text.encode("utf-8", "surrogatepass") for text in texts])
    return np.array([each.score if each.label == label else 1.0 - each.score for each in found], np.float64)
