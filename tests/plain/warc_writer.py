"""Writes WARC and ARC files for tests, sound or broken in a chosen way."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable, Mapping, Sequence

import zstandard

WORDS = "The mill by the river turns all day and old people say that it has always done so."


def html(number: int, lines: int = 8) -> bytes:
    """A page of its own text."""
    text = "".join(f"<p>Page {number} says line {line}. {WORDS}</p>\r\n" for line in range(lines))
    return f"<!DOCTYPE html>\r\n<html><head><title>Page {number}</title></head>\r\n<body>{text}</body></html>".encode()


def http(
    body: bytes,
    *,
    status: str = "200 OK",
    kind: str | None = "text/html; charset=utf-8",
    fields: Mapping[str, str] | None = None,
    end: str = "\r\n",
) -> bytes:
    """A response as a server sends it."""
    lines = [f"HTTP/1.1 {status}", *([] if kind is None else [f"Content-Type: {kind}"])]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    return end.join([*lines, "", ""]).encode() + body


def record(
    block: bytes,
    number: int = 0,
    *,
    kind: str = "response",
    content: str | None = "application/http; msgtype=response",
    length: int | str | None = None,
    fields: Mapping[str, str] | None = None,
    end: str = "\r\n",
    version: str = "WARC/1.0",
) -> bytes:
    """A WARC record with the empty lines behind it; ``length`` is what its Content-Length claims."""
    lines = [version, f"WARC-Type: {kind}", f"WARC-Target-URI: http://example.org/{number}"]
    lines += ["WARC-Date: 2020-01-01T00:00:00Z", f"WARC-Record-ID: <urn:uuid:{number}>"]
    lines += [] if content is None else [f"Content-Type: {content}"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    lines += [f"Content-Length: {len(block) if length is None else length}", "", ""]
    return end.join(lines).encode() + block + (end * 2).encode()


def page(number: int, **options: object) -> bytes:
    """A sound response."""
    return record(http(html(number)), number, **options)  # type: ignore[arg-type]


def arc(block: bytes, number: int = 0, *, length: int | None = None, extra: str = "") -> bytes:
    """An ARC record; ``extra`` are the fields that version 2 has before the length."""
    size = len(block) if length is None else length
    head = f"http://example.org/{number} 192.0.2.1 20080430204825 text/html {extra}{size}\n"
    return head.encode() + block + b"\n"


def arc_begin() -> bytes:
    """The first record of an ARC file."""
    text = b"1 0 Nobody\nURL IP-address Archive-date Content-type Archive-length\n"
    return f"filedesc://a.arc 0.0.0.0 20080430204825 text/plain {len(text)}\n".encode() + text + b"\n"


def blocks(data: bytes, size: int = 700) -> bytes:
    """gzip members that begin anywhere, as a compressor of blocks makes them."""
    return b"".join(gzip.compress(data[at : at + size], mtime=0) for at in range(0, len(data), size))


def with_dictionary(records: Sequence[bytes], packed: bool) -> bytes:
    """Frames of zstd behind the skippable frame that holds their dictionary."""
    dictionary = zstandard.train_dictionary(
        4096, [one[at : at + 256] for one in records * 20 for at in range(0, 512, 64)]
    )
    compressor = zstandard.ZstdCompressor(dict_data=dictionary)
    content = zstandard.compress(dictionary.as_bytes()) if packed else dictionary.as_bytes()
    head = struct.pack("<II", 0x184D2A5D, len(content)) + content
    return head + b"".join(map(compressor.compress, records))


FORMS: dict[str, Callable[[Sequence[bytes]], bytes]] = {
    "plain": b"".join,
    "gzip": lambda records: b"".join(gzip.compress(one, mtime=0) for one in records),
    "one gzip member": lambda records: gzip.compress(b"".join(records), mtime=0),
    "gzip blocks": lambda records: blocks(b"".join(records)),
    "zstd": lambda records: b"".join(map(zstandard.compress, records)),
    "one zstd frame": lambda records: zstandard.compress(b"".join(records)),
    "zstd with a dictionary": lambda records: with_dictionary(records, packed=False),
    "zstd with a packed dictionary": lambda records: with_dictionary(records, packed=True),
    "bzip2": lambda records: bz2.compress(b"".join(records)),
    "xz": lambda records: lzma.compress(b"".join(records)),
}
