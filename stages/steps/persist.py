"""Documents as they are at one place of a chain, left on disk, so that what stands before is not done again.

Every pass of a chain reads the input anew and applies all rules before it. That needs no disk, and is right where both
are cheap. Where they are not (main content of HTML, dozens of rules) the survivors are a fraction of the input, and
reading them costs next to nothing. Nothing that is written in the end depends on it.

A task's file is zstd over documents: the lengths of what follows as two little-endian uint32, everything but the text
as JSON, the text as UTF-8 (surrogates as they are); two zeros end it. A text that nobody will see again, for its
document is rejected and not of the sample, is left out.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import orjson
import zstandard

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document, Outcome, Verdict, fail, is_open, verdict
from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.files import DAMAGE, ZSTD_LEVEL, atomic_write, file_size, join, open_decompressed
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import mend, sampled
from llama_data.pipeline.core.utf8_document import Utf8Document, characters_of, utf8_of
from llama_data.pipeline.core.whereabouts import at, counts
from llama_data.stages.steps.contract import Built, Pass, StepContext, StepSettings

_LENGTHS = struct.Struct("<II")
_END = _LENGTHS.pack(0, 0)


class Settings(StepSettings):
    """Leaves the documents on disk as they are here: later steps begin with them, and do not read the input again.

    For a place behind costly steps that reject much, before steps which compare documents with each other. It changes
    nothing of what is written in the end, and needs room for the compressed texts that are still open while the run
    lasts.
    """

    def build(self, context: StepContext) -> Built:
        """One job, and the reader of what it leaves."""
        write = WriteDocuments(run=context.run, domain=context.domain, work=context.work)
        return Built(passes=[Pass("documents", [write])], instead=[ReadDocuments(work=context.work)])


def _path(work: str, task: int) -> str:
    return join(work, f"{task:05d}.bin.zst")


class WriteDocuments(Step):
    """End of a job: all documents of the task, with their verdicts and notes."""

    name = "persist"

    def __init__(self, *, run: RunContext, domain: str, work: str) -> None:
        super().__init__()
        self.context = run
        self.domain = domain
        self.work = work

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's file. Yields nothing."""
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        path = _path(self.work, rank)
        with atomic_write(path) as file, compressor.stream_writer(file, closefd=False) as stream:
            for doc in data:
                mend(doc, self.domain, self.name)
                wanted = is_open(doc) or sampled(self.context, doc.id)
                text = utf8_of(doc) if wanted else b""
                head = self._head(doc, characters_of(doc) if wanted else 0)
                stream.write(_LENGTHS.pack(len(head), len(text)) + head)
                stream.write(text)
            stream.write(_END)
        yield from ()

    def _head(self, doc: Document, characters: int) -> bytes:
        """Everything but the text. A document that a step has left what JSON does not have fails, without that."""
        try:
            return _dumps(_fields(doc, characters))
        except TypeError as error:
            fail(doc, Reason.not_writable, self.name, str(error))
            doc.metadata = {key: value for key, value in doc.metadata.items() if _is_json(value)}
            doc.notes = {key: value for key, value in doc.notes.items() if _is_json(value)}
            return _dumps(_fields(doc, characters))


def _fields(doc: Document, characters: int) -> list[Any]:
    return [doc.id, characters, doc.metadata, doc.notes, verdict(doc), doc.chars_in, doc.lines_in]


def _dumps(value: Any) -> bytes:
    """JSON that also has what stands in no file: NaN, lone surrogates. Raises TypeError: it has what JSON has not."""
    return json.dumps(value, default=_as_written, separators=(",", ":")).encode()


def _as_written(value: Any) -> Any:
    """What the writer of documents makes of a value: of a date, say."""
    return orjson.loads(orjson.dumps(value))


def _is_json(value: Any) -> bool:
    try:
        _dumps(value)
    except TypeError:
        return False
    return True


class ReadDocuments(Step):
    """Begin of a job: the documents that ``WriteDocuments`` left for the task, in their order."""

    name = "read_persisted"

    def __init__(self, *, work: str) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Yield the documents. Raises RunError: the file is damaged."""
        path = _path(self.work, rank)
        at(path)
        try:
            yield from self._documents(path)
        except (*DAMAGE, ValueError) as error:
            problem = f"{path}: what an earlier job left is damaged: {error}"
            raise RunError(f"{problem}; give the command with --overwrite") from None
        counts.bytes += file_size(path)

    def _documents(self, path: str) -> Iterator[Document]:
        with open_decompressed(path) as stream:
            while (lengths := _take(stream, _LENGTHS.size)) != _END:
                head, text = _LENGTHS.unpack(lengths)
                doc = _document(_take(stream, head), _take(stream, text))
                at(doc.id)
                counts.records += 1
                yield doc
            if stream.read(1):  # at its end stands the stream's check value
                raise EOFError("bytes follow its end")


def _take(stream: BinaryIO, size: int) -> bytes:
    """So many bytes. Raises EOFError: there are fewer."""
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"it ends {size - len(data):,} bytes early")
    return data


def _document(head: bytes, text: bytes) -> Document:
    id, characters, metadata, notes, found, chars_in, lines_in = json.loads(head)
    doc = Utf8Document(id=id, characters=characters, metadata=metadata, utf8=text)
    doc.notes, doc.chars_in, doc.lines_in = notes, chars_in, lines_in
    if found is not None:
        outcome, reason, step, detail = found
        doc.verdict = Verdict(Outcome(outcome), reason, step, detail)
    return doc
