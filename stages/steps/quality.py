"""Keeps the texts that a classifier finds best: by a score, or a share of the source that is found from all scores.

Source: DCLM (bigram fastText, the best tenth), Dolma 3 (quantiles of a score, drawn from by the mix), Nemotron-CC (the
best of several classifiers' quantiles).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, Literal, Self

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import Field, model_validator

from llama_data.pipeline.core.block import BATCH_BYTES, BATCH_DOCUMENTS, BatchRule, Step
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, is_open, note, reject
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.exchange import DecidedRule, partitions
from llama_data.pipeline.core.files import read_bytes
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import Share
from llama_data.pipeline.core.utf8_document import characters_of, utf8_of
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings
from llama_data.stages.steps.reports import report_name
from llama_data.stages.steps.scorer import Classifier, Scorer, shortest
from llama_data.stages.steps.shares import (
    RATIO,
    SCORED,
    FindCut,
    Pool,
    RankScores,
    SumScores,
    bucket_of,
)

Unit = Literal["documents", "characters", "bytes"]
Combine = Literal["max", "min", "mean"]
_COMBINED: dict[Combine, Callable[..., Any]] = {"max": np.max, "min": np.min, "mean": np.mean}


class Settings(StepSettings):
    """Keeps texts by the score of fastText classifiers: ``min_score`` or more, or the best share ``keep``.

    ``models``: a model's path, or ``{model, label, preparation}``: the score is the probability of ``label``, and a
    text is prepared as the model's card says (null), or as ``preparation`` says where there is no card (``lines``,
    ``newlines``). ``keep`` (``10%``): the best, until they make up that share of all documents of this source that
    come to this step, counted by ``unit`` (documents, characters, bytes); of equal scores a hash of the record's id
    chooses. ``buckets``: also write in which of so many equal parts of the source a text is, 0 the lowest (20: by
    twentieths); ``mix`` can draw by them. With several models the score is the ``combine`` (max, min, mean) of each
    one's share of the source that lies below, as scores of two models have no common scale. ``field``: name of the
    metadata. Neither ``min_score`` nor ``keep``: nothing is rejected. ``keep``, ``buckets`` and several models read
    the input once more.
    """

    models: tuple[Classifier, ...] = Field(min_length=1)
    min_score: float | None = Field(default=None, ge=0.0, le=1.0)
    keep: Share | None = None
    unit: Unit = "documents"
    buckets: int | None = Field(default=None, ge=2, le=1000)
    combine: Combine = "max"
    field: str = Field(default="quality", pattern=r"^[a-z][a-z0-9_]*$")

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.min_score is not None and self.keep is not None:
            raise ValueError("min_score and keep are two cuts; give one of them, or two steps")
        if self.min_score is not None and len(self.models) > 1:
            raise ValueError("min_score is a score of one model; give each model a step of its own, or `keep`")
        return self

    @property
    def needs_all(self) -> bool:
        """True when a decision needs the scores of the whole source."""
        return self.keep is not None or self.buckets is not None or len(self.models) > 1

    def needs(self) -> list[Need]:
        """The classifiers."""
        return [
            Need(f"models.{number}.model", each.model, (), each.found, starter=False)
            for number, each in enumerate(self.models)
        ]

    def build(self, context: StepContext) -> Built:
        """One rule; with a cut by share the jobs before it that find the cut. Raises ModelError: as ``found``."""
        scorers = [each.found(context.run.models_dir) for each in self.models]
        columns = {self.field: "float64"}
        if not self.needs_all:
            rule = QualityScore(scorer=scorers[0], min_score=self.min_score, field=self.field)
            return Built(rules=[rule], columns=columns)
        if self.buckets is not None:
            columns[f"{self.field}_bucket"] = "int64"
        several = len(scorers) > 1
        if several:
            columns |= {f"{self.field}_{number}": "float64" for number in range(1, len(scorers) + 1)}
        parts = partitions(context.stored, RATIO, context.task_bytes)
        pools = [Pool(context.work, f"model-{number}", context.tasks, parts) for number in range(1, len(scorers) + 1)]
        last = Pool(context.work, "combined", context.tasks, parts) if several else pools[0]
        rule = QualityShare(pool=last, pools=pools if several else (), settings=self, files=_files(scorers))
        return Built(rules=[rule], passes=self._passes(context, scorers, pools, last), columns=columns)

    def _passes(self, context: StepContext, scorers: Sequence[Scorer], pools: Sequence[Pool], last: Pool) -> list[Pass]:
        share = None if self.keep is None else Fraction(str(self.keep))
        score = ScoreQuality(scorers=scorers, pools=pools, unit=self.unit, seed=context.run.seed)
        passes = [Pass("scores", [score])]
        if len(scorers) > 1:
            passes += [
                Pass("sums", [SumScores(pools=pools)], 1),
                Pass("ranks", [RankScores(pools=pools, share=None, buckets=None)], last.parts * len(pools)),
                Pass("combined", [CombineScores(pools=pools, into=last, combine=self.combine)], reads=False),
            ]
        about = {
            "step": "quality",
            "source": context.domain,
            "unit": self.unit,
            "keep": self.keep,
            "models": [scorer.about for scorer in scorers],
            "combine": self.combine if len(scorers) > 1 else None,
        }
        name = report_name(context.work)
        find = FindCut(run=context.run, domain=context.domain, pool=last, about=about, report=name)
        return [
            *passes,
            Pass("sum", [SumScores(pools=[last])], 1),
            Pass("places", [RankScores(pools=[last], share=share, buckets=self.buckets)], last.parts),
            Pass("cut", [find], 1),
        ]

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The score."""
        check = Check(
            step=QualityScore.name,
            says="scores with a classifier",
            reasons=(Reason.low_quality,),
            figure=self.field,
            setting="min_score",
            least=self.min_score,
            annotates=self.min_score is None and self.keep is None,
        )
        if self.keep is None:
            return (check,)
        unknown = "the cut of that share, found from all scores: the run's report names it"
        return (replace(check, setting="keep", unknown=unknown),)


def _files(scorers: Sequence[Scorer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(file for scorer in scorers for file in scorer.files))


class QualityScore(BatchRule):
    """Keeps texts with a score of at least ``min_score`` (None: all); sets ``field`` to it."""

    name = "quality"

    def __init__(self, *, scorer: Scorer, min_score: float | None, field: str = "quality") -> None:
        super().__init__()
        self.scorer = scorer
        self.files = scorer.files
        self.min_score = min_score
        self.field = field

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        """Set the score of every document; return why those that go are rejected."""
        scores = shortest(self.scorer.scores([doc.text for doc in docs]))
        for doc, score in zip(docs, scores, strict=True):
            doc.metadata[self.field] = score
        least = self.min_score
        return [Reason.low_quality if least is not None and score < least else None for score in scores]


def weight_of(doc: Document, unit: Unit) -> int:
    """What a document counts for."""
    if unit == "documents":
        return 1
    return characters_of(doc) if unit == "characters" else len(utf8_of(doc))


def tie_of(seed: int, id: str) -> int:
    """The number that decides between documents with the same score: the higher one is the better."""
    digest = hashlib.blake2b(f"{seed}:{id}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


class ScoreQuality(Step):
    """End of the first job: leaves the scores of the open documents, for each model in its pool."""

    name = "score_quality"

    def __init__(self, *, scorers: Sequence[Scorer], pools: Sequence[Pool], unit: Unit, seed: int) -> None:
        super().__init__()
        self.scorers = tuple(scorers)
        self.files = _files(scorers)
        self.pools = tuple(pools)
        self.unit: Unit = unit
        self.seed = seed

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the task's files. Yields nothing."""
        rows: list[tuple[int, int, int, int]] = []
        scores: list[list[NDArray[np.float32]]] = [[] for _ in self.scorers]
        texts: list[str] = []
        size = 0
        for place, doc in enumerate(data):
            if not is_open(doc):
                continue
            rows.append((weight_of(doc, self.unit), tie_of(self.seed, doc.id), rank, place))
            texts.append(doc.text)
            size += len(texts[-1])
            if size >= BATCH_BYTES or len(texts) >= BATCH_DOCUMENTS:
                self._score(texts, scores)
                texts, size = [], 0
        self._score(texts, scores)
        records = np.empty(len(rows), SCORED)
        for name, column in zip(("weight", "tie", "task", "place"), zip(*rows, strict=True), strict=False):
            records[name] = column
        for pool, found in zip(self.pools, scores, strict=True):
            records["score"] = np.concatenate(found)
            pool.leave(rank, records)
        yield from ()

    def _score(self, texts: Sequence[str], scores: Sequence[list[NDArray[np.float32]]]) -> None:
        for scorer, found in zip(self.scorers, scores, strict=True):
            found.append(scorer.scores(texts) if texts else np.empty(0, np.float32))


class CombineScores(Step):
    """Makes one score of the places that a document has among the scores of each model."""

    name = "combine_scores"

    def __init__(self, *, pools: Sequence[Pool], into: Pool, combine: Combine) -> None:
        super().__init__()
        self.pools = tuple(pools)
        self.into = into
        self.combine = combine

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the task's combined scores. Yields nothing."""
        records = self.pools[0].left(rank).copy()
        shares = [pool_places(pool, rank)["below"] / max(pool.total(), 1) for pool in self.pools]
        records["score"] = _COMBINED[self.combine](np.stack(shares), axis=0)
        self.into.leave(rank, records)
        yield from ()


def pool_places(pool: Pool, task: int) -> NDArray[np.void]:
    """What a task is told of its documents, in their order."""
    found = pool.placed.take_back(task, pool.tasks, pool.parts)
    return found[np.argsort(found["place"], kind="stable")]


def _said_of(cut: dict[str, Any]) -> str:
    """What the ledger is told of the cut that a document did not reach."""
    tied = cut["tied"]["rejected"]["documents"] if cut["tied"] else 0
    same = f"; {tied} with that very score went by a hash of their id" if tied else ""
    return f"the cut is {cut['cut']}, to keep {cut['keep'] or 1:.6g} of all {cut['unit']}{same}"


class QualityShare(DecidedRule):
    """Keeps the documents that the jobs before have found to be in the best share; sets score and bucket.

    ``pools``: those of the single models, where the score is a combination of theirs.
    """

    name = QualityScore.name

    def __init__(self, *, pool: Pool, pools: Sequence[Pool], settings: Settings, files: Sequence[str]) -> None:
        super().__init__()
        self.pool = pool
        self.pools = tuple(pools)
        self.settings = settings
        self.files = tuple(files)

    def load(self, rank: int, world_size: int) -> None:
        """Read where the documents of this task stand."""
        field = self.settings.field
        placed = pool_places(self.pool, rank)
        buckets = bucket_of(placed["below"], self.pool.total(), self.settings.buckets)
        self._at = {place: row for row, place in enumerate(placed["place"].tolist())}
        self._kept = placed["kept"].astype(bool).tolist()
        self._values: dict[str, list[Any]] = {field: shortest(placed["score"])}
        if self.settings.buckets is not None:
            self._values[f"{field}_bucket"] = buckets.tolist()
        self._single = {
            f"{field}_{number}": shortest(pool_places(pool, rank)["score"]) for number, pool in enumerate(self.pools, 1)
        }
        self._cut = _said_of(orjson.loads(read_bytes(self.pool.path("cut.json"))))

    def judge(self, doc: Document) -> Reason | None:
        """Set score and bucket; return the reason when the document is below the cut."""
        row = self._at.get(self.place)
        if row is None:
            raise RunError(f"{doc.id}: the input has changed since it was scored; run the domain again from new")
        doc.metadata.update({name: values[row] for name, values in self._values.items()})
        note(doc, **{name: values[row] for name, values in self._single.items()})
        return None if self._kept[row] else Reason.low_quality

    def settle(self, doc: Document, reasons: Counter[str]) -> None:
        """Judge one document; the ledger is told the cut."""
        super().settle(doc, reasons)
        if not is_open(doc) and self._at.get(self.place) is not None and not self._kept[self._at[self.place]]:
            reject(doc, Reason.low_quality, self.name, self._cut)
