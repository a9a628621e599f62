"""Reads Common Crawl: pages of WET files as CCNet does, or the HTML of WARC files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numba import njit  # type: ignore[import-untyped]

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.files import Split
from llama_data.stages.shared.utf8 import strip_left, strip_right
from llama_data.stages.shared.wet import WetDamage, read_wet

DOMAIN = "commoncrawl"
WET_SUFFIXES = (".wet", ".wet.gz")
Title = Literal["drop", "keep"]


@njit(cache=True, nogil=True)
def _strip_lines(src, skip, out):  # type: ignore[no-untyped-def]
    """Copy the lines of ``src`` (ended by LF, CR or CR LF) stripped, without the first ``skip``; the bytes written."""
    size = src.size
    at = 0
    start = 0
    line = 0
    while start < size:
        end = start
        while end < size and src[end] != 10 and src[end] != 13:
            end += 1
        if line >= skip:
            if line > skip:
                out[at] = 10
                at += 1
            for k in range(strip_left(src, start, end), strip_right(src, start, end)):
                out[at] = src[k]
                at += 1
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
    try:
        return _stripped(body, title)
    except UnicodeDecodeError:
        return _stripped(body.decode("utf-8", "replace").encode(), title)


def _stripped(body: bytes, title: Title) -> str:
    out = np.empty(len(body) + 1, np.uint8)
    size = _strip_lines(np.frombuffer(body, np.uint8), 1 if title == "drop" else 0, out)
    return out[:size].tobytes().decode()


class CommonCrawlReader(Reader):
    """One document for every page of a WET file. The text is without its title line unless ``title`` is ``keep``."""

    name = "read_commoncrawl"

    def __init__(self, *, splits: tuple[Split, ...] | list[Split], domain: str = DOMAIN, title: Title = "drop") -> None:
        super().__init__(splits=splits, domain=domain)
        self.title: Title = title

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the file's pages; the key of a page is the offset of its record."""
        for record in read_wet(split.path):
            if isinstance(record, WetDamage):
                yield self.failed(split, key=record.key, reason=record.reason, detail=record.detail)
                continue
            source = f"{split.name}#{record.key}"
            yield new_document(
                domain=self.domain,
                id=f"{self.domain}/{source}",
                text=page_text(record.body, self.title),
                source=source,
                url=record.url,
                date=record.date,
                digest=record.digest,
            )
