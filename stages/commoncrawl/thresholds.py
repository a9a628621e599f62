"""Decides again from scores that an earlier run wrote, without running a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]

from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.document import Document, Outcome, fail, new_document, reject
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, join, open_binary
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import Strict
from llama_data.pipeline.core.sink import documents_of_task
from llama_data.stages.steps.classifier import THRESHOLD as REFERENCE_THRESHOLD
from llama_data.stages.steps.classifier import reference_reason
from llama_data.stages.steps.language import THRESHOLD as LANGUAGE_THRESHOLD
from llama_data.stages.steps.language import language_reason
from llama_data.stages.steps.perplexity import ALL, HEAD, MIDDLE, perplexity_reason

LEDGER_ONLY = ("lines_duplicated", "lines_repeated", "removed_sample")


class Thresholds(Strict):
    """What the scores must reach. None switches a decision off; so does a score that was not computed."""

    languages: tuple[str, ...] | None = ("en",)
    language_threshold: float | None = LANGUAGE_THRESHOLD
    perplexity_buckets: tuple[str, ...] | None = (HEAD, MIDDLE, ALL)
    reference_threshold: float | None = REFERENCE_THRESHOLD


def decide(scores: Mapping[str, Any], thresholds: Thresholds) -> tuple[Reason, str] | None:
    """Why and at which step a page goes, given its scores (a ledger row or a document's metadata); None: it stays."""
    score, bucket = scores.get("language_score"), scores.get("perplexity_bucket")
    if score is not None:
        reason = language_reason(
            scores.get("language"),
            score,
            languages=thresholds.languages,
            threshold=thresholds.language_threshold,
        )
        if reason is not None:
            return reason, "language"
    if bucket is not None and thresholds.perplexity_buckets is not None:
        reason = perplexity_reason(bucket, thresholds.perplexity_buckets)
        if reason is not None:
            return reason, "perplexity"
    reference = scores.get("reference_score")
    if reference is not None and thresholds.reference_threshold is not None:
        reason = reference_reason(reference, threshold=thresholds.reference_threshold)
        if reason is not None:
            return reason, "reference_classifier"
    return None


class AnnotatedReader(Reader):
    """Reads an annotated run: its documents with their scores, and its ledger's rows of what was not kept."""

    name = "read_annotated"

    def __init__(self, *, splits: Sequence[Split], domain: str) -> None:
        super().__init__(splits=splits, domain=domain)
        # LEDGER/../../documents/DOMAIN: the manifest of the run answers for all of them.
        runs = {split.path.rsplit("/", 3)[0] for split in splits}
        self.files = tuple(join(run, "documents", domain, manifest.MANIFEST) for run in sorted(runs))

    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every row of a ledger file.

        Raises:
            InputError: the documents are not those of the ledger.
        """
        documents = chain.from_iterable(read_jsonl(path) for path in documents_of(split.path))
        with open_binary(split.path) as stream:
            rows = pq.ParquetFile(stream).iter_batches(batch_size=4096, use_threads=False)
            for row in (row for batch in rows for row in batch.to_pylist()):
                yield self._document(row, documents, split)

    def _document(self, row: dict[str, Any], documents: Iterator[dict[str, Any]], split: Split) -> Document:
        if row["outcome"] == Outcome.kept:
            found = next(documents, None)
            if found is None or found["id"] != row["id"]:
                raise InputError(f"{split.path}: the documents beside this ledger lack {row['id']}; run it again")
            doc = Document(id=found["id"], text=found["text"], metadata=found["metadata"])
        else:
            public = {name: row.get(name) for name in ("url", "language", "language_score", "perplexity")}
            public |= {name: row.get(name) for name in ("perplexity_bucket", "reference_score", "removed_lines")}
            doc = new_document(domain=self.domain, id=row["id"], text="", source=row["source"], **public)
            if row["outcome"] == Outcome.failed:
                fail(doc, Reason[row["reason"]], row["step"], row["detail"] or "")
            else:
                reject(doc, Reason[row["reason"]], row["step"])
        doc.chars_in, doc.lines_in = row["chars_in"], row["lines_in"]
        doc.notes = {name: row.get(name) for name in LEDGER_ONLY}
        return doc


class ApplyThresholds(Rule):
    """Rejects what ``decide`` rejects, under the names of the steps that made the scores."""

    name = "thresholds"

    def __init__(self, *, thresholds: Thresholds) -> None:
        super().__init__()
        self.thresholds = thresholds

    def judge(self, doc: Document) -> Reason | None:
        """Decide from the document's scores."""
        found = decide(doc.metadata, self.thresholds)
        if found is not None:
            reject(doc, *found)
        return None


def documents_of(ledger: str) -> list[str]:
    """The files of documents that belong to a ledger file."""
    folder, _, name = ledger.rpartition("/")
    root, _, domain = folder.rpartition("/")
    return documents_of_task(join(root.rpartition("/")[0], "documents", domain), name.removesuffix(".parquet"))


def annotated_splits(run: str, domain: str) -> Sequence[Split]:
    """The ledger files of an annotated run. Raises InputError when there are none."""
    made = manifest.find(join(run, "documents", domain))
    paths = [split.path for split in made.below(f"ledger/{domain}", ".parquet")] if made is not None else []
    if not paths or not documents_of(paths[0]):
        raise InputError(
            f"{run}: no finished ledger and documents of {domain} there; expected a run made with --annotate-only"
        )
    return [Split(path=path, name=path.rpartition("/")[2], size=0) for path in paths]
