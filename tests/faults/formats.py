"""The formats that the readers take, as small sound files whose records are known byte by byte."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import py7zr
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from pyarrow import ipc
from warc_writer import arc, arc_begin, http, record

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import verdict
from llama_data.pipeline.core.files import Split
from llama_data.stages.arxiv.archive import Limits as PaperLimits
from llama_data.stages.arxiv.reader import ArxivReader
from llama_data.stages.books.reader import BookReader
from llama_data.stages.c4.reader import C4Reader
from llama_data.stages.commoncrawl.reader import CommonCrawlReader
from llama_data.stages.custom.fields import Fields
from llama_data.stages.custom.reader import SourceReader
from llama_data.stages.github.entry import Limits
from llama_data.stages.github.reader import GithubReader
from llama_data.stages.github.repositories import Repository
from llama_data.stages.github.repository_reader import RepositoryReader
from llama_data.stages.stackexchange.reader import PostReader
from llama_data.stages.wikipedia.dump.pieces import inspect
from llama_data.stages.wikipedia.reader import WikipediaReader

COUNT = 12
TEXTS = [
    f"Record {n} says: " + f"the {n}th ferry crossed the river at {n + 3} in the morning. " * 4 for n in range(COUNT)
]
_PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.compress,
}


class Record(NamedTuple):
    """Where a record stands in what is damaged, and a piece of text that only it has."""

    start: int
    end: int
    mark: str


class Format(NamedTuple):
    """``data`` is damaged, then ``packed`` into the file ``name``, which ``reader`` reads.

    ``resumes``: records behind damage are found again. ``rows``: every record has a row whatever is damaged, so that
    their number stays, unless the damage makes or joins lines.
    """

    name: str
    data: bytes
    records: list[Record]
    reader: Callable[[Split], Reader]
    pack: Callable[[bytes], bytes] = bytes
    resumes: bool = True


def mark(number: int) -> str:
    """The text that tells a record."""
    return f"Record {number} says:"


def _source(format: str = "auto") -> Callable[[Split], Reader]:
    def make(split: Split) -> Reader:
        return SourceReader(
            tasks=[[split]],
            domain="d",
            format=format,
            fields=Fields(text="text"),
            where={},
            split=None,
            language=None,
            license=None,
        )

    return make


def _books(split: Split) -> Reader:
    return BookReader(splits=[split], domain="d", max_book_bytes=1 << 20, max_members=100, max_ratio=200)


def _code(split: Split) -> Reader:
    one = Repository(path=split.path, name=split.name, size=split.size)
    return RepositoryReader(tasks=[[one]], first_task=0, domain="d", limits=Limits())


def _papers(split: Split) -> Reader:
    return ArxivReader(splits=[split], domain="d", limits=PaperLimits())


def _posts(split: Split) -> Reader:
    return PostReader(tasks=[[split]], domain="d", max_posts_bytes=1 << 30, max_ratio=200)


def _dump(split: Split) -> Reader:
    return WikipediaReader(splits=[split], domain="d", dumps={split.name: inspect(split)})


def _web(split: Split) -> Reader:
    return CommonCrawlReader(splits=[split], domain="d")


def _joined(parts: Sequence[bytes], before: bytes = b"", after: bytes = b"") -> tuple[bytes, list[Record]]:
    at, records = len(before), []
    for number, part in enumerate(parts):
        records.append(Record(at, at + len(part), mark(number)))
        at += len(part)
    return before + b"".join(parts) + after, records


def _found(data: bytes, whole: bool = False) -> list[Record]:
    """Records where their texts stand; ``whole``: damage anywhere may cost any of them."""
    places = [data.find(mark(number).encode()) for number in range(COUNT)]
    spans = [(0, len(data))] * COUNT if whole else [(at, at + len(TEXTS[n])) for n, at in enumerate(places)]
    return [Record(*span, mark(number)) for number, span in enumerate(spans)]


def _tar(names: Sequence[str], bodies: Sequence[bytes]) -> tuple[bytes, list[Record]]:
    out, records = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, (name, body) in enumerate(zip(names, bodies, strict=True)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            start = archive.offset
            archive.addfile(info, io.BytesIO(body))
            records.append(Record(start, archive.offset, mark(number)))
    return out.getvalue(), records


def _zip(names: Sequence[str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in zip(names, TEXTS, strict=True):
            archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def _seven_zip(posts: bytes) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        archive.writestr(posts, "Posts.xml")
    return out.getvalue()


def _table(kind: str) -> bytes:
    table = pa.table({"text": TEXTS, "n": list(range(COUNT))})
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink, row_group_size=3)
    else:
        make = ipc.new_file if kind == "file" else ipc.new_stream
        with make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
    return sink.getvalue()


def _csv(delimiter: str) -> tuple[bytes, list[Record]]:
    lines = []
    for number, text in enumerate(TEXTS):
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerow([number, text])
        lines.append(out.getvalue().encode())
    return _joined(lines, before=delimiter.join(("n", "text")).encode() + b"\n")


def _wet_record(number: int) -> bytes:
    return record(f"Title\n{TEXTS[number]}".encode(), number, kind="conversion", content="text/plain")


def _web_record(number: int) -> bytes:
    return record(http(f"<html><body><p>{TEXTS[number]}</p></body></html>".encode()), number)


def _post(number: int) -> bytes:
    fields = f'Id="{number + 1}" PostTypeId="1" Score="3" Title="A question" Body="{TEXTS[number]}"'
    return f"  <row {fields} />\n".encode()


def _page(number: int) -> bytes:
    revision = f"<revision><id>9</id><text>{TEXTS[number]}</text></revision>"
    return f"<page><title>T{number}</title><ns>0</ns><id>{number + 1}</id>{revision}</page>\n".encode()


def _all() -> Iterator[tuple[str, Format]]:
    numbers = range(COUNT)
    lines = _joined([json.dumps({"text": text, "path": "a.py", "content": text}).encode() + b"\n" for text in TEXTS])
    for kind, pack in _PACK.items():
        suffix = f".{kind}" if kind else ""
        yield f"jsonl{suffix}", Format(f"a.jsonl{suffix}", *lines, _source(), pack)
        if kind:
            packed = pack(lines[0])
            yield (
                f"jsonl{suffix}-stored",
                Format(f"a.jsonl{suffix}", packed, _found(packed, True), _source(), resumes=False),
            )
    yield "c4", Format("a.json.gz", *lines, lambda split: C4Reader(splits=[split]), _PACK["gz"])
    yield "github-rows", Format("a.jsonl", *lines, lambda split: GithubReader(splits=[split], domain="d"))
    array = _joined([part.strip() + b",\n" for part in lines[0].splitlines(True)], b"[\n", b"]\n")
    yield "json-array", Format("a.json", *array, _source(), resumes=False)
    for name, delimiter in (("csv", ","), ("tsv", "\t")):
        yield name, Format(f"a.{name}", *_csv(delimiter), _source(), resumes=False)
    for kind, name in (("parquet", "a.parquet"), ("file", "a.arrow"), ("stream", "b.arrow")):
        data = _table(kind)
        reader = _source("parquet" if kind == "parquet" else "arrow")
        yield f"table-{kind}", Format(name, data, _found(data, True), reader, resumes=False)
    text = TEXTS[0].encode()
    # What is put before or behind all that a file has is of its text.
    whole = [Record(-1, len(text) + 1, mark(0))]
    yield "text", Format("a.txt", text, whole, _source())
    for name, make in (("wet", _wet_record), ("warc", _web_record)):
        yield name, Format(f"a.{name}", *_joined([make(number) for number in numbers]), _web)
        for kind in ("gz", "zst"):
            members = _joined([_PACK[kind](make(number)) for number in numbers])
            yield f"{name}.{kind}-stored", Format(f"a.{name}.{kind}", *members, _web)
        stream = _joined([make(number) for number in numbers])
        yield f"{name}.bz2", Format(f"a.{name}.bz2", *stream, _web, bz2.compress)
    pages = [arc(http(f"<html><body><p>{TEXTS[n]}</p></body></html>".encode()), n) for n in numbers]
    data, records = _joined(pages, arc_begin())
    # The line feed before the first record is its border; of the others it is the end of the one before.
    records[0] = records[0]._replace(start=records[0].start - 1)
    yield "arc", Format("a.arc", data, records, _web)
    dump = _joined([_page(number) for number in numbers], b'<mediawiki xml:lang="en">\n', b"</mediawiki>\n")
    for kind in ("", "bz2", "gz", "xz"):
        suffix = f".{kind}" if kind else ""
        yield f"wikipedia{suffix}", Format(f"enwiki-a-pages.xml{suffix}", *dump, _dump, _PACK[kind])
    streams = [bz2.compress(_page(number)) for number in numbers]
    yield (
        "wikipedia-multistream-stored",
        Format(
            "enwiki-a-pages.xml.bz2",
            *_joined(streams, bz2.compress(b"<mediawiki>"), bz2.compress(b"</mediawiki>")),
            _dump,
        ),
    )
    posts = _joined([_post(number) for number in numbers], b"<?xml version='1.0'?>\n<posts>\n", b"</posts>\n")
    yield "posts", Format("a.stackexchange.com/Posts.xml", *posts, _posts)
    yield "posts.gz", Format("a.stackexchange.com/Posts.xml.gz", *posts, _posts, _PACK["gz"])
    archive = _seven_zip(posts[0])
    yield "posts.7z-stored", Format("a.stackexchange.com.7z", archive, _found(archive, True), _posts, resumes=False)
    names = [f"b{number:02d}.txt" for number in numbers]
    data = _zip(names)
    yield "books-zip", Format("a.zip", data, _found(data, True), _books, resumes=False)
    yield "books-txt", Format("a.txt", text, whole, _books)
    yield "books-gz-stored", Format("a.txt.gz", _PACK["gz"](text), _found(_PACK["gz"](text), True)[:1], _books)
    papers = [
        gzip.compress(rb"\documentclass{article}\begin{document}" + text.encode() + rb"\end{document}", mtime=0)
        for text in TEXTS
    ]
    yield "arxiv", Format("a.tar", *_tar([f"2101/2101.{n:05d}.gz" for n in numbers], papers), _papers)
    code = [f"p/a{number:02d}.py" for number in numbers]
    data = _zip(code)
    yield "code-zip", Format("a.zip", data, _found(data, True), _code, resumes=False)
    tar = _tar(code, [text.encode() for text in TEXTS])
    for kind, pack in _PACK.items():
        yield f"code-tar{kind}", Format(f"a.tar{'.' if kind else ''}{kind}", *tar, _code, pack, resumes=False)


FORMATS = dict(_all())


class Read(NamedTuple):
    """What a reader made of a file: the texts that it kept, and the rows of what it did not (reason and detail)."""

    texts: list[str]
    rows: list[tuple[str, str]]


def read(format: Format, data: bytes, folder: Path) -> Read:
    """Write the bytes as the format has them, and read the file."""
    path = folder / format.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(format.pack(data))
    reader = format.reader(Split(str(path), format.name, path.stat().st_size))
    reader.accountable = True
    texts, rows = [], []
    for doc in reader.run():
        found = verdict(doc)
        if found is None or str(found.outcome) == "rejected":
            texts.append(doc.text)
        if found is not None:
            rows.append((str(found.reason), found.detail))
    return Read(texts, rows)
