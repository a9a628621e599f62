"""A fastText classifier as a step uses it: which label counts, and how a text is prepared for it.

A model is only as good as the text it is shown: what it was trained on must be what it sees. So the preparation has a
name, stands in the model's card, and another one than the card's is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.settings import Strict
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.model_cards import card_path, read_card
from llama_data.stages.steps.model_files import model_path

LINES, NEWLINES = "lines", "newlines"


def _lines(text: str) -> str:
    return " ".join(text.strip().splitlines())


def _newlines(text: str) -> str:
    return text.strip().replace("\n", " ")


PREPARATIONS: dict[str, Callable[[str], str]] = {LINES: _lines, NEWLINES: _newlines}
"""How a text becomes the one line that a model sees: ``lines`` strips it and joins what ``str.splitlines`` gives with
spaces (DCLM's classifier, train_fasttext_classifier.py; ``models train-references``, ``models train-quality``);
``newlines`` strips it and puts a space for each newline (datatrove's FastTextClassifierFilter)."""


def prepared(text: str, preparation: str) -> bytes:
    """The one line that a model sees of a text."""
    return PREPARATIONS[preparation](text).encode("utf-8", "surrogatepass")


class Classifier(Strict):
    """A fastText classifier. ``label``: the one whose probability is the score; ``preparation``: how a text becomes the
    one line that the model sees, ``lines`` or ``newlines``. null: what the model's card says.
    """

    model: str
    label: str | None = None
    preparation: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        return {"model": data} if isinstance(data, str) else data

    def found(self, models_dir: str | None) -> Scorer:
        """The classifier, with what its card says. Raises ModelError: it is not there, or card and recipe differ."""
        path = model_path(self.model, models_dir)
        card_at = card_path(path)
        card = read_card(card_at)
        told = card or {}
        label = self.label or told.get("positive")
        if label is None:
            raise ModelError(f"{path}: which label counts? there is no card that says so; give the model's `label`")
        preparation = self.preparation or told.get("preparation")
        known = ", ".join(PREPARATIONS)
        if preparation is None:
            raise ModelError(
                f"{path}: which text was it trained on? there is no card that says so; give its `preparation`: {known}"
            )
        if preparation not in PREPARATIONS:
            raise ModelError(f"{path}: there is no preparation {preparation!r}; there are: {known}")
        if told.get("preparation", preparation) != preparation:
            raise ModelError(
                f"{path}: the recipe asks for the preparation {preparation!r}, but it was trained with "
                f"{told['preparation']!r}, says {card_at}; leave `preparation` out"
            )
        return Scorer(path, label, preparation, None if card is None else str(card_at))


@dataclass(frozen=True)
class Scorer:
    """A classifier that is there: the path of its file, its label and preparation, and its card (None: it has none)."""

    path: str
    label: str
    preparation: str
    card: str | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """What its scores depend on."""
        return (self.path,) if self.card is None else (self.path, self.card)

    @property
    def about(self) -> dict[str, str]:
        """What a report says of it."""
        return {"model": os.path.basename(self.path), "label": self.label, "preparation": self.preparation}

    @cached_property
    def _model(self) -> FastTextModel:
        model = FastTextModel.shared(self.path)
        if self.label not in model.labels:
            labels = ", ".join(model.labels[:20])
            raise ModelError(f"{self.path}: it has no label {self.label!r}; it has: {labels}")
        return model

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The score of each text: the label's probability as fastText gives it; 0 where the model knows no word."""
        found = self._model.scores([prepared(text, self.preparation) for text in texts], self.label)
        return np.nan_to_num(found, nan=0.0)


def shortest(scores: NDArray[np.float32]) -> list[float]:
    """Scores as the shortest decimals that are no other float32: what is written, and what a cut is compared with."""
    return [float(str(score)) for score in scores]
