"""C4's two corpus-wide decisions: the newest page of an address, and the one page that keeps a line.

TFDS's rules: one page a normalised address, the newest; then every distinct line (stripped, lower-cased, MD5)
stays in one page only, the one whose address has the highest MD5, and once in that page. Hashes are cut to 64
bits: at a billion distinct lines the chance that any two collide is 3%.

A page is known by its number: task << 32 | position of its record in the task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document, verdict
from llama_data.pipeline.core.exchange import DecidedRule, Exchange, first_of_each
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.c4.address import url_key
from llama_data.stages.steps.c4_rules import CleanPage, has_sentences

URL = np.dtype([("hash", "<u8"), ("time", "<i8"), ("page", "<u8")])
LINE = np.dtype([("hash", "<u8"), ("rank", "<u8"), ("page", "<u8"), ("line", "<u4")])
PAGE = np.dtype([("page", "<u4")])
PAGE_LINE = np.dtype([("page", "<u4"), ("line", "<u4")])
_TASK = np.uint64(32)


def text_hash(text: str) -> int:
    """First eight bytes of the MD5 of the text as a number, so that numbers are in the order of the digests."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big")


def line_hash(line: str) -> int:
    """Hash under which lines count as the same."""
    return text_hash(line.strip().lower())


def time_number(timestamp: str | None) -> int:
    """A timestamp as a number that grows with time: the first 14 of its digits; 0 when there is none."""
    digits = "".join(char for char in timestamp or "" if char in "0123456789")[:14]
    return int(digits.ljust(14, "0")) if digits else 0


class WriteHashes(Step):
    """End of the first job: the address of every page, and the lines of those that survive the line rules."""

    name = "write_hashes"

    def __init__(self, *, work: str, newest_page: bool = True) -> None:
        super().__init__()
        self.work = work
        self.newest_page = newest_page

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's two files. Yields nothing."""
        urls: list[tuple[int, int, int]] = []
        lines: list[tuple[int, int, int, int]] = []
        for position, doc in enumerate(data):
            page = rank << 32 | position
            found = verdict(doc)
            url = doc.metadata.get("url")
            key = doc.id if url is None else url_key(url)
            if self.newest_page and url is not None and (found is None or found.step == CleanPage.name):
                urls.append((text_hash(key), time_number(doc.metadata.get("timestamp")), page))
            if found is None:
                rank_of_page = text_hash(key)
                for number, line in enumerate(doc.text.split("\n")):
                    lines.append((line_hash(line), rank_of_page, page, number))
        for kind, rows, dtype in (("urls", urls, URL), ("lines", lines, LINE)):
            records = np.array(rows, dtype)
            Exchange(self.work, kind, dtype).put(rank, records["hash"], records)
        yield from ()


class _Partition(Step):
    """A task of a deduplication job: it takes one range of hashes from every file of the job before."""

    def __init__(self, *, work: str, tasks: int, parts: int) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts

    def _write(self, kind: str, part: int, pages: NDArray[np.uint64], records: NDArray[Any]) -> None:
        Exchange(self.work, kind, records.dtype).give_back(part, pages >> _TASK, self.tasks, records)


class FindOlderCopies(_Partition):
    """Finds, for every address, the pages that are not its newest (ties: the first in input order stays)."""

    name = "find_older_copies"

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the losing pages of this range of addresses. Yields nothing."""
        urls = Exchange(self.work, "urls", URL).take_all(self.tasks, rank, self.parts)
        urls = urls[np.lexsort((urls["page"], -urls["time"], urls["hash"]))]
        losers = np.sort(urls["page"][~first_of_each(urls["hash"])])
        self._write("older", rank, losers, losers.astype(np.uint32).view(PAGE))
        yield from ()


class FindRepeatedLines(_Partition):
    """Finds, for every line, the places where it does not stay."""

    name = "find_repeated_lines"

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write the lines of this range of hashes that go. Yields nothing."""
        kept = []
        for task in range(self.tasks):
            lines = Exchange(self.work, "lines", LINE).take(task, rank, self.parts)
            older = Exchange(self.work, "older", PAGE).take_back(task, self.tasks, self.parts)["page"]
            kept.append(lines[~np.isin(lines["page"].astype(np.uint32), older)])
        lines = np.concatenate(kept)
        lines = lines[np.lexsort((lines["line"], lines["page"], ~lines["rank"], lines["hash"]))]
        gone = lines[~first_of_each(lines["hash"])]
        gone = gone[np.lexsort((gone["line"], gone["page"]))]
        records = np.empty(len(gone), PAGE_LINE)
        records["page"] = gone["page"].astype(np.uint32)
        records["line"] = gone["line"]
        self._write("repeated", rank, gone["page"], records)
        yield from ()


class _Decided(DecidedRule):
    """A rule that knows the decisions of an earlier job about the pages of its task."""

    def __init__(self, *, work: str, parts: int) -> None:
        super().__init__()
        self.work = work
        self.parts = parts


class DropOlderCopies(_Decided):
    """Rejects a page of which a newer copy is kept."""

    name = "newest_page"

    def load(self, rank: int, world_size: int) -> None:
        """Read the losing pages of this task."""
        pages = Exchange(self.work, "older", PAGE).take_back(rank, world_size, self.parts)["page"]
        self._older = set(pages.tolist())

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the page lost."""
        return Reason.older_copy if self.place in self._older else None


class DropRepeatedLines(_Decided):
    """Removes the lines that stay in another page; rejects the page when too few sentences are left."""

    name = "line_dedup"

    def __init__(self, *, work: str, parts: int, min_sentences: int) -> None:
        super().__init__(work=work, parts=parts)
        self.min_sentences = min_sentences

    def load(self, rank: int, world_size: int) -> None:
        """Read the lines of this task that go."""
        records = Exchange(self.work, "repeated", PAGE_LINE).take_back(rank, world_size, self.parts)
        records = records[np.argsort(records["page"], kind="stable")]
        self._lines = records["line"]
        pages, starts = np.unique(records["page"], return_index=True)
        ends = np.append(starts, len(records))[1:]
        self._ranges = dict(zip(pages.tolist(), zip(starts.tolist(), ends.tolist(), strict=True), strict=True))

    def judge(self, doc: Document) -> Reason | None:
        """Cut the lines out, or return why the page goes."""
        found = self._ranges.get(self.place)
        if found is None:
            return None
        gone = set(self._lines[found[0] : found[1]].tolist())
        lines = [line for number, line in enumerate(doc.text.split("\n")) if number not in gone]
        text = "\n".join(lines).strip()
        if not has_sentences(text, self.min_sentences):
            return Reason.too_few_sentences
        if not text:
            return Reason.all_lines_duplicated
        doc.text = text
        doc.metadata["removed_lines"] += len(gone)
        return None
