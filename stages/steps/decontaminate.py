"""Finds the texts of evaluations in documents, by runs of words that both have; rejects, masks or marks them.

Source: GPT-3 (appendix C: runs of 13 words without punctuation, lower case; runs that many documents have are left
out), lm-evaluation-harness (janitor: what overlaps is cut out with what stands around it, pieces that are too short
then go, documents with too many cuts go) and datatrove's n-gram decontamination (one run rejects a document).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from llama_data.pipeline.core.block import BATCH_BYTES, Step
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document, is_open, note, reject
from llama_data.pipeline.core.exchange import DecidedRule, read_names, write_names
from llama_data.pipeline.core.extras import require
from llama_data.pipeline.core.files import atomic_write, join, read_bytes
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.settings import limit_of, parse_share
from llama_data.pipeline.core.utf8_document import set_utf8, utf8_of
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings
from llama_data.stages.steps.evaluations import Evaluation
from llama_data.stages.steps.overlap_index import OverlapIndex, write_index
from llama_data.stages.steps.overlap_report import Tally
from llama_data.stages.steps.reports import leave_report, report_name, report_notes
from llama_data.stages.steps.simple_words import Words

HIT = np.dtype([("place", "<u4"), ("run", "<u4"), ("begin", "<u4"), ("end", "<u4")])
COLUMNS = {"eval_task": "string", "eval_item": "string", "eval_share": "float64", "eval_items": "int64"}
Action = Literal["reject", "mask", "mark"]
System = Literal["llama_data", "datatrove"]
WORDS: dict[System, int] = {"llama_data": 13, "datatrove": 12}  # GPT-3's, and NGramsDecontConfig's


class Settings(StepSettings):
    """Finds the texts of ``evaluations`` by runs of ``words`` words, and rejects, masks or marks what holds them.

    ``evaluations``: for each ``path``, ``fields`` (null: what a harness task or a request says) and ``name``. Compared
    are words in lower case without punctuation and symbols. ``min_share``: of an item's runs that one document must
    have (null: one run is enough). ``action``: ``reject`` the document, ``mask`` (cut the runs out, with ``margin``
    characters on both sides; a line end stands for them; of what is left, pieces of fewer than ``min_piece`` characters
    go too, and a document with more than ``max_cuts`` cuts goes whole; null: any number) or ``mark`` (metadata only).
    Runs in more than ``max_items`` items, or in more than ``max_documents`` documents of this source, are taken for
    boilerplate and left out (null: none). ``preset: datatrove`` compares runs of 12 words of what datatrove's
    normalisation leaves, split at spaces or, with ``split: spacy``, as datatrove does; it does not mask. Reads the
    input once more. A report names every item that was found, and every one that is too short to test.
    """

    edits: ClassVar[bool] = True
    evaluations: tuple[Evaluation, ...] = Field(min_length=1)
    preset: System = "llama_data"
    words: int = Field(default=WORDS["llama_data"], ge=1, le=100)
    split: Words = "whitespace"
    action: Action = "reject"
    min_share: Annotated[float, BeforeValidator(parse_share), Field(ge=0, le=1)] | None = None
    margin: int = Field(default=0, ge=0)
    min_piece: int = Field(default=0, ge=0)
    max_cuts: int | None = Field(default=None, ge=0)
    max_items: int | None = Field(default=None, ge=0)
    max_documents: int | None = Field(default=None, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _words_of_the_preset(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("preset") in WORDS:
            data = {"words": WORDS[data["preset"]], **data}
        return data

    @model_validator(mode="after")
    def _fits_the_preset(self) -> Self:
        if self.preset == "llama_data" and self.split == "spacy":
            raise ValueError("split: spacy goes with the preset datatrove; llama_data has its own words")
        if self.preset == "datatrove" and self.action == "mask":
            raise ValueError(
                "action: mask does not go with the preset datatrove, whose words have no place in the text; expected "
                "reject or mark"
            )
        return self

    def way(self) -> str:
        """How texts become words: one of ``overlap_index.WAYS``."""
        return "datatrove_spacy" if self.split == "spacy" else self.preset

    def build(self, context: StepContext) -> Built:
        """Three jobs and a rule. Raises InputError: an evaluation's files are not there."""
        if self.split == "spacy":
            require("spacy", "decontaminate with `split: spacy`")
        files = tuple(dict.fromkeys(file for each in self.evaluations for file in each.files()))
        work, name = context.work, report_name(context.work)
        overlap = WriteOverlap(
            run=context.run, domain=context.domain, work=work, tasks=context.tasks, settings=self, report=name
        )
        return Built(
            rules=[Decontaminate(work=work, settings=self, files=files)],
            passes=[
                Pass("index", [WriteIndex(work=work, settings=self, files=files)], 1),
                Pass("matches", [WriteMatches(work=work)]),
                Pass("overlap", [overlap], 1),
            ],
            columns=COLUMNS,
        )

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What the document has of an evaluation."""
        check = Check(
            step=Decontaminate.name,
            says=f"looks for {self.words} words in a row of evaluation texts",
            reasons=(Reason.contaminated,),
            shows=("eval_share", "eval_task", "eval_item"),
            annotates=self.action != "reject",
        )
        return (check,)


def _index_folder(work: str) -> str:
    return join(work, "index")


def _matches(work: str, task: int) -> str:
    return join(work, "matches", f"{task:05d}.bin")


def _names(work: str, task: int) -> str:
    return join(work, "matches", f"{task:05d}.names")


class WriteIndex(Step):
    """One task: reads the evaluations."""

    name = "index_evaluations"

    def __init__(self, *, work: str, settings: Settings, files: Sequence[str]) -> None:
        super().__init__()
        self.work = work
        self.settings = settings
        self.files = tuple(files)

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the index. Yields nothing. Raises InputError: no item has a run of so many words."""
        items = (item for each in self.settings.evaluations for item in each.items())
        write_index(_index_folder(self.work), self.settings.words, self.settings.way(), items)
        yield from ()


class WriteMatches(Step):
    """End of the job that reads: leaves the runs of the open documents that items have too."""

    name = "match_evaluations"

    def __init__(self, *, work: str) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the task's files. Yields nothing."""
        index = OverlapIndex(_index_folder(self.work))
        found = [np.empty(0, HIT)]
        ids: list[str] = []
        places: list[int] = []
        batch: list[bytes] = []
        size = 0

        def find() -> None:
            hits = index.find(batch)
            rows = np.empty(len(hits), HIT)
            rows["place"] = np.array(places, np.uint32)[hits["text"]]
            for name in ("run", "begin", "end"):
                rows[name] = hits[name]
            found.append(rows)

        for place, doc in enumerate(data):
            ids.append(doc.id)
            if is_open(doc):
                places.append(place)
                batch.append(utf8_of(doc))
                size += len(batch[-1])
            if size >= BATCH_BYTES:
                find()
                places, batch, size = [], [], 0
        find()
        hits = np.concatenate(found)
        with atomic_write(_matches(self.work, rank)) as stream:
            stream.write(hits.tobytes())
        # Names only of those that a report can name.
        write_names(_names(self.work, rank), [ids[place] for place in np.unique(hits["place"]).tolist()])
        yield from ()


def _read_matches(work: str, task: int) -> NDArray[np.void]:
    return np.frombuffer(read_bytes(_matches(work, task)), HIT)


def _left_out(work: str) -> str:
    return join(work, "left-out.bin")


class WriteOverlap(Step):
    """One task: counts how many documents have a run, which runs are left out for that, and what is found of items."""

    name = "report_overlap"

    def __init__(self, *, run: RunContext, domain: str, work: str, tasks: int, settings: Settings, report: str) -> None:
        super().__init__()
        self.context = run
        self.domain = domain
        self.work = work
        self.tasks = tasks
        self.settings = settings
        self.report = report
        self.leaves = report_notes(report)

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the runs that are left out, and the report. Yields nothing."""
        index = OverlapIndex(_index_folder(self.work))
        none = np.empty(0, np.int64)
        of_items = none if self.settings.max_items is None else index.runs_of_many(self.settings.max_items)
        most = self.settings.max_documents
        of_documents = none if most is None else np.flatnonzero(self._documents(index.entries) > most)
        left_out = np.union1d(of_items, of_documents).astype("<i8")
        with atomic_write(_left_out(self.work)) as stream:
            stream.write(left_out.tobytes())
        tally = Tally(index, left_out)
        for task in range(self.tasks):
            hits = _read_matches(self.work, task)
            places, starts = np.unique(hits["place"], return_index=True)
            names = read_names(_names(self.work, task), range(len(places)))
            for number, runs in enumerate(np.split(hits["run"], starts[1:])[: len(places)]):
                tally.add(names[number], runs.astype(np.int64))
        about = {
            "step": Decontaminate.name,
            "source": self.domain,
            "settings": self.settings.model_dump(mode="json"),
            "runs": {
                "all": index.count_runs(),
                "in_too_many_items": len(of_items),
                "in_too_many_documents": len(np.setdiff1d(of_documents, of_items)),
            },
        }
        files = {"json": tally.summary(about), "items.jsonl": tally.rows()}
        leave_report(self.context, self.domain, self.report, files)
        yield from ()

    def _documents(self, runs: int) -> NDArray[np.uint32]:
        """For each run how many documents have it."""
        documents = np.zeros(runs, np.uint32)
        for task in range(self.tasks):
            hits = _read_matches(self.work, task)
            once = np.unique(hits["place"].astype(np.uint64) << np.uint64(32) | hits["run"])
            found, counts = np.unique(once & np.uint64(0xFFFFFFFF), return_counts=True)
            documents[found.astype(np.int64)] += counts.astype(np.uint32)
        return documents


class Decontaminate(DecidedRule):
    """Rejects, masks or marks the documents in which the jobs before have found runs of evaluation texts."""

    name = "decontaminate"

    def __init__(self, *, work: str, settings: Settings, files: Sequence[str]) -> None:
        super().__init__()
        self.work = work
        self.settings = settings
        self.files = tuple(files)

    def load(self, rank: int, world_size: int) -> None:
        """Read what was found in the documents of this task."""
        hits = _read_matches(self.work, rank)
        left_out = np.frombuffer(read_bytes(_left_out(self.work)), "<i8")
        hits = hits[~np.isin(hits["run"], left_out)]
        self._hits: dict[int, list[tuple[int, int, int]]] = {}
        for place, run, begin, end in hits.tolist():
            self._hits.setdefault(place, []).append((run, begin, end))
        self._tally = Tally(OverlapIndex(_index_folder(self.work)), left_out) if self._hits else None
        self._detail = ""

    def judge(self, doc: Document) -> Reason | None:
        """Tell the ledger what was found; return the reason when the document goes, or cut it."""
        hits = self._hits.get(self.place, [])
        if self._tally is None or not hits:
            return None
        found = self._tally.shares(np.array([run for run, _, _ in hits], np.int64), self.settings.min_share)
        if not found:
            return None
        item, share = next(iter(found.items()))
        named = self._tally.index.item(item)
        noted = {"eval_task": named.task, "eval_item": named.name, "eval_share": share, "eval_items": len(found)}
        note(doc, **noted)
        self._detail = f"has {share:.4g} of the runs of {self.settings.words} words of {named.task} {named.name}" + (
            f", and of {len(found) - 1} items more" if len(found) > 1 else ""
        )
        if self.settings.action == "mark":
            doc.metadata.update(noted)
        if self.settings.action != "mask":
            return Reason.contaminated if self.settings.action == "reject" else None
        own = {run for run, _, _ in hits if not found.keys().isdisjoint(self._tally.index.items_of(run).tolist())}
        return self._mask(doc, [(begin, end) for run, begin, end in hits if run in own])

    def _mask(self, doc: Document, spans: Sequence[tuple[int, int]]) -> Reason | None:
        """Cut spans of bytes out of the text; the reason when too little is left, or too much would be cut."""
        pieces, cuts = kept_pieces(
            utf8_of(doc).decode("utf-8", "surrogatepass"), _characters(doc, spans), self.settings
        )
        if cuts > limit_of(self.settings.max_cuts):
            self._detail += f"; {cuts} cuts, more than max_cuts"
            return Reason.contaminated
        if not pieces:
            self._detail += "; nothing is left"
            return Reason.contaminated
        set_utf8(doc, "\n".join(pieces).encode("utf-8", "surrogatepass"))
        return None

    def settle(self, doc: Document, reasons: Counter[str]) -> None:
        """Judge one document; the ledger is told the task, the item and the share."""
        super().settle(doc, reasons)
        found = doc.verdict if isinstance(doc, Document) else None
        if found is not None and found.reason == Reason.contaminated:
            reject(doc, Reason.contaminated, self.name, self._detail)


def _characters(doc: Document, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans of the text's UTF-8 as spans of characters."""
    data = np.frombuffer(utf8_of(doc), np.uint8)
    # How many characters begin before each byte.
    before = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    return [(int(before[begin]), int(before[end])) for begin, end in spans]


def kept_pieces(text: str, spans: Sequence[tuple[int, int]], settings: Settings) -> tuple[list[str], int]:
    """What is left of a text without spans of characters and what stands around them, and how many cuts that is.

    Spans that overlap or touch, with their margins, are one cut.
    """
    cuts: list[list[int]] = []
    for begin, end in sorted(spans):
        begin, end = max(0, begin - settings.margin), min(len(text), end + settings.margin)
        if cuts and begin <= cuts[-1][1]:
            cuts[-1][1] = max(cuts[-1][1], end)
        else:
            cuts.append([begin, end])
    bounds = [0, *(place for cut in cuts for place in cut), len(text)]
    pieces = [text[begin:end].strip() for begin, end in zip(bounds[::2], bounds[1::2], strict=True)]
    return [piece for piece in pieces if len(piece) >= max(1, settings.min_piece)], len(cuts)
