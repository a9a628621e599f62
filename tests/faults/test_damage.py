"""Damaged files of every format: what is promised of them holds (the long form is ``python tests/faults/soak.py``)."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest
from formats import COUNT, FORMATS, TEXTS, read
from pyarrow import ipc
from soak import faults_of

SEEDS = 500 if "LLAMA_DATA_SOAK" in os.environ else 25


@pytest.mark.parametrize("name", FORMATS)
def test_damage_costs_what_it_touches_and_has_a_row(name: str) -> None:
    assert faults_of(name, 0, SEEDS)["faults"] == []


def test_a_tag_that_no_longer_begins_its_page_is_a_row(tmp_path: Path) -> None:
    sound = FORMATS["wikipedia"]
    at = sound.records[5].start
    found = read(sound, sound.data[:at] + b"<pXge" + sound.data[at + 5 :], tmp_path)
    assert [reason for reason, _ in found.rows] == ["invalid_xml"]
    assert found.texts == TEXTS[:5] + TEXTS[6:]


def test_rows_of_posts_under_garbage_are_a_row(tmp_path: Path) -> None:
    sound = FORMATS["posts"]
    start, end = sound.records[3].start + 1, sound.records[5].end - 1
    found = read(sound, sound.data[:start] + b"\0garbage" * 50 + sound.data[end:], tmp_path)
    assert [reason for reason, _ in found.rows] == ["damaged_record"]
    assert found.texts == TEXTS[:3] + TEXTS[6:]


def test_garbage_behind_a_row_of_posts_leaves_the_row(tmp_path: Path) -> None:
    sound = FORMATS["posts"]
    end = sound.records[3].end - 1
    found = read(sound, sound.data[:end] + b"garbage" + sound.data[end:], tmp_path)
    assert len(found.rows) == 1
    assert found.texts == TEXTS


def test_a_file_of_posts_without_its_frame_is_read(tmp_path: Path) -> None:
    sound = FORMATS["posts"]
    first, last = sound.records[0].start, sound.records[-1].end
    assert read(sound, sound.data[first:last], tmp_path) == (TEXTS, [])


@pytest.mark.parametrize("name", ["wet.gz-stored", "wet.zst-stored"])
def test_a_first_member_that_begins_with_damage_costs_itself(tmp_path: Path, name: str) -> None:
    sound = FORMATS[name]
    found = read(sound, b"\xfe\xdc" + sound.data[2:], tmp_path)
    assert len(found.rows) == 1
    assert found.texts == [text.strip() for text in TEXTS[1:]]


@pytest.mark.parametrize("lost", [1, 100, 424])
def test_papers_behind_lost_bytes_are_found(tmp_path: Path, lost: int) -> None:
    sound = FORMATS["arxiv"]
    at = sound.records[4].start + 600
    found = read(sound, sound.data[:at] + sound.data[at + lost :], tmp_path)
    assert found.rows
    assert [text for text in TEXTS if any(text in one for one in found.texts)] == TEXTS[:4] + TEXTS[5:]


def test_a_header_of_zeros_is_a_row_and_a_tar_behind_another_none(tmp_path: Path) -> None:
    sound = FORMATS["arxiv"]
    at = sound.records[4].start
    found = read(sound, sound.data[:at] + bytes(512) + sound.data[at + 512 :], tmp_path)
    assert len(found.rows) == 1
    assert len(found.texts) == COUNT - 1
    assert read(sound, sound.data * 2, tmp_path).rows == []


def test_a_damaged_header_in_a_tar_of_code_is_a_row(tmp_path: Path) -> None:
    sound = FORMATS["code-tar"]
    at = sound.records[4].start
    found = read(sound, sound.data[:at] + b"\xff" * 100 + sound.data[at + 100 :], tmp_path)
    assert len(found.rows) == 1
    assert found.texts == TEXTS[:4]


def test_a_stream_of_arrow_that_ends_before_its_file_is_a_row(tmp_path: Path) -> None:
    table = pa.table({"text": TEXTS})
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sound = FORMATS["table-stream"]
    assert read(sound, sink.getvalue(), tmp_path) == (TEXTS, [])
    assert len(read(sound, sink.getvalue() * 2, tmp_path).rows) == 1


def test_the_wrong_size_in_a_header_costs_its_paper(tmp_path: Path) -> None:
    sound = FORMATS["arxiv"]
    at = sound.records[4].start
    header = tarfile.TarInfo.frombuf(sound.data[at : at + 512], "utf-8", "strict")
    for size in (0, header.size - 100, header.size + 1000, 1 << 30):
        header.size = size
        found = read(sound, sound.data[:at] + header.tobuf() + sound.data[at + 512 :], tmp_path)
        assert len(found.texts) >= COUNT - 1
        assert len(found.texts) + len(found.rows) >= COUNT


def test_a_member_whose_first_bytes_are_damaged_has_a_row_also_behind_one_of_its_size(tmp_path: Path) -> None:
    sound = FORMATS["wet.gz-stored"]
    for record in sound.records[1:]:
        at = record.start + 2
        found = read(sound, sound.data[:at] + b"\xff" + sound.data[at + 1 :], tmp_path)
        assert len(found.texts) == COUNT - 1
        assert len(found.rows) == 1


@pytest.mark.parametrize("damage", [b"=", b"\xff" * 9])
def test_damage_in_the_header_of_an_arc_record_leaves_the_record_before(tmp_path: Path, damage: bytes) -> None:
    sound = FORMATS["arc"]
    for record in sound.records[1:]:
        at = record.start + 3
        found = read(sound, sound.data[:at] + damage + sound.data[at + 1 :], tmp_path)
        assert len(found.texts) + len(found.rows) == COUNT
        assert len(found.texts) >= COUNT - 1


@pytest.mark.parametrize("left", [1, 4, 30])
def test_an_arc_file_that_ends_inside_a_header_keeps_the_record_before(tmp_path: Path, left: int) -> None:
    sound = FORMATS["arc"]
    found = read(sound, sound.data[: sound.records[5].start + left], tmp_path)
    assert [text for text in TEXTS if any(text.strip() in one for one in found.texts)] == TEXTS[:5]
    assert [reason for reason, _ in found.rows] == ["truncated_file"]


def test_the_length_of_an_arc_record_that_ends_too_early_is_still_seen(tmp_path: Path) -> None:
    sound = FORMATS["arc"]
    begin, end = sound.records[5].start, sound.records[5].end
    line, newline, body = sound.data[begin:end].partition(b"\n")
    words = line.split(b" ")
    shorter = b" ".join([*words[:-1], str(int(words[-1]) - 20).encode()])
    found = read(sound, sound.data[:begin] + shorter + newline + body + sound.data[end:], tmp_path)
    assert len(found.texts) == COUNT - 1
    assert [reason for reason, _ in found.rows] == ["damaged_record"]


def test_an_arc_file_whose_first_line_is_damaged_is_still_one(tmp_path: Path) -> None:
    sound = FORMATS["arc"]
    found = read(sound, b"filede\xf2c" + sound.data[8:], tmp_path)
    assert [text for text in TEXTS if any(text.strip() in one for one in found.texts)] == TEXTS
    assert [reason for reason, _ in found.rows] == ["not_a_page"]


@pytest.mark.parametrize("name", ["books-zip", "code-zip"])
def test_members_that_a_damaged_directory_hides_have_a_row(tmp_path: Path, name: str) -> None:
    sound = FORMATS[name]
    entries = [at for at in range(len(sound.data)) if sound.data[at : at + 4] == b"PK\1\2"]
    at = entries[3] + 32  # the length of the entry's comment
    found = read(sound, sound.data[:at] + b"\xff\xff" + sound.data[at + 2 :], tmp_path)
    assert found.texts == TEXTS[:4]
    assert [reason for reason, _ in found.rows] == ["damaged_archive"]
    assert f"4 of {COUNT} members" in found.rows[0][1]


def test_garbage_that_ends_as_a_row_of_posts_does_leaves_the_row_before(tmp_path: Path) -> None:
    sound = FORMATS["posts"]
    start, end = sound.records[4].start, sound.records[4].end
    garbage = sound.data[start:end].replace(b"<row", b"yrow").replace(b'" />', b" />")
    found = read(sound, sound.data[:start] + garbage + sound.data[end:], tmp_path)
    assert len(found.rows) == 1
    assert found.texts == TEXTS[:4] + TEXTS[5:]


@pytest.mark.parametrize("name", ["warc", "warc.gz-stored", "wet", "wet.gz-stored"])
@pytest.mark.parametrize("other", [b"resp\x00nse", b"no-such-type", b""])
def test_a_damaged_warc_type_is_a_row_and_its_neighbours_stay(tmp_path: Path, name: str, other: bytes) -> None:
    sound = FORMATS[name]
    packed = name.endswith(".gz-stored")
    start, end = sound.records[4].start, sound.records[4].end
    record = gzip.decompress(sound.data[start:end]) if packed else sound.data[start:end]
    head, mark, rest = record.partition(b"WARC-Type: ")
    damaged = head + mark + other + b"\r\n" + rest.partition(b"\r\n")[2]
    found = read(
        sound, sound.data[:start] + (gzip.compress(damaged) if packed else damaged) + sound.data[end:], tmp_path
    )
    assert len(found.texts) == COUNT - 1
    assert [reason for reason, _ in found.rows] == ["damaged_record"]


def test_a_score_of_twenty_digits_is_a_row(tmp_path: Path) -> None:
    sound = FORMATS["posts"]
    start, end = sound.records[4].start, sound.records[4].end
    post = sound.data[start:end].replace(b'Score="3"', b'Score="12345678901234567890"')
    found = read(sound, sound.data[:start] + post + sound.data[end:], tmp_path)
    assert [reason for reason, _ in found.rows] == ["damaged_record"]
    assert found.texts == TEXTS[:4] + TEXTS[5:]


@pytest.mark.parametrize("name", ["books-zip", "code-zip"])
def test_a_zip_whose_directory_stands_before_the_file_is_a_row_for_each_member(tmp_path: Path, name: str) -> None:
    """Its place is what its end says: one too large makes every member's place negative."""
    sound = FORMATS[name]
    at = sound.data.rindex(b"PK\5\6") + 16
    place = int.from_bytes(sound.data[at : at + 4], "little") + len(sound.data)
    found = read(sound, sound.data[:at] + place.to_bytes(4, "little") + sound.data[at + 4 :], tmp_path)
    assert found.texts == []
    assert {reason for reason, _ in found.rows} == {"damaged_archive"}
    assert len(found.rows) in (1, COUNT)
