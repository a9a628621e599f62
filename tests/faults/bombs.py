"""Small files that become large ones, and what a run makes of them. Each function makes its files in a folder, reads
them, and gives the number of records by outcome or reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from warc_writer import record

from llama_data.pipeline.core.job import Job, RunContext
from llama_data.stages.arxiv import jobs as arxiv
from llama_data.stages.books import jobs as books
from llama_data.stages.commoncrawl import jobs as commoncrawl
from llama_data.stages.custom import jobs as custom
from llama_data.stages.github import jobs as github
from llama_data.stages.stackexchange import jobs as stackexchange
from llama_data.stages.wikipedia import jobs as wikipedia

MB = 1 << 20
SOUND = b'{"text": "A sound line before."}\n'


def outcomes(jobs: Sequence[Job], context: RunContext, domain: str) -> dict[str, int]:
    """Run every task of the jobs, and count the rows of the ledger."""
    for job in jobs:
        for rank in range(job.tasks):
            data: Any = None
            for step in job.steps:
                data = step.run(data, rank, job.tasks)
            assert list(data or ()) == []
    table = pq.read_table(context.ledger(domain), columns=["outcome", "reason"]).to_pylist()
    return dict(Counter(row["reason"] or row["outcome"] for row in table))


def _run(stage: Any, folder: str, **settings: Any) -> dict[str, int]:
    context = RunContext(input=folder, output=f"{folder}/../out")
    return outcomes(stage.jobs(stage.Settings(**settings), context), context, stage.DOMAIN)


def _source(folder: str, **settings: Any) -> dict[str, int]:
    context = RunContext(input=folder, output=f"{folder}/../out")
    chosen = custom.Settings(inputs=("*",), **settings)
    return outcomes(custom.jobs(chosen, context, "own"), context, "own")


def _packed(kind: str, data: bytes, times: int) -> bytes:
    """So many copies of some bytes; bzip2 and xz one stream after the other, which is quick to make."""
    if kind == "zst":
        compressor = zstandard.ZstdCompressor(level=1).compressobj()
        return b"".join([*(compressor.compress(data) for _ in range(times)), compressor.flush()])
    make = {"bz2": bz2.compress, "xz": lambda data: lzma.compress(data, preset=0), "gz": gzip.compress}[kind]
    return make(data) * times


def long_line(folder: str, kind: str) -> dict[str, int]:
    """Two gigabytes without an end of line in a compressed file of JSON lines, between two that are sound."""
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress, "zst": zstandard.compress}[kind]
    data = pack(SOUND) + _packed(kind, bytes(64 * MB), 32) + pack(b"\n" + SOUND)
    Path(folder, f"a.jsonl.{kind}").write_bytes(data)
    return _source(folder)


def empty_lines(folder: str, kind: str) -> dict[str, int]:
    """A gigabyte of newlines in a compressed file of JSON lines."""
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress, "zst": zstandard.compress}[kind]
    Path(folder, f"a.jsonl.{kind}").write_bytes(pack(SOUND) + _packed(kind, b"\n" * 64 * MB, 16) + pack(SOUND))
    return _source(folder)


def widest_line(folder: str) -> dict[str, int]:
    """The longest lines that are read, of characters that take four bytes each in memory."""
    from llama_data.stages.shared.json_rows import MAX_LINE

    text = "a" * (MAX_LINE - 100) + "\U0001f600"
    Path(folder, "a.jsonl").write_bytes(b'{"text": "' + text.encode() + b'"}\n' + SOUND)
    steps: list[Any] = ["line_dedup", "exact_dup"]
    return _source(folder, steps=steps)


def many_lines(folder: str, count: int) -> dict[str, int]:
    """A row whose text has so many lines, through the steps that look at lines."""
    Path(folder, "a.jsonl").write_bytes(b'{"text": "x' + b"\\n" * (count - 1) + b'"}\n' + SOUND)
    return _source(folder, steps=["line_dedup", "c4_rules"])


def web_lines(folder: str, count: int, pages: int) -> dict[str, int]:
    """Pages of a WET file that have so many lines, each in a gzip member of its own."""
    body = b"Title\n" + b"\n" * count
    members = [record(body, number, kind="conversion", content="text/plain") for number in range(pages)]
    sound = record(b"Title\n" + b"A sound line. " * 100, pages, kind="conversion", content="text/plain")
    Path(folder, "a.warc.wet.gz").write_bytes(b"".join(gzip.compress(one, mtime=0) for one in (*members, sound)))
    off = {"language_model": None, "perplexity_models": None, "reference_model": None}
    return _run(commoncrawl, folder, dedup_group="all", **off)


def parquet_dictionary(folder: str, value: int, rows: int) -> dict[str, int]:
    """Rows that all have one long value, which a dictionary holds once."""
    indices = pa.array([0] * rows, pa.int32())
    table = pa.table({"text": pa.DictionaryArray.from_arrays(indices, ["x" * value])})
    pq.write_table(table, f"{folder}/a.parquet", compression="zstd")
    return _source(folder)


def parquet_pages(folder: str, value: int, rows: int) -> dict[str, int]:
    """Rows of long values that compress well, without a dictionary, in one page."""
    table = pa.table({"text": [f"{number}" + "x" * value for number in range(rows)]})
    pq.write_table(table, f"{folder}/a.parquet", use_dictionary=False, compression="zstd", data_page_size=1 << 30)
    return _source(folder)


def book_member(folder: str, kind: int) -> dict[str, int]:
    """A member of a zip archive of a few kilobytes that becomes gigabytes, beside a sound one."""
    with zipfile.ZipFile(f"{folder}/a.zip", "w", kind) as archive:
        with archive.open("a.txt", "w", force_zip64=True) as member:
            for _ in range(16):
                member.write(bytes(64 * MB))
        archive.writestr("b.txt", "A sound book. " * 100)
    return _run(books, folder, max_overlap=None)


def book_stream(folder: str, kind: str) -> dict[str, int]:
    """A gzipped book that becomes gigabytes, beside a sound one."""
    Path(folder, "a.txt.gz").write_bytes(_packed("gz", bytes(64 * MB), 16))
    Path(folder, "b.txt").write_text("A sound book. " * 100)
    return _run(books, folder, max_overlap=None)


def dump_stream(folder: str, kind: str) -> dict[str, int]:
    """A dump of a Wikipedia of which a page becomes gigabytes, before a sound one."""
    page = b"<page><title>%s</title><ns>0</ns><id>%d</id><revision><text>%s</text></revision></page>"
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress}[kind]
    data = pack(b"<mediawiki><page><title>A</title><id>1</id><revision><text>")
    data += _packed(kind, b"a " * 32 * MB, 16) + pack(b"</text></revision></page>")
    data += pack(page % (b"B", 2, b"A sound page. " * 20) + b"</mediawiki>")
    Path(folder, f"enwiki-a-pages-articles.xml.{kind}").write_bytes(data)
    return _run(wikipedia, folder, inputs=("*.xml*",))


def posts_row(folder: str, kind: str) -> dict[str, int]:
    """A row of posts that becomes gigabytes, before a sound one."""
    site = Path(folder, "a.stackexchange.com")
    site.mkdir()
    row = b'<row Id="2" PostTypeId="1" Title="t" Body="A sound post." />'
    data = gzip.compress(b'<posts><row Id="1" Body="') + _packed("gz", b"a" * 64 * MB, 16)
    (site / "Posts.xml.gz").write_bytes(data + gzip.compress(b'" />' + row + b"</posts>"))
    return _run(stackexchange, folder, max_ratio=None)


def paper(folder: str) -> dict[str, int]:
    """A paper that becomes gigabytes, before a sound one."""

    def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))

    sound = rb"\documentclass{article}\begin{document}A sound paper. It says more than a word.\end{document}"
    with tarfile.open(f"{folder}/a.tar", "w") as archive:
        add(archive, "2101/2101.00001.gz", _packed("gz", bytes(64 * MB), 16))
        add(archive, "2101/2101.00002.gz", gzip.compress(sound))
    return _run(arxiv, folder)


def code_archive(folder: str, kind: str) -> dict[str, int]:
    """A source archive with a file of gigabytes, between two sound ones."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w") as archive:
        for name, size in (("p/a.py", 100), ("p/b.py", 1 << 30), ("p/c.py", 100)):
            info = tarfile.TarInfo(name)
            info.size = size
            if size < MB:
                archive.addfile(info, io.BytesIO(b"x = 1\n" * 20))
            else:
                archive.addfile(info)
                head = inner.getvalue()
                inner.seek(0)
                inner.truncate()
    pack = {"bz2": bz2.compress, "xz": lzma.compress, "gz": gzip.compress}[kind]
    Path(folder, f"p.tar.{kind}").write_bytes(pack(head) + _packed(kind, bytes(64 * MB), 16) + pack(inner.getvalue()))
    return _run(github, folder, repositories=("*.tar.*",), inputs=(), licences=None)
