"""What steps that keep one of several documents read of their metadata: dates, and the group that is compared."""

from __future__ import annotations

from llama_data.pipeline.core.document import Document

_DIGITS = 14  # of a date and time down to the second


def date_number(value: object) -> int:
    """A date as a number that grows with time: the first fourteen digits of ``2024-05-01T12:00:00Z``; 0 without one."""
    digits = "".join(char for char in str(value or "") if char in "0123456789")[:_DIGITS]
    return int(digits.ljust(_DIGITS, "0")) if digits else 0


def field_bytes(doc: Document, field: str) -> bytes:
    """The value of a metadata field by which documents are compared apart; one without it has the empty one."""
    return str(doc.metadata.get(field, "")).encode("utf-8", "surrogatepass")
