"""Reading ledgers back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llama_data.pipeline.core.document import new_document
from llama_data.pipeline.core.ledger import LedgerWriter, read_table

CHECK = """
import os, sys
from llama_data.pipeline.core.ledger import read_table
before = len(os.listdir("/proc/self/task"))
read_table(sys.argv[1])
sys.exit(len(os.listdir("/proc/self/task")) - before)
"""


def test_columns_come_back(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    with LedgerWriter(path, {}) as ledger:
        ledger.add(new_document(domain="d", id="d/1", text="abc", source="s#1"))
    assert read_table(path, ["id", "chars_out"]).to_pylist() == [{"id": "d/1", "chars_out": 3}]
    assert read_table(path).column_names[:3] == ["id", "domain", "source"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted through /proc")
def test_reading_starts_no_thread_that_could_outlive_the_program(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    with LedgerWriter(path, {}) as ledger:
        ledger.add(new_document(domain="d", id="d/1", text="abc", source="s#1"))
    assert subprocess.run([sys.executable, "-c", CHECK, path], check=False).returncode == 0
