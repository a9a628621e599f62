"""Buckets: what is put in comes out, in order, whatever is held in memory at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.stages.stackexchange import buckets as module
from llama_data.stages.stackexchange.buckets import BucketWriter, bucket_of, count_posts, read_bucket


@pytest.mark.parametrize("held", [0, 500, 1 << 20])
def test_what_is_put_in_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(module, "HELD", held)
    for rank in range(3):
        with BucketWriter(str(tmp_path), rank, 4) as writer:
            for number in range(100):
                writer.add(number % 3, {"rank": rank, "number": number})
                writer.count("a" if number % 2 else "b", "file")
    for bucket in range(4):
        expected = [{"rank": rank, "number": n} for rank in range(3) for n in range(100) if n % 3 == bucket]
        assert list(read_bucket(str(tmp_path), bucket)) == expected
    assert count_posts(str(tmp_path)) == {"a": 150, "b": 150}


def test_an_error_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError), BucketWriter(str(tmp_path), 0, 1) as writer:
        writer.add(0, {"a": object()})
    assert list(tmp_path.iterdir()) == []


def test_threads_spread_over_the_buckets() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[bucket_of("beer.stackexchange.com", number, 8)] += 1
    assert min(counts) > 900
    assert bucket_of("beer.stackexchange.com", 7, 1) == 0
