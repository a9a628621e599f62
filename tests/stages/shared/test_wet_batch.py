"""The kernel that frames batches of WET records reads headers as the reader's own rules do."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.stages.shared import warc
from llama_data.stages.shared.framing import MAX_RECORD
from llama_data.stages.shared.records import Record
from llama_data.stages.shared.wet import WetRecord, wet_record
from llama_data.stages.shared.wet_batch import WetBatch, frame

names = st.sampled_from([
    *(b"WARC-Type", b"warc-type", b"Content-Length", b"WARC-Target-URI", b"WARC-Date", b"WARC-Block-Digest", b"Other"),
    *(b"Content-Type", b"WARC-Segment-Number"),
    *(b"WARC-Identified-Content-Language", b" WARC-Date", b"WARC-Date ", b"", b"X\xc3\xa9", b"\tfolded", b"no colon"),
])  # fmt: skip
values = st.sampled_from([
    *(b"conversion", b" Conversion ", b" a b", b"\t", b"", b" http://x/\xc3\xa9", b"http://x/\xff y", b" a\x1c"),
    *(b"a:b", b"\xc2\xa0a", b"response", b" 5", b" -1", b"x" * 30, b"99999999999999999999"),
    *(b" text/plain", b"Text/Plain; charset=x", b"text/html", b" <http://x/>", b"<", b"request", b"Metadata"),
])  # fmt: skip
fields = st.lists(st.tuples(names, st.sampled_from([b":", b": "]), values).map(b"".join), max_size=6)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record that may be well formed, nearly so, or not at all."""
    body = draw(st.sampled_from([b"", b"text\nof a page", b"\r\n\r\n", b"WARC/1.0\r\n\r\n"]))
    length = len(body) + draw(st.sampled_from([0, 0, 0, 0, 1]))
    head = [draw(st.sampled_from([b"WARC/1.0", b"WARC/1.0", b"warc/1.0", b""])), *draw(fields)]
    head.insert(draw(st.integers(1, len(head))), b"Content-Length: %d" % length)
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    return end.join(head) + end * 2 + body + b"\r\n\r\n"


PAGE = b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: d\r\nContent-Length: 4\r\n\r\nbody\r\n\r\n"


@given(st.lists(records(), min_size=1, max_size=4))
@example([PAGE, PAGE])
def test_a_batch_is_what_the_rules_read_or_nothing(made: list[bytes]) -> None:
    sizes, offsets = [len(one) for one in made], list(range(len(made)))
    read = warc._parsed(b"".join(made), sizes, offsets)
    batch = frame(b"".join(made) + bytes(8), sizes, offsets, MAX_RECORD)
    if isinstance(batch, WetBatch):
        found = [
            WetRecord(offset, 0, *fields, batch.data[begin:end])
            for offset, (begin, end), fields in zip(batch.offsets, batch.bodies.tolist(), batch.fields(), strict=True)
        ]
        assert read is not None
        assert found == [wet_record(one) for one in read if isinstance(one, Record)]
        assert len(found) == len(read)
    elif not batch:
        assert read is None


def test_plain_headers_take_the_fast_way() -> None:
    batch = frame(PAGE * 2 + bytes(8), [len(PAGE)] * 2, [0, 9], MAX_RECORD)
    assert isinstance(batch, WetBatch)
    assert list(batch.fields())[1] == [None, "d", None, None, None]


@pytest.mark.parametrize(
    ("field", "state"),
    [
        (b"WARC-Type: conversion", "page"),
        (b"WARC-Type: Conversion\r\nContent-Type: Text/Plain; charset=utf-8", "page"),
        (b"WARC-Type: warcinfo", "no page"),
        (b"WARC-Type: request", "no page"),
        (b"WARC-Type: metadata", "no page"),
        (b"WARC-Type: revisit", "no page"),
        (b"WARC-Type: response", "unusual"),
        (b"WARC-Type: conversio", "unusual"),
        (b"X: y", "unusual"),
        (b"WARC-Type: conversion\r\nContent-Type: text/html", "unusual"),
        (b"WARC-Type: conversion\r\nContent-Type: text", "unusual"),
        (b"WARC-Type: conversion\r\nWARC-Segment-Number: 1", "unusual"),
        (b"WARC-Type: conversion\r\nWARC-Target-URI: <http://a/>", "unusual"),
    ],
)
def test_what_a_record_is_is_told_from_its_fields(field: bytes, state: str) -> None:
    made = b"WARC/1.0\r\n" + field + b"\r\nContent-Length: 4\r\n\r\nbody\r\n\r\n"
    batch = frame(made + bytes(8), [len(made)], [0], MAX_RECORD)
    found = "unusual" if not isinstance(batch, WetBatch) else "page" if len(batch.offsets) else "no page"
    assert found == state
    assert batch is not False
