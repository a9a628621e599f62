"""HTTP responses: status, header and body, whatever a server or a crawler has left of their codings."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from warc_writer import html
from warc_writer import http as response

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import http
from llama_data.stages.shared.http import decode_body, media_type, parse_response

BODY = html(1, 60)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def chunked(data: bytes, size: int = 100, end: bytes = b"\r\n", extension: bytes = b"") -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x%s%s%s%s" % (len(part), extension, end, part, end) for part in [*parts, b""])


def decoded(body: bytes, **fields: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    found = parse_response(response(body, fields=named))
    assert found is not None
    return decode_body(found)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
    "deflate": zlib.compress,
    "deflate ": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
    "none": bytes,
    "UTF-8": bytes,
}


@pytest.mark.parametrize("coding", PACKERS)
def test_content_codings_are_undone(coding: str) -> None:
    assert decoded(PACKERS[coding](BODY), Content_Encoding=coding) == BODY
    # Left in the header by a crawler that undid it.
    assert decoded(BODY, Content_Encoding=coding) == BODY
    assert decoded(chunked(PACKERS[coding](BODY)), Content_Encoding=coding, Transfer_Encoding="chunked") == BODY


def test_several_codings_are_undone_from_the_last_on() -> None:
    twice = gzip.compress(brotli.compress(BODY))
    assert decoded(twice, Content_Encoding="br, gzip") == BODY
    assert decoded(chunked(gzip.compress(BODY)), Transfer_Encoding="gzip, chunked") == BODY
    assert decoded(gzip.compress(gzip.compress(BODY)), Content_Encoding="gzip") == BODY
    assert decoded(gzip.compress(BODY)) == BODY
    block = response(b"", fields={"content-encoding": "br"})[:-2] + b"CONTENT-Encoding:\tgzip\r\n\r\n" + twice
    found = parse_response(block)
    assert found is not None
    assert decode_body(found) == BODY


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("size", [1, 7, 100, 99_999])
@pytest.mark.parametrize("extension", [b"", b" ", b";name=value", b'  ; a="b"'])
def test_chunks_are_put_together(end: bytes, size: int, extension: bytes) -> None:
    assert decoded(chunked(BODY, size, end, extension), Transfer_Encoding="chunked") == BODY
    trailer = chunked(BODY, size, end, extension)[: -len(end)] + b"Checksum: x" + end * 2
    assert decoded(trailer, Transfer_Encoding="Chunked") == BODY


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6))
def test_any_chunks_are_put_together(parts: list[bytes]) -> None:
    body = b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    whole = b"".join(parts)
    if not whole.startswith(b"\x1f\x8b"):
        assert decoded(body, Transfer_Encoding="chunked") == whole


def test_a_body_that_was_cut_off_is_as_much_as_there_is() -> None:
    whole = chunked(BODY)
    for cut in (1, 3, 60, 200, len(whole) - 3):
        found = decoded(whole[:-cut], Transfer_Encoding="chunked")
        assert BODY.startswith(found)
        assert len(found) >= len(BODY) - cut
    for coding in ("gzip", "deflate", "deflate ", "br"):
        packed = PACKERS[coding](BODY)
        assert BODY.startswith(decoded(packed[:-5], Content_Encoding=coding))
        assert decoded(packed[: len(packed) // 2], Content_Encoding=coding) != b""


def test_a_body_that_contradicts_itself_is_an_error() -> None:
    for body, fields in (
        (b"a\r\n0123456789\r\nzz\r\nmore and more of what is no chunk" * 3, {"Transfer_Encoding": "chunked"}),
        (b"3\r\n0123456789\r\n" * 9, {"Transfer_Encoding": "chunked"}),
        (gzip.compress(BODY)[:40] + b"\xff\xfe\xfd" * 30, {"Content_Encoding": "gzip"}),
        (b"\x00\x01\x02\x03" * 40, {"Content_Encoding": "compress"}),
        (b"\x00\x01\x02\x03" * 40, {"Content_Encoding": "br"}),
        (b"\x28\xb5\x2f\xfd" + b"\x00\xff\x02\x03" * 40, {"Content_Encoding": "zstd"}),
    ):
        with pytest.raises(RecordError) as caught:
            decoded(body, **fields)
        assert caught.value.reason is Reason.damaged_record


def test_a_body_may_be_as_large_as_the_limits_and_not_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY", 5000)
    for pack in (gzip.compress, zlib.compress, brotli.compress, zstandard.compress, bytes):
        coding = {gzip.compress: "gzip", zlib.compress: "deflate", brotli.compress: "br"}.get(pack, "zstd")
        for size, fits in ((4999, True), (5000, True), (5001, False)):
            text = BODY[:size]
            assert len(text) == size
            if fits:
                assert decoded(pack(text), Content_Encoding=coding) == text
            else:
                with pytest.raises(RecordError, match="too_complex"):
                    decoded(pack(text), Content_Encoding=coding)


def test_a_body_may_shrink_by_the_ratio_and_not_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FREE", 1000)
    monkeypatch.setattr(http, "MAX_RATIO", 50)
    for size in (1000, 100_000):
        packed = gzip.compress(b"<p>" + b"a" * (size - 3))
        if size <= max(1000, 50 * len(packed)):
            assert len(decoded(packed, Content_Encoding="gzip")) == size
        else:
            with pytest.raises(RecordError, match="too_complex"):
                decoded(packed, Content_Encoding="gzip")
    with pytest.raises(RecordError, match="too_complex"):
        decoded(b"x", Content_Encoding=", ".join(["gzip"] * 9))


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r\r\n"])
def test_the_parts_of_a_response(end: str) -> None:
    block = response(b"\r\n\r\nbody", status="404 Not Found", fields={"X-Folded": f"a{end}  b"}, end=end)
    found = parse_response(block)
    assert found is not None
    assert (found.status, found.body) == (404, b"\r\n\r\nbody")
    assert found.fields == {"content-type": ["text/html; charset=utf-8"]}


@pytest.mark.parametrize(
    ("block", "status", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", 200, b"x"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/2 203\r\n\r\nx", 203, b"x"),
        (b"HTTP/1.1 100 Continue\r\n\r\nx", 100, b"x"),
        (b"HTTP/1.0 302 \r\nLocation: a\r\n\r\n", 302, b""),
        (b"http/1.1 200 ok\n\nx", 200, b"x"),
        (b"HTTP/1.1 200 OK\r\nServer: a\r\n<html>x", 200, b"<html>x"),
        (b"HTTP/1.1 200 OK\r\nno colon here\r\nA: b\r\n\r\nx", 200, b"x"),
        (b"HTTP/1.1 200 OK\r\nA: b", 200, b""),
        (b"HTTP/1.1 200", 200, b""),
        (b"HTTP/1.1 999 Denied\r\n\r\nx", 999, b"x"),
    ],
)
def test_responses_of_all_kinds(block: bytes, status: int, body: bytes) -> None:
    found = parse_response(block)
    assert found is not None
    assert (found.status, found.body) == (status, body)


@pytest.mark.parametrize("block", [b"", b"<html>", b"HTTP/1.1", b"HTTP/1.1 abc", b"HTTPX/1.1 200 OK\r\n\r\n", b"\r\n"])
def test_a_block_without_a_status_line_is_no_response(block: bytes) -> None:
    assert parse_response(block) is None


@pytest.mark.parametrize(
    ("values", "kind", "charset"),
    [
        (["text/html"], "text/html", None),
        (["Text/HTML; Charset=UTF-8"], "text/html", "UTF-8"),
        (['text/html; charset="x-sjis" ; a=b'], "text/html", "x-sjis"),
        (["text/html; charset='utf-8'"], "text/html", "utf-8"),
        (["text/html charset=utf-8"], "text/html", "utf-8"),
        (["text/html;charset = koi8-r"], "text/html", "koi8-r"),
        (["text/html;a=b;charset=x;charset=y"], "text/html", "x"),
        (["text/html, text/plain"], "text/plain", None),
        (["text/html; charset=a, text/html"], "text/html", "a"),
        (["text/html; charset=a, text/plain"], "text/plain", None),
        (["text/html; charset=a", "*/*"], "text/html", "a"),
        (["text/plain", "text/html; charset=b"], "text/html", "b"),
        (["; charset=utf-8"], None, "utf-8"),
        (["unknown/unknown"], None, None),
        (["html"], None, None),
        (["*/*"], None, None),
        ([""], None, None),
        ([], None, None),
    ],
)
def test_types_and_charsets(values: list[str], kind: str | None, charset: str | None) -> None:
    assert media_type(values) == (kind, charset)
