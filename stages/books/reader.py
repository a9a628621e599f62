"""Books from text files: plain, gzipped, or members of a zip archive; each file or member is one book."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import DamagedStream, Split, open_binary, open_decompressed
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.books.encoding import decode

_ENCRYPTED = 0x1
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, ValueError, EOFError, IndexError)


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
                yield self._book(name, self._limited(stream, split.size))
        except RecordError as error:
            yield self.failed(split, key=0, reason=error.reason, detail=error.detail)
        except EOFError:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the compressed file ends early")
        except DamagedStream as error:
            yield self.failed(split, key=0, reason=Reason.damaged_archive, detail=str(error))

    def _archive(self, split: Split) -> Iterator[Document]:
        """The text members of a zip archive, by name; nothing is written anywhere."""
        try:
            with open_binary(split.path) as raw, zipfile.ZipFile(raw) as archive:
                members = [item for item in archive.infolist() if _is_text(item)]
                if len(members) > self.max_members:
                    detail = f"{len(members)} text files, more than the limit of {self.max_members}"
                    raise RecordError(Reason.unsafe_archive, detail)
                if not members:
                    doc = self._record(split.name, "")
                    reject(doc, Reason.no_text_file, self.name)
                    yield doc
                seen: Counter[str] = Counter()
                for item in sorted(members, key=lambda item: item.filename):
                    seen[item.filename] += 1
                    yield self._member(split, archive, item, seen[item.filename])
        except RecordError as error:
            yield self.failed(split, key=0, reason=error.reason, detail=error.detail)
        except _DAMAGED_ZIP as error:
            yield self.failed(split, key=0, reason=Reason.damaged_archive, detail=f"{type(error).__name__}: {error}")

    def _member(self, split: Split, archive: zipfile.ZipFile, item: zipfile.ZipInfo, number: int) -> Document:
        # An archive may hold one name several times; no text file's name ends with a number.
        name = item.filename if number == 1 else f"{item.filename}@{number}"
        try:
            if item.flag_bits & _ENCRYPTED:
                raise RecordError(Reason.damaged_archive, "the member is encrypted")
            with archive.open(item) as stream:
                return self._book(f"{split.name}#{name}", self._limited(stream, item.compress_size))
        except RecordError as error:
            return self.failed(split, key=name, reason=error.reason, detail=error.detail)
        except _DAMAGED_ZIP as error:
            detail = f"{type(error).__name__}: {error}"
            return self.failed(split, key=name, reason=Reason.damaged_archive, detail=detail)

    def _limited(self, stream: IO[bytes], stored: int) -> bytes:
        """All bytes of a file, unless they are more than a book can have."""
        unpacked = max(stored, 1 << 12) * self.max_ratio
        data = stream.read(min(self.max_book_bytes, unpacked) + 1)
        if len(data) > unpacked:
            raise RecordError(Reason.unsafe_archive, f"unpacks to more than {self.max_ratio} times its size")
        if len(data) > self.max_book_bytes:
            raise RecordError(Reason.too_long, f"more than {self.max_book_bytes} bytes")
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
