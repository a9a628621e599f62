"""S3 over HTTP from a server that fails: what is read and written is whole, or is not there."""

from __future__ import annotations

import bz2
import gzip
import multiprocessing
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from s3_server import Faults, Store

from llama_data.pipeline.core import cache, files, stores
from llama_data.pipeline.core import copies as copies_module
from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.stores import Limits, StoreError

pytest.importorskip("s3fs", reason="s3fs is not installed: install the extra `s3` to run these")

DATA = random.Random(5).randbytes(3_000_000)


@pytest.fixture
def store(store: Store) -> Store:
    """That server, with one bucket, ``b``."""
    store.put("b/.keep", b"")
    return store


def write(url: str, data: bytes, piece: int = 700_001) -> None:
    with files.atomic_write(url) as stream:
        for at in range(0, len(data), piece):
            stream.write(data[at : at + piece])


@pytest.mark.parametrize(
    "faults",
    [
        Faults(slow_down=0.5),
        Faults(error=0.5),
        Faults(reset=0.5),
        Faults(lost=0.4),
        Faults(truncate=0.5, only="^GET"),
        Faults(short=0.5, only="^GET"),
        Faults(slow_down=0.5, reset=0.05, truncate=0.05, short=0.05, lost=0.05),
    ],
    ids=lambda faults: "-".join(kind for kind in Faults.KINDS if getattr(faults, kind)),
)
def test_whatever_fails_the_bytes_are_the_same(store: Store, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PART", 5 << 20)
    monkeypatch.setattr(stores, "BLOCK", 1 << 20)
    store.faults = faults
    large = DATA * 4
    sizes = {"none": 0, "one": 1, "part": 5 << 20, "large": len(large)}
    for name, size in sizes.items():
        write(f"s3://b/run/{name}.bin", large[:size])
    write("s3://b/run/text.gz", gzip.compress(DATA))
    write("s3://b/run/text.bz2", bz2.compress(DATA[:300_000]))
    for name, size in sizes.items():
        assert store.objects[f"b/run/{name}.bin"][0] == large[:size], name
        assert files.read_bytes(f"s3://b/run/{name}.bin") == large[:size], name
        assert files.file_size(f"s3://b/run/{name}.bin") == size
    assert b"".join(files.read_pieces("s3://b/run/text.gz")) == DATA
    assert b"".join(files.read_pieces("s3://b/run/text.bz2")) == DATA[:300_000]
    listed = files.list_files("s3://b/run", ".bin")
    assert listed == [f"s3://b/run/{name}.bin" for name in sorted(sizes)]
    assert files.exists("s3://b/run/one.bin")
    assert not files.exists("s3://b/run/two.bin")
    assert [split.name for split in files.list_inputs("s3://b/run", ["*.gz"])] == ["text.gz"]
    files.remove_tree("s3://b/run")
    assert set(store.objects) == {"b/.keep"}
    if not (faults.lost or faults.reset):  # a lost reply to the beginning of an upload leaves one that is empty
        assert store.uploads == {}
    assert sum(store.counts[kind] for kind in Faults.KINDS) > 5


def test_a_body_that_breaks_is_asked_for_from_where_it_broke(store: Store) -> None:
    store.put("b/x", DATA)
    store.faults = Faults(truncate=1.0, only="^GET", most=3)
    assert files.read_bytes("s3://b/x") == DATA
    ranges = [what.split()[-1] for what in store.asked if what.startswith("GET")]
    starts = [int(part.removeprefix("bytes=").split("-")[0]) for part in ranges]
    assert starts[:4] == sorted(starts[:4])
    assert len(set(starts[:4])) == 4
    assert store.sent["b/x"] < 2 * len(DATA)  # the server counts what it meant to send, not what it cut


def test_an_object_that_changes_while_it_is_read_is_an_error(store: Store) -> None:
    store.put("b/x", DATA)
    with files.open_binary("s3://b/x") as stream:
        assert stream.read(10) == DATA[:10]
        store.put("b/x", DATA[::-1])
        with pytest.raises(StoreError, match="s3://b/x: the object has changed while it was read"):
            stream.read()


def test_a_file_that_is_shut_or_gone_midway_is_no_damage(store: Store) -> None:
    """Credentials run out: a reader must not take what follows for lost, and end in good order."""
    store.put("b/x", DATA)
    with files.open_binary("s3://b/x") as stream:
        stream.read(10)
        store.closed.add("b")
        with pytest.raises(StoreError, match="can no longer be read: PermissionError"):
            stream.read()
        store.closed.clear()
        del store.objects["b/x"]
        with pytest.raises(StoreError, match="can no longer be read: FileNotFoundError"):
            stream.read()


def test_a_store_that_stays_down_ends_the_task_and_is_no_damage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("b/x.gz", gzip.compress(DATA))
    monkeypatch.setattr(stores, "LIMITS", Limits(tries=4, pause=0.001))
    with files.open_decompressed("s3://b/x.gz") as stream:
        stream.read(1)
        store.faults = Faults(slow_down=1.0)
        with pytest.raises(StoreError, match=r"s3://b/x.gz: the store failed 4 tries .*SlowDown"):
            stream.read()
    assert store.counts["slow_down"] == 4  # neither botocore nor s3fs tries on its own


def test_a_stalled_connection_times_out_and_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from llama_data.pipeline.core.s3 import PatientS3

    monkeypatch.setattr(PatientS3, "read_timeout", 0.5)
    store.put("b/x", DATA)
    store.faults = Faults(stall=1.0, stall_seconds=5.0, most=1)
    assert files.read_bytes("s3://b/x") == DATA
    assert store.counts["stall"] == 1


def test_a_write_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PART", 5 << 20)

    def broken(url: str, data: bytes) -> None:
        with files.atomic_write(url) as stream:
            stream.write(data)
            assert bool(store.uploads) == (len(data) > 5 << 20)
            raise ZeroDivisionError

    for size in (5, 12_000_000):
        with pytest.raises(ZeroDivisionError):
            broken("s3://b/y", bytes(size))
    monkeypatch.setattr(stores, "LIMITS", Limits(tries=3, pause=0.001))
    store.faults = Faults(error=1.0, only="^PUT|POST.*uploadId")
    with pytest.raises(StoreError):
        write("s3://b/w", DATA * 4)
    assert store.uploads == {}
    assert set(store.objects) == {"b/.keep"}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://b/none", r"s3://b/none: no such file|s3://b/none"),
        ("s3://nobody/x", r"s3://nobody/x: "),
        ("s3://shut/x", r"s3://shut/x: cannot be read: the store does not allow it .* in bucket shut"),
    ],
)
def test_what_will_not_pass_is_asked_for_once(store: Store, url: str, said: str) -> None:
    store.buckets.add("shut")
    store.closed.add("shut")
    with pytest.raises(InputError, match=said):
        files.open_binary(url)
    assert sum(store.counts.values()) + len(store.asked) < 9


def test_a_wrong_address_is_said_soon(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(stores, "LIMITS", Limits(pause=0.001, longest=0.01, first_seconds=0.0))
    stores.forget()
    with pytest.raises(StoreError, match="never answered: check the address"):
        files.open_binary("s3://b/x")


@pytest.mark.parametrize("lost", ["^PUT", "^POST.*uploadId"])
def test_a_reply_that_is_lost_does_not_undo_what_was_done(
    store: Store, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try finds its own object, or its upload gone, and must not take that for a failure."""
    store.faults = Faults(lost=1.0, only=lost, most=1)
    fs, path = files.file_system("s3://b/lock")
    if lost == "^PUT":
        fs.pipe_file(path, b"mine", mode="create")
        assert store.objects["b/lock"][0] == b"mine"
        with pytest.raises(OSError, match="condition"):
            fs.pipe_file(path, b"another's", mode="create")
    else:
        monkeypatch.setattr(stores, "PART", 5 << 20)
        write("s3://b/large", DATA * 4)
        assert store.objects["b/large"][0] == DATA * 4
    assert store.counts["lost"] == 1


def test_what_is_not_removed_with_others_is_removed_again_or_said(store: Store) -> None:
    """A store answers 200 to the removal of many objects, and says in the reply which of them are still there."""
    for name in ("run/1", "run/2", "run/below/3", "runner"):
        store.put(f"b/{name}", b"x")
    store.stubborn["b/run/2"] = "InternalError"
    files.remove_tree("s3://b/run")
    assert set(store.objects) == {"b/.keep", "b/runner"}
    assert store.counts == {"list": 1, "remove_many": 2}
    files.remove_tree("s3://b/run")  # nothing is there
    files.remove_tree("s3://b/runner")
    files.remove_file("s3://b/runner")
    assert set(store.objects) == {"b/.keep"}
    store.put("b/run/1", b"x")
    store.stubborn["b/run/1"] = "AccessDenied"
    with pytest.raises(PermissionError, match=r"does not remove it \(AccessDenied\)"):
        files.remove_tree("s3://b/run")


def test_a_look_is_one_request(store: Store) -> None:
    store.put("b/run/manifest.json", b"{}")
    for look, expected in (
        (lambda: files.is_file("s3://b/run/manifest.json"), True),
        (lambda: files.is_file("s3://b/run"), False),
        (lambda: files.read_if_there("s3://b/run/manifest.json"), b"{}"),
        (lambda: files.read_if_there("s3://b/run/none"), None),
        (lambda: files.read_bytes("s3://b/run/manifest.json"), b"{}"),
        (lambda: files.list_files("s3://b/run", ".json"), ["s3://b/run/manifest.json"]),
        (lambda: files.list_files("s3://b/none", ""), []),
    ):
        store.clear()
        assert look() == expected
        assert sum(store.asked.values()) == 1, store.asked
    store.closed.add("b")
    with pytest.raises((InputError, PermissionError)):
        files.read_if_there("s3://b/run/none")  # not allowed is not absent


def test_folders_are_listed_page_by_page_and_not_from_memory(store: Store) -> None:
    for number in range(1203):
        store.put(f"b/many/{number:05d}.bin", b"x")
    assert len(files.list_files("s3://b/many", ".bin")) == 1203
    assert store.counts["list"] == 2
    store.put("b/many/new.bin", b"x")  # by another process
    assert len(files.list_files("s3://b/many", ".bin")) == 1204


def _map(url: str, out: str) -> None:
    data = cache.map_file(url)
    Path(out).write_text(f"{data.size} {int(data.astype(np.int64).sum())}")


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "copies"))
    monkeypatch.setattr(copies_module, "CHUNK", 1 << 20)
    yield tmp_path / "copies"
    cache.let_go()


def test_many_workers_fetch_a_table_once(store: Store, copies: Path, tmp_path: Path) -> None:
    store.put("b/table", DATA)
    store.faults = Faults(slow_down=0.3, truncate=0.1)
    spawned = multiprocessing.get_context("spawn")
    workers = [spawned.Process(target=_map, args=("s3://b/table", str(tmp_path / f"{n}"))) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    expected = f"{len(DATA)} {int(np.frombuffer(DATA, np.uint8).astype(np.int64).sum())}"
    assert {(tmp_path / f"{n}").read_text() for n in range(3)} == {expected}
    store.faults = Faults()
    sent = store.sent["b/table"]
    assert sent < 1.5 * len(DATA)  # cut bodies are sent in part again
    assert bytes(cache.map_file("s3://b/table")) == DATA
    assert store.sent["b/table"] == sent


def test_another_version_is_another_copy_and_a_damaged_one_is_fetched_again(store: Store, copies: Path) -> None:
    store.put("b/t", b"first")
    assert bytes(cache.map_file("s3://b/t")) == b"first"
    store.put("b/t", b"other")
    assert bytes(cache.map_file("s3://b/t")) == b"other"
    cache.let_go()
    for path in copies.glob("*.copy"):
        path.write_bytes(b"wrong")
    assert bytes(cache.map_file("s3://b/t")) == b"other"
    store.put("b/none", b"")
    assert cache.map_file("s3://b/none").size == 0
    with pytest.raises(InputError, match="s3://b/gone"):
        cache.map_file("s3://b/gone")


@pytest.mark.parametrize(("limit", "left"), [(200, ["b", "c"]), (199, ["c"]), (300, ["a", "b", "c"])])
def test_the_copies_are_bounded(
    store: Store, copies: Path, monkeypatch: pytest.MonkeyPatch, limit: int, left: list[str]
) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, str(limit))
    for order, name in enumerate("abc"):
        store.put(f"b/{name}", name.encode() * 100)
        cache.map_file(f"s3://b/{name}")
        cache.let_go()  # the worker has ended
        newest = max(copies.glob("*.copy"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(order, order))
    assert sorted(path.read_text()[0] for path in copies.glob("*.copy")) == left


def test_a_copy_in_use_stays(store: Store, copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT_VARIABLE, "150")
    for name in "ab":
        store.put(f"b/{name}", name.encode() * 100)
    held = cache.map_file("s3://b/a")
    with pytest.raises(RequestError, match="do not fit beside the copies in use"):
        cache.map_file("s3://b/b")
    assert bytes(held) == b"a" * 100
    store.put("b/large", bytes(151))
    with pytest.raises(RequestError, match=r"151 bytes, and all copies in .* may have 150"):
        cache.map_file("s3://b/large")
