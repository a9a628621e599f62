"""Web samples: CommonCrawl WET files and C4's JSON lines."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from llama_data.pipeline.samples.sheets import EPOCH, Entry, gzipped, sheet, write

PAGES = ("almanac", "streets", "craft", "foreign", "poor")
BROKEN_LINE = b'{"text": "This line was cut off while it was being wri'


def _chrome() -> dict[str, tuple[str, str]]:
    """Menu and footer of every made-up site."""
    parts = {}
    for entry in sheet("web/chrome.txt"):
        top, _, bottom = f"\n{entry.text}\n".partition("\n--\n")
        parts[entry.head] = (top.strip("\n"), bottom.strip("\n"))
    return parts


def page_text(page: Entry, chrome: dict[str, tuple[str, str]]) -> bytes:
    """The page as a crawler extracts it: title, menu, text, footer; `{BAD}` becomes a stray byte."""
    title, _, body = page.text.partition("\n")
    if body == "@legal":
        body = chrome["legal"][0]
    top, bottom = chrome[page.fields["site"]]
    text = "\n".join(part for part in (title, top, body, bottom) if part)
    return text.encode().replace(b"{BAD}", b"\xe9") + b"\n"


def _record(headers: dict[str, str], payload: bytes) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines = ["WARC/1.0", *lines, f"Content-Length: {len(payload)}"]
    return gzipped("\r\n".join(lines).encode() + b"\r\n\r\n" + payload + b"\r\n\r\n")


def _warcinfo(filename: str) -> bytes:
    payload = b"Software-Info: llama-data samples\r\nExtracted-Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
    headers = {
        "WARC-Type": "warcinfo",
        "WARC-Date": "2024-01-01T00:00:00Z",
        "WARC-Filename": filename,
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, filename)}>",
        "Content-Type": "application/warc-fields",
    }
    return _record(headers, payload)


def _conversion(page: Entry, payload: bytes, number: int) -> bytes:
    moment = datetime.fromtimestamp(EPOCH, tz=UTC) + timedelta(minutes=7 * number)
    digest = base64.b32encode(hashlib.sha1(payload, usedforsecurity=False).digest()).decode()
    headers = {
        "WARC-Type": "conversion",
        "WARC-Target-URI": page.head,
        "WARC-Date": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, page.head)}>",
        "WARC-Refers-To": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, page.head + '#response')}>",
        "WARC-Block-Digest": f"sha1:{digest}",
        "WARC-Identified-Content-Language": page.fields["lang"],
        "Content-Type": "text/plain",
    }
    return _record(headers, payload)


def build_commoncrawl(folder: Path, seed: int) -> None:
    """Two WET files, one gzip member a record, the pages in a seeded order."""
    pages = [page for name in PAGES for page in sheet(f"web/{name}.txt")]
    random.Random(seed).shuffle(pages)
    chrome = _chrome()
    for part in (0, 1):
        name = f"sample-{part:05d}.warc.wet.gz"
        chosen = list(enumerate(pages))[part::2]
        records = [_conversion(page, page_text(page, chrome), number) for number, page in chosen]
        write(folder / name, b"".join([_warcinfo(name), *records]))


def build_c4(folder: Path, seed: int) -> None:
    """One file of C4's JSON lines in a seeded order, one line of which is cut off."""
    rows = ({"text": page.text, "timestamp": page.fields["date"], "url": page.head} for page in sheet("c4/pages.txt"))
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    lines.append(BROKEN_LINE)
    random.Random(seed).shuffle(lines)
    write(folder / "c4-train.00000-of-00001.json.gz", gzipped(b"\n".join(lines) + b"\n"))
