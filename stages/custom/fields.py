"""How the rows of a user's source become documents, as a recipe writes it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from llama_data.pipeline.core.settings import Strict

Format = Literal["auto", "jsonl", "parquet", "arrow", "csv", "text"]


class Fields(Strict):
    """Which field of a row is what; a dot goes into a nested one (``meta.url``).

    ``text`` must be there, a string. ``id``: a document's own name in its source; without one it is its file and row.
    ``url`` and ``title`` go to the metadata under these names, ``keep`` under their own.
    """

    text: str = "text"
    id: str | None = None
    url: str | None = None
    title: str | None = None
    keep: tuple[str, ...] = ()


class SplitBy(Strict):
    """Several domains out of one source, by the value of a field: ``into`` names each with the values it takes.

    A row whose value stands nowhere there is rejected.
    """

    field: str
    into: dict[str, tuple[str, ...]] = Field(min_length=1)
