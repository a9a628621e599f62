"""The lock in an object store, over fsspec's memory, which puts on a condition, and over one that cannot."""

from __future__ import annotations

import json
import socket
import time
from typing import Any
from uuid import uuid4

import fsspec  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline.core import lock as locking
from llama_data.pipeline.core import store_lock
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.store_lock import StoreLock
from llama_data.pipeline.core.stores import StoreError


@pytest.fixture
def url() -> str:
    return f"memory://locks/{uuid4().hex}/d.lock"


def leave(url: str, **changes: Any) -> None:
    owner = {**locking.new_owner(), "host": "elsewhere", "beat": time.time(), **changes}
    fsspec.filesystem("memory").pipe_file(url, json.dumps(owner).encode())


def test_the_second_comer_is_told_who_is_there(url: str) -> None:
    said = rf"d is being worked on by process \d+ on {socket.gethostname()}"
    with StoreLock(url, "d is being worked on"), pytest.raises(RequestError, match=said):
        StoreLock(url, "d is being worked on").__enter__()
    assert not fsspec.filesystem("memory").exists(url)
    with StoreLock(url, "d"):
        pass


@pytest.mark.parametrize(("age", "alive"), [(locking.STALE - 20, True), (locking.STALE + 20, False)])
def test_an_owner_elsewhere_is_alive_while_it_puts_the_object_anew(url: str, age: float, alive: bool) -> None:
    leave(url, beat=time.time() - age)
    if alive:
        with pytest.raises(RequestError, match="elsewhere"):
            StoreLock(url, "d").__enter__()
    else:
        with StoreLock(url, "d"):
            pass


def test_a_dead_process_of_this_host_does_not_keep_it(url: str) -> None:
    leave(url, host=socket.gethostname(), process=2**22 + 1)
    with StoreLock(url, "d"):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_what_is_no_lock_is_taken_away(url: str, content: bytes) -> None:
    fsspec.filesystem("memory").pipe_file(url, content)
    with StoreLock(url, "d"):
        pass


def test_one_that_was_taken_over_is_lost_and_left_to_the_new_owner(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "BEAT", 0.01)
    with StoreLock(url, "d") as lock:
        leave(url, token="theirs")
        deadline = time.monotonic() + 600
        while not lock.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock.lost
    assert (StoreLock(url, "d").read() or {})["token"] == "theirs"


@pytest.mark.parametrize("refusal", [TypeError, NotImplementedError])
def test_a_store_without_conditions_is_looked_at_again(
    url: str, monkeypatch: pytest.MonkeyPatch, refusal: type[Exception]
) -> None:
    put = fsspec.implementations.memory.MemoryFileSystem.pipe_file

    def no_mode(self: Any, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        if mode == "create":
            raise refusal
        put(self, path, value)

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "pipe_file", no_mode)
    monkeypatch.setattr(store_lock, "SETTLE", 0.0)
    with StoreLock(url, "d"), pytest.raises(RequestError):
        StoreLock(url, "d").__enter__()
    monkeypatch.setattr(time, "sleep", lambda seconds: leave(url))  # another puts it in the pause
    with pytest.raises(RequestError, match="elsewhere"):
        StoreLock(url, "d").__enter__()


@pytest.mark.parametrize("refusal", [OSError("503 SlowDown"), StoreError("does not answer")], ids=["once", "for long"])
def test_an_outage_of_the_store_does_not_lose_the_lock(
    url: str, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    monkeypatch.setattr(locking, "BEAT", 0.01)
    kind = fsspec.implementations.memory.MemoryFileSystem
    asked: list[str] = []

    def no_answer(self: Any, path: str, *rest: Any, **options: Any) -> bytes:
        asked.append(path)
        raise refusal

    def beats_on(lock: StoreLock) -> bool:
        before, deadline = (lock.read() or {})["beat"], time.monotonic() + 600
        while (lock.read() or {})["beat"] == before and time.monotonic() < deadline:
            time.sleep(0.01)
        return bool((lock.read() or {})["beat"] > before)

    with StoreLock(url, "d") as lock:
        for method in ("cat_file", "pipe_file"):
            with monkeypatch.context() as outage:
                outage.setattr(kind, method, no_answer)
                deadline = time.monotonic() + 600
                while len(asked) < 3 and time.monotonic() < deadline:
                    time.sleep(0.01)
            assert len(asked) >= 3
            asked.clear()
            assert beats_on(lock)
            assert not lock.lost
    with monkeypatch.context() as outage:
        lock = StoreLock(url, "d").__enter__()
        outage.setattr(kind, "cat_file", no_answer)
        lock.__exit__(None, None, None)
    assert lock.read() is not None
