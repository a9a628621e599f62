"""Downloads from a server that fails, changes, lies and refuses: what has a name is whole, and the rest goes on."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from web_server import Faults, Web

from llama_data.pipeline.core import http, stores
from llama_data.pipeline.core.errors import RequestError, RunError
from llama_data.pipeline.core.lock import Lock
from llama_data.pipeline.core.stores import Limits
from llama_data.pipeline.download import fetch, queue
from llama_data.pipeline.download.catalogue import SOURCES
from llama_data.pipeline.download.queue import Progress, download, make_plan
from llama_data.pipeline.download.record import RECORD, read_record
from llama_data.pipeline.download.source import Item

DATA = random.Random(11).randbytes(1_500_000)
SHA1 = (("sha1", hashlib.sha1(DATA, usedforsecurity=False).hexdigest()),)
SOURCE = dataclasses.replace(SOURCES["commoncrawl"], connections=2)


@pytest.fixture
def web(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """That server, which is looked at often."""
    monkeypatch.setattr(fetch, "LIMITS", Limits(pause=0.001, longest=0.01))
    monkeypatch.setattr(queue, "LOOK", 0.01)
    return web


def items(web: Web, count: int, sums: tuple[tuple[str, str], ...] = SHA1) -> list[Item]:
    web.files |= {f"/d/{n}.bin": DATA for n in range(count)}
    return [Item(f"d/{n}.bin", f"{web.url}d/{n}.bin", None, sums) for n in range(count)]


def bring(folder: Path, wanted: list[Item], connections: int = 2, overwrite: bool = False) -> list[Progress]:
    told: list[Progress] = []
    download(make_plan(folder, wanted, overwrite=overwrite), SOURCE, connections=connections, tell=told.append)
    return told


def unfinished(folder: Path) -> list[Path]:
    return [path for path in (folder / ".part").rglob("*") if path.is_file()]


@pytest.mark.parametrize("shape", ["", "ranges", "etags", "etags times", "lengths", "ranges etags times"])
def test_files_come_whole_through_all_faults(web: Web, tmp_path: Path, shape: str) -> None:
    """``shape``: what the server does not have."""
    for lacking in shape.split():
        setattr(web, lacking, False)
    wanted = items(web, 4)
    # A reply without a length that is cut looks whole: there the published checksum tells, and another try is made.
    web.faults = Faults(busy=0.2, many=0.1, reset=0.1, truncate=0.3, most=8 if "lengths" not in shape else 2)
    told = bring(tmp_path, wanted)
    assert all((tmp_path / item.name).read_bytes() == DATA for item in wanted)
    assert unfinished(tmp_path) == []
    assert web.most_at_once <= 2
    assert told[-1][:2] == (4, 4)
    record = read_record(tmp_path)
    assert {row["sums"]["sha256"] for row in record.values()} == {hashlib.sha256(DATA).hexdigest()}
    row = record["d/0.bin"]
    assert (row["url"], row["size"], row["checked"]) == (f"{web.url}d/0.bin", len(DATA), "sha1")
    assert row["licence"] == SOURCE.licence
    web.clear()
    bring(tmp_path, wanted)
    assert web.counts["GET"] == 0  # all is there


def test_another_try_goes_on_at_the_byte_where_the_first_stopped(web: Web, tmp_path: Path) -> None:
    [item] = items(web, 1, ())
    assert fetch.fetch(item, tmp_path, stopped=lambda: True) is None
    [part] = [path for path in unfinished(tmp_path) if path.suffix == ".part"]
    had = part.stat().st_size
    assert 0 < had < len(DATA)
    came: list[int] = []
    fetched = fetch.fetch(item, tmp_path, came=lambda size, total: came.append(size))
    assert fetched is not None
    assert sum(came) == len(DATA) - had
    assert (tmp_path / item.name).read_bytes() == DATA


@pytest.mark.parametrize("same_size", [True, False])
@pytest.mark.parametrize("etags", [True, False])
def test_a_file_that_has_changed_meanwhile_begins_anew(web: Web, tmp_path: Path, etags: bool, same_size: bool) -> None:
    if not etags and same_size:
        web.times = False  # nothing tells the versions apart: what has come is not gone on with
    web.etags = etags
    [item] = items(web, 1, ())
    fetch.fetch(item, tmp_path, stopped=lambda: True)
    new = DATA[::-1] if same_size else DATA[::-1] + b"more"
    web.files["/d/0.bin"] = new
    assert fetch.fetch(item, tmp_path) is not None
    assert (tmp_path / item.name).read_bytes() == new


def test_what_does_not_fit_its_checksum_is_not_kept(web: Web, tmp_path: Path) -> None:
    [item] = items(web, 1, (("md5", "0" * 32),))
    with pytest.raises(RunError, match=r"its md5 is \w+, expected 0{32}; tried 3 times"):
        bring(tmp_path, [item])
    assert web.counts["GET"] == 3
    assert not (tmp_path / item.name).exists()
    assert unfinished(tmp_path) == []


def test_a_size_other_than_the_index_says_is_seen_before_the_bytes_come(web: Web, tmp_path: Path) -> None:
    [item] = items(web, 1)
    with pytest.raises(RunError, match=f"bytes 7 → {len(DATA)}"):
        bring(tmp_path, [item._replace(size=7)])


@pytest.mark.parametrize("damage", [lambda data: data[:-4], lambda data: data[:500] + b"x" + data[501:]])
def test_without_a_checksum_the_format_is_checked(web: Web, tmp_path: Path, damage: object) -> None:
    packed = gzip.compress(DATA)
    web.files = {"/a.gz": packed, "/b.gz": damage(packed)}  # type: ignore[operator]
    sound, bad = (Item(name, web.url + name) for name in ("a.gz", "b.gz"))
    with pytest.raises(RunError, match=r"b\.gz: what came is damaged"):
        bring(tmp_path, [sound, bad])
    assert read_record(tmp_path)["a.gz"]["checked"] == "length, crc32 of gzip"
    assert not (tmp_path / "b.gz").exists()


def test_a_file_that_is_not_there_costs_no_other(web: Web, tmp_path: Path) -> None:
    wanted = items(web, 3)
    del web.files["/d/1.bin"]
    with pytest.raises(RunError, match=r"(?s)1 files could not be had:.*404.*2 of 3 files are complete and stay"):
        bring(tmp_path, wanted)
    web.files["/d/1.bin"] = DATA
    bring(tmp_path, wanted)
    assert len(read_record(tmp_path)) == 3


def test_a_server_that_refuses_is_asked_no_further_file(web: Web, tmp_path: Path) -> None:
    web.faults = Faults(status=403, only="/d/0.bin")
    wanted = tuple(items(web, 40, ()))
    with pytest.raises(RunError, match=r"403.*wait some hours, then use fewer --connections; --contact says who"):
        download(queue.Plan(tmp_path, wanted, wanted, 0, 0, True, frozenset()), SOURCE, connections=2)
    assert web.asked["GET /d/0.bin"] == 1
    assert web.counts["GET"] < 20  # the other connection has ended too


def test_a_wait_that_is_asked_for_is_waited(web: Web, tmp_path: Path) -> None:
    [item] = items(web, 1)
    web.faults = Faults(many=1.0, most=2, retry_after="1")
    begun = time.monotonic()
    bring(tmp_path, [item])
    assert time.monotonic() - begun >= 2
    web.faults = Faults(many=1.0, retry_after="7200")
    with pytest.raises(RunError, match="asks to come again in 7,200 s"):
        bring(tmp_path / "other", [item])


def test_a_disk_without_room_is_seen_before_anything_comes(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = queue.shutil.disk_usage(tmp_path)
    need = 2 * len(DATA) + queue._SPARE
    wanted = items(web, 2)  # their sizes are asked for
    monkeypatch.setattr(queue.shutil, "disk_usage", lambda path: usage._replace(free=need - 1))
    with pytest.raises(RequestError, match="are to come and"):
        bring(tmp_path, wanted)
    assert web.counts["GET"] == 0
    monkeypatch.setattr(queue.shutil, "disk_usage", lambda path: usage._replace(free=need))
    bring(tmp_path, wanted)


def test_sizes_are_estimated_from_a_few(web: Web, tmp_path: Path) -> None:
    wanted = items(web, 40)
    web.files["/d/3.bin"] = b""
    plan = make_plan(tmp_path, wanted)
    assert web.counts["HEAD"] == queue.SAMPLE
    assert not plan.exact
    assert 0.9 * 40 * len(DATA) <= plan.bytes_all <= 40 * len(DATA)


def test_two_at_once_are_refused(web: Web, tmp_path: Path) -> None:
    wanted = items(web, 1)
    with (
        Lock(tmp_path / ".download.lock", "is being downloaded into"),
        pytest.raises(RequestError, match="is being downloaded into by process"),
    ):
        bring(tmp_path, wanted)
    bring(tmp_path, wanted)
    assert not (tmp_path / ".download.lock").exists()


def test_another_version_at_the_source_is_said_and_fetched_only_when_asked_for(web: Web, tmp_path: Path) -> None:
    [item] = items(web, 1)
    bring(tmp_path, [item])
    web.files["/d/0.bin"] = DATA[::-1]
    new = item._replace(sums=(("sha1", hashlib.sha1(DATA[::-1], usedforsecurity=False).hexdigest()),))
    with pytest.raises(RequestError, match=r"the source has another one since.*--overwrite"):
        bring(tmp_path, [new])
    assert (tmp_path / item.name).read_bytes() == DATA
    bring(tmp_path, [new], overwrite=True)
    assert (tmp_path / item.name).read_bytes() == DATA[::-1]


def test_a_file_that_came_before_its_line_was_written_is_checked_and_kept(web: Web, tmp_path: Path) -> None:
    wanted = items(web, 2)
    bring(tmp_path, wanted)
    record = tmp_path / RECORD
    whole = record.read_bytes()
    record.write_bytes(whole[:-20])  # killed while the last line was written
    web.clear()
    bring(tmp_path, wanted)
    assert web.counts["GET"] == 0
    assert len([json.loads(line) for line in record.read_text().splitlines()]) == 2
    record.unlink()
    (tmp_path / "d/0.bin").write_bytes(b"mine")
    with pytest.raises(RunError, match="is not what the source has"):
        bring(tmp_path, wanted)
    assert (tmp_path / "d/0.bin").read_bytes() == b"mine"


def test_a_download_that_is_killed_again_and_again_comes_whole(web: Web, tmp_path: Path) -> None:
    """The command itself, ended at random moments, by SIGKILL and by Ctrl-C."""
    import mirror

    web.files = mirror.stackexchange({f"s{n}.stackexchange.com.7z": DATA * 4 for n in range(3)})
    web.faults = Faults(truncate=0.3, only="^GET .*7z")
    command = [sys.executable, "-m", "llama_data.pipeline.cli", "download", "stackexchange", "--from", web.url]
    command += ["--output", str(tmp_path)]
    folder = tmp_path / "stackexchange"
    said = ""
    for number in (signal.SIGKILL, signal.SIGINT):
        running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        # Wait until it is at work, whatever the machine's speed; then end it there.
        while running.poll() is None and not unfinished(folder):
            time.sleep(0.01)
        running.send_signal(number)
        said = running.communicate()[1]
    web.faults = Faults()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LLAMA_DATA_CONTACT": "a@b.c"})
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.glob("*.7z")) == [f"s{n}.stackexchange.com.7z" for n in range(3)]
    assert {path.read_bytes() == DATA * 4 for path in folder.glob("*.7z")} == {True}
    assert len(read_record(folder)) == 3
    assert "llama-data run stackexchange --input" in done.stdout
    assert any("a@b.c" in agent for agent in web.agents)
    assert "the same command goes on from there" in said or "could not" not in said


def test_a_stall_is_waited_out(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "READ_SECONDS", 0.3)
    http.forget()
    [item] = items(web, 1)
    web.faults = Faults(stall=1.0, most=2, stall_seconds=1.0)
    bring(tmp_path, [item._replace(size=len(DATA))])
    assert (tmp_path / item.name).read_bytes() == DATA
