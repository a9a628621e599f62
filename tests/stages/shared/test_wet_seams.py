"""WET files are read alike wherever a buffer ends: inside a member, a mark, a header or a record."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_data.stages.shared import framing, members, warc
from llama_data.stages.shared.members import GZIP, Window, next_member
from llama_data.stages.shared.records import Damage
from llama_data.stages.shared.wet import WetRecord, read_wet

BODIES = [b"First page.\n" * 9, b"WARC/1.0 is written here.\nWARC/1.0\n", b"", b"x", b"Fifth page.\r\n\r\n"]


def record(number: int, body: bytes, length: int | None = None) -> bytes:
    head = f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.org/{number}\r\nContent-Length: "
    return f"{head}{len(body) if length is None else length}\r\n\r\n".encode() + body + b"\r\n\r\n"


def read(path: Path) -> tuple[list[bytes], list[int]]:
    """Bodies of the pages and offsets of what is damaged."""
    found = list(read_wet(str(path)))
    return (
        [item.body for item in found if isinstance(item, WetRecord)],
        [item.offset for item in found if isinstance(item, Damage)],
    )


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    def set_sizes(batch: int, feed: int) -> None:
        for module in (members, framing, warc):
            monkeypatch.setattr(module, "BATCH", batch, raising=False)
            monkeypatch.setattr(module, "FEED", feed, raising=False)

    return set_sizes


@pytest.mark.parametrize("batch", [3, 4, 16, 31])
def test_the_next_member_is_found_at_every_place_of_a_window(sizes: Callable[[int, int], None], batch: int) -> None:
    sizes(batch, 1 << 16)

    def next_start(data: bytes, offset: int) -> tuple[int, bool]:
        return next_member(Window(io.BytesIO(data)), offset, GZIP, re.compile(b"WARC/"))

    member = gzip.compress(record(0, b"page"), mtime=0)
    other = gzip.compress(b"no record", mtime=0)
    for place in range(1, 2 * batch + 4):
        before = b"." + b"\x1f\x8b\x08\x1f\x8b"[: place - 1].rjust(place - 1, b".")
        assert next_start(before + member, 0) == (place, True)
        assert next_start(before + other + member, 0) == (place, False)
        assert next_start(before + other[:-9] + member, 0) == (place + len(other) - 9, True)
        assert next_start(before + other[:-1], 0) == (place + len(other) - 1, False)
        assert next_start(before + member, place + 1) == (place + len(member), False)
        # What has the header of the file's first member is a member, however broken; anything else may be none.
        place += len(member)
        assert next_start(member + before + other[:-9] + member, 1) == (place, True)


def test_sound_members_are_read_for_any_size_of_a_batch(tmp_path: Path, sizes: Callable[[int, int], None]) -> None:
    members = [gzip.compress(record(n, body), mtime=0) for n, body in enumerate(BODIES)]
    path = tmp_path / "a.wet.gz"
    path.write_bytes(b"".join(members))
    bounds = [sum(map(len, members[:count])) for count in range(1, len(members) + 1)]
    around = [bound + shift for bound in bounds for shift in range(-2, 13)]
    for batch in sorted({*around, *range(10, bounds[-1], 17), 1 << 20}):
        sizes(batch, 1 << 16)
        assert read(path) == (BODIES, []), batch
    for feed in (1, 2, 9, 50):
        sizes(64, feed)
        assert read(path) == (BODIES, []), feed


def test_a_damaged_member_costs_itself_for_any_size_of_a_batch(
    tmp_path: Path, sizes: Callable[[int, int], None]
) -> None:
    members = [gzip.compress(record(n, body), mtime=0) for n, body in enumerate(BODIES)]
    members[1] = members[1][:12] + b"\xff\xff\xff" + members[1][15:]
    path = tmp_path / "a.wet.gz"
    path.write_bytes(b"".join(members) + bytes(7))
    for batch in [*range(10, sum(map(len, members)) + 20, 7), 1 << 20]:
        sizes(batch, 1 << 16)
        assert read(path) == ([BODIES[0], *BODIES[2:]], [len(members[0])]), batch


@pytest.mark.parametrize("pack", [bytes, lambda data: gzip.compress(data, mtime=0)], ids=["plain", "one member"])
def test_a_wrong_length_costs_its_record_for_any_size_of_a_buffer(
    tmp_path: Path, sizes: Callable[[int, int], None], pack: Callable[[bytes], bytes]
) -> None:
    records = [record(n, body, 70 if n == 1 else None) for n, body in enumerate(BODIES)]
    path = tmp_path / "a.wet"
    path.write_bytes(pack(b"".join(records)))
    for size in [*range(1, 330, 7), 1 << 20]:
        sizes(size, size)
        bodies, damaged = read(path)
        assert bodies == [BODIES[0], *BODIES[2:]], size
        assert len(damaged) == 1


def test_a_record_is_held_up_to_the_limit_and_not_beyond(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (framing, warc):
        monkeypatch.setattr(module, "MAX_RECORD", 500)
    path = tmp_path / "a.wet"
    for pack in (bytes, gzip.compress):
        for size, kept in ((499, True), (500, True), (501, False)):
            path.write_bytes(b"".join(pack(record(n, body)) for n, body in enumerate([b"a", b"b" * size, b"c"])))
            bodies, damaged = read(path)
            assert bodies == [b"a", *([b"b" * size] if kept else []), b"c"]
            assert len(damaged) == (not kept)


def test_a_header_may_be_as_long_as_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_HEADER", 4096)
    path = tmp_path / "a.wet"
    for filler, kept in ((3000, True), (6000, False)):
        head = b"WARC/1.0\r\nWARC-Type: conversion\r\nX-Filler: " + b"f" * filler + b"\r\nContent-Length: 4\r\n\r\n"
        path.write_bytes(record(0, b"a") + head + b"long\r\n\r\n" + record(1, b"c"))
        bodies, damaged = read(path)
        assert bodies == [b"a", *([b"long"] if kept else []), b"c"]
        assert len(damaged) == (not kept)


@pytest.mark.parametrize("batch", [7, 300])
def test_the_next_record_is_found_at_every_place_of_a_buffer(
    tmp_path: Path, sizes: Callable[[int, int], None], batch: int
) -> None:
    # The search keeps 256 bytes of what it has seen: it needs to be given more than that at a time.
    sizes(batch, 300)
    path = tmp_path / "a.wet"
    for extra in range(0, 320, 5):
        # Longer than what is read of a header, so that the search has to read on.
        damaged = record(1, b"." * (1500 + extra), 99_999_999_999)
        path.write_bytes(record(0, b"a") + damaged + record(2, b"c"))
        assert read(path) == ([b"a", b"c"], [len(record(0, b"a"))]), extra
