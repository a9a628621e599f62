"""HTTP responses as crawlers store them: the status, the header fields, and the body without its codings.

A crawler may have undone the codings and left the fields that name them, so what a body looks like decides: bytes that
are no chunk, or no gzip, are the body itself. A body that was cut off is as much as there is of it, as in a browser and
in Common Crawl's own files; one whose bytes contradict each other is an error.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import brotli  # type: ignore[import-untyped]
import zstandard

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

MAX_BODY = 16 << 20
MAX_RATIO = 500
"""How many times longer than what is stored a body of over FREE bytes may be."""

FREE = 1 << 20
MAX_CODINGS = 8

_STATUS = re.compile(rb"HTTP/\d+(?:\.\d+)?[ \t]+(\d{3})\b[^\n]*(?:\n|\Z)", re.IGNORECASE)
_WANTED = {
    name.encode(): name for name in ("content-type", "content-encoding", "transfer-encoding", "content-language")
}
_LESS = ord("<")
_TYPE = re.compile(r"\s*([^\s/;,\"]+/[^\s;,\"]+)")
_CHARSET = re.compile(r"charset\s*=[\s\"']*([^\s;,\"']+)", re.IGNORECASE)
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_CUT_SIZE = re.compile(rb"[ \t]*[0-9A-Fa-f]{0,15}[ \t]*(?:;[^\r\n]{0,64})?\r?")
_LINE_END = re.compile(rb"\r?\n|\r?\Z")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<[!?a-zA-Z/])")
_GZIP = b"\x1f\x8b"
_FEED = 16 << 10
# What servers name as a content coding that is none.
_NONE = frozenset(
    {"", "identity", "none", "binary", "7bit", "8bit", "utf-8", "utf8", "iso-8859-1", "text/html", "html"}
)

_UNKNOWN = frozenset({None, "unknown/unknown", "application/unknown"})


class Response(NamedTuple):
    """A response: its status, the fields that say what its body is (by lower-case name), its body as it is stored."""

    status: int
    fields: dict[str, list[str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        """The comma-separated values of all fields of a name, in order."""
        return [part.strip() for value in self.fields.get(name, ()) for part in value.split(",") if part.strip()]


def media_type(values: list[str]) -> tuple[str | None, str | None]:
    """The type and the charset that fields of ``Content-Type`` name; the last of several types counts.

    Source: https://fetch.spec.whatwg.org, "extract a MIME type". Types that say nothing are None.
    """
    kind: str | None = None
    charset: str | None = None
    for value in (part for one in values for part in one.split(",")):
        found = _TYPE.match(value)
        if found is not None and found[1] != "*/*":
            new = found[1].lower()
            charset = charset if new == kind else None
            kind = new
        label = _CHARSET.search(value)
        charset = label[1] if label is not None else charset
    return (None if kind in _UNKNOWN else kind), charset


def parse_response(block: bytes) -> Response | None:
    """The response in a record's block, None when the block begins with no status line.

    Lines end with LF or CR LF. Interim responses (1xx) before the final one are passed over. Where the empty line
    before the body is missing, the body begins with the first line of markup.
    """
    while (status := _STATUS.match(block)) is not None:
        fields, at = _fields(block, status.end())
        code = int(status[1])
        if 100 <= code < 200 and code != 101 and _STATUS.match(block, at):
            block = block[at:]
            continue
        return Response(code, fields, block[at:])
    return None


def _fields(block: bytes, at: int) -> tuple[dict[str, list[str]], int]:
    """The header fields of _WANTED from ``at`` on, and where the body begins."""
    fields: dict[str, list[str]] = {}
    last: list[str] | None = None
    while at < len(block):
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        line = block[at:end].rstrip(b"\r")
        if not line:
            return fields, end + 1
        if line[0] == _LESS and _MARKUP.match(line):
            return fields, at
        name, colon, value = line.partition(b":")
        if line[0] in b" \t":
            if last is not None:
                last[-1] += " " + line.strip().decode("utf-8", "replace")
        elif colon:
            known = _WANTED.get(name.rstrip().lower())
            last = fields.setdefault(known, []) if known is not None else None
            if last is not None:
                last.append(value.strip().decode("utf-8", "replace"))
        at = end + 1
    return fields, at


def decode_body(response: Response) -> bytes:
    """The body without its transfer codings and content codings.

    Raises:
        RecordError: the body contradicts itself, is in a coding that is not known, or is too large without it.
    """
    codings = [*response.values("content-encoding"), *response.values("transfer-encoding")]
    body = response.body
    if len(codings) > MAX_CODINGS:
        raise RecordError(Reason.too_complex, f"{len(codings)} codings, over the limit of {MAX_CODINGS}")
    limit = min(MAX_BODY, max(FREE, MAX_RATIO * len(body)))
    for coding in reversed(codings):
        body = _decode(body, coding.partition(";")[0].strip().lower(), limit)
    # Some servers compress twice and say so once, some crawlers drop the field that says it; no page begins so.
    if body.startswith(_GZIP):
        body = _decode(body, "gzip", limit)
    if len(body) > MAX_BODY:
        raise RecordError(Reason.too_complex, f"a body of {len(body)} bytes, over the limit of {MAX_BODY}")
    return body


def _decode(body: bytes, coding: str, limit: int) -> bytes:
    coding = coding.removeprefix("x-")
    if coding in _NONE or not body:
        return body
    if coding in ("chunked", "aws-chunked"):
        return _unchunk(body)
    if coding == "gzip":
        return _unpack(body, coding, _Inflate(31), limit) if body.startswith(_GZIP) else body
    if coding == "deflate":
        wrapped = body[0] & 0x0F == 8 and len(body) > 1 and int.from_bytes(body[:2], "big") % 31 == 0
        return _unpack(body, coding, _Inflate(15 if wrapped else -15), limit)
    if coding == "br":
        return _unpack(body, coding, _Brotli(), limit)
    if coding == "zstd":
        return _unpack(body, coding, _Zstd(), limit)
    if _is_text(body):
        return body
    raise RecordError(Reason.damaged_record, f"content coding {coding[:40]!r} is not known")


def _unchunk(body: bytes) -> bytes:
    """The chunks without their sizes; the body as it is when it does not begin with one."""
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        size = _CHUNK.match(body, at)
        if size is None:
            if _CUT_SIZE.fullmatch(body, at):
                break
            if not parts:
                return body
            raise _not_chunked(body, at, "a chunk's size")
        length = int(size[1], 16)
        if length == 0:
            break
        at = size.end()
        parts.append(body[at : at + length])
        at += length
        if at < len(body):
            end = _LINE_END.match(body, at)
            if end is None:
                raise _not_chunked(body, at, "the end of a chunk")
            at = end.end()
    return b"".join(parts)


def _not_chunked(body: bytes, at: int, expected: str) -> RecordError:
    found = body[at : at + 16]
    return RecordError(Reason.damaged_record, f"byte {at} of the body: expected {expected}, found {found!r}")


class _Inflate:
    """zlib and gzip; a gzip body may be of several members."""

    error: type[Exception] = zlib.error

    def __init__(self, wbits: int) -> None:
        self.wbits = wbits
        self.stream = zlib.decompressobj(wbits)

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Yield what the body holds, a little at a time."""
        data = body
        while data:
            piece = self.stream.decompress(data, _FEED)
            yield piece
            if self.stream.eof:
                data = self.stream.unused_data
                if self.wbits != 31 or not data.startswith(_GZIP):
                    return
                self.stream = zlib.decompressobj(self.wbits)
            elif not piece and not self.stream.unconsumed_tail:
                return
            else:
                data = self.stream.unconsumed_tail


class _Brotli:
    """Brotli."""

    error: type[Exception] = brotli.error

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Yield what the body holds, a little at a time."""
        stream = brotli.Decompressor()
        data = body
        while not stream.is_finished():
            piece = stream.process(data, output_buffer_limit=_FEED)
            data = b""
            yield piece
            if not piece and stream.can_accept_more_data():
                return


class _Zstd:
    """Zstandard, of windows of at most 8 MB, as browsers take it."""

    error: type[Exception] = zstandard.ZstdError

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """Yield what the body holds, a little at a time."""
        stream = zstandard.ZstdDecompressor(max_window_size=8 << 20).stream_reader(body, read_across_frames=True)
        while piece := stream.read(_FEED):
            yield piece


def _unpack(body: bytes, coding: str, codec: Any, limit: int) -> bytes:
    """The decompressed body; the body itself when it is text that was never compressed."""
    parts: list[bytes] = []
    size = 0
    try:
        for piece in codec.pieces(body):
            parts.append(piece)
            size += len(piece)
            if size > limit:
                raise RecordError(
                    Reason.too_complex, f"{len(body)} bytes of {coding} are over {limit} bytes when decompressed"
                )
    except codec.error as error:
        if _is_text(body):
            return body
        raise RecordError(Reason.damaged_record, f"content coding {coding}: {error}") from None
    return b"".join(parts)


def _is_text(body: bytes) -> bool:
    """True when a body begins as text does: with markup, or with no control characters."""
    head = body[:512]
    return _MARKUP.match(head) is not None or not re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]", head)
