"""How the rows of a user's source become documents, as a recipe writes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from llama_data.pipeline.core.settings import Strict
from llama_data.stages.custom.values import written

Format = Literal["auto", "jsonl", "parquet", "arrow", "csv", "text", "warc"]


def _as_written(value: Any) -> Any:
    return written(value) if isinstance(value, bool | int | float) else value


# A value that a field is compared with: a recipe's numbers and booleans are what JSON writes.
Value = Annotated[str, BeforeValidator(_as_written)]


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

    A row whose value stands nowhere there is rejected; a value may stand there once.
    """

    field: str
    into: dict[str, tuple[Value, ...]] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_value_once(self) -> SplitBy:
        seen: dict[str, str] = {}
        for domain, values in self.into.items():
            for value in values:
                if seen.setdefault(value, domain) != domain:
                    raise ValueError(f"{value!r} stands under {seen[value]} and under {domain}; leave one")
        return self
