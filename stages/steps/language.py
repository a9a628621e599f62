"""Language of a text, as CCNet decides it with fastText's language model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from llama_data.pipeline.core.batch_rule import BatchRule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.stages.fasttext.model import FastTextModel

THRESHOLD = 0.5


def language_reason(
    language: str | None, score: float, *, languages: Sequence[str] | None, threshold: float = THRESHOLD
) -> Reason | None:
    """Why a text goes for its language: the rounded score is below the threshold, or the language is not kept.

    Source: cc_net/split_by_lang.py and ``keep_lang`` of cc_net/mine.py. ``languages`` None keeps all.
    """
    if language is None or score < threshold:
        return Reason.language_uncertain
    return None if languages is None or language in languages else Reason.language_not_chosen


class Language(BatchRule):
    """Keeps texts that are in one of ``languages`` with a score (top label, 2 decimals) of at least ``threshold``.

    The model sees the text with its newlines removed, so that words at line ends are glued (cc_net/split_by_lang.py).
    Sets ``language`` and ``language_score``. ``annotate_only``: sets them and rejects nothing.
    """

    name = "language"

    def __init__(
        self,
        *,
        model: str,
        languages: Sequence[str] | None,
        threshold: float = THRESHOLD,
        annotate_only: bool = False,
    ) -> None:
        super().__init__()
        self.model_file = model
        self.languages = None if languages is None else tuple(languages)
        self.threshold = threshold
        self.annotate_only = annotate_only

    @cached_property
    def _model(self) -> FastTextModel:
        return FastTextModel.shared(self.model_file)

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        """Set the language of every document; return why those that go are rejected."""
        texts = [utf8_of(doc).replace(b"\n", b"") for doc in docs]
        reasons: list[Reason | None] = []
        for doc, found in zip(docs, self._model.predict(texts), strict=True):
            score = round(found.score, 2)
            if found.label is not None:
                doc.metadata["language"] = found.label
            doc.metadata["language_score"] = score
            reason = language_reason(found.label, score, languages=self.languages, threshold=self.threshold)
            reasons.append(None if self.annotate_only else reason)
        return reasons
