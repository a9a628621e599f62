"""Writing ledgers, and reading them back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline.core.document import new_document, reject
from llama_data.pipeline.core.ledger import LedgerWriter, count_lines, read_table, schema
from llama_data.pipeline.core.reasons import Reason

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


@pytest.mark.parametrize(("rows", "groups"), [(0, []), (2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])])
def test_rows_beyond_one_row_group_all_come_back_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, groups: list[int]
) -> None:
    monkeypatch.setattr(LedgerWriter, "GROUP", 3)
    path = str(tmp_path / "a.parquet")
    with LedgerWriter(path, {"extra": "int64"}) as ledger:
        for number in range(rows):
            doc = new_document(domain="d", id=f"d/{number}", text="x" * number, source=f"s#{number}", extra=number)
            if number % 2:
                reject(doc, Reason.too_short, "length")
            ledger.add(doc)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)] == groups
    found = read_table(path).to_pylist()
    assert [row["id"] for row in found] == [f"d/{number}" for number in range(rows)]
    assert [row["extra"] for row in found] == list(range(rows))
    assert [row["reason"] for row in found] == [[None, "too_short"][number % 2] for number in range(rows)]
    assert [row["chars_out"] for row in found] == [[number, 0][number % 2] for number in range(rows)]


def test_a_ledger_that_fails_half_way_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LedgerWriter, "GROUP", 1)

    def fail() -> None:
        with LedgerWriter(str(tmp_path / "a.parquet"), {}) as ledger:
            ledger.add(new_document(domain="d", id="d/1", text="abc", source="s#1"))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_column_of_a_domain_may_not_take_a_name_of_the_ledger() -> None:
    with pytest.raises(ValueError, match=r"given twice: \['language'\]"):
        schema({"extra": "string", "language": "string"})
    assert schema({"extra": "int64"}).names[-1] == "extra"


def test_lines_are_counted_as_newlines_and_one() -> None:
    assert [count_lines(text) for text in ("", "a", "a\n", "a\nb", "\n\n")] == [0, 1, 2, 2, 3]
