"""Shards of a store on a machine's disk: each byte is fetched once, and what arrives is what was written."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llama_data.pipeline.core import copies, http, stores
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.stores import StoreError
from llama_data.train_handoff.shards.cache import ShardCache
from llama_data.train_handoff.shards.file import Shard

pytest.importorskip("aiohttp", reason="fsspec needs it for http")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LIMITS", stores.Limits(pause=0.0))
    monkeypatch.setattr(copies, "CHUNK", 3000)


@pytest.fixture
def shards(tmp_path: Path, make_shard) -> list[tuple[str, str, np.ndarray]]:
    """Name, hash of the rows, and rows of five shards in a store."""
    found = []
    for number in range(5):
        path = tmp_path / "store" / f"{number}.parquet"
        rows = make_shard(path, 500 + number, seed=number)
        found.append((path.name, Shard(str(path)).footer.content_sha256, rows))
    return found


def rows_of(path: str) -> np.ndarray:
    shard = Shard(path)
    return np.concatenate([shard.group(group) for group in range(shard.groups)])


def _read_all(url: str, folder: str, shards: list[tuple[str, str, np.ndarray]], barrier: Any) -> None:
    cache = ShardCache(folder, 10**7)
    barrier.wait()
    for name, digest, rows in shards:
        assert np.array_equal(cache.read(f"{url}/{name}", name, digest, rows_of), rows)


def test_processes_fetch_each_byte_once(tmp_path: Path, serve, shards) -> None:
    store, context = serve(tmp_path / "store"), multiprocessing.get_context("spawn")
    barrier = context.Barrier(3)
    arguments = (store.url, str(tmp_path / "cache"), shards, barrier)
    processes = [context.Process(target=_read_all, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    sizes = {name: (tmp_path / "store" / name).stat().st_size for name, _, _ in shards}
    assert {name: store.sent[name] for name in sizes} == sizes


@pytest.mark.usefixtures("quick")
def test_a_store_that_fails_is_asked_again_for_what_is_missing(tmp_path: Path, serve, shards) -> None:
    store = serve(tmp_path / "store")
    store.faults = [lambda data: 503, lambda data: data[:-1], lambda data: data, lambda data: 500]
    name, digest, rows = shards[0]
    cache = ShardCache(str(tmp_path / "cache"))
    assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)
    size = (tmp_path / "store" / name).stat().st_size
    assert store.sent[name] == 2 * size - 1  # of what comes short, a piece of 256 KiB is asked for again
    store.faults = [lambda data: bytes([data[0] ^ 1]) + data[1:]]  # a flipped bit: the whole file again
    name, digest, rows = shards[1]
    assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)


@pytest.mark.usefixtures("quick")
def test_what_cannot_be_had_is_said(tmp_path: Path, serve, shards, capsys: pytest.CaptureFixture[str]) -> None:
    store, cache = serve(tmp_path / "store"), ShardCache(str(tmp_path / "cache"))
    name, digest, _ = shards[0]
    with pytest.raises(InputError, match=r"absent\.parquet: cannot be read"):
        cache.read(f"{store.url}/absent.parquet", "absent.parquet", None, rows_of)
    with pytest.raises(InputError, match=r"its rows are not those that mix\.json lists"):
        cache.read(f"{store.url}/{name}", "other.parquet", "0" * 64, rows_of)
    path = tmp_path / "store" / name
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="damaged in the store"):
        cache.read(f"{store.url}/{name}", name, digest, rows_of)
    store.faults = [lambda data: 503] * 1000
    with pytest.raises(StoreError, match="the store failed 25 tries"):
        cache.read(f"{store.url}/1.parquet", "1.parquet", None, rows_of)
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    "change", [lambda data: data[:-10], lambda data: b"", lambda data: data[:50] + b"x" + data[51:]]
)
def test_a_damaged_copy_is_fetched_again(tmp_path: Path, serve, shards, change) -> None:
    store, cache = serve(tmp_path / "store"), ShardCache(str(tmp_path / "cache"))
    name, digest, rows = shards[0]
    cache.read(f"{store.url}/{name}", name, digest, rows_of)
    copy = tmp_path / "cache" / name
    copy.write_bytes(change(copy.read_bytes()))
    assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)
    assert store.sent[name] == 2 * (tmp_path / "store" / name).stat().st_size


def test_the_bound_holds_and_the_oldest_goes(tmp_path: Path, serve, shards) -> None:
    store, folder = serve(tmp_path / "store"), tmp_path / "cache"
    size = max((tmp_path / "store" / name).stat().st_size for name, _, _ in shards)
    cache = ShardCache(str(folder), 2 * size)
    order = [0, 1, 0, 2, 0, 1, 3]
    for number in order:
        name, digest, rows = shards[number]
        assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 2 * size
    assert {path.name for path in folder.glob("*.parquet")} == {"1.parquet", "3.parquet"}
    assert [store.requests[f"{number}.parquet"] for number in range(4)] == [1, 2, 1, 1]  # 0 was used again, 1 not
    with pytest.raises(RequestError, match="give --cache-bytes of at least twice"):
        ShardCache(str(tmp_path / "small"), size - 1000).read(f"{store.url}/4.parquet", "4.parquet", None, rows_of)


def test_what_is_fetched_ahead_does_not_push_out_what_is_read(tmp_path: Path, serve, shards) -> None:
    store, folder = serve(tmp_path / "store"), tmp_path / "cache"
    cache = ShardCache(str(folder), int(1.5 * (tmp_path / "store" / shards[0][0]).stat().st_size))
    (first, digest, _), (second, other, _) = shards[:2]
    cache.read(f"{store.url}/{first}", first, digest, rows_of)
    cache._bring_ahead(f"{store.url}/{second}", second, other, first)
    assert {path.name for path in folder.glob("*.parquet")} == {first}
    roomy = ShardCache(str(folder))
    roomy._bring_ahead(f"{store.url}/{second}", second, other, first)
    assert {path.name for path in folder.glob("*.parquet")} == {first, second}
    assert store.requests[first] == store.requests[second] == 1


def _hang(folder: str, name: str) -> None:
    cache = ShardCache(folder)
    with cache.locked(name, fcntl.LOCK_EX):
        Path(folder, f"{name}.part").write_bytes(b"half")
        time.sleep(600)


def test_a_killed_process_leaves_neither_lock_nor_half_file(tmp_path: Path, serve, shards) -> None:
    store, folder = serve(tmp_path / "store"), tmp_path / "cache"
    process = multiprocessing.get_context("spawn").Process(target=_hang, args=(str(folder), "0.parquet"))
    process.start()
    while not (folder / "0.parquet.part").exists():
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    size = (tmp_path / "store" / shards[1][0]).stat().st_size
    cache = ShardCache(str(folder), size)  # for which the half file has to go
    name, digest, rows = shards[1]
    assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)
    assert not (folder / "0.parquet.part").exists()
    name, digest, rows = shards[0]
    assert np.array_equal(cache.read(f"{store.url}/{name}", name, digest, rows_of), rows)


def test_a_lock_that_was_removed_meanwhile_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    cache, seen = ShardCache(str(tmp_path)), []
    waiting = threading.Thread(target=lambda: seen.append(_holds(cache)))
    with cache.locked("a", fcntl.LOCK_EX):
        waiting.start()
        time.sleep(0.2)
        (tmp_path / "a.lock").unlink()
    waiting.join()
    assert seen == [True]


def _holds(cache: ShardCache) -> bool:
    with cache.locked("a", fcntl.LOCK_EX):
        with pytest.raises(BlockingIOError), cache.locked("a", fcntl.LOCK_EX | fcntl.LOCK_NB):
            pass
        return True
