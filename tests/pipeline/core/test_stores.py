"""The rule for stores: what is tried again, how often, how long, how fast; files that are read by ranges."""

from __future__ import annotations

import errno
import io
import random

import pytest

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.stores import Asked, Limits, Pace, Patience, StoreError, StoreReader, insist, may_pass


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def patience(clock: Clock, **limits: float) -> Patience:
    return Patience("s3://b/key", limits=Limits(**limits), clock=clock, draw=lambda low, high: high)  # type: ignore[arg-type]


def test_pauses_double_up_to_the_longest() -> None:
    waiting = patience(Clock(), pause=0.5, longest=3.0)
    assert [waiting.pause(TimeoutError()) for _ in range(5)] == [1.0, 2.0, 3.0, 3.0, 3.0]


def test_a_pause_is_drawn_from_nothing_to_its_longest() -> None:
    asked = []

    def draw(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    waiting = Patience("x", limits=Limits(pause=0.5), draw=draw)
    assert (waiting.pause(TimeoutError()), waiting.pause(TimeoutError())) == (0.0, 0.0)
    assert asked == [(0.0, 1.0), (0.0, 2.0)]


def test_the_last_try_ends_the_task_and_says_what_failed() -> None:
    waiting = patience(Clock(), tries=3)
    for _ in range(2):
        waiting.pause(TimeoutError("first"))
    with pytest.raises(StoreError, match=r"^s3://b/key: the store failed 3 tries in 0 s, the last time with .*: last;"):
        waiting.pause(TimeoutError("last"))


@pytest.mark.parametrize(("passed", "ends"), [(9.9, False), (10.0, True)])
def test_time_ends_it_too(passed: float, ends: bool) -> None:
    clock = Clock()
    waiting = patience(clock, seconds=10.0)
    clock.now = passed
    if ends:
        with pytest.raises(StoreError):
            waiting.pause(TimeoutError())
    else:
        assert waiting.pause(TimeoutError()) > 0


def test_a_store_that_never_answered_is_given_up_sooner() -> None:
    clock = Clock()
    waiting = Patience("x", known=False, limits=Limits(seconds=100, first_seconds=5), clock=clock)
    clock.now = 5
    with pytest.raises(StoreError, match="never answered: check the address"):
        waiting.pause(ConnectionRefusedError())


def test_what_comes_begins_the_count_anew() -> None:
    clock = Clock()
    waiting = patience(clock, tries=2, seconds=10.0)
    for _ in range(5):
        clock.now += 9
        waiting.pause(ConnectionResetError())
        waiting.progress()


def test_a_store_that_is_down_is_no_damaged_file() -> None:
    """A reader takes an OSError for bytes that are damaged, which would cost the rest of the file."""
    assert issubclass(StoreError, RunError)
    assert not issubclass(StoreError, OSError)


class _Answer(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


_Answer.__module__ = "aiohttp.client_exceptions"


class _Google(Exception):
    def __init__(self, code: int | str | None) -> None:
        self.code = code


_Google.__module__ = "gcsfs.retry"


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (BrokenPipeError(), True),
        (OSError(errno.EIO, "x"), True),
        (OSError("no number"), True),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (FileExistsError(), False),
        (IsADirectoryError(), False),
        (OSError(errno.ENOSPC, "x"), False),
        (OSError(errno.EINVAL, "x"), False),
        (ValueError(), False),
        (_Answer(500), True),
        (_Answer(503), True),
        (_Answer(429), True),
        (_Answer(408), True),
        (_Answer(404), False),
        (_Answer(403), False),
        (_Answer(400), False),
        (_Google(500), True),
        (_Google("503"), True),
        (_Google(None), True),
        (_Google(401), False),
    ],
    ids=repr,
)
def test_what_may_pass(error: Exception, passes: bool) -> None:
    assert may_pass(error) is passes


def test_an_action_is_tried_until_it_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LIMITS", Limits(pause=0.0))
    fails = [TimeoutError(), ConnectionResetError(), OSError("x")]

    def action() -> str:
        if fails:
            raise fails.pop()
        return "done"

    assert insist("x", action) == "done"


def test_a_store_without_a_rule_of_its_own_gets_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LIMITS", Limits(pause=0.0))

    class Weak:
        protocol = "weak"
        asked = 0

        def exists(self, path: str) -> bool:
            self.asked += 1
            if self.asked < 4:
                raise ConnectionResetError
            return True

    weak = Weak()
    fs = stores.adopt(weak)
    assert isinstance(fs, Asked)
    assert fs.exists("x")
    assert weak.asked == 4
    assert fs.protocol == "weak"


def test_the_pace_spreads_requests() -> None:
    pace = Pace(most=10.0)
    assert [pace.wait(5.0) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    assert pace.wait(9.0) == 0.0


def test_the_pace_halves_once_a_second_and_comes_back() -> None:
    pace = Pace(most=100.0, least=20.0)
    pace.slow_down(1.0)
    pace.slow_down(1.9)
    assert pace.rate == 50
    pace.slow_down(2.0)
    pace.slow_down(3.0)
    assert pace.rate == 20
    for _ in range(200):
        pace.answered()
    assert pace.rate == 100


class Source:
    """A file of a store: what was asked of it."""

    def __init__(self, size: int) -> None:
        self.data = random.Random(size).randbytes(size)
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, end: int) -> bytes:
        assert 0 <= start < end <= len(self.data)
        self.asked.append((start, end))
        return self.data[start:end]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FIRST_BLOCK", 4)
    monkeypatch.setattr(stores, "BLOCK", 16)


@pytest.mark.usefixtures("small_blocks")
def test_blocks_grow_while_reading_goes_on() -> None:
    source = Source(100)
    reader = StoreReader("x", 100, source.fetch)
    assert b"".join(iter(lambda: reader.read(1), b"")) == source.data
    assert [end - start for start, end in source.asked][:5] == [8, 16, 16, 16, 16]
    assert source.asked[-1][1] == 100


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 15, 16, 17, 100])
def test_any_reads_give_the_bytes_of_the_file(size: int) -> None:
    source, draw = Source(size), random.Random(size)
    reader = StoreReader("x", size, source.fetch)
    same = io.BytesIO(source.data)
    for _ in range(300):
        if draw.random() < 0.3:
            at = draw.randrange(size + 3)
            assert reader.seek(at) == same.seek(at)
        wanted = draw.choice([-1, 0, 1, 2, 7, 16, 40])
        assert reader.read(wanted) == same.read(wanted)
        assert reader.tell() == same.tell()
    assert reader.seek(-1, io.SEEK_END) == same.seek(-1, io.SEEK_END) if size else True
    buffer = bytearray(5)
    assert reader.readinto(buffer) == min(1, size)


@pytest.mark.usefixtures("small_blocks")
def test_a_look_into_a_file_costs_few_bytes() -> None:
    source = Source(1000)
    reader = StoreReader("x", 1000, source.fetch)
    for at in (900, 10, 500):
        reader.seek(at)
        assert reader.read(3) == source.data[at : at + 3]
    assert source.asked == [(900, 904), (10, 14), (500, 504)]
