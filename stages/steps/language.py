"""Language of a text, as CCNet decides it with fastText's language model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from pydantic import Field

from llama_data.pipeline.core.block import BatchRule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.model_files import one_model, starter_or_path

THRESHOLD = 0.5
WRITTEN_DIGITS = 4
Newlines = Literal["removed", "space"]


class Settings(StepSettings):
    """Keeps texts in one of ``languages`` (null: all) whose score is at least ``threshold`` (0 to 1; null: whatever
    it is).

    ``model``: a fastText model for languages, ``starter`` the one that comes with the package. ``newlines``: what the
    model sees in their place, ``removed`` as CCNet has it, or a ``space``. ``digits``: decimals to which the score is
    rounded before the test (null: none; four are written). ``annotate_only``: write the language, reject nothing.
    """

    model: str = "lid.176.bin"
    languages: tuple[str, ...] | None = None
    threshold: float | None = Field(default=THRESHOLD, ge=0.0, le=1.0)
    newlines: Newlines = "removed"
    digits: int | None = Field(default=2, ge=0)
    annotate_only: bool = False

    def needs(self) -> list[Need]:
        """The model of languages."""
        return [one_model("model", self.model, "language")]

    def build(self, context: StepContext) -> Built:
        """One rule. Raises ModelError: there is no such model."""
        rule = Language(
            model=starter_or_path(self.model, "language", context.run.models_dir),
            languages=self.languages,
            threshold=self.threshold,
            newlines=self.newlines,
            digits=self.digits,
            annotate_only=self.annotate_only,
        )
        return Built(rules=[rule], sets=frozenset({"language"}))

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The score, then the language."""
        return language_checks(Language.name, self.languages, self.threshold, annotates=self.annotate_only)


def language_checks(
    step: str,
    languages: tuple[str, ...] | None,
    threshold: float | None,
    names: tuple[str, str] = ("languages", "threshold"),
    *,
    annotates: bool = False,
) -> tuple[Check, ...]:
    """The two comparisons of a language step; ``names``: what the recipe calls languages and threshold."""
    score = Check(
        step=step,
        says="recognises the language",
        reasons=(Reason.language_uncertain,),
        figure="language_score",
        setting=names[1],
        least=threshold,
        annotates=annotates,
    )
    chosen = Check(
        step=step,
        says="keeps the chosen languages",
        reasons=(Reason.language_not_chosen,),
        figure="language",
        setting=names[0],
        one_of=languages,
        annotates=annotates,
    )
    return score, chosen


def language_reason(
    language: str | None, score: float, *, languages: Sequence[str] | None, threshold: float | None = THRESHOLD
) -> Reason | None:
    """Why a text goes for its language: the rounded score is below the threshold, or the language is not kept.

    Source: cc_net/split_by_lang.py and ``keep_lang`` of cc_net/mine.py. ``languages`` None keeps all.
    """
    if threshold is not None and (language is None or score < threshold):
        return Reason.language_uncertain
    return None if languages is None or language in languages else Reason.language_not_chosen


class Language(BatchRule):
    """Keeps texts that are in one of ``languages`` with a score (that of the best label) of at least ``threshold``.

    The model sees one line: ``newlines`` says whether those of the text are ``removed``, so that words at line ends are
    glued (CCNet, cc_net/split_by_lang.py), or become a ``space``. The score is rounded to ``digits`` before the test
    (CCNet: 2; None: not at all, and four are written). Sets ``language`` and ``language_score``. ``annotate_only``:
    sets them and rejects nothing.
    """

    name = "language"

    def __init__(
        self,
        *,
        model: str,
        languages: Sequence[str] | None,
        threshold: float | None = THRESHOLD,
        newlines: Newlines = "removed",
        digits: int | None = 2,
        annotate_only: bool = False,
    ) -> None:
        super().__init__()
        self.model_file = model
        self.files = (model,)
        self.languages = None if languages is None else tuple(languages)
        self.threshold = threshold
        self.newlines: Newlines = newlines
        self.digits = digits
        self.annotate_only = annotate_only

    @cached_property
    def _model(self) -> FastTextModel:
        return FastTextModel.shared(self.model_file)

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        """Set the language of every document; return why those that go are rejected."""
        between = b"" if self.newlines == "removed" else b" "
        texts = [utf8_of(doc).replace(b"\n", between) for doc in docs]
        reasons: list[Reason | None] = []
        for doc, found in zip(docs, self._model.predict(texts), strict=True):
            score = found.score if self.digits is None else round(found.score, self.digits)
            if found.label is not None:
                doc.metadata["language"] = found.label
            doc.metadata["language_score"] = round(score, WRITTEN_DIGITS)
            reason = language_reason(found.label, score, languages=self.languages, threshold=self.threshold)
            reasons.append(None if self.annotate_only else reason)
        return reasons
