"""The document, and the verdict that travels with it to the ledger.

A document is datatrove's ``Document`` (``id``, ``text``, ``metadata``) with what the account needs beside it. What
stands in ``metadata`` is written with the text: it always has ``domain`` and ``source``, and holds nothing but values
that JSON has. ``notes`` are for the ledger alone. A source whose reader leaves more for its own rules has a subclass
with fields of its own.

Every function here also takes datatrove's own documents, so that a step works in a pipeline that has another reader.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, Self, TypeVar

from datatrove.data import Document as DatatroveDocument  # type: ignore[import-untyped]

from llama_data.pipeline.core.reasons import Reason

# Where a verdict stands in a document of datatrove's own, between the step that gives it and the end of that step.
_VERDICT = "_verdict"


MAX_LINES = 4 << 20
"""A text of more lines is refused by its reader: steps that look at lines take about a hundred bytes for each."""


class Outcome(StrEnum):
    """What became of an input record."""

    kept = "kept"
    rejected = "rejected"
    failed = "failed"


class Verdict(NamedTuple):
    """Why a document is not kept, and which step said so. ``reason`` is a ``Reason``, or the noun of a foreign step."""

    outcome: Outcome
    reason: Reason | str
    step: str
    detail: str


class Document(DatatroveDocument):  # type: ignore[misc]
    """A record on its way to the documents or to the ledger alone.

    ``verdict``: None while the document is open. ``chars_in``, ``lines_in``: length of the text as it was read, in
    characters and lines; None until the reader's end. ``notes``: values of the ledger's columns that are not written
    with the text.
    """

    __slots__ = ("chars_in", "lines_in", "notes", "verdict")

    def __init__(self, *, id: str, text: str = "", metadata: dict[str, Any]) -> None:
        super().__init__(text, id, [], metadata)
        self.verdict: Verdict | None = None
        self.chars_in: int | None = None
        self.lines_in: int | None = None
        self.notes: dict[str, Any] = {}

    @classmethod
    def of(cls, doc: DatatroveDocument) -> Self:
        """The document, known to be of this class. Raises TypeError: another reader has made it."""
        if not isinstance(doc, cls):
            raise TypeError(f"{doc.id}: expected a {cls.__name__}, found a {type(doc).__name__} of another reader")
        return doc


D = TypeVar("D", bound=Document)


def make_document(kind: type[D], *, domain: str, id: str, text: str, source: str, **metadata: Any) -> D:
    """Make a document; ``source`` is ``relative/file#offset-or-key``. Metadata that is None is left out."""
    kept = {key: value for key, value in metadata.items() if value is not None}
    return kind(id=id, text=text, metadata={"domain": domain, "source": source, **kept})


def new_document(*, domain: str, id: str, text: str, source: str, **metadata: Any) -> Document:
    """``make_document`` of no special kind."""
    return make_document(Document, domain=domain, id=id, text=text, source=source, **metadata)


def reject(doc: DatatroveDocument, reason: Reason | str, step: str, detail: str = "") -> None:
    """Mark the document as rejected."""
    _settle(doc, Verdict(Outcome.rejected, reason, step, detail))


def fail(doc: DatatroveDocument, reason: Reason, step: str, detail: str = "") -> None:
    """Mark the document as failed: its record could not be read, or a step broke on it."""
    _settle(doc, Verdict(Outcome.failed, reason, step, detail))


def _settle(doc: DatatroveDocument, verdict: Verdict) -> None:
    if isinstance(doc, Document):
        doc.verdict = verdict
    else:
        doc.metadata[_VERDICT] = verdict


def verdict(doc: DatatroveDocument) -> Verdict | None:
    """The verdict on the document, or None while it is open."""
    found: Verdict | None = doc.verdict if isinstance(doc, Document) else doc.metadata.get(_VERDICT)
    return found


def is_open(doc: DatatroveDocument) -> bool:
    """True while no step has rejected or failed the document."""
    return verdict(doc) is None


def notes_of(doc: DatatroveDocument) -> dict[str, Any]:
    """What the ledger is told of the document; one of datatrove's own has it in its metadata."""
    notes: dict[str, Any] = doc.notes if isinstance(doc, Document) else doc.metadata
    return notes


def note(doc: DatatroveDocument, **values: Any) -> None:
    """Tell the ledger something of the document."""
    notes_of(doc).update(values)
