"""Reads Common Crawl: pages of WET files as CCNet does, or the HTML of WARC files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numba import njit

from llama_data.pipeline.core.block import Reader, Step
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.commoncrawl.html import read_html
from llama_data.stages.shared.line_dedup import write_line_hashes
from llama_data.stages.shared.utf8 import strip_left, strip_right
from llama_data.stages.shared.wet import WetDamage, WetRecord, read_wet
from llama_data.stages.shared.words import copy, load_word

DOMAIN = "commoncrawl"
WET_SUFFIXES = (".wet", ".wet.gz")
Title = Literal["drop", "keep"]


@njit(cache=True, nogil=True)
def _line_end(src, at, size):  # type: ignore[no-untyped-def]
    """Where the line ends: at the next LF or CR, or at the end of the text. ``src`` has 8 bytes more than ``size``."""
    ones = np.uint64(0x0101010101010101)
    high = np.uint64(0x8080808080808080)
    while at < size:
        word = load_word(src, at)
        feed = word ^ (ones * np.uint64(10))
        carriage = word ^ (ones * np.uint64(13))
        if (((feed - ones) & ~feed) | ((carriage - ones) & ~carriage)) & high:
            while at < size and src[at] != 10 and src[at] != 13:
                at += 1
            return at
        at += 8
    return size


@njit(cache=True, nogil=True)
def _strip_lines(src, size, skip, out):  # type: ignore[no-untyped-def]
    """Copy the lines of ``src`` (ended by LF, CR or CR LF) stripped, without the first ``skip``; the bytes written.

    ``src`` and ``out`` have 8 bytes more than they need.
    """
    at = 0
    start = 0
    line = 0
    while start < size:
        end = _line_end(src, start, size)
        if line >= skip:
            if line > skip:
                out[at] = 10
                at += 1
            first = strip_left(src, start, end)
            at = copy(src, first, strip_right(src, first, end), out, at)
        line += 1
        if end + 1 < size and src[end] == 13 and src[end + 1] == 10:
            end += 1
        start = end + 1
    return at


def page_text(body: bytes, title: Title = "drop") -> str:
    """The page's lines, each stripped; the first one, its title, left out unless ``title`` is ``keep``.

    Source: cc_net/process_wet_file.py. Lines end where Python's text files end them (LF, CR, CR LF); bytes that
    are not UTF-8 become U+FFFD.
    """
    return _decode(page_bytes(body, title))


def page_bytes(body: bytes, title: Title = "drop") -> bytes:
    """``page_text`` as UTF-8; bytes that are not UTF-8 are still there."""
    out = np.empty(len(body) + 9, np.uint8)
    size = _strip_lines(np.frombuffer(body + bytes(8), np.uint8), len(body), 1 if title == "drop" else 0, out)
    return out[:size].tobytes()


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "replace")


class CommonCrawlReader(Reader):
    """One document for every page of a WET file. The text is without its title line unless ``title`` is ``keep``."""

    name = "read_commoncrawl"

    def __init__(self, *, splits: tuple[Split, ...] | list[Split], domain: str = DOMAIN, title: Title = "drop") -> None:
        super().__init__(splits=splits, domain=domain)
        self.title: Title = title

    def pages(self, split: Split) -> Iterator[tuple[WetRecord, bytes] | WetDamage]:
        """Yield the file's records with their text as UTF-8."""
        if not split.name.endswith(WET_SUFFIXES):
            yield from self._html(split)
            return
        for record in read_wet(split.path):
            yield record if isinstance(record, WetDamage) else (record, page_bytes(record.body, self.title))

    def _html(self, split: Split) -> Iterator[tuple[WetRecord, bytes] | WetDamage]:
        for page in read_html(split.path):
            if page.text is None:
                yield WetDamage(page.offset, 0, page.reason or Reason.damaged_record, page.detail)
            else:
                record = WetRecord(page.offset, 0, page.url, page.date, page.digest, None, None, b"")
                yield record, page_bytes(page.text, self.title)

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the file's pages; the key of a page is the offset of its record."""
        for page in self.pages(split):
            if isinstance(page, WetDamage):
                doc = self.failed(split, key=page.key, reason=page.reason, detail=page.detail)
                if page.reason is Reason.not_a_page:
                    reject(doc, page.reason, self.name)
                yield doc
                continue
            record, text = page
            source = f"{split.name}#{record.key}"
            yield new_document(
                domain=self.domain,
                id=f"{self.domain}/{source}",
                text=_decode(text),
                source=source,
                url=record.url,
                date=record.date,
                digest=record.digest,
            )


class HashPages(Step):
    """The first job: the hashes of the lines of all pages that are long enough, straight from the reader's bytes."""

    name = "hash_pages"

    def __init__(self, *, reader: CommonCrawlReader, min_characters: int | None, work: str) -> None:
        super().__init__()
        self.reader = reader
        self.min_characters = min_characters or 0
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the task's hashes. Yields nothing."""
        splits = self.reader.splits[rank::world_size]
        write_line_hashes(self.work, rank, (text for split in splits for text in self._texts(split)))
        yield from ()

    def _texts(self, split: Split) -> Iterator[bytes]:
        for page in self.reader.pages(split):
            if isinstance(page, WetDamage):
                continue
            decoded = _decode(page[1])
            if len(decoded) >= self.min_characters:
                yield page[1] if "\ufffd" not in decoded else decoded.encode()
