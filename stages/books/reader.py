"""Books from text files: plain, gzipped, or members of a zip archive; each file or member is one book."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO

from llama_data.pipeline.core.block import Reader, describe
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, Split, open_binary, open_decompressed
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.books.encoding import decode
from llama_data.stages.books.formats import HEAD, foreign_archive, foreign_format
from llama_data.stages.shared.zip_members import DAMAGED, open_archive, read_member, require_all

_LEAST = 4 << 10  # stored bytes from which on a ratio is taken


class BookReader(Reader):
    """Reads whole files; the text is decoded, its newlines made ``\\n``, nothing else."""

    def __init__(
        self, *, splits: Sequence[Split], domain: str, max_book_bytes: int, max_members: int, max_ratio: int
    ) -> None:
        super().__init__(splits=splits, domain=domain)
        self.max_book_bytes = max_book_bytes
        self.max_members = max_members
        self.max_ratio = max_ratio

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the book of a text file, or the books of a zip archive."""
        if split.name.lower().endswith(".zip"):
            yield from self._archive(split)
            return
        try:
            with open_decompressed(split.path) as stream:
                # A plain file whose name is that of a member of an archive is told from it by a mark.
                name = f"{split.name}#" if "#" in split.name else split.name
                yield self._book(name, self._data(stream, split.size))
        except RecordError as error:
            yield self.failed(split, key=0, reason=error.reason, detail=error.detail)
        except EOFError:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the compressed file ends early")
        except DamagedStream as error:
            yield self.failed(split, key=0, reason=Reason.damaged_archive, detail=str(error))

    def _archive(self, split: Split) -> Iterator[Document]:
        """The text members of a zip archive, by name; nothing is written anywhere."""
        try:
            with open_binary(split.path) as raw, open_archive(raw) as archive:
                members = [item for item in archive.infolist() if _is_text(item)]
                foreign = foreign_archive(archive.NameToInfo.keys())
                if foreign is not None:
                    raise RecordError(Reason.wrong_format, foreign)
                if len(members) > self.max_members:
                    detail = f"{len(members)} text files, more than the limit of {self.max_members}"
                    raise RecordError(Reason.unsafe_archive, detail)
                if sum(item.compress_size for item in members if item.header_offset >= 0) > split.size:
                    raise RecordError(Reason.unsafe_archive, "its members are together larger than the file")
                if not members:
                    doc = self._record(split.name, "")
                    reject(doc, Reason.no_text_file, self.name)
                    yield doc
                seen: Counter[str] = Counter()
                for item in sorted(members, key=lambda item: item.filename):
                    seen[item.filename] += 1
                    yield self._member(split, raw, item, seen[item.filename])
                require_all(raw, archive)
        except RecordError as error:
            yield self.failed(split, key=0, reason=error.reason, detail=error.detail)
        except DAMAGED as error:
            yield self.failed(split, key=0, reason=Reason.damaged_archive, detail=describe(error))

    def _member(self, split: Split, raw: IO[bytes], item: zipfile.ZipInfo, number: int) -> Document:
        # An archive may hold one name several times; no text file's name ends with a number.
        name = item.filename if number == 1 else f"{item.filename}@{number}"
        try:
            data = read_member(raw, item, self._most(item.compress_size) + 1)
            return self._book(f"{split.name}#{name}", self._checked(data, item.compress_size))
        except RecordError as error:
            return self.failed(split, key=name, reason=error.reason, detail=error.detail)
        except DAMAGED as error:
            return self.failed(split, key=name, reason=Reason.damaged_archive, detail=describe(error))

    def _most(self, stored: int) -> int:
        """How many bytes a file of so many stored ones may have."""
        return min(self.max_book_bytes, max(stored, _LEAST) * self.max_ratio)

    def _data(self, stream: IO[bytes], stored: int) -> bytes:
        """All bytes of a file; what it is is seen from its head, before it may be too long."""
        most = self._most(stored) + 1
        head = stream.read(min(HEAD, most))
        _refuse(head)
        return self._checked(head + stream.read(most - len(head)), stored)

    def _checked(self, data: bytes, stored: int) -> bytes:
        """The bytes of a file, unless they are no text, or more than a book can have."""
        _refuse(data[:HEAD])
        if len(data) > self.max_book_bytes:
            raise RecordError(Reason.too_long, f"more than {self.max_book_bytes} bytes")
        if len(data) > self._most(stored):
            raise RecordError(Reason.unsafe_archive, f"unpacks to more than {self.max_ratio} times its size")
        return data

    def _book(self, source: str, data: bytes) -> Document:
        text, encoding = decode(data)
        doc = self._record(source, text)
        doc.metadata["encoding"] = encoding
        return doc

    def _record(self, source: str, text: str) -> Document:
        return new_document(domain=self.domain, id=f"{self.domain}/{source}", text=text, source=source)


def _is_text(item: zipfile.ZipInfo) -> bool:
    return not item.is_dir() and item.filename.lower().endswith(".txt") and not item.filename.startswith("__MACOSX/")


def _refuse(head: bytes) -> None:
    """Raise RecordError when a file begins as other formats than text do."""
    foreign = foreign_format(head)
    if foreign is not None:
        raise RecordError(Reason.wrong_format, foreign)
