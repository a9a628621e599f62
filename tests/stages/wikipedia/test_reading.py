"""Dumps to pages: every container, any cut, and what damage costs."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.document import Document, verdict
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, list_inputs
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia.dump import stream
from llama_data.stages.wikipedia.dump.pieces import Dump, cut, inspect, label_dumps
from llama_data.stages.wikipedia.dump.stream import Block, read_range
from llama_data.stages.wikipedia.reader import WikipediaReader, frame_pages

HEAD = b"""<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" xml:lang="de"><siteinfo>
<dbname>dewiki</dbname><namespaces><namespace key="6" case="first-letter">Datei</namespace>
<namespace key="14" case="first-letter">Kategorie</namespace></namespaces></siteinfo>
"""


def page(number: int, text: str = "Text", **more: str) -> bytes:
    extra = "".join(f"<{name}>{value}</{name}>" for name, value in more.items() if name != "ns")
    return (
        f"<page><title>T{number}</title><ns>{more.get('ns', '0')}</ns><id>{number}</id>{extra}<revision><id>9</id>"
        f"<timestamp>2022-07-01T00:00:00Z</timestamp><model>wikitext</model>"
        f"<text>{text} {number}</text></revision></page>\n"
    ).encode()


def read(path: Path, *, max_bytes: int = 1 << 30, name: str | None = None) -> list[Document]:
    whole = Split(path=str(path), name=name or path.name, size=path.stat().st_size)
    splits = cut(whole, max_bytes)
    reader = WikipediaReader(splits=splits, domain="wikipedia", dumps={whole.name: Dump("de")})
    return [doc for split in splits for doc in reader.read(split)]


def numbers(docs: list[Document]) -> list[int]:
    return [doc.metadata["page_id"] for doc in docs if verdict(doc) is None]


def failures(docs: list[Document]) -> list[tuple[Reason, str]]:
    return [(found.reason, doc.metadata["source"]) for doc in docs if (found := verdict(doc)) is not None]


def multistream(pages: list[bytes], each: int = 1) -> bytes:
    groups = [b"".join(pages[at : at + each]) for at in range(0, len(pages), each)]
    return b"".join(bz2.compress(part) for part in [HEAD, *groups, b"</mediawiki>"])


@pytest.fixture
def pages() -> list[bytes]:
    return [page(number, "Wort " * 50) for number in range(1, 21)]


@pytest.mark.parametrize("kind", ["xml", "xml.bz2", "xml.gz", "multi.xml.bz2"])
def test_every_container_yields_the_same_pages(tmp_path: Path, pages: list[bytes], kind: str) -> None:
    whole = HEAD + b"".join(pages) + b"</mediawiki>"
    path = tmp_path / f"dewiki-pages-articles.{kind}"
    compress = {"xml": lambda data: data, "xml.bz2": bz2.compress, "xml.gz": gzip.compress}
    path.write_bytes(multistream(pages, 3) if kind.startswith("multi") else compress[kind](whole))
    docs = read(path)
    assert numbers(docs) == list(range(1, 21))
    first = docs[0]
    assert first.id == "wikipedia/de/1"
    assert first.text.endswith("Wort  1")
    assert first.metadata["url"] == "https://de.wikipedia.org/wiki/T1"
    assert first.metadata["timestamp"] == "2022-07-01T00:00:00Z"
    assert first.metadata["source"] == f"{path.name}#1"


@pytest.mark.parametrize("max_bytes", [1, 100, 700, 2000, 10**6])
def test_cut_dumps_yield_every_page_once(tmp_path: Path, pages: list[bytes], max_bytes: int) -> None:
    plain, packed = tmp_path / "dewiki-a.xml", tmp_path / "dewiki-b.xml.bz2"
    plain.write_bytes(HEAD + b"".join(pages) + b"</mediawiki>")
    packed.write_bytes(multistream(pages, 2))
    for path in (plain, packed):
        docs = read(path, max_bytes=max_bytes)
        assert numbers(docs) == list(range(1, 21))
        assert failures(docs) == []


def test_streams_that_cut_pages_in_two_lose_nothing(tmp_path: Path, pages: list[bytes]) -> None:
    """pbzip2 begins a stream every 900 kB, in the middle of pages and tags."""
    whole = HEAD + b"".join(pages) + b"</mediawiki>"
    for size in (97, 331, 1000):
        path = tmp_path / f"dewiki-{size}.xml.bz2"
        path.write_bytes(b"".join(bz2.compress(whole[at : at + size]) for at in range(0, len(whole), size)))
        assert numbers(read(path, max_bytes=120)) == list(range(1, 21))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 400), max_size=6), st.integers(1, 50))
def test_framing_does_not_depend_on_where_blocks_end(ends: list[int], size: int) -> None:
    data = b"<x>" + b"".join(page(number, "") for number in range(1, 4)) + b"</x>"
    ranges = sorted({0, *(end for end in ends if end < len(data))})
    found = []
    for start, end in zip(ranges, [*ranges[1:], None], strict=True):
        found += [raw.xml for raw in frame_pages(blocks_of(data, start, end, size))]
    assert found == [page(number, "").strip() for number in range(1, 4)]


def blocks_of(data: bytes, start: int, end: int | None, size: int) -> Iterator[Block]:
    at = start
    while at < len(data):
        own = end is None or at < end
        stop = min(at + size, end if own and end is not None else len(data))
        yield Block(data[at:stop], None, at, own)
        at = stop


def test_a_truncated_stream_costs_its_last_page_and_one_failed_row(tmp_path: Path) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    noise = bytes(range(97, 123)).decode()
    pages = [page(n, "".join(noise[(n * i * i + i) % 26] for i in range(60_000))) for n in range(1, 60)]
    data = bz2.compress(HEAD + b"".join(pages))
    path.write_bytes(data[: len(data) * 2 // 3])
    docs = read(path)
    kept = numbers(docs)
    assert kept == list(range(1, len(kept) + 1))
    assert 0 < len(kept) < 59
    assert failures(docs) == [(Reason.truncated_file, "dewiki.xml.bz2#0")]


def test_a_damaged_stream_costs_itself_only(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    data = bytearray(multistream(pages, 4))
    starts = [found.start() for found in stream.BZ2_MAGIC.finditer(data)]
    data[starts[2] + 40 : starts[2] + 50] = b"\0" * 10
    path.write_bytes(data)
    for max_bytes in (1, 10**9):
        docs = read(path, max_bytes=max_bytes)
        assert numbers(docs) == [*range(1, 5), *range(9, 21)]
        assert failures(docs) == [(Reason.damaged_archive, f"dewiki.xml.bz2#{starts[2]}")]


def test_a_page_that_goes_on_in_a_damaged_stream_is_lost_alone(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    streams = [bz2.compress(HEAD + pages[0] + pages[1][:200]), bz2.compress(pages[1][200:] + pages[2])]
    streams.append(bz2.compress(pages[3]))
    start = len(streams[0])
    streams[1] = streams[1][:40] + b"\0" * 10 + streams[1][50:]
    path.write_bytes(b"".join(streams))
    docs = read(path, max_bytes=1)
    assert numbers(docs) == [1, 4]
    place = f"dewiki.xml.bz2#0+{len(HEAD) + len(pages[0])}"
    assert failures(docs) == [(Reason.damaged_archive, place), (Reason.damaged_archive, f"dewiki.xml.bz2#{start}")]
    assert len({doc.id for doc in docs}) == len(docs)


LIKE_A_STREAM = b"BZh91AY&SY" + bytes(range(64))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(40, 900), min_size=1, max_size=12),
    damage=st.lists(st.tuples(st.integers(0, 10), st.integers(4, 400)), max_size=3),
    between=st.lists(st.tuples(st.integers(0, 10), st.sampled_from([b"junk", LIKE_A_STREAM, b"\0" * 9])), max_size=2),
    lost=st.integers(0, 60),
    max_bytes=st.integers(1, 900),
)
def test_what_is_read_does_not_depend_on_where_a_dump_is_cut(
    tmp_path: Path,
    sizes: list[int],
    damage: list[tuple[int, int]],
    between: list[tuple[int, bytes]],
    lost: int,
    max_bytes: int,
) -> None:
    """Streams that end anywhere, some damaged, with junk and false beginnings between them, the last one cut off."""
    left = HEAD + b"".join(page(number, f"Wort {number * 7919} " * (number % 5)) for number in range(1, 12))
    streams = []
    while left:
        size = sizes[len(streams) % len(sizes)]
        streams.append(bytearray(bz2.compress(left[:size])))
        left = left[size:]
    for place, at in damage:
        broken = streams[place % len(streams)]
        broken[at % len(broken)] ^= 0x55
    for place, junk in between:
        streams[place % len(streams)] += junk
    path = tmp_path / "dewiki-multistream.xml.bz2"
    data = b"".join(map(bytes, streams))
    path.write_bytes(data[: len(data) - lost])
    found = [[(doc.id, doc.text, verdict(doc)) for doc in read(path, max_bytes=size)] for size in (1 << 30, max_bytes)]
    assert found[0] == found[1]


def test_a_cut_never_falls_on_bytes_that_only_look_like_a_stream(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    first, second = bz2.compress(HEAD + b"".join(pages[:5])), bz2.compress(b"".join(pages[5:]))
    path.write_bytes(first + LIKE_A_STREAM + second)
    splits = cut(Split(str(path), path.name, path.stat().st_size), 1)
    assert [split.start for split in splits] == [0, len(first) + len(LIKE_A_STREAM)]


def test_a_store_s_dump_is_cut_and_read_as_a_local_one(tmp_path: Path, pages: list[bytes]) -> None:
    data = multistream(pages, 3)
    path = tmp_path / "dewiki.xml.bz2"
    path.write_bytes(data)
    url = "memory://dumps/dewiki.xml.bz2"
    with fsspec.open(url, "wb") as file:
        file.write(data)
    pieces = [cut(Split(place, path.name, len(data)), 300) for place in (str(path), url)]
    assert [split.identity() for split in pieces[0]] == [split.identity() for split in pieces[1]]
    reader = WikipediaReader(splits=pieces[1], domain="wikipedia", dumps={path.name: Dump("de")})
    assert numbers([doc for split in pieces[1] for doc in reader.read(split)]) == list(range(1, 21))
    assert len(pieces[1]) > 3


def test_a_file_without_a_page_is_one_failed_row(tmp_path: Path) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    path.write_bytes(bz2.compress(b"%PDF-1.4 no dump at all\n" * 50))
    assert failures(read(path)) == [(Reason.wrong_format, "dewiki.xml.bz2#0")]


def test_garbage_between_streams_is_reported_and_stepped_over(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml.bz2"
    first, second = bz2.compress(HEAD + b"".join(pages[:5])), bz2.compress(b"".join(pages[5:]))
    path.write_bytes(first + b"not bzip2 at all" + second)
    docs = read(path)
    assert numbers(docs) == list(range(1, 21))
    assert failures(docs) == [(Reason.damaged_archive, f"dewiki.xml.bz2#{len(first)}")]
    path.write_bytes(first + b"\0" * 1000 + second + b"\0" * 512)
    assert failures(read(path)) == []


def test_a_truncated_gzip_keeps_its_whole_pages(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml.gz"
    data = gzip.compress(HEAD + b"".join(pages), compresslevel=0)
    path.write_bytes(data[:2500])
    docs = read(path)
    assert numbers(docs)[:2] == [1, 2]
    assert [reason for reason, _ in failures(docs)] == [Reason.truncated_file]


def test_broken_xml_costs_one_page(tmp_path: Path, pages: list[bytes]) -> None:
    path = tmp_path / "dewiki.xml"
    broken = b"<page><title>X</title><id>77</id><revision><text>a < b & c</text></revision></page>"
    unclosed = b"<page><title>Y</title><id>78</id>"
    nameless = b"<page><id>79</id></page>"
    huge_id = b"<page><title>Z</title><id>" + b"9" * 5000 + b"</id></page>"
    latin = "<page><title>Ä</title><id>80</id></page>".encode("latin-1")
    end = b"<page><title>last"
    path.write_bytes(HEAD + broken + pages[0] + unclosed + pages[1] + nameless + huge_id + latin + pages[2] + end)
    docs = read(path)
    assert numbers(docs) == [1, 2, 3]
    offsets = [len(HEAD)]
    reasons = [reason for reason, _ in failures(docs)]
    assert reasons == [
        Reason.invalid_xml, Reason.invalid_xml, Reason.missing_field, Reason.missing_field, Reason.invalid_xml,
        Reason.truncated_file,
    ]  # fmt: skip
    assert failures(docs)[0][1] == f"dewiki.xml#{offsets[0]}"


def test_hostile_entities_are_never_expanded(tmp_path: Path) -> None:
    path = tmp_path / "dewiki.xml"
    bomb = b'<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    evil = b"<page><title>E</title><id>5</id><revision><text>&b;&f;</text></revision></page>"
    inner = b"<page><title>F</title>" + bomb + b"<id>6</id></page>"
    path.write_bytes(bomb + HEAD + evil + inner + page(7))
    docs = read(path)
    assert numbers(docs) == [7]
    assert [reason for reason, _ in failures(docs)] == [Reason.invalid_xml, Reason.invalid_xml]


def test_a_page_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llama_data.stages.wikipedia.reader.MAX_PAGE_BYTES", 1 << 20)
    path = tmp_path / "dewiki.xml.bz2"
    path.write_bytes(bz2.compress(HEAD + b"<page>" + b" " * (8 << 20) + page(3)))
    docs = read(path)
    assert numbers(docs) == [3]
    assert [reason for reason, _ in failures(docs)] == [Reason.too_complex]


def test_blocks_of_a_bomb_are_small(tmp_path: Path) -> None:
    path = tmp_path / "x.bz2"
    path.write_bytes(bz2.compress(b" " * (50 << 20)))
    sizes = [len(block.data) for block in read_range(str(path), 0, None) if isinstance(block, Block)]
    assert sum(sizes) == 50 << 20
    assert max(sizes) <= stream.MAX_OUTPUT


def test_a_single_stream_is_one_task_and_many_streams_are_many(tmp_path: Path, pages: list[bytes]) -> None:
    single, multi = tmp_path / "dewiki-a.xml.bz2", tmp_path / "dewiki-b.xml.bz2"
    single.write_bytes(bz2.compress(b"".join(pages)))
    multi.write_bytes(multistream(pages))
    assert len(cut(Split(str(single), "a", single.stat().st_size), 50)) == 1
    size = multi.stat().st_size
    splits = cut(Split(str(multi), "b", size), 300)
    starts = {found.start() for found in stream.BZ2_MAGIC.finditer(multi.read_bytes())}
    assert 3 < len(splits) < len(starts)
    assert {split.start for split in splits} <= starts
    assert sum(split.size for split in splits) == size
    assert [split.end for split in splits[:-1]] == [split.start for split in splits[1:]]


@pytest.mark.parametrize(
    ("name", "head", "language"),
    [
        ("dewiki-20220701-pages-articles.xml", HEAD, "de"),
        ("other-arwiki-minidump.xml", HEAD, "ar"),
        ("zh_yuewiki-latest.xml", b"", "zh-yue"),
        ("dump.xml", HEAD, "de"),
        ("commonswiki-x.xml", b"", "commons"),
    ],
)
def test_the_language_comes_from_the_name_then_from_the_head(
    tmp_path: Path, name: str, head: bytes, language: str
) -> None:
    (tmp_path / name).write_bytes(head + page(1))
    [split] = list_inputs(str(tmp_path), [name])
    assert inspect(split).language == language


def test_a_dump_that_nothing_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dump.xml").write_bytes(page(1))
    [split] = list_inputs(str(tmp_path), ["*.xml"])
    with pytest.raises(InputError, match="rename the file"):
        inspect(split)


def test_names_of_namespaces_come_with_the_dump(tmp_path: Path) -> None:
    (tmp_path / "dewiki.xml").write_bytes(HEAD)
    [split] = list_inputs(str(tmp_path), ["*.xml"])
    assert inspect(split).hidden_prefixes == {"datei", "kategorie"}


def label(*names: str) -> list[str]:
    files = [Split(name, name, 1) for name in names]
    dumps = label_dumps(files, {name: Dump(name[:2]) for name in names})
    return [dumps[name].page_id("7") for name in names]


def test_ids_get_a_label_only_when_pages_could_collide() -> None:
    assert label("dewiki-20220701-pages-articles.xml.bz2", "frwiki-20220701-pages-articles.xml.bz2") == ["de/7", "fr/7"]
    parts = ["enwiki-1-pages-articles1.xml-p1p100.bz2", "enwiki-1-pages-articles2.xml-p101p200.bz2"]
    assert label(*parts) == ["en/7", "en/7"]
    overlapping = ["enwiki-1-pages-articles1.xml-p1p100.bz2", "enwiki-1-pages-articles2.xml-p100p200.bz2"]
    assert len(set(label(*overlapping))) == 2
    two = label("enwiki-1-pages-articles.xml.bz2", "enwiki-2-pages-articles.xml.bz2")
    assert two == ["en/enwiki-1/7", "en/enwiki-2/7"]
    assert len(set(label("enwiki-1-pages-articles.xml", "enwiki-1-pages-articles.xml.bz2"))) == 2
