"""How far a run is, from what is on disk."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.lock import Lock, new_owner
from llama_data.pipeline.core.screen import plain
from llama_data.pipeline.executors.holding import lock_url
from llama_data.pipeline.executors.records import Failure, write_failure, write_jobs, write_json
from llama_data.pipeline.logs import logs_of
from llama_data.pipeline.status import STRAGGLER, lines, status_of, watch


def since(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten tasks: six complete in 20 s each and one in 80 s, one failed, two begun a while ago."""
    logs = tmp_path / "logs"
    write_jobs(f"{logs}/tokenize/d/jobs.json", [("tokenize/d/pack", 10), ("tokenize/d/index", 1)], "local", 2)
    job = f"{logs}/tokenize/d/pack"
    for rank in range(7):
        seconds = 80.0 if rank == 4 else 20.0
        write_json(f"{job}/completions/{rank:05d}", {"seconds": seconds, "cpu": 1.0})
    write_failure(job, 7, Failure("death", "its process was killed by SIGKILL", "d/x#1", 3, output="the \x1b[31mend"))
    for rank, age in ((8, STRAGGLER * 20 + 30), (9, STRAGGLER * 20 - 30)):
        write_json(f"{job}/running/{rank:05d}.json", {**new_owner(), "since": since(age)})
    (Path(job) / "logs").mkdir()
    for rank in range(9):
        (Path(job) / "logs" / f"task_{rank:05d}.log").write_text(f"first of {rank}\nlast \x1b]0;evil\x07of {rank}\n")
    return tmp_path


def held(run: Path) -> Lock:
    return Lock(Path(lock_url(str(run), "tokenize/d")), "x")


def test_jobs_and_tasks_are_counted_while_somebody_works_on_them(run: Path) -> None:
    with held(run):
        [group] = status_of(str(run))
    assert (group.group, group.state) == ("tokenize/d", "running")
    assert f"process {os.getpid()} on " in group.who
    pack, index = group.jobs
    assert (pack.done, [task.task for task in pack.running], list(pack.failed)) == (7, [8, 9], [7])
    assert (pack.median, pack.slowest) == (20.0, (4, 80.0))
    assert [task.task for task in pack.stragglers] == [8]
    mean = 200 / 7
    assert pack.rate == pytest.approx(60 * 2 / mean)
    assert pack.left == pytest.approx(mean / 10)  # both have run for longer than the others took
    assert (index.done, index.tasks, index.median) == (0, 1, None)


def test_what_nobody_works_on_has_failed_or_was_stopped(run: Path) -> None:
    [group] = status_of(str(run))
    assert (group.state, group.who, group.jobs[0].running) == ("failed", "", [])
    (run / "logs" / "tokenize" / "d" / "pack" / "failures" / "00007.json").unlink()
    assert status_of(str(run))[0].state == "stopped"


def test_what_has_all_its_tasks_is_complete(run: Path) -> None:
    (run / "logs" / "tokenize" / "d" / "pack" / "failures" / "00007.json").unlink()
    for job, tasks in (("pack", 10), ("index", 1)):
        for rank in range(tasks):
            write_json(f"{run}/logs/tokenize/d/{job}/completions/{rank:05d}", {})
    found = list(watch(str(run), 0.1))
    assert [group.state for group in found[0]] == ["complete"]
    assert len(found) == 1


def test_a_task_whose_process_is_gone_does_not_run(run: Path) -> None:
    note = run / "logs" / "tokenize" / "d" / "pack" / "running" / "00008.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "born": "1"}))
    with held(run):
        assert [task.task for task in status_of(str(run))[0].jobs[0].running] == [9]


def test_it_is_told_in_lines_and_as_json(run: Path) -> None:
    with held(run):
        groups = status_of(str(run))
    told = "\n".join(lines(groups))
    assert "7 of 10 done, 2 running, 1 failed, 4.2 tasks a minute, about 2.9 s left" in told
    assert "median 20.0 s, slowest 80.0 s (task 4)" in told
    assert "task 8 has run for 9" in told
    assert "task 7: its process was killed by SIGKILL 3 times; the last record it had read is d/x#1" in told
    assert json.loads(json.dumps(groups[0].as_json()))["jobs"][0]["stragglers"] == [8]


def test_where_there_is_no_run_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no run is there"):
        status_of(str(tmp_path))


def test_logs_are_shown_without_what_a_terminal_would_obey(run: Path) -> None:
    shown = list(logs_of(str(run), job=None, failed=False, task=None, lines=None))
    assert sum(line.startswith("== tokenize/d/pack task ") for line in shown) == 9
    assert "last of 3" in shown
    assert not any("\x1b" in line or "evil" in line for line in shown)


def test_logs_of_failed_tasks_end_with_what_their_process_said(run: Path) -> None:
    shown = list(logs_of(str(run), job="tokenize/d", failed=True, task=None, lines=1))
    assert shown[0].startswith("== tokenize/d/pack task 7: its process was killed by SIGKILL 3 times")
    assert shown[1] == "last of 7"
    assert shown[-1] == "the end"
    for wrong in ({"job": "absent"}, {"job": None, "task": 99}):
        with pytest.raises(RequestError):
            list(logs_of(str(run), failed=False, lines=None, **{"task": None, **wrong}))  # type: ignore[arg-type]
    none = logs_of(str(run), job="tokenize/d", failed=True, task=1, lines=None)
    assert list(none) == [f"{run}: no task has failed in tokenize/d, of task 1"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[2J\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mx\x9d0;title\x9cy", "xy"),
        ("\x1bPpayload\x1b\\z\x1bc", "z"),
        ("a\rb\x08c\x7f\x00", "abc"),
        ("\u202eright\u2066", "right"),
        ("\x1b", ""),
        ("\x1b[", ""),
        ("naïve 文字 😀", "naïve 文字 😀"),
    ],
)
def test_control_sequences_are_taken_out(text: str, shown: str) -> None:
    assert plain(text) == shown
