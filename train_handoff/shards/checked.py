"""The check value of a shard: the CRC-32 of the whole file, taken with zeros where the value itself stands."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

from deflate import crc32

from llama_data.pipeline.core.files import file_size, open_binary

CHECK_KEY = "llama_data.crc32"
BLANK_CHECK = b"llama_data.crc32:00000000"
MARK = BLANK_CHECK[:-8]
READ_BYTES = 16 << 20


class CheckedStream(io.RawIOBase):
    """Passes bytes on, keeps their CRC-32, and holds the footer back until its check value is known."""

    def __init__(self, target: BinaryIO) -> None:
        super().__init__()
        self.target = target
        self.crc = 0
        self.position = 0
        self.held: bytearray | None = None

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self.position += size
        if self.held is not None:
            self.held += data
        else:
            self.crc = crc32(data, self.crc)
            self.target.write(data)
        return size

    def finish(self) -> None:
        """Put the CRC-32 of the file, taken with zeros in its place, into the footer, and write that."""
        tail = self.held or bytearray()
        at = tail.index(BLANK_CHECK) + len(BLANK_CHECK) - 8
        tail[at : at + 8] = b"%08x" % crc32(tail, self.crc)
        self.target.write(tail)


def stated_value(path: str) -> str | None:
    """The check value that a file's footer states, without looking at the rest of the file; None: it states none."""
    size = file_size(path)
    with open_binary(path) as stream:
        stream.seek(max(size - 8, 0))
        length = int.from_bytes(stream.read(4), "little") + 8
        stream.seek(max(size - length, 0))
        tail = stream.read()
    at = tail.find(MARK) + len(MARK)
    return tail[at : at + 8].decode("latin-1") if at >= len(MARK) else None


def check_value(path: str) -> str | None:
    """Compare a file with the CRC-32 in its footer: None, or what is wrong with it."""
    size = file_size(path)
    with open_binary(path) as stream:
        stream.seek(max(size - 8, 0))
        end = stream.read(8)
        length = int.from_bytes(end[:4], "little") + 8
        if size < 12 or end[4:] != b"PAR1" or length > size:
            return "cut short or not a parquet file: it does not end with its footer"
        stream.seek(size - length)
        tail = bytearray(stream.read(length))
        at = tail.find(MARK) + len(MARK)
        if at < len(MARK):
            return "its footer holds no check value: it is damaged, or not a shard"
        stated, tail[at : at + 8] = bytes(tail[at : at + 8]), b"0" * 8
        stream.seek(0)
        crc, left = 0, size - length
        while left:
            data = stream.read(min(READ_BYTES, left))
            crc, left = crc32(data, crc), left - len(data)
    if b"%08x" % crc32(tail, crc) != stated:
        return "a byte was changed after it was written (CRC-32 of the file)"
    return None
