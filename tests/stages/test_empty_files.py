"""A file of no bytes, the usual rest of a broken download, is one failed row and never silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import verdict
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv.archive import Limits
from llama_data.stages.arxiv.reader import ArxivReader
from llama_data.stages.c4.reader import C4Reader
from llama_data.stages.commoncrawl.reader import CommonCrawlReader
from llama_data.stages.github.reader import GithubReader


def readers(split: Split) -> list[Reader]:
    return [
        C4Reader(splits=[split]),
        GithubReader(splits=[split], domain="github"),
        ArxivReader(splits=[split], domain="arxiv", limits=Limits()),
        CommonCrawlReader(splits=[split]),
    ]


@pytest.mark.parametrize("name", ["a.json.gz", "a.jsonl.zst", "a.jsonl", "a.wet.gz", "a.wet", "a.warc.gz"])
def test_an_empty_file_is_one_failed_row(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    split = Split(path=str(path), name=name, size=0)
    for reader in readers(split):
        found = [verdict(doc) for doc in reader.read(split)]
        assert [item.reason for item in found if item is not None] == [Reason.truncated_file]
