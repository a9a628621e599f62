"""Where questions meet their answers: one file a parsing task, in which each bucket's records stand in frames.

A file is a run of zstd frames; its index says which byte ranges belong to which bucket. So a dump of N tasks and
M buckets is N files and not N x M, and a joining task reads only its own ranges of each.
"""

from __future__ import annotations

import io
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import orjson
import zstandard

from llama_data.pipeline.core.files import (
    atomic_write,
    join,
    list_files,
    open_binary,
    read_bytes,
)

HELD = 64 << 20
_INDEX = ".index.json"


def bucket_of(site: str, question: int, buckets: int) -> int:
    """The bucket of a thread, from the site and the question's number only."""
    return zlib.crc32(f"{site}/{question}".encode()) % buckets


class BucketWriter:
    """Writes one task's records to their buckets; holds at most about ``HELD`` bytes. A context manager."""

    def __init__(self, folder: str, rank: int, buckets: int) -> None:
        self._path = join(folder, f"{rank:05d}.frames")
        self._buffers = [bytearray() for _ in range(buckets)]
        self._ranges: list[list[tuple[int, int]]] = [[] for _ in range(buckets)]
        self._held = 0
        self._written = 0
        self._compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)
        self.posts: dict[str, dict[str, int]] = {}

    def __enter__(self) -> Self:
        self._file = atomic_write(self._path)
        self._stream = self._file.__enter__()
        return self

    def add(self, bucket: int, record: dict[str, Any]) -> None:
        """Put a record into a bucket."""
        line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        self._buffers[bucket] += line
        self._held += len(line)
        if self._held > HELD:
            self._flush()

    def count(self, site: str, file: str, posts: int = 1) -> None:
        """Count posts of a site in a file; the counts of all tasks rank the sites."""
        files = self.posts.setdefault(site, {})
        files[file] = files.get(file, 0) + posts

    def _flush(self) -> None:
        for bucket, lines in enumerate(self._buffers):
            if lines:
                frame = self._compressor.compress(lines)
                self._stream.write(frame)
                self._ranges[bucket].append((self._written, len(frame)))
                self._written += len(frame)
                lines.clear()
        self._held = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._file.__exit__(kind, error, trace)
        if error is None:
            with atomic_write(self._path + _INDEX) as stream:
                stream.write(orjson.dumps({"ranges": self._ranges, "posts": self.posts}))


def count_posts(folder: str) -> dict[str, int]:
    """Posts of each site, over all tasks' files; of a site that stands in several dumps those of the largest."""
    total: dict[str, Counter[str]] = {}
    for index in list_files(folder, _INDEX):
        for site, files in orjson.loads(read_bytes(index))["posts"].items():
            total.setdefault(site, Counter()).update(files)
    return {site: max(files.values()) for site, files in total.items()}


def read_bucket(folder: str, bucket: int) -> Iterator[dict[str, Any]]:
    """Every record of a bucket, in the order of the tasks and of their input."""
    decompressor = zstandard.ZstdDecompressor()
    for index in list_files(folder, _INDEX):
        ranges = orjson.loads(read_bytes(index))["ranges"][bucket]
        if ranges:
            with open_binary(index.removesuffix(_INDEX)) as stream:
                for frame in _frames(stream, ranges):
                    for line in io.BytesIO(decompressor.decompress(frame)):
                        yield orjson.loads(line)


def _frames(stream: Any, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    for start, size in ranges:
        stream.seek(start)
        yield stream.read(size)
