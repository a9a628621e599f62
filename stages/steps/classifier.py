"""LLaMA's filter on web pages: a linear classifier of pages that Wikipedia cites against pages at random."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from pydantic import Field

from llama_data.pipeline.core.block import BatchRule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.model_files import one_model, starter_or_path

THRESHOLD = 0.5
POSITIVE = "wiki"


class Settings(StepSettings):
    """Keeps texts that a linear classifier finds like pages that Wikipedia cites: ``threshold`` (0 to 1) or more;
    null: all.

    ``model``: a fastText model with the labels ``wiki`` and another (``models train-references``); ``starter`` is the
    one that comes with the package. ``annotate_only``: write the score, reject nothing.
    """

    model: str = "references.bin"
    threshold: float | None = Field(default=THRESHOLD, ge=0.0, le=1.0)
    annotate_only: bool = False

    def needs(self) -> list[Need]:
        """The classifier."""
        return [one_model("model", self.model, "references")]

    def build(self, context: StepContext) -> Built:
        """One rule. Raises ModelError: there is no such model."""
        model = starter_or_path(self.model, "references", context.run.models_dir)
        return Built(
            rules=[ReferenceClassifier(model=model, threshold=self.threshold, annotate_only=self.annotate_only)]
        )

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The score."""
        return (reference_check(ReferenceClassifier.name, self.threshold, annotates=self.annotate_only),)


def reference_check(
    step: str, threshold: float | None, setting: str = "threshold", *, annotates: bool = False
) -> Check:
    """The comparison of the classifier's score."""
    return Check(
        step=step,
        says="scores likeness to pages that Wikipedia cites",
        reasons=(Reason.not_like_references,),
        figure="reference_score",
        setting=setting,
        least=threshold,
        annotates=annotates,
    )


def reference_reason(score: float, *, threshold: float | None = THRESHOLD) -> Reason | None:
    """Why a page goes for its reference score: it is below the threshold.

    LLaMA drops "pages not classified as references", which is 0.5; RedPajama's 0.25 was set to match LLaMA's size.
    """
    return Reason.not_like_references if threshold is not None and score < threshold else None


class ReferenceClassifier(BatchRule):
    """Keeps pages whose probability of being a Wikipedia reference is at least ``threshold``.

    The model (labels ``__label__wiki`` and another) sees the lines joined by one space. Sets ``reference_score``;
    ``annotate_only``: sets it and rejects nothing.
    """

    name = "reference_classifier"

    def __init__(self, *, model: str, threshold: float | None = THRESHOLD, annotate_only: bool = False) -> None:
        super().__init__()
        self.model_file = model
        self.files = (model,)
        self.threshold = threshold
        self.annotate_only = annotate_only

    @cached_property
    def _model(self) -> FastTextModel:
        model = FastTextModel.shared(self.model_file)
        if POSITIVE not in model.labels or len(model.labels) != 2:
            labels = ", ".join(model.labels)
            raise ModelError(f"{self.model_file}: expected two labels, one of them 'wiki', found: {labels}")
        return model

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        """Set the score of every document; return why those that go are rejected."""
        texts = [" ".join(doc.text.strip().splitlines()).encode("utf-8", "surrogatepass") for doc in docs]
        reasons: list[Reason | None] = []
        for doc, found in zip(docs, self._model.predict(texts), strict=True):
            # A text of which the model knows no word is like no reference.
            score = 0.0 if found.label is None else found.score
            score = score if found.label in (POSITIVE, None) else 1.0 - score
            doc.metadata["reference_score"] = score
            reason = reference_reason(score, threshold=self.threshold)
            reasons.append(None if self.annotate_only else reason)
        return reasons
