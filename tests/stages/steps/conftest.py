"""Pages of the corpus for tests that compare rules with their peers."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pages_of() -> Callable[[Path, int], list[str]]:
    """So many texts of a corpus folder's first WET file, spread over it."""

    def pages(corpus: Path, count: int) -> list[str]:
        path = min((corpus / "cc").glob("*.wet.gz"))
        records = gzip.decompress(path.read_bytes()).split(b"WARC/1.0\r\n")[1:]
        parts = [record.partition(b"\r\n\r\n") for record in records]
        bodies = [body for head, _, body in parts if b"WARC-Type: conversion" in head]
        texts = [body.rstrip(b"\r\n").decode("utf-8", "replace") for body in bodies]
        return texts[:: max(len(texts) // count, 1)][:count]

    return pages
