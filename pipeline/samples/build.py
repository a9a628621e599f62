"""All sample dumps in one folder that is shaped like a corpus folder."""

from __future__ import annotations

from pathlib import Path

from llama_data.pipeline.samples.prose import build_arxiv, build_books
from llama_data.pipeline.samples.repositories import build_github
from llama_data.pipeline.samples.web import build_c4, build_commoncrawl
from llama_data.pipeline.samples.wiki import build_stackexchange, build_wikipedia


def build_samples(folder: str | Path, seed: int = 0) -> None:
    """Write small raw dumps of all seven domains below `folder`, one subfolder a domain.

    The bytes depend on `seed`, which shuffles pages and rows, and on the installed packages, some files of
    which become GitHub rows. Existing files of the same names are overwritten.
    """
    root = Path(folder)
    build_commoncrawl(root / "cc", seed)
    build_c4(root / "c4", seed)
    build_github(root / "github", seed)
    build_wikipedia(root / "wikipedia")
    build_books(root / "books")
    build_arxiv(root / "arxiv")
    build_stackexchange(root / "stackexchange")
