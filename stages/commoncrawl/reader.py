"""Reads Common Crawl: pages of WET files as CCNet does, and the HTML of WARC files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from llama_data.pipeline.core.block import Reader, Step
from llama_data.pipeline.core.document import MAX_LINES, Document, reject
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.whereabouts import counts
from llama_data.stages.commoncrawl.lines import Pages, Title, find_lines, page_text
from llama_data.stages.commoncrawl.page import Page
from llama_data.stages.shared.html import ALL, NO_PAGE, HtmlPage, Reading, html_page
from llama_data.stages.shared.records import Damage
from llama_data.stages.shared.warc import read_warc
from llama_data.stages.shared.wet import WetRecord, is_text, wet_record
from llama_data.stages.shared.wet_batch import WetBatch
from llama_data.stages.steps.kernels.line_hash import hash_spans
from llama_data.stages.steps.line_dedup import HashedLines, hash_texts, write_line_hashes

__all__ = ["CommonCrawlReader", "HashPages", "Title", "page_text"]

DOMAIN = "commoncrawl"


class CommonCrawlReader(Reader):
    """One document for every page of a WET or WARC file: a ``conversion``, a ``response`` or a ``resource``.

    What a record holds is told from the record, not from the file's name. The text is without its title line unless
    ``title`` is ``keep``. ``reading``: what of an HTML page is its text.
    """

    name = "read_commoncrawl"

    def __init__(
        self,
        *,
        splits: Sequence[Split] = (),
        tasks: Sequence[Sequence[Split]] | None = None,
        domain: str = DOMAIN,
        title: Title = "drop",
        reading: Reading = ALL,
    ) -> None:
        super().__init__(splits=splits, tasks=tasks, domain=domain)
        self.title: Title = title
        self.reading = reading

    def hashes(self, split: Split, minimum: int) -> Iterator[HashedLines]:
        """Yield the hashes of the lines of the file's pages that have ``minimum`` characters."""
        for found in self._found(split):
            if isinstance(found, Damage):
                continue
            texts, characters, tails = self._pages(found, minimum)
            if (characters < 0).any():
                decoded = (texts.utf8(page).decode("utf-8", "replace") for page in range(len(characters)))
                counted = zip(decoded, tails.tolist(), strict=True)
                yield from hash_texts(text.encode() for text, tail in counted if len(text) + tail >= minimum)
            else:
                source = np.frombuffer(texts.data, np.uint8)
                yield HashedLines(hash_spans(source, texts.starts, texts.ends), texts.offsets)

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the file's pages; the key of a page is the offset of its record."""
        for found in self._found(split):
            if isinstance(found, WetBatch):
                pages = self._pages(found)
                for page, (offset, fields) in enumerate(zip(found.offsets, found.fields(3), strict=True)):
                    yield self._document(split, str(offset), pages, page, *fields)
            elif isinstance(found, Damage):
                doc = self.failed(split, key=found.key, reason=found.reason, detail=found.detail)
                if found.url is not None:
                    doc.metadata["url"] = found.url
                if found.reason in NO_PAGE:
                    reject(doc, found.reason, self.name, found.detail)
                yield doc
            else:
                doc = self._document(split, found.key, self._pages(found), 0, found.url, found.date, found.digest)
                if isinstance(found, HtmlPage):
                    doc.metadata.update(found.about)
                yield doc

    def _found(self, split: Split) -> Iterator[WetBatch | WetRecord | HtmlPage | Damage]:
        for found in read_warc(split.path):
            if isinstance(found, WetBatch | Damage):
                yield found
                continue
            page = wet_record(found) if is_text(found) else html_page(found, self.reading)
            lines = 0 if isinstance(page, Damage) else page.body.count(b"\n") + page.body.count(b"\r")
            if lines > MAX_LINES:
                detail = f"{lines} lines, more than the limit of {MAX_LINES}"
                page = Damage(found.offset, found.within, Reason.too_complex, detail, found.url)
            yield page

    def _pages(self, found: WetBatch | WetRecord | HtmlPage, minimum: int = 0) -> Pages:
        if isinstance(found, WetBatch):
            return find_lines(found.data, found.bodies, self.title, minimum)
        return find_lines(found.body + bytes(8), np.array([[0, len(found.body)]]), self.title, minimum)

    def _document(
        self, split: Split, key: str, pages: Pages, page: int, url: str | None, date: str | None, digest: str | None
    ) -> Document:
        source = f"{split.name}#{key}"
        metadata: dict[str, Any] = {"domain": self.domain, "source": source}
        for name, value in (("url", url), ("date", date), ("digest", digest)):
            if value is not None:
                metadata[name] = value
        characters = int(pages.characters[page])
        doc = Page(id=f"{self.domain}/{source}", characters=characters, metadata=metadata)
        doc.tail = int(pages.tails[page])
        if characters < 0:
            doc.text = pages.texts.utf8(page).decode("utf-8", "replace")
        else:
            doc.lines = (pages.texts, page)
        lines = int(pages.texts.offsets[page + 1] - pages.texts.offsets[page])
        doc.chars_in, doc.lines_in = doc.characters, lines if doc.characters else 0
        return doc


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
        write_line_hashes(self.work, rank, self._hashes(self.reader.task_splits(rank, world_size)))
        yield from ()

    def _hashes(self, splits: Sequence[Split]) -> Iterator[HashedLines]:
        for split in splits:
            for lines in self.reader.hashes(split, self.min_characters):
                counts.records += len(lines.offsets) - 1
                yield lines
            counts.bytes += split.size
