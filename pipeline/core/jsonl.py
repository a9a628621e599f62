"""JSON lines of documents, compressed with zstd."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import orjson
import zstandard

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import DAMAGE, ZSTD_LEVEL, atomic_write, read_pieces
from llama_data.pipeline.core.hashed import HashedStream, WrittenFile
from llama_data.pipeline.core.lines import cut_lines


class JsonlWriter:
    """Writes one JSON object a line, zstd-compressed, atomically. A context manager.

    ``written``: what was written, once it is there.
    """

    written: WrittenFile

    def __init__(self, path: str) -> None:
        self.path = path
        self.count = 0

    def __enter__(self) -> Self:
        self._file = atomic_write(self.path)
        self._raw = HashedStream(self._file.__enter__())
        compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_checksum=True)
        self._stream = compressor.stream_writer(cast("BinaryIO", self._raw), closefd=False)
        return self

    def write(self, record: dict[str, Any]) -> None:
        """Add one line."""
        self._stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._stream.close()  # type: ignore[no-untyped-call]
        self._file.__exit__(kind, error, trace)
        self.written = self._raw.result(self.path, self.count)


def read_jsonl(path: str) -> Iterator[dict[str, Any]]:
    """Read JSON lines that we wrote, decompressing by suffix.

    Raises:
        InputError: a line is not JSON or the stream is damaged; names the file and the line.
    """
    number = 0
    try:
        for lines in cut_lines(read_pieces(path)):
            for line in lines:
                number += 1
                yield orjson.loads(line or b"")
    except (orjson.JSONDecodeError, *DAMAGE) as error:
        raise InputError(f"{path}: line {number}: not a readable JSON line: {error}") from None
