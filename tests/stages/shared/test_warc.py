"""Records of WARC and ARC files in every form they come in; damage costs one record, and has a row."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from warc_writer import FORMS, arc, arc_begin, html, http, page, record

from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import framing, members, warc
from llama_data.stages.shared.records import Damage, Record
from llama_data.stages.shared.warc import read_warc
from llama_data.stages.shared.wet_batch import WetBatch

INFO = record(b"software: none\r\n", 99, kind="warcinfo", content="application/warc-fields")
REQUEST = record(b"GET / HTTP/1.1\r\n\r\n", 98, kind="request")
COMPRESSED = [name for name in FORMS if name != "plain"]
forms = pytest.mark.parametrize("form", FORMS)


def read(path: Path) -> tuple[list[int], list[tuple[str, Reason]]]:
    """Numbers of the records that were read, and what is damaged; no name is given twice."""
    found = list(read_warc(str(path)))
    assert not any(isinstance(one, WetBatch) and one.offsets for one in found)
    keys = [one.key for one in found if isinstance(one, Record | Damage)]
    assert len(set(keys)) == len(keys)
    numbers = [int((one.url or "").rpartition("/")[2]) for one in found if isinstance(one, Record)]
    return numbers, [(one.key, one.reason) for one in found if isinstance(one, Damage)]


def write(path: Path, form: str, records: list[bytes]) -> Path:
    path.write_bytes(FORMS[form](records))
    return path


@forms
def test_records_of_all_types_are_read_in_every_form(tmp_path: Path, form: str) -> None:
    resource = record(html(2), 2, kind="resource", content="text/html")
    path = write(tmp_path / "a.warc", form, [INFO, REQUEST, page(1), resource, page(3)])
    found = list(read_warc(str(path)))
    assert [(one.kind, one.url) for one in found if isinstance(one, Record)] == [
        ("response", "http://example.org/1"),
        ("resource", "http://example.org/2"),
        ("response", "http://example.org/3"),
    ]
    assert [one.body for one in found if isinstance(one, Record)] == [http(html(1)), html(2), http(html(3))]
    assert read(path)[1] == []


@forms
@pytest.mark.parametrize("length", [40, 900, 5000, 10**8, 10**17, 10**30, "abc", "-1", ""])
def test_a_wrong_length_costs_its_record(tmp_path: Path, form: str, length: int | str) -> None:
    records = [INFO, page(1), page(2, length=length), page(3), page(4)]
    numbers, damages = read(write(tmp_path / "a.warc", form, records))
    assert numbers == [1, 3, 4]
    assert len(damages) == 1
    assert damages[0][1] in (Reason.damaged_record, Reason.truncated_file, Reason.too_complex)


@pytest.mark.parametrize("shift", [-1, 5, -3, 9, -40, 40])
def test_a_length_that_is_a_little_wrong_costs_its_record_at_its_place(tmp_path: Path, shift: int) -> None:
    size = len(http(html(2)))
    records = [page(1), page(2, length=size + shift), page(3)]
    path = write(tmp_path / "a.warc", "plain", records)
    assert read(path) == ([1, 3], [(str(len(records[0])), Reason.damaged_record)])
    path = write(tmp_path / "a.warc.gz", "gzip", records)
    numbers, damages = read(path)
    assert numbers == [1, 3]
    assert [key for key, _ in damages] == [str(len(gzip.compress(records[0], mtime=0)))]


def test_a_length_into_the_empty_lines_harms_nothing(tmp_path: Path) -> None:
    size = len(http(html(2)))
    for shift in (1, 2, 3, 4):
        path = write(tmp_path / "a.warc", "plain", [page(1), page(2, length=size + shift), page(3)])
        assert read(path) == ([1, 2, 3], [])


@pytest.mark.parametrize("form", ["plain", "one gzip member", "gzip blocks", "one zstd frame", "bzip2"])
def test_a_broken_header_costs_its_record_and_not_the_one_before(tmp_path: Path, form: str) -> None:
    for old, new in (
        (b"WARC/1.0", b"XXXX/1.0"),
        (b"WARC-Type", b"WARC-Tipe"),
        (b"response", b"rewponse"),
        (b"Content-Length", b"Content-Lenght"),
        (b"WARC/1.0\r\n", b""),
    ):
        broken = page(2).replace(old, new, 1)
        path = write(tmp_path / "a.warc", form, [page(1), broken, page(3)])
        numbers, damages = read(path)
        assert numbers == [1, 3]
        assert len(damages) == 1
        assert damages[0][1] is Reason.damaged_record
        if form == "plain":
            assert damages[0][0] == str(len(page(1)))


def test_what_follows_a_record_is_no_evidence_against_its_digest(tmp_path: Path) -> None:
    block = http(html(1)) + b"\r\n\r\nand more of it, with an empty line"
    digest = {"WARC-Block-Digest": "sha1:" + hashlib.sha1(block).hexdigest()}
    for length, kept in ((None, [1, 3]), (len(http(html(1))), [3])):
        made = record(block, 1, fields=digest, length=length) + b"garbage " * 9 + b"\r\n" + page(3)
        path = tmp_path / "a.warc"
        path.write_bytes(made)
        numbers, damages = read(path)
        assert numbers == kept
        assert len(damages) == 1


@pytest.mark.parametrize("lost", [0, 1, 2, 4])
def test_a_record_that_was_cut_when_its_writer_died_costs_itself(tmp_path: Path, lost: int) -> None:
    # Appended to without a newline between.
    path = tmp_path / "a.warc"
    path.write_bytes(page(1) + page(2)[: -200 - lost] + page(3) + page(4))
    assert read(path) == ([1, 3, 4], [(str(len(page(1))), Reason.damaged_record)])
    first = gzip.compress(page(1), mtime=0)
    path.write_bytes(first + gzip.compress(page(2))[: -20 - lost] + gzip.compress(page(3)))
    numbers, damages = read(path)
    assert numbers == [1, 3]
    assert [key for key, _ in damages] == [str(len(first))]


@forms
def test_a_header_that_was_cut_is_not_put_together_with_the_next(tmp_path: Path, form: str) -> None:
    cut = page(2)[: page(2).index(b"WARC-Date")]
    numbers, damages = read(write(tmp_path / "a.warc", form, [page(1), cut, page(3)]))
    assert numbers == [1, 3]
    assert len(damages) == 1


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_length_over_the_next_member_swallows_no_record(tmp_path: Path, form: str) -> None:
    longer = len(http(html(2))) + len(page(3))
    records = [page(1), page(2, length=longer), page(3), page(4)]
    numbers, damages = read(write(tmp_path / "a.warc", form, records))
    assert numbers == [1, 3, 4]
    assert len(damages) == 1


@pytest.mark.parametrize(
    "line", [b"WARC/1.0\r\nWARC-Type: x\r\n", b"WARC/1.0\r\nA: b\r\n", b"WARC/1.0\r\n", b"\r\r\n", b"a: 1 11111111 "]
)
def test_a_file_of_the_same_line_ends(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(line * 20_000 + page(1))
    assert read(path)[0] == [1]
    path.write_bytes(arc_begin() + b"x:/" + line * 20_000 + b"\n" + arc(http(html(1)), 1))
    assert read(path)[0] == [1]


@forms
def test_a_file_cut_short_has_a_row_for_its_end(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "a.warc", form, [page(1), page(2)])
    data = path.read_bytes()
    for cut in (1, 5, 60, 300):
        path.write_bytes(data[:-cut])
        numbers, damages = read(path)
        assert numbers in ([], [1], [1, 2])
        # Of the last four bytes, the plain form loses nothing that counts.
        assert damages or (form == "plain" and cut == 1)


@pytest.mark.parametrize("form", COMPRESSED)
def test_damage_in_compressed_bytes_leaves_what_is_before_it_and_ends_nothing(tmp_path: Path, form: str) -> None:
    records = [page(number) for number in range(6)]
    path = write(tmp_path / "a.warc", form, records)
    data = path.read_bytes()
    for place in range(20, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :])
        numbers, damages = read(path)
        if form in ("gzip", "zstd"):
            assert len(numbers) >= 5
        assert damages or numbers == list(range(6))


def test_a_broken_block_costs_the_records_that_it_reaches(tmp_path: Path) -> None:
    records = [page(number) for number in range(12)]
    data = FORMS["gzip blocks"](records)
    starts = [at for at in range(len(data)) if data.startswith(b"\x1f\x8b\x08", at)]
    place = starts[len(starts) // 2] + 30
    path = tmp_path / "a.warc.gz"
    path.write_bytes(data[:place] + b"\xff\xff" + data[place + 2 :])
    numbers, damages = read(path)
    assert len(numbers) >= 9
    assert 1 <= len(damages) <= 2


@pytest.mark.parametrize("kind", ["continuation", "response"])
def test_parts_of_a_record_have_rows(tmp_path: Path, kind: str) -> None:
    part = record(http(html(1)), 1, kind=kind, fields={"WARC-Segment-Number": "1"})
    path = write(tmp_path / "a.warc.gz", "gzip", [part, page(2)])
    assert read(path) == ([2], [("0", Reason.segmented_record)])


def test_no_row_for_what_is_no_page(tmp_path: Path) -> None:
    records = [record(b"x", 1, kind=kind) for kind in ("warcinfo", "request", "metadata", "revisit", "Request")]
    for form in ("plain", "gzip"):
        assert read(write(tmp_path / "a.warc", form, records)) == ([], [])


def test_an_address_between_angle_brackets_is_without_them(tmp_path: Path) -> None:
    made = page(1).replace(b"http://example.org/1", b"<http://example.org/1>")
    for form in ("plain", "gzip"):
        [found] = read_warc(str(write(tmp_path / "a.warc", form, [made])))
        assert isinstance(found, Record)
        assert found.url == "http://example.org/1"


@forms
def test_line_feeds_alone_will_do(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "a.warc", form, [page(1, end="\n"), page(2), page(3, end="\n", version="WARC/0.18")])
    assert read(path) == ([1, 2, 3], [])


@pytest.mark.parametrize("limit", [1000, 1 << 20])
@forms
def test_a_record_over_the_limit_is_passed_over_with_what_is_in_it(
    tmp_path: Path, form: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (framing, warc):
        monkeypatch.setattr(module, "MAX_RECORD", 2000)
    monkeypatch.setattr(framing, "FEED", limit)
    inner = b"".join(page(number) for number in range(10, 14))
    whole = record(http(inner, kind="application/warc"), 2)
    path = write(tmp_path / "a.warc", form, [page(1), whole, page(3)])
    found = [one for one in read_warc(str(path)) if isinstance(one, Record)]
    assert [one.url for one in found] == [f"http://example.org/{number}" for number in (1, 2, 3)]
    assert len(found[1].body) + found[1].lacking == len(http(inner, kind="application/warc"))
    # A length that is wrong hides nothing.
    path = write(tmp_path / "a.warc", form, [page(1), page(2, length=9000), page(3), page(4)])
    numbers, damages = read(path)
    assert numbers == [1, 3, 4]
    assert [reason for _, reason in damages] == [Reason.too_complex]


def test_the_limit_on_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(http(html(1)))
    for limit, lacking in ((size - 1, True), (size, False), (size + 1, False)):
        for module in (framing, warc):
            monkeypatch.setattr(module, "MAX_RECORD", limit)
        monkeypatch.setattr(framing, "FEED", 10)
        [found] = read_warc(str(write(tmp_path / "a.warc", "plain", [page(1)])))
        assert isinstance(found, Record)
        assert (found.lacking > 0) == lacking


@forms
@pytest.mark.parametrize("extra", ["", "200 - - 0 a.arc "])
def test_arc_files_are_read(tmp_path: Path, form: str, extra: str) -> None:
    records = [arc_begin(), *(arc(http(html(number)), number, extra=extra) for number in range(1, 5))]
    path = write(tmp_path / "a.arc", form, records)
    found = [one for one in read_warc(str(path)) if isinstance(one, Record)]
    assert [one.body for one in found] == [http(html(number)) for number in range(1, 5)]
    assert found[0].fields["warc-date"] == "2008-04-30T20:48:25Z"
    assert read(path) == ([1, 2, 3, 4], [])


@pytest.mark.parametrize("form", ["plain", "gzip", "one gzip member"])
@pytest.mark.parametrize("length", [40, 900, 5000])
def test_a_wrong_length_in_an_arc_file_costs_its_record(tmp_path: Path, form: str, length: int) -> None:
    records = [arc_begin(), arc(http(html(1)), 1), arc(http(html(2)), 2, length=length), arc(http(html(3)), 3)]
    numbers, damages = read(write(tmp_path / "a.arc", form, records))
    assert numbers == [1, 3]
    assert len(damages) == 1


@pytest.mark.parametrize("form", ["plain", "gzip", "one gzip member", "gzip blocks", "zstd"])
def test_records_are_read_alike_for_any_size_of_a_buffer(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [INFO, page(1), page(2, length=300), page(3), page(4).replace(b"WARC/", b"WORC/"), page(5)]
    path = write(tmp_path / "a.warc", form, records)
    expected = read(path)
    assert expected[0] == [1, 3, 5]
    for size in (16, 17, 50, 333, 1024, 5000):
        for module in (members, framing, warc):
            monkeypatch.setattr(module, "BATCH", size, raising=False)
            monkeypatch.setattr(module, "FEED", size, raising=False)
        assert read(path) == expected, size


def mutations(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one or two faults: flipped, cut out, doubled, overwritten, cut off."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(made))
        end = min(len(made), at + rng.choice([1, 1, 2, 7, 40, 300]))
        fault: Callable[[], None] = rng.choice([
            lambda at=at: made.__setitem__(at, made[at] ^ (1 << rng.randrange(8))),
            lambda at=at, end=end: made.__delitem__(slice(at, end)),
            lambda at=at, end=end: made.__setitem__(slice(at, at), made[at:end]),
            lambda at=at, end=end: made.__setitem__(slice(at, end), rng.randbytes(end - at)),
            lambda at=at: made.__delitem__(slice(max(at, 1), None)),
        ])  # fmt: skip
        fault()
    return bytes(made)


@forms
def test_no_fault_ends_the_reading_or_gives_a_name_twice(tmp_path: Path, form: str) -> None:
    wet = record(b"title\ntext\n", 7, kind="conversion", content="text/plain")
    records = [INFO, page(1), REQUEST, page(2), wet, page(3, end="\n"), page(4)]
    data = FORMS[form](records)
    rng = random.Random(form)
    path = tmp_path / "a.warc"
    for _ in range(60):
        path.write_bytes(mutations(data, rng))
        keys = []
        for found in read_warc(str(path)):
            keys += list(map(str, found.offsets)) if isinstance(found, WetBatch) else [found.key]
        assert len(set(keys)) == len(keys)
        assert keys


def test_a_single_fault_in_a_plain_file_loses_no_page_without_a_row(tmp_path: Path) -> None:
    records = [page(number) for number in range(1, 7)]
    data = b"".join(records)
    bounds = [sum(map(len, records[:count])) for count in range(7)]
    path = tmp_path / "a.warc"
    rng = random.Random(5)
    for _ in range(300):
        at = rng.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :])
        keys = [int(one.key) for one in read_warc(str(path)) if isinstance(one, Record | Damage)]
        hit = sum(bound <= at for bound in bounds) - 1
        assert set(keys) >= set(bounds[:-1]) - {bounds[hit]}, at
        assert len(keys) >= 6, at
