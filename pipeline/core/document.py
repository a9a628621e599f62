"""The document, and the verdict that travels with it to the ledger.

A document is datatrove's ``Document``: ``id``, ``text`` and ``metadata``. Metadata always has ``domain``
and ``source``. Keys that begin with ``_`` carry data between steps and never reach the output.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from datatrove.data import Document  # type: ignore[import-untyped]

from llama_data.pipeline.core.reasons import Reason

__all__ = [
    "Document",
    "Outcome",
    "Verdict",
    "fail",
    "is_open",
    "new_document",
    "public_metadata",
    "reject",
    "verdict",
]

_VERDICT = "_verdict"


class Outcome(StrEnum):
    """What became of an input record."""

    kept = "kept"
    rejected = "rejected"
    failed = "failed"


class Verdict(NamedTuple):
    """Why a document is not kept, and which step said so."""

    outcome: Outcome
    reason: Reason
    step: str
    detail: str


def new_document(*, domain: str, id: str, text: str, source: str, **metadata: Any) -> Document:
    """Make a document; ``source`` is ``relative/file#offset-or-key``. Metadata that is None is left out."""
    kept = {key: value for key, value in metadata.items() if value is not None}
    return Document(text=text, id=id, metadata={"domain": domain, "source": source, **kept})


def reject(doc: Document, reason: Reason, step: str) -> None:
    """Mark the document as rejected; it still travels to the sink."""
    doc.metadata[_VERDICT] = Verdict(Outcome.rejected, reason, step, "")


def fail(doc: Document, reason: Reason, step: str, detail: str = "") -> None:
    """Mark the document as failed: its record could not be read."""
    doc.metadata[_VERDICT] = Verdict(Outcome.failed, reason, step, detail)


def verdict(doc: Document) -> Verdict | None:
    """The verdict on the document, or None while it is open."""
    found: Verdict | None = doc.metadata.get(_VERDICT)
    return found


def is_open(doc: Document) -> bool:
    """True while no step has rejected or failed the document."""
    return _VERDICT not in doc.metadata


def public_metadata(doc: Document) -> dict[str, Any]:
    """The metadata without the keys that only carry data between steps."""
    return {key: value for key, value in doc.metadata.items() if not key.startswith("_")}
