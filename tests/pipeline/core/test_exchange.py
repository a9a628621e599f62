"""Files of records in groups: any range of groups is read back as it was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.exchange import (
    HASH_GROUPS,
    DecidedRule,
    Exchange,
    hash_groups,
    partition_range,
    read_groups,
    write_groups,
)
from llama_data.pipeline.core.reasons import Reason

DTYPE = np.dtype([("hash", "<u8"), ("number", "<u4")])


@pytest.mark.parametrize("parts", [1, 3, 4096])
def test_the_partitions_of_a_file_are_its_records_by_hash(tmp_path: Path, parts: int) -> None:
    records = np.zeros(5000, DTYPE)
    records["hash"] = np.random.default_rng(1).integers(0, 2**64, 5000, dtype=np.uint64)
    records["hash"][:2] = 0, 2**64 - 1
    records["number"] = np.arange(5000)
    path = str(tmp_path / "a.bin")
    write_groups(path, hash_groups(records["hash"]), HASH_GROUPS, records)
    found = [read_groups(path, DTYPE, HASH_GROUPS, *partition_range(part, parts)) for part in range(parts)]
    assert np.array_equal(np.sort(np.concatenate(found), order="number"), records)
    assert all(found[at]["hash"].max() < found[at + 1]["hash"].min() for at in range(parts - 1) if parts == 3)


def test_groups_keep_their_order_and_may_be_empty(tmp_path: Path) -> None:
    records = np.array([(5, 0), (4, 1), (5, 2)], DTYPE)
    path = str(tmp_path / "a.bin")
    write_groups(path, np.array([2, 0, 2]), 4, records)
    assert read_groups(path, DTYPE, 4, 2, 3)["number"].tolist() == [0, 2]
    assert read_groups(path, DTYPE, 4, 1, 2).size == 0
    write_groups(path, np.zeros(0, np.int64), 4, records[:0])
    assert read_groups(path, DTYPE, 4, 0, 4).size == 0


def test_records_of_a_group_keep_their_order(tmp_path: Path) -> None:
    dtype = np.dtype([("hash", "<u8"), ("n", "<u4")])
    records = np.zeros(5000, dtype)
    records["hash"] = np.arange(5000, dtype=np.uint64) % 3 << np.uint64(60)
    records["n"] = np.arange(5000)
    exchange = Exchange(str(tmp_path), "kind", dtype)
    exchange.put(0, records["hash"], records)
    found = exchange.take(0, 0, 1)
    assert [found["n"][found["hash"] >> np.uint64(60) == key].tolist() for key in range(3)] == [
        list(range(key, 5000, 3)) for key in range(3)
    ]
    exchange.give_back(0, records["n"] % 2, 2, records)
    assert [exchange.take_back(task, 2, 1)["n"].tolist() for task in (0, 1)] == [
        list(range(0, 5000, 2)),
        list(range(1, 5000, 2)),
    ]


class Places(DecidedRule):
    """Rejects the second document of every task."""

    name = "places"

    def load(self, rank: int, world_size: int) -> None:
        self.second = 1

    def judge(self, doc: Document) -> Reason | None:
        return Reason.too_short if self.place == self.second else None


def test_places_are_counted_anew_for_every_task() -> None:
    rule = Places()
    for _ in range(2):
        docs = [new_document(domain="d", id=str(number), text="x", source="s") for number in range(3)]
        assert [doc.id for doc in rule.run(iter(docs))] == ["0", "2"]


@pytest.mark.parametrize("count", [1 << 16, (1 << 16) + 1])
def test_records_stand_by_group_in_their_order(tmp_path: Path, count: int) -> None:
    groups = np.array([count - 1, 0, 7, count - 1, 0], np.int64)
    path = str(tmp_path / "groups")
    write_groups(path, groups, count, np.arange(5, dtype="<u4"))
    assert read_groups(path, np.dtype("<u4"), count, 0, count).tolist() == [1, 4, 2, 0, 3]
    assert read_groups(path, np.dtype("<u4"), count, count - 1, count).tolist() == [0, 3]
    assert read_groups(path, np.dtype("<u4"), count, 8, count - 1).size == 0
