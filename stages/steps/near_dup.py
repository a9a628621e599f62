"""Near-duplicates: of documents that share most of their word sequences one is kept, and the ledger names it.

Signatures cut into bands (MinHash) only say which documents to compare. What hangs together by bands is then compared
exactly, in the order in which documents are preferred: a document goes when one that is kept is alike, and never for
one that is not. docs/near-duplicates.md says what it costs and how to choose; stages/steps/near has the five jobs.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.exchange import partitions
from llama_data.pipeline.core.extras import require
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings
from llama_data.stages.steps.near.candidates import FindComponents, FindEdges, Keep, Left, WriteSignatures
from llama_data.stages.steps.near.decide import DecideCandidates, DropNearDuplicates, GatherCandidates, Measure
from llama_data.stages.steps.near.files import BAND
from llama_data.stages.steps.near.signers import PRESETS, Preset, Signer, System
from llama_data.stages.steps.reports import report_name
from llama_data.stages.steps.simple_words import Words

# A document has about so many stored bytes, and its set, where it is a candidate, as many.
DOCUMENT_BYTES = 1024
SET_RATIO = 1
PAGES, PAGE_WORDS = 3e9, 500  # of a dump of Common Crawl


class Settings(StepSettings):
    """Rejects a document that is nearly the same as one that is kept, which ``duplicate_of`` in the ledger names.

    Documents are compared as sets of ``shingle_words`` words in a row. ``measure``: ``jaccard``, the share of the
    two sets' union that both hold, or ``containment``, the share of the smaller set that the other holds. From
    ``min_similarity`` on the less preferred document goes; the ledger's ``similarity`` is the measured value. ``keep``:
    the ``longest`` (in characters), the ``newest`` by the metadata field ``date`` (one without is the oldest), or the
    ``first`` by id; of equals the one with the lower hash of its text, then the lower id. ``bands`` bands of ``rows``
    MinHash values choose what is compared: two documents of Jaccard similarity s are with probability
    1 - (1 - s ** rows) ** bands at least. ``within``: only documents with the same value of this metadata field are
    compared; null: all of the source. ``preset`` gives the other numbers where they are not written, and says how
    words are made and hashed: ``llama_data`` (datasketch's values; bands as Dolma 3), ``datatrove``, ``fineweb``
    (datatrove's with SHA-1; both take no text of fewer words than a shingle). These two split at spaces what
    datatrove's normalisation leaves, or, with ``words: spacy``, as datatrove does. ``signatures``: leaves those of
    ``llama_data`` in ``RUN/signatures/SOURCE``, to be asked with datasketch afterwards: 4 bytes a value and document
    (1,144). The step reads the input once more.
    """

    preset: System = "llama_data"
    bands: int = Field(default=PRESETS["llama_data"].bands, ge=1, le=1024)
    rows: int = Field(default=PRESETS["llama_data"].rows, ge=1, le=128)
    shingle_words: int = Field(default=PRESETS["llama_data"].shingle_words, ge=1, le=50)
    measure: Measure = "jaccard"
    min_similarity: float = Field(default=PRESETS["llama_data"].min_similarity, gt=0, le=1)
    keep: Keep = "longest"
    date: str = "date"
    within: str | None = None
    seed: int = Field(default=1, ge=0, lt=1 << 32)
    words: Words = "whitespace"
    signatures: bool = False

    @model_validator(mode="before")
    @classmethod
    def _numbers_of_the_preset(cls, data: Any) -> Any:
        if isinstance(data, dict):
            preset: Preset | None = PRESETS.get(data.get("preset", "llama_data"))
            data = data if preset is None else {**preset._asdict(), **data}
        return data

    @model_validator(mode="after")
    def _words_of_datatrove(self) -> Settings:
        if self.words == "spacy" and self.preset == "llama_data":
            raise ValueError("words: spacy goes with the presets datatrove and fineweb; llama_data has its own words")
        if self.signatures and self.preset != "llama_data":
            raise ValueError("signatures: only those of the preset llama_data are datasketch's")
        return self

    def signer(self) -> Signer:
        """What makes sets and bands."""
        return Signer(self.preset, self.bands, self.rows, self.shingle_words, self.seed, self.words)

    def build(self, context: StepContext) -> Built:
        """Six jobs: signatures, edges, components, candidates, decisions, and the documents that stay."""
        if self.words == "spacy":
            require("spacy", "near_dup with `words: spacy`")
        work, tasks, signer = context.work, context.tasks, self.signer()
        ratio = max(1, DOCUMENT_BYTES // (BAND.itemsize * self.bands))
        edge_parts = partitions(context.stored, ratio, context.task_bytes)
        parts = partitions(context.stored, SET_RATIO, context.task_bytes)
        left = None
        if self.signatures:
            run = context.run
            left = Left(run.output, context.domain, run.signatures(context.domain), report_name(work))
        write = WriteSignatures(work=work, signer=signer, keep=self.keep, date=self.date, within=self.within, left=left)
        decide = DecideCandidates(
            work=work, tasks=tasks, parts=parts, signer=signer, measure=self.measure, threshold=self.min_similarity
        )
        return Built(
            rules=[DropNearDuplicates(work=work, parts=parts)],
            passes=[
                Pass("signatures", [write]),
                Pass("edges", [FindEdges(work=work, tasks=tasks, parts=edge_parts)], edge_parts),
                Pass("components", [FindComponents(work=work, tasks=tasks, parts=edge_parts)], 1),
                Pass("candidates", [GatherCandidates(work=work)], tasks),
                Pass("decisions", [decide], parts),
            ],
            columns={"duplicate_of": "string", "similarity": "float64"},
        )

    def whole_dump(self) -> str:
        """What the step takes on disk and in memory for a dump of pages."""
        bands, sets = (PAGES * size / 1e12 for size in (self.bands * BAND.itemsize, PAGE_WORDS * 8))
        return (
            f"near_dup of {PAGES / 1e9:.0f} billion pages of {PAGE_WORDS} words: {bands:.1f} TB of band hashes and "
            f"{sets:.0f} TB of sets on disk, {PAGES * 4 / 1e9:.0f} GB in the one task that finds components"
        )

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The comparison with the document that is kept."""
        return (
            Check(
                step=DropNearDuplicates.name,
                says=f"limits how alike a document that stays is ({self.measure})",
                reasons=(Reason.near_duplicate,),
                figure="similarity",
                setting="min_similarity",
                below=self.min_similarity,
                shows=("duplicate_of",),
            ),
        )
