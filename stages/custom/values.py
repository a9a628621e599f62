"""Values of a row: where they stand, how they are compared, and what of them JSON can hold."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

MAX_DEPTH = 64
_INT64 = range(-(2**63), 2**64)


def find(row: dict[str, Any], path: str) -> Any:
    """The value of a field; a dot goes into a nested one unless a field has the whole name. None: it is not there."""
    if path in row:
        return row[path]
    head, dot, rest = path.partition(".")
    while dot:
        inner = row.get(head)
        if isinstance(inner, dict):
            found = find(inner, rest)
            if found is not None:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def written(value: Any) -> str:
    """How a value is compared with those of a recipe: text as it is, numbers and booleans as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def names_of(value: Any) -> list[str]:
    """The values that a field has: of a list those of its members; none where it is null or absent."""
    members = value if isinstance(value, list | tuple) else [value]
    return [written(member) for member in members if member is not None]


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold it.

    Times are in ISO 8601, durations seconds, decimals and integers beyond 64 bits their digits, bytes text where they
    are UTF-8 and hexadecimal where not, and what is no number (NaN, infinity) null.

    Raises:
        RecordError: more than MAX_DEPTH levels.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value) if value in _INT64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict | list | tuple):
        if depth == MAX_DEPTH:
            raise RecordError(Reason.too_complex, f"a kept field has more than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            return {written(key): plain(inner, depth + 1) for key, inner in value.items()}
        return [plain(inner, depth + 1) for inner in value]
    return _foreign(value, depth)


def _foreign(value: Any, depth: int) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.hex()
    if hasattr(value, "tolist"):
        # numpy's numbers and arrays.
        return plain(value.tolist(), depth)
    return str(value)
