"""Buckets of a domain: shards by the value of a field of its documents, so that a mix can draw from each by a weight.

A bucket's shards lie among the domain's, with its name before the number: ``tokens/web/head-00000.parquet``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from llama_data.pipeline.core.errors import InputError, RecipeError
from llama_data.pipeline.core.files import join, list_files
from llama_data.pipeline.core.settings import Strict

# No hyphen: it stands behind the bucket in a shard's name.
BucketName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Buckets(Strict):
    """Shards of a domain by the value of a ``field`` of its documents' metadata, so that a mix can draw from each.

    ``into`` names the buckets, each with the values it takes: whole numbers and texts, a value in one bucket only.
    """

    field: str
    into: dict[BucketName, tuple[int | str, ...]] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _each_value_once(self) -> Buckets:
        values = [str(value) for taken in self.into.values() for value in taken]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ValueError(f"{twice!r} stands in two buckets; leave one")
        return self

    def numbers(self) -> dict[str, int]:
        """The number of the bucket that each value, as a text, belongs to."""
        return {str(value): number for number, taken in enumerate(self.into.values()) for value in taken}


def bucket_names(buckets: Buckets | None) -> list[str | None]:
    """The buckets of a domain in their order; one without a name where it has none."""
    return [None] if buckets is None else list(buckets.into)


def shard_name(number: int, bucket: str | None = None) -> str:
    """File name of a task's shard (of a bucket)."""
    return f"{number:05d}.parquet" if bucket is None else f"{bucket}-{number:05d}.parquet"


def bucket_of(path: str) -> str:
    """The bucket that a shard is of, by its name; "" for none."""
    return path.rsplit("/", 1)[-1].rpartition("-")[0]


def domain_of(name: str) -> str:
    """The domain of a name in the weights: a domain, or one of its buckets (``DOMAIN/BUCKET``)."""
    return name.partition("/")[0]


def refuse_twice(names: Iterable[str]) -> None:
    """Check names of the weights. Raises RecipeError: a domain and one of its buckets are both there."""
    known = set(names)
    twice = sorted(name for name in known if name != domain_of(name) and domain_of(name) in known)
    if twice:
        raise RecipeError(f"weights: {domain_of(twice[0])} holds {twice[0]}, so its rows would count twice; name one")


def no_rows(tokens: str, name: str, shards: Sequence[str] | None) -> InputError | RecipeError:
    """The error of a domain or bucket without training rows. ``shards``: as in ``find_sources``."""
    domain = domain_of(name)
    folder = join(tokens, domain)
    if name == domain:
        return InputError(f"{folder}: there are no training rows; its documents are too few")
    names = sorted({*map(bucket_of, list_files(folder, ".parquet") if shards is None else shards)} - {""})
    there = f"there are: {', '.join(f'{domain}/{bucket}' for bucket in names)}" if names else "it has none"
    return RecipeError(
        f"weights: {name}: no bucket of that name has training rows below {folder} ({there}); take another, or say "
        f"under tokens.buckets.{domain} what belongs to it, and tokenize again"
    )
