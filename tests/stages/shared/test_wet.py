"""The WET reader: framing by Content-Length, fields by name, and damage that costs one record only."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import framing, warc
from llama_data.stages.shared.records import Damage
from llama_data.stages.shared.wet import WetRecord, read_wet

BODIES = [
    b"First page.\nIts second line.\n" * 40,
    b"Second page.\n" * 90,
    "Dritte Seite, größer.\n".encode() * 70,
    b"",
    b"x",
]


def record(
    number: int, body: bytes, *, length: int | None = None, kind: str = "conversion", end: str = "\r\n"
) -> bytes:
    fields = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: http://example.org/{number}",
        "WARC-Date: 2019-04-25T12:57:54Z",
        f"WARC-Record-ID: <urn:uuid:{number}>",
        "WARC-Block-Digest: sha1:ABC",
        "WARC-Identified-Content-Language: eng,fra",
        "Content-Type: text/plain",
        f"Content-Length: {len(body) if length is None else length}",
        "",
        "",
    ]
    return end.join(fields).encode() + body + (end * 2).encode()


def write(path: Path, records: list[bytes], form: str) -> Path:
    """As gzip members of their own, as one gzip member, or plain."""
    if form == "members":
        data = b"".join(map(gzip.compress, records))
    else:
        data = b"".join(records)
        data = gzip.compress(data) if form == "one_member" else data
    path.write_bytes(data)
    return path


def bodies(path: Path) -> list[bytes]:
    return [found.body for found in read_wet(str(path)) if isinstance(found, WetRecord)]


def damages(path: Path) -> list[Damage]:
    return [found for found in read_wet(str(path)) if isinstance(found, Damage)]


FORMS = pytest.mark.parametrize("form", ["members", "one_member", "plain"])


@FORMS
def test_every_page_is_read_with_its_fields(tmp_path: Path, form: str) -> None:
    info = record(99, b"software: test", kind="warcinfo")
    path = write(tmp_path / "a.wet.gz", [info, *(record(n, body) for n, body in enumerate(BODIES))], form)
    found = list(read_wet(str(path)))
    assert [page.body for page in found if isinstance(page, WetRecord)] == BODIES
    first = found[0]
    assert isinstance(first, WetRecord)
    assert first.url == "http://example.org/0"
    assert first.date == "2019-04-25T12:57:54Z"
    assert first.digest == "sha1:ABC"
    assert first.record_id == "<urn:uuid:0>"
    assert first.languages == "eng,fra"
    assert len({page.key for page in found}) == len(BODIES)


@FORMS
def test_line_feeds_alone_and_another_order_of_fields_are_read(tmp_path: Path, form: str) -> None:
    text = b"warc/1.0"
    page = b"WARC/1.0\ncontent-length: 8\nwarc-target-uri: u\n  v\nWARC-TYPE: Conversion\n\n" + text + b"\n\n"
    (found,) = read_wet(str(write(tmp_path / "a.wet", [page], form)))
    assert isinstance(found, WetRecord)
    assert (found.body, found.url, found.date) == (text, "u v", None)


@FORMS
def test_a_page_that_holds_a_record_header_is_one_page(tmp_path: Path, form: str) -> None:
    inner = record(7, b"inner")
    assert bodies(write(tmp_path / "a.wet", [record(0, inner), record(1, b"next")], form)) == [inner, b"next"]


@FORMS
@pytest.mark.parametrize("length", [100, 3, 1300, 99_999_999_999, -1])
def test_a_wrong_length_costs_that_record_only(tmp_path: Path, form: str, length: int) -> None:
    records = [record(n, body, length=length if n == 1 else None) for n, body in enumerate(BODIES[:3])]
    path = write(tmp_path / "a.wet", records, form)
    assert bodies(path) == [BODIES[0], BODIES[2]]
    (damage,) = damages(path)
    place = {"members": (len(gzip.compress(records[0])), 0), "one_member": (0, len(records[0]))}
    assert (damage.offset, damage.within) == place.get(form, (len(records[0]), 0))
    assert damage.reason in (Reason.damaged_record, Reason.too_complex, Reason.truncated_file)


@pytest.mark.parametrize("place", [3, 12, 40, -7, -3])
def test_a_damaged_gzip_member_costs_that_member_only(tmp_path: Path, place: int) -> None:
    members = [gzip.compress(record(n, body)) for n, body in enumerate(BODIES)]
    broken = bytearray(members[1])
    broken[place] ^= 0xFF
    path = tmp_path / "a.wet.gz"
    path.write_bytes(members[0] + bytes(broken) + b"".join(members[2:]))
    assert bodies(path) == [BODIES[0], *BODIES[2:]]
    (damage,) = damages(path)
    assert damage.offset == len(members[0])


@pytest.mark.parametrize("cut", [1, 9, 30, 60])
def test_a_member_cut_short_before_others_costs_that_member_only(tmp_path: Path, cut: int) -> None:
    members = [gzip.compress(record(n, body)) for n, body in enumerate(BODIES)]
    path = tmp_path / "a.wet.gz"
    path.write_bytes(members[0] + members[1][:-cut] + b"".join(members[2:]))
    assert bodies(path) == [BODIES[0], *BODIES[2:]]
    assert [damage.offset for damage in damages(path)] == [len(members[0])]


@FORMS
@pytest.mark.parametrize("cut", [6, 20, 200])
def test_a_file_cut_short_is_reported(tmp_path: Path, form: str, cut: int) -> None:
    path = write(tmp_path / "a.wet", [record(n, BODIES[n]) for n in range(3)], form)
    path.write_bytes(path.read_bytes()[:-cut])
    (damage,) = damages(path)
    assert damage.reason is Reason.truncated_file
    # One gzip member holds several records here: which of them the cut reaches depends on the compressor.
    assert bodies(path) == BODIES[:2] or (form == "one_member" and cut == 200)


def test_a_member_without_its_check_sum_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wet.gz", [record(n, BODIES[n]) for n in range(3)], "members")
    path.write_bytes(path.read_bytes()[:-8])
    assert [damage.reason for damage in damages(path)] == [Reason.truncated_file]
    assert bodies(path) == BODIES[:2]


def test_bytes_that_are_no_member_are_reported_once(tmp_path: Path) -> None:
    members = [gzip.compress(record(n, body)) for n, body in enumerate(BODIES)]
    path = tmp_path / "a.wet.gz"
    path.write_bytes(members[0] + b"garbage" * 999 + members[1] + bytes(1000) + members[2])
    assert bodies(path) == BODIES[:3]
    assert [damage.offset for damage in damages(path)] == [len(members[0])]


def test_a_missing_length_is_reported(tmp_path: Path) -> None:
    broken = record(1, BODIES[1]).replace(b"Content-Length", b"Content-Lenght")
    path = write(tmp_path / "a.wet", [record(0, BODIES[0]), broken, record(2, BODIES[2])], "plain")
    assert bodies(path) == [BODIES[0], BODIES[2]]
    assert "Content-Length" in damages(path)[0].detail


def test_a_record_over_the_limit_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (framing, warc):
        monkeypatch.setattr(module, "MAX_RECORD", 1000)
    path = write(tmp_path / "a.wet.gz", [record(0, b"a" * 999), record(1, b"b" * 1001), record(2, b"c")], "members")
    assert bodies(path) == [b"a" * 999, b"c"]
    assert [damage.reason for damage in damages(path)] == [Reason.too_complex]


def test_records_larger_than_any_buffer_are_read(tmp_path: Path) -> None:
    large = bytes(range(32, 127)) * 40_000
    for form in ("members", "one_member", "plain"):
        path = write(tmp_path / form, [record(0, b"a"), record(1, large), record(2, b"c")], form)
        assert bodies(path) == [b"a", large, b"c"]


def test_many_small_records_cross_batches(tmp_path: Path) -> None:
    wanted = [f"page {n} ".encode() * (n % 50) for n in range(9000)]
    path = write(tmp_path / "a.wet.gz", [record(n, body) for n, body in enumerate(wanted)], "members")
    found = list(read_wet(str(path)))
    assert [page.body for page in found if isinstance(page, WetRecord)] == wanted
    data = path.read_bytes()
    assert all(data[page.offset : page.offset + 3] == b"\x1f\x8b\x08" for page in found)


def named_member(data: bytes) -> bytes:
    """A gzip member whose header holds a file's name, as `gzip` writes it."""
    out = io.BytesIO()
    with gzip.GzipFile("page", "wb", fileobj=out) as stream:
        stream.write(data)
    return out.getvalue()


def test_members_of_two_writers_beside_each_other_are_all_read(tmp_path: Path) -> None:
    # Equal sizes: the size at the end of the second would do for the first.
    records = [record(n, bytes([65 + n]) * 500) for n in range(9)]
    members = [named_member(one) if n % 3 == 1 else gzip.compress(one) for n, one in enumerate(records)]
    path = tmp_path / "a.wet.gz"
    path.write_bytes(b"".join(members))
    assert bodies(path) == [bytes([65 + n]) * 500 for n in range(9)]
    assert damages(path) == []


@pytest.mark.parametrize("content", [b"%PDF-1.7 " * 900, b"PK\x03\x04"])
def test_a_file_of_another_kind_is_one_damaged_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wet"
    path.write_bytes(content)
    [found] = read_wet(str(path))
    assert isinstance(found, Damage)
    assert found.reason is Reason.damaged_record
    assert f"expected a WARC header, found {content[:3]!r}"[:-1] in found.detail


@pytest.mark.parametrize("content", [b"\n\n", b"not a WET file\n" * 9, b"\x1f\x8b", b"WAR"])
def test_a_file_without_records_ends(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wet"
    path.write_bytes(content)
    assert bodies(path) == []
    assert len(damages(path)) == (len(content.strip()) > 0)


def test_a_missing_file_is_an_error_of_the_request(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_wet(str(tmp_path / "none.wet.gz")))


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 10**6), st.sampled_from(["members", "plain"]))
def test_any_flipped_byte_leaves_the_records_before_it(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], place: int, form: str
) -> None:
    path = write(tmp_path_factory.mktemp("w") / "a", [record(n, body) for n, body in enumerate(contents)], form)
    data = bytearray(path.read_bytes())
    if not data:
        return
    data[place % len(data)] ^= 0x55
    path.write_bytes(bytes(data))
    sound = 0
    position = 0
    for number, body in enumerate(contents):
        whole = record(number, body)
        position += len(gzip.compress(whole)) if form == "members" else len(whole)
        if position + 16 > place % len(data):
            break
        sound += 1
    assert bodies(path)[:sound] == contents[:sound]


def test_the_corpus_is_read_as_fastwarc_reads_it(corpus: Path) -> None:
    path = corpus / "cc" / "CC-MINI-DEV-00005.warc.wet.gz"
    with path.open("rb") as stream:
        wanted = [
            (page.headers.get("WARC-Target-URI"), page.reader.read())
            for page in ArchiveIterator(stream, record_types=WarcRecordType.conversion, parse_http=False)
        ]
    found = list(read_wet(str(path)))
    assert [(page.url, page.body) for page in found if isinstance(page, WetRecord)] == wanted


def test_the_corpus_real_records_are_read(corpus: Path) -> None:
    real = corpus / "cc" / "real"
    for name in ("whirlwind.warc.wet", "whirlwind.warc.wet.gz"):
        (page,) = read_wet(str(real / "commoncrawl+whirlwind-python" / name))
        assert isinstance(page, WetRecord)
        assert page.url == "https://an.wikipedia.org/wiki/Escopete"
        assert len(page.body) == 4456
    sample = list(read_wet(str(real / "facebookresearch+cc_net" / "sample.warc.txt")))
    assert {found.reason for found in sample if isinstance(found, Damage)} == {Reason.damaged_record}
