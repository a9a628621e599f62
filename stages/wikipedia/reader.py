"""MediaWiki XML dumps to documents: one for every page, its text still wikitext."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, make_document
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.keys import KEY
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia.dump.encoding import is_known, to_utf8
from llama_data.stages.wikipedia.dump.pieces import Dump
from llama_data.stages.wikipedia.dump.stream import Block, Damage, read_range

MAX_PAGE_BYTES = 64 << 20

_OPEN = re.compile(rb"<page(?:\s[^<>]*)?>")
_CLOSE = b"</page>"
_KEEP = 64  # bytes in which a tag may be cut between two blocks


class RawPage(NamedTuple):
    """The bytes of one ``<page>`` element, or why there are none; ``place`` is where it begins."""

    place: str
    xml: bytes
    problem: Reason | None = None
    detail: str = ""


def frame_pages(blocks: Iterator[Block | Damage]) -> Iterator[RawPage]:
    """Cut ``<page>`` elements out of a range of a dump.

    Markup inside a page's text is escaped, so the tags can be searched for as bytes: what is broken in one page
    stays in it, and a document type with hostile entities is never parsed. A page belongs to the range in
    which its tag begins.
    """
    framer = _Framer()
    for block in blocks:
        if isinstance(block, Damage):
            reason = Reason.truncated_file if block.truncated else Reason.damaged_archive
            if not block.own or framer.began_before(block.offset):
                yield from framer.end(reason, "the page goes on in a compressed stream that is damaged")
            if not block.own:
                return
            yield RawPage(str(block.offset), b"", reason, block.detail)
            framer = _Framer()
            continue
        yield from framer.feed(block)
        if framer.finished:
            return
    yield from framer.end(Reason.truncated_file, "the file ends inside this page")


class _Framer:
    def __init__(self) -> None:
        self._buffer = bytearray()
        self._own = 0  # so many bytes of the buffer belong to the range
        self._inside = False  # the buffer begins with the tag of a page of ours
        self._scanned = 0
        self._complete = False  # a page has ended here, so that another that ends has begun here too
        self._place = ""
        self._block: Block | None = None
        self._block_start = 0
        self._previous: Block | None = None
        self._previous_start = 0
        self.finished = False

    def feed(self, block: Block) -> Iterator[RawPage]:
        """Add bytes and yield the pages that are complete."""
        if not self._inside and not block.own and self._own == 0:
            self.finished = True
            return
        self._previous, self._previous_start = self._block, self._block_start
        self._block, self._block_start = block, len(self._buffer)
        self._buffer += block.data
        if block.own:
            self._own = len(self._buffer)
        going = True
        while going:
            if self._inside:
                page = self._close()
                going = page is not None
                if page is not None:
                    yield page
            else:
                yield from self._unopened()
                going = self._open()
        if not self._inside and not block.own:
            begun = b"<" in self._buffer[: self._own]  # perhaps a tag of ours, cut in two by the end of the range
            self.finished = not begun or len(self._buffer) - self._own >= _KEEP

    def began_before(self, stream: int) -> bool:
        """True when a page is open that began in an earlier compressed stream than the one at this offset."""
        return self._inside and not self._place.startswith(f"{stream}+")

    def end(self, reason: Reason, detail: str) -> Iterator[RawPage]:
        """Yield the page that is cut off here, if there is one."""
        if self._inside:
            yield RawPage(self._place, b"", reason, detail)

    def _unopened(self) -> Iterator[RawPage]:
        """A row for each page that ends before one begins: its own tag is damaged."""
        while self._complete:
            end = self._buffer.find(_CLOSE)
            begin = _OPEN.search(self._buffer, 0, end if end >= 0 else len(self._buffer))
            if end < 0 or begin is not None or end >= self._own:
                return
            yield RawPage(self._place_of(end), b"", Reason.invalid_xml, "a page ends here of which no tag begins it")
            self._drop(end + len(_CLOSE))

    def _open(self) -> bool:
        found = _OPEN.search(self._buffer)
        if found and found.start() < self._own:
            self._place = self._place_of(found.start())
            self._drop(found.start())
            self._inside = True
            self._scanned = found.end() - found.start()
            return True
        if self._block is not None and self._block.own:
            self._drop(max(0, len(self._buffer) - _KEEP))
        return False

    def _close(self) -> RawPage | None:
        """The page that the buffer begins with, or None when its end has not come yet."""
        end = self._buffer.find(_CLOSE, self._scanned)
        again = _OPEN.search(self._buffer, self._scanned, end if end >= 0 else len(self._buffer))
        if again:
            self._leave(again.start())
            return RawPage(self._place, b"", Reason.invalid_xml, "another page begins before this one ends")
        if end >= 0:
            xml = bytes(memoryview(self._buffer)[: end + len(_CLOSE)])
            self._complete = True
            self._leave(end + len(_CLOSE))
            return RawPage(self._place, xml)
        if len(self._buffer) > MAX_PAGE_BYTES:
            self._leave(len(self._buffer))
            return RawPage(self._place, b"", Reason.too_complex, f"the page has more than {MAX_PAGE_BYTES} bytes")
        self._scanned = max(self._scanned, len(self._buffer) - _KEEP)
        return None

    def _leave(self, size: int) -> None:
        self._drop(size)
        self._inside = False

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._own = max(0, self._own - size)
        self._block_start -= size
        self._previous_start -= size

    def _place_of(self, offset: int) -> str:
        block, start = self._block, self._block_start
        if offset < start and self._previous is not None:
            block, start = self._previous, self._previous_start
        return block.place(offset - start) if block is not None else ""


class Page(Document):
    """A page of a dump. ``hidden_prefixes``: what the dump calls namespaces whose links show nothing, lower case."""

    __slots__ = ("hidden_prefixes", "model", "namespace", "redirect")
    namespace: str
    redirect: bool
    model: str
    hidden_prefixes: frozenset[str]


class WikipediaReader(Reader):
    """Reads pages from splits of dump files; ``dumps`` says what each file is, by its name."""

    name = "read_wikipedia"

    def __init__(
        self,
        *,
        splits: Sequence[Split] = (),
        tasks: Sequence[Sequence[Split]] | None = None,
        domain: str,
        dumps: Mapping[str, Dump],
    ) -> None:
        super().__init__(splits=splits, tasks=tasks, domain=domain)
        self.dumps = dict(dumps)

    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every page of the split."""
        dump = self.dumps[split.name]
        if not is_known(dump.encoding):
            detail = f"the file says that it is in {dump.encoding!r}, which is no known encoding"
            yield self.failed(split, key=0, reason=Reason.invalid_encoding, detail=detail)
            return
        page = None
        for page in frame_pages(to_utf8(read_range(split.path, split.start, split.end), dump.encoding)):
            if page.problem is not None:
                yield self.failed(split, key=page.place, reason=page.problem, detail=page.detail)
                continue
            try:
                yield self._document(page.xml, split, dump)
            except RecordError as error:
                yield self.failed(split, key=page.place, reason=error.reason, detail=error.detail)
        if page is None and split.start == 0 and split.end is None:
            yield self.failed(split, key=0, reason=Reason.wrong_format, detail="there is no <page> in the file")

    def _document(self, xml: bytes, split: Split, dump: Dump) -> Document:
        page = _parse(xml)
        title = page.findtext("title", "").strip()
        page_id = page.findtext("id", "").strip()
        if not title or not page_id.isdecimal() or len(page_id) > 18:
            raise RecordError(Reason.missing_field, "the page has no <title> or no numeric <id>")
        revisions = page.findall("revision")
        revision = revisions[-1] if revisions else ElementTree.Element("revision")
        doc = make_document(
            Page,
            domain=self.domain,
            id=f"{self.domain}/{dump.page_id(page_id)}",
            text=revision.findtext("text", ""),
            source=f"{split.name}#{page_id}",
            title=title,
            url=f"https://{dump.language}.wikipedia.org/wiki/{quote(title.replace(' ', '_'), safe=_URL_SAFE)}",
            language=dump.language,
            timestamp=revision.findtext("timestamp"),
            page_id=int(page_id),
        )
        doc.notes[KEY] = f"{self.domain}/{dump.language}/{page_id}"
        doc.namespace = page.findtext("ns", "0").strip()
        doc.redirect = page.find("redirect") is not None
        doc.model = revision.findtext("model", "wikitext").strip()
        doc.hidden_prefixes = dump.hidden_prefixes
        return doc


_URL_SAFE = "/:@!$*(),;'~-._"


def _parse(xml: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError) as error:
        raise RecordError(Reason.invalid_xml, f"the page is not well-formed XML: {error}") from None
