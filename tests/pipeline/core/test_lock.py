"""The lock of a folder: one owner at a time, named in the refusal, and not kept by the dead."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llama_data.pipeline.core import lock as locking
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.lock import STALE, Lock, is_alive, read_owner, refuse_if_held


def test_the_second_comer_is_told_who_is_there(tmp_path: Path) -> None:
    path = tmp_path / "run" / "run.lock"
    with Lock(path, "a run is at work here"):
        expected = rf"a run is at work here by process {os.getpid()} on {socket.gethostname()} since \d{{4}}-"
        for attempt in (
            lambda: Lock(path, "a run is at work here").__enter__(),
            lambda: refuse_if_held(path, "a run is at work here"),
        ):
            with pytest.raises(RequestError, match=expected):
                attempt()
    assert list(path.parent.iterdir()) == []
    refuse_if_held(path, "a run")
    with Lock(path, "a run"):
        pass


def _leave(path: Path, **changes: object) -> None:
    """A lock as another owner would have left it."""
    owner = {**Lock(path, "x").owner, "token": "theirs", **changes}
    path.write_text(json.dumps(owner))


def test_a_dead_process_of_this_host_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    _leave(path, process=ended.pid)
    with Lock(path, "a run") as lock:
        assert (read_owner(path) or {})["token"] == lock.owner["token"]


def test_a_process_number_that_is_another_process_by_now_does_not_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    _leave(path, process=os.getppid(), born="1")
    with Lock(path, "a run"):
        pass


def test_an_owner_on_another_host_is_alive_while_it_touches_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    _leave(path, host="elsewhere")
    now = time.time()
    for age, alive in ((0.0, True), (STALE - 5, True), (STALE + 5, False)):
        os.utime(path, (now - age, now - age))
        assert is_alive(read_owner(path) or {}, path) is alive
    with Lock(path, "a run"):
        pass


def test_the_owner_touches_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "BEAT", 0.01)
    path = tmp_path / "run.lock"
    with Lock(path, "a run"):
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 600
        while path.stat().st_mtime == 1 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1


@pytest.mark.parametrize("content", ["", "{", "[]", "17"])
def test_what_is_no_lock_is_taken_away(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.lock"
    path.write_text(content)
    os.utime(path, (1, 1))
    with Lock(path, "a run"):
        pass


def test_one_whose_name_is_there_before_its_content_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.lock"
    path.touch()
    monkeypatch.setattr(
        time, "sleep", lambda seconds: _leave(path, process=os.getppid(), born=locking._born(os.getppid()))
    )
    with pytest.raises(RequestError, match=f"process {os.getppid()} "):
        Lock(path, "a run").__enter__()


def test_who_died_while_taking_over_does_not_keep_others_from_it(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    _leave(path, process=2**22 + 1)
    guard = tmp_path / "run.lock.takeover"
    guard.write_text("{}")
    os.utime(guard, (1, 1))
    with Lock(path, "a run"):
        assert not guard.exists()


def test_while_another_takes_over_nothing_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, guard = tmp_path / "run.lock", tmp_path / "run.lock.takeover"
    _leave(path, process=2**22 + 1)
    guard.write_text("{}")
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(path.exists() and guard.exists())
        _leave(path, process=os.getppid(), born=locking._born(os.getppid()))  # the other one is done
        guard.unlink()

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(RequestError, match=f"process {os.getppid()} "):
        Lock(path, "a run").__enter__()
    assert waited == [True]


@pytest.mark.parametrize("left_by_the_dead", [False, True])
@pytest.mark.parametrize("links", [True, False])
def test_of_many_that_come_at_once_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_by_the_dead: bool, links: bool
) -> None:
    def refuse(source: object, target: object) -> None:
        raise PermissionError(1, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "run.lock"
    if left_by_the_dead:
        _leave(path, process=2**22 + 1)

    def attempt(_: int) -> bool:
        try:
            Lock(path, "a run").__enter__()
        except RequestError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(64))) == 1


def test_a_lock_that_somebody_took_over_is_left_to_them(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with Lock(path, "a run"):
        _leave(path, host="elsewhere")
    assert (read_owner(path) or {})["token"] == "theirs"
