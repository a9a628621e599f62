"""Reads rows of BigQuery's GitHub tables: JSON lines or parquet, one file of a repository a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, make_document
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.github.file import SourceFile
from llama_data.stages.github.languages import language_of
from llama_data.stages.shared.json_rows import json_rows
from llama_data.stages.shared.parquet_rows import parquet_rows

DOMAIN = "github"
_COLUMNS = ("repo_name", "sample_repo_name", "path", "sample_path", "content", "license", "ref", "sample_ref", "binary")


class GithubReader(Reader):
    """One document for every row; a row without content is read as an empty text."""

    name = "read_github"

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the split's rows; the key of a row is its number in the file, from 1."""
        if split.size == 0:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the file is empty")
            return
        rows = parquet_rows(split.path, _COLUMNS) if split.name.lower().endswith(".parquet") else json_rows(split.path)
        for number, row in rows:
            try:
                if isinstance(row, RecordError):
                    raise row
                yield self._document(split, number, row)
            except RecordError as error:
                detail = f"row {number}: {error.detail}"
                yield self.failed(split, key=number, reason=error.reason, detail=detail)

    def _document(self, split: Split, number: int, row: dict[str, Any]) -> Document:
        path = _string(row, "path", "sample_path")
        if path is None:
            raise RecordError(Reason.missing_field, "expected a string under 'path'")
        content = row.get("content")
        if content is not None and not isinstance(content, str):
            raise RecordError(Reason.missing_field, "expected a string or null under 'content'")
        text = None if row.get("binary") is True else content
        repo = _string(row, "repo_name", "sample_repo_name")
        source = f"{split.name}#{number}"
        doc = make_document(
            SourceFile,
            domain=self.domain,
            id=f"{self.domain}/{source}",
            text=text or "",
            source=source,
            path=path,
            repo_name=repo,
            license=_string(row, "license"),
            code_language=language_of(path),
            url=file_url(repo, _string(row, "ref", "sample_ref"), path),
        )
        doc.has_content = text is not None
        return doc


def _string(row: dict[str, Any], *names: str) -> str | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def file_url(repo: str | None, ref: str | None, path: str) -> str | None:
    """Address of a file on github.com; None when the row does not say repository and branch."""
    if repo is None or ref is None:
        return None
    branch = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return f"https://github.com/{repo}/blob/{quote(branch)}/{quote(path)}"
