"""What is shown while a command works: on terminals of any width, in a log, for programs; and at its end."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.stopping import Stopped
from llama_data.pipeline.core.whereabouts import Counts
from llama_data.pipeline.executors.records import Failure, write_failure, write_jobs, write_json
from llama_data.pipeline.live import display as displays
from llama_data.pipeline.live.results import Result
from llama_data.pipeline.live.views import Jobs, View, Work, frame
from llama_data.pipeline.status import GroupStatus, JobStatus, Running, Watcher, in_short

ROOT = Path(__file__).resolve().parents[3]


def job(name: str, tasks: int, done: int, **more: Any) -> JobStatus:
    return JobStatus(name, tasks, done, **more)


@pytest.fixture
def groups() -> list[GroupStatus]:
    """Seven domains: one at work with 1,000 tasks, failures and a slow task, one complete, the others wait."""
    counts = Counts(4_123_456, 4_000_000, 175_000, 12, 90 * 10**9)
    failed = {rank: f"its process was killed\x1b[2J by {rank}\nkept: 5" for rank in (3, 7, 8, 9)}
    running = [Running(345, 20.0, "node", 1, Counts(100)), Running(12, 800.0, "node", 2, Counts(100))]
    at_work = job("commoncrawl/documents", 1000, 345, failed=failed, running=running, median=20.0, left=3300.0)
    at_work.counts, at_work.exact, at_work.speed = counts, False, Counts(1520, bytes=29_400_000)
    over = job("github/documents", 64, 64, counts=Counts(1000, 1000, 250))
    made = [GroupStatus(name, "local", "running", "x", "", []) for name in ("c4", "wikipedia", "books", "arxiv")]
    return [
        GroupStatus("commoncrawl", "local", "running", "x", "", [at_work]),
        GroupStatus("github", "local", "complete", "", "", [over]),
        *made,
        GroupStatus("a-source-with-a-name-that-is-long", "local", "running", "x", "", []),
    ]


def drawn(groups: list[GroupStatus], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(frame(groups, width, "12 min"))
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [20, 24, 39, 40, 56, 64, 72, 79, 80, 96, 119, 200])
def test_a_frame_fits_the_terminal_and_says_what_matters(groups: list[GroupStatus], width: int) -> None:
    lines = drawn(groups, width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 + 7 + 5  # the head, the groups, three failures, how many, and the slow task
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "345/1.00k" in text or "345/1,000" in text
    if width >= 40:
        assert re.search(r"commoncrawl.* 4\.4% .*55 min", text)
        assert re.search(r"github.* 25\.0% .*done", text)
    if width >= 80:
        assert "~4.12M" in text
        assert "1,520   29.4" in text
        assert "task 12 has run for 13 min" in text


def test_counts_are_short() -> None:
    numbers = (0, 999, 9_999, 10_000, 12_345, 123_456, 1_000_000, 4_123_456, 99 * 10**9, 14 * 10**11)
    assert [in_short(number) for number in numbers] == [
        "0", "999", "9,999", "10.0k", "12.3k", "123k", "1.00M", "4.12M", "99.0G", "1.40T",
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two tasks of three are complete, and one has failed; nobody works on them."""
    logs = f"{tmp_path}/logs/mine"
    write_jobs(f"{logs}/jobs.json", [("mine/documents", 3)], "local", 2)
    for rank in range(2):
        counts = {"records": 10, "settled": 10, "kept": 5, "failed": 0, "bytes": 1000}
        write_json(f"{logs}/documents/completions/{rank:05d}", {"seconds": 2.0, "cpu": 1.0, "counts": counts})
    write_failure(f"{logs}/documents", 2, Failure("error", "a disk is full"))
    return tmp_path


def test_what_tasks_have_done_is_read_from_the_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = Watcher(str(run)).look()[0].jobs
    assert (found.counts, found.exact, found.kept) == (Counts(20, 20, 10, 0, 2000), True, 0.5)
    monkeypatch.setattr("llama_data.pipeline.status.SAMPLE", 1)
    watcher = Watcher(str(run))
    [some] = watcher.look()[0].jobs
    assert (some.counts, some.exact) == (found.counts, False)  # one of two was read, and counted twice
    [all_] = watcher.look()[0].jobs
    assert (all_.counts, all_.exact) == (found.counts, True)


def test_a_log_has_a_line(run: Path) -> None:
    view = Jobs(str(run), ["mine", "other"])
    view.look()
    assert re.fullmatch(
        r"1 of 2: mine/documents: 2 of 3 tasks, 1 failed, 20 records \(50\.0% kept\) \([\d.]+ s so far\)", view.line()
    )


class Seen(View):
    """Says that it was drawn, whereupon the test goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.enough = threading.Event()

    def look(self) -> None:
        self.looks += 1
        if self.looks == 1:
            raise OSError("a look that fails is tried again")
        if self.looks > 3:
            self.enough.set()

    def frame(self, width: int) -> str:
        return "[b]a frame[/b] " * 40

    def line(self) -> str:
        return "a line\x1b[2J"

    def event(self) -> dict[str, Any]:
        return {"event": "work", "what": "x"}


def seen(display: displays.Display, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the display show something a few times."""
    monkeypatch.setattr(displays, "SHARE", 1.0)
    view = Seen()
    with display._watching(view, 0.001):
        assert view.enough.wait(60)


def test_a_pipe_gets_lines_and_nobody_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen(displays.Pipe(), monkeypatch)
    out, err = capsys.readouterr()
    assert (out, set(err.splitlines())) == ("", {"  a line"})
    quiet = displays.Quiet()
    with quiet.work("x"):
        quiet.say("x")
    quiet.result(Result([{"what": "x"}], 1.0))
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[displays.Terminal, int]]:
    """A display on a terminal of 40 columns and 6 lines, and the descriptor from which one reads what it shows."""
    import fcntl
    import struct
    import termios

    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 40, 0, 0))
    monkeypatch.setenv("TERM", "xterm-256color")
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        yield displays.Terminal(), reader
    os.close(reader)


def test_a_terminal_is_drawn_over_and_left_in_order(
    terminal: tuple[displays.Terminal, int], groups: list[GroupStatus], monkeypatch: pytest.MonkeyPatch
) -> None:
    display, reader = terminal
    view = Jobs("nowhere", [])
    view.groups = groups
    display.draw(view)
    first = os.read(reader, 1 << 16).decode()
    assert first.count("\n") == 5  # of 13 lines so many as fit, and the last is free
    assert first.endswith("…\r\n")
    display.say("something\x1b[2J that stays")
    said = os.read(reader, 1 << 16).decode()
    assert said.startswith("\x1b[5F\x1b[Jsomething that stays\r\n")
    display.clear()
    assert os.read(reader, 1 << 16).decode() == "\x1b[5F\x1b[J"
    # Nothing but colours, and moves over its own lines: a killed process leaves nothing to be put in order.
    assert set(re.findall(r"\x1b\[\??[\d;]*([A-Za-z])", first + said)) <= {"m", "F", "J"}
    monkeypatch.setenv("NO_COLOR", "1")
    display.draw(view)
    plain = os.read(reader, 1 << 16).decode()
    assert not re.search(r"\x1b\[[\d;]*3[0-9]", plain)
    assert "commoncrawl" in plain


def test_a_terminal_that_was_resized_loses_nothing_above(terminal: tuple[displays.Terminal, int]) -> None:
    import fcntl
    import struct
    import termios

    display, reader = terminal
    work = Work("training", 100, "bytes")
    display.draw(work)
    os.read(reader, 1 << 16)
    fcntl.ioctl(reader, termios.TIOCSWINSZ, struct.pack("HHHH", 6, 24, 0, 0))
    display.draw(work)
    after = os.read(reader, 1 << 16).decode()
    assert "F" not in re.findall(r"\x1b\[\d+([A-Z])", after)
    assert max(len(re.sub(r"\x1b\[[\d;]*m", "", line).rstrip("\r")) for line in after.split("\n")) < 24


@pytest.mark.parametrize(("term", "is_one"), [("xterm", True), ("dumb", False), ("", False)])
def test_a_dumb_terminal_is_a_pipe(
    terminal: tuple[displays.Terminal, int], monkeypatch: pytest.MonkeyPatch, term: str, is_one: bool
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr", terminal[0].errors)
    assert displays.is_terminal() is is_one
    with displays.display() as mine:
        assert isinstance(mine, displays.Terminal if is_one else displays.Pipe)


def test_every_event_is_a_line_and_documented(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["llama-data", "run", "a b"])

    def work() -> None:
        with displays.display(as_json=True) as mine:
            mine.say("a line\u202e")
            seen(mine, monkeypatch)
            jobs = Jobs(str(run), ["mine"])
            jobs.look()
            mine.draw(jobs)
            mine.result(Result([{"stage": "mine", "kept": 5}], 1.5, ["run"], ["llama-data report run"]))
            raise RunError("it went wrong")

    with pytest.raises(RunError):
        work()
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["text"] == "a line"
    assert {event["event"] for event in events} == {"message", "work", "progress", "result", "end"}
    documented = (ROOT / "docs" / "formats.md").read_text().partition("## Events")[2].partition("\n## ")[0]
    for event in events:
        assert f"`{event['event']}`" in documented
        assert all(f"`{key}`" in documented for key in event), event
    progress = next(event for event in events if event["event"] == "progress")
    for key in (*progress["groups"][0], *progress["groups"][0]["jobs"][0], *progress["groups"][0]["jobs"][0]["counts"]):
        assert f"`{key}`" in documented, key
    assert events[-1] | {"time": ""} == {
        "time": "", "event": "end", "ok": False, "exit_code": 1, "says": "it went wrong",
    }  # fmt: skip


def test_who_stops_is_told_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["llama-data", "run", "all", "-c", "a b.yaml"])
    with pytest.raises(Stopped) as caught, displays.display():
        raise Stopped(15)
    assert caught.value.says == "what is complete stays; to go on: llama-data run all -c 'a b.yaml'"


def test_a_download_says_how_far_it_is() -> None:
    work = Work("lid.176.bin", unit="bytes")
    assert re.fullmatch(r"lid\.176\.bin: [\d.]+ s", work.line())
    work.told(50_000_000, 126_000_000)
    assert work.line().startswith("lid.176.bin: 50.0M of 126M bytes")
    assert work.event() == {
        "event": "work", "what": "lid.176.bin", "done": 50_000_000, "total": 126_000_000, "unit": "bytes",
    }  # fmt: skip


def test_the_end_is_a_table_or_where_that_is_too_wide_blocks() -> None:
    result = Result(
        [{"stage": "mine", "records": 1234, "MB": 0.5, "reason": "x\ny"}], 3.0, ["a run"], ["llama-data report 'a run'"]
    )
    lines = list(result.lines(None))
    assert lines[0].splitlines() == ["stage  records    MB  reason", "mine     1,234  0.50  x y"]
    assert lines[1:] == ["done in 3.0 s: a run", "next:", "  llama-data report 'a run'"]
    assert next(result.lines(28)) == lines[0]
    assert [*replace(result, then=[], ended="failed").lines(None)][1:] == ["failed after 3.0 s: a run"]
    waiting = "submitted, not done yet, after 3.0 s: a run"
    assert [*replace(result, then=[], ended="submitted").lines(None)][1:] == [waiting]
    assert list(result.lines(27))[:3] == ["mine", "  records  1,234", "  MB       0.50"]
