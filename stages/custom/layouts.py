"""The fields of well-known datasets, by name."""

from __future__ import annotations

from typing import NamedTuple

from llama_data.pipeline.core.errors import RecipeError
from llama_data.stages.custom.fields import Fields, Format


class Layout(NamedTuple):
    """How a dataset is laid out: its fields, the format of its files, and what a person should know of it."""

    fields: Fields
    format: Format
    notes: str


LAYOUTS: dict[str, Layout] = {
    "pile": Layout(
        Fields(keep=("meta.pile_set_name",)),
        "jsonl",
        "jsonl.zst; meta.pile_set_name is the set: Pile-CC, Books3, Gutenberg (PG-19), Github, ArXiv, ...",
    ),
    "wudao": Layout(
        Fields(text="content", title="title", keep=("id", "uniqueKey", "dataType")),
        "jsonl",
        "JSON arrays of id, uniqueKey, titleUkey, dataType, title, content; the title is not in the content",
    ),
    "redpajama-v1": Layout(
        Fields(url="meta.url", title="meta.title", keep=("meta", "source", "red_pajama_subset")),
        "jsonl",
        "meta differs by subset: common_crawl has its fields beside the text; arxiv, c4, stackexchange and wikipedia "
        "have url and timestamp; github has repo_name, path and license",
    ),
    "dolma": Layout(
        Fields(id="id", keep=("source", "added", "created", "metadata")),
        "jsonl",
        "json.gz; ids repeat between sources, some sources have metadata.url",
    ),
    "c4-json": Layout(Fields(url="url", keep=("timestamp",)), "jsonl", "json.gz of allenai/c4, mC4 too"),
    "c4-parquet": Layout(Fields(url="url", keep=("timestamp",)), "parquet", "C4 as the Hub converts it"),
    "fineweb": Layout(
        Fields(id="id", url="url", keep=("dump", "date", "file_path", "language", "language_score", "token_count")),
        "parquet",
        "FineWeb, FineWeb-Edu (which adds score and int_score) and FineWeb2",
    ),
    "slimpajama": Layout(
        Fields(keep=("meta.redpajama_set_name",)),
        "jsonl",
        "jsonl.zst; the sets: RedPajamaCommonCrawl, RedPajamaC4, RedPajamaGithub, RedPajamaBook, RedPajamaArXiv, "
        "RedPajamaWikipedia, RedPajamaStackExchange",
    ),
    "refinedweb": Layout(
        Fields(text="content", url="url", keep=("timestamp", "dump", "segment")),
        "parquet",
        "Falcon RefinedWeb; image_urls are not read",
    ),
}


def layout_of(name: str) -> Layout:
    """The layout of a name. Raises RecipeError, with the names that there are, when there is none."""
    if name not in LAYOUTS:
        raise RecipeError(f"layout: {name!r} is not known; expected one of: {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def layout_fields(name: str | None, fields: Fields) -> Fields:
    """The fields of a layout, under those that the recipe gives itself; None: those of the recipe alone.

    Raises:
        RecipeError: there is no such layout.
    """
    if name is None:
        return fields
    return layout_of(name).fields.model_copy(update=fields.model_dump(exclude_unset=True))
