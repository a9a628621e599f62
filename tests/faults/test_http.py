"""Files of a web server that fails: what is read is whole and of one version, or is an error."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from web_server import Faults, Web

from llama_data.pipeline.core import files, http, stores
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.stores import Limits, Patience, StoreError

DATA = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def web(web: Web) -> Web:
    """That server, with one file, ``/a.bin``."""
    web.files["/a.bin"] = DATA
    return web


@pytest.mark.parametrize(
    "faults",
    [
        Faults(busy=0.6),
        Faults(many=0.6),
        Faults(reset=0.6),
        Faults(truncate=0.8),
        Faults(busy=0.2, many=0.1, reset=0.2, truncate=0.3),
    ],
    ids=lambda faults: "-".join(kind for kind in Faults.KINDS if getattr(faults, kind)),
)
@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_read_is_whole_whatever_fails(web: Web, faults: Faults, ranges: bool) -> None:
    web.ranges = ranges
    for seed in range(4):
        web.faults = faults
        faults.seed, faults.most = seed, 6  # a server without ranges that always breaks can never be read
        web.clear()
        assert files.read_bytes(web.url + "a.bin") == DATA
    assert sum(web.counts[kind] for kind in Faults.KINDS)


def test_reading_goes_on_at_the_byte_where_it_broke(web: Web) -> None:
    web.faults = Faults(truncate=1.0, most=3)
    reading = http.Reading(web.url + "a.bin")
    assert b"".join(reading) == DATA
    assert web.counts["GET"] == 4  # each half of what was left, then the rest
    assert reading.mark.size == len(DATA)


def test_threads_that_ask_at_the_same_time_share_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one who came too late would be closed by nobody."""
    made, both = http.httpx2.Client, threading.Barrier(2)

    def at_once(**options: Any) -> Any:
        both.wait()
        return made(**options)

    http.forget()
    monkeypatch.setattr(http.httpx2, "Client", at_once)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda _: http.client(), range(2))
    assert one is other
    http.forget()


def test_a_process_closes_its_connections_when_it_ends(web: Web) -> None:
    code = f"from llama_data.pipeline.core import files; print(len(files.read_bytes('{web.url}a.bin')))"
    command = [sys.executable, "-W", "default::ResourceWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{len(DATA)}\n", "")


def test_a_stall_is_waited_out(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "READ_SECONDS", 0.3)
    http.forget()
    web.faults = Faults(stall=1.0, most=1, stall_seconds=1.0)
    assert files.read_bytes(web.url + "a.bin") == DATA


@pytest.mark.parametrize("etags", [True, False])
def test_bytes_of_two_versions_are_never_put_together(web: Web, etags: bool) -> None:
    web.etags = etags
    other = bytes(reversed(DATA)) if etags else DATA + b"!"  # without an etag, the size tells
    with files.open_binary(web.url + "a.bin") as stream:
        assert stream.read(1000) == DATA[:1000]
        stream.seek(2_500_000)
        web.files["/a.bin"] = other
        with pytest.raises(StoreError, match="changed"):
            stream.read(10)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("behind", [0, 1, 100_000, http.BEHIND])
def test_jumps_read_what_a_file_would(web: Web, ranges: bool, behind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BEHIND", behind)
    web.ranges = ranges
    twin = io.BytesIO(DATA)
    draws = random.Random(3)
    with files.open_binary(web.url + "a.bin") as stream:
        for _ in range(25):
            at, size = draws.randrange(len(DATA) + 10), draws.choice([0, 1, 1000, 300_000, -1])
            assert stream.seek(at) == twin.seek(at)
            assert stream.read(size) == twin.read(size)
        assert stream.seek(-5, io.SEEK_END) == twin.seek(-5, io.SEEK_END)
        assert stream.read() == DATA[-5:]


def test_a_step_back_or_a_short_one_forward_is_no_request(web: Web) -> None:
    with files.open_binary(web.url + "a.bin") as stream:
        stream.read(1_000_000)
        stream.seek(0)
        assert stream.read(10) == DATA[:10]
        stream.seek(1_500_000)
        assert stream.read(10) == DATA[1_500_000:1_500_010]
        assert web.counts == {"GET": 1}
        stream.seek(-10, io.SEEK_END)
        assert stream.read() == DATA[-10:]
        assert web.counts == {"GET": 2}


def test_one_request_reads_a_file_from_its_first_byte(web: Web) -> None:
    web.files["/b.gz"] = gzip.compress(DATA)
    assert b"".join(files.read_pieces(web.url + "b.gz")) == DATA
    assert web.counts == {"GET": 1}


def test_an_archive_is_read_in_place(web: Web) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one", DATA)
        archive.writestr("two", b"second")
    web.files["/a.zip"] = packed.getvalue()
    with files.open_binary(web.url + "a.zip") as stream, zipfile.ZipFile(stream) as archive:
        assert archive.read("two") == b"second"
        assert archive.read("one") == DATA


@pytest.mark.parametrize("data", [b"", b"x"])
def test_the_smallest_files(web: Web, data: bytes) -> None:
    web.files["/small"] = data
    assert files.read_bytes(web.url + "small") == data
    [split] = files.list_inputs(web.url + "small", [])
    assert (split.size, split.name) == (len(data), "small")


def test_a_file_that_is_not_there_or_not_allowed_is_said_at_once(web: Web) -> None:
    with pytest.raises(InputError, match="404"):
        files.read_bytes(web.url + "none")
    assert not files.exists(web.url + "none")
    web.faults = Faults(status=403)
    with pytest.raises(InputError, match=r"403: it does not allow it, or has had too many requests"):
        files.read_bytes(web.url + "a.bin")
    assert web.counts["GET"] == 2
    web.faults = Faults(status=400)
    with pytest.raises(StoreError, match="400"):  # not an OSError: no reader may take it for damage
        files.read_bytes(web.url + "a.bin")


def test_a_server_that_is_not_there_fails_by_its_first_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LIMITS", Limits(pause=0.001, longest=0.01, first_seconds=0.05))
    with pytest.raises(StoreError, match="never answered: check the address"):
        files.read_bytes("http://127.0.0.1:9/a.bin")


def test_a_length_that_is_not_said_can_be_read_and_not_planned_with(web: Web) -> None:
    web.lengths = False
    assert files.read_bytes(web.url + "a.bin") == DATA
    with pytest.raises(InputError, match="does not say how long"):
        files.list_inputs(web.url + "a.bin", [])


def test_what_a_server_asks_to_wait_is_waited_and_counts_as_no_failure() -> None:
    now = [0.0]
    patience = Patience("x", limits=Limits(seconds=100, pause=1.0), clock=lambda: now[0], draw=lambda low, high: high)
    for number in range(1, 5):
        pause = patience.pause(http.HttpError("x", 429, retry_after=90.0))
        assert pause == 90 + min(20.0, 2**number)
        now[0] += 90
    with pytest.raises(StoreError, match="come again in 101 s"):
        patience.pause(http.HttpError("x", 429, retry_after=101.0))


def test_who_asks_is_said(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(http.CONTACT_VARIABLE, "me@example.org\r\nX-Bad: 1")
    http.forget()
    files.read_bytes(web.url + "a.bin")
    [agent] = web.agents
    assert agent.startswith("llama-data/")
    assert "me@example.orgX-Bad: 1" in agent
