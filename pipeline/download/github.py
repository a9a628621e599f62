"""GitHub: LLaMA's source is a table of Google BigQuery, which no address serves; this says what to do instead."""

from __future__ import annotations

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.download.source import Ask, Item, Source

HOW = """\
github: LLaMA used the public dataset `bigquery-public-data.github_repos` of Google BigQuery. There is no file of it to
download: it is exported by a query, which Google bills to your project (the table of contents has some 3 TB).
  EXPORT DATA OPTIONS(uri='gs://YOUR-BUCKET/github/*.parquet', format='PARQUET', compression='ZSTD') AS
  SELECT c.content, f.repo_name, f.path, f.ref, l.license FROM `bigquery-public-data.github_repos.contents` c
  JOIN `bigquery-public-data.github_repos.files` f ON f.id = c.id
  JOIN `bigquery-public-data.github_repos.licenses` l ON l.repo_name = f.repo_name
  WHERE c.content IS NOT NULL AND REGEXP_CONTAINS(l.license, '^(mit|bsd|apache)')
then: llama-data run github --input gs://YOUR-BUCKET/github --output RUN
Without BigQuery: clone repositories and give their folder as --input (docs/downloads.md)."""


def files(ask: Ask) -> list[Item]:
    """Nothing: raises RequestError, which says how to get it."""
    raise RequestError(HOW)


SOURCE = Source(
    name="github",
    domain="github",
    what="nothing: it says how to get it",
    base="https://console.cloud.google.com/marketplace/product/github/github-repos",
    licence="each repository's own",
    terms="https://cloud.google.com/bigquery/public-data",
    checksums="none",
    connections=1,
    files=files,
)
