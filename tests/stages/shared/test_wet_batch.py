"""The kernel that frames batches of WET records reads headers as the reader's own rules do."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.stages.shared import wet
from llama_data.stages.shared.wet_batch import WetBatch, frame

names = st.sampled_from([
    *(b"WARC-Type", b"warc-type", b"Content-Length", b"WARC-Target-URI", b"WARC-Date", b"WARC-Block-Digest", b"Other"),
    *(b"WARC-Identified-Content-Language", b" WARC-Date", b"WARC-Date ", b"", b"X\xc3\xa9", b"\tfolded", b"no colon"),
])  # fmt: skip
values = st.sampled_from([
    *(b"conversion", b" Conversion ", b" a b", b"\t", b"", b" http://x/\xc3\xa9", b"http://x/\xff y", b" a\x1c"),
    *(b"a:b", b"\xc2\xa0a", b"response", b" 5", b" -1", b"x" * 30, b"99999999999999999999"),
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
    expected = wet._parsed(b"".join(made), sizes, offsets)
    batch = frame(b"".join(made) + bytes(8), sizes, offsets, wet.MAX_RECORD)
    if isinstance(batch, WetBatch):
        found = [
            wet.WetRecord(offset, 0, *fields, batch.data[begin:end])
            for offset, (begin, end), fields in zip(batch.offsets, batch.bodies.tolist(), batch.fields(), strict=True)
        ]
        assert found == expected
    elif not batch:
        assert expected is None


def test_plain_headers_take_the_fast_way() -> None:
    batch = frame(PAGE * 2 + bytes(8), [len(PAGE)] * 2, [0, 9], wet.MAX_RECORD)
    assert isinstance(batch, WetBatch)
    assert list(batch.fields())[1] == [None, "d", None, None, None]
