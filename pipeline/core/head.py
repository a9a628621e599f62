"""How a file begins: what a stage is shown to say whether the file is one of its dumps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Head:
    """``name`` of the file, in lower case; ``data``: its first bytes, decompressed; ``compression``: the suffix of that
    of which it begins like, or "". ``fields``: of its first row, if it has rows of JSON or parquet. ``members``: names
    in an archive, the first of them.
    """

    name: str
    data: bytes
    compression: str = ""
    fields: frozenset[str] = frozenset()
    members: tuple[str, ...] = ()
