"""Dumps in other encodings than UTF-8: told by their bytes, read to the same pages, damage costs its page."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.document import Document, verdict
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.wikipedia.dump import stream
from llama_data.stages.wikipedia.dump.encoding import detect, is_known, to_utf8
from llama_data.stages.wikipedia.dump.pieces import cut, inspect
from llama_data.stages.wikipedia.dump.stream import Block, Damage
from llama_data.stages.wikipedia.reader import WikipediaReader

DECLARATION = '<?xml version="1.0" encoding="%s"?>\n'
TEXTS = ["Первата страница", "Öl & Čaj €", "𐍈 \U0001f4a9 края"]
FORMS = {
    "UTF-16 little, mark": (codecs.BOM_UTF16_LE, "utf-16-le"),
    "UTF-16 big, mark": (codecs.BOM_UTF16_BE, "utf-16-be"),
    "UTF-16 little": (b"", "utf-16-le"),
    "UTF-16 big": (b"", "utf-16-be"),
    "UTF-32 little, mark": (codecs.BOM_UTF32_LE, "utf-32-le"),
    "UTF-32 big": (b"", "utf-32-be"),
    "UTF-8, mark": (codecs.BOM_UTF8, "utf-8"),
}
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".bz2": bz2.compress,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
}


def dump(texts: list[str], declared: str = "", language: str = "bg") -> str:
    escaped = [text.replace("&", "&amp;") for text in texts]
    pages = "".join(
        f"<page><title>T{number}</title><ns>0</ns><id>{number}</id><revision><text>{text}</text></revision></page>\n"
        for number, text in enumerate(escaped, 1)
    )
    names = '<namespaces><namespace key="6" case="x">Файл</namespace></namespaces>' if language == "bg" else ""
    head = DECLARATION % declared if declared else ""
    return f"{head}<mediawiki><siteinfo><dbname>{language}wiki</dbname>{names}</siteinfo>\n{pages}</mediawiki>"


def read(path: Path, max_bytes: int = 1 << 30) -> list[Document]:
    whole = Split(path=str(path), name=path.name, size=path.stat().st_size)
    found = inspect(whole)
    splits = cut(whole, max_bytes, found.encoding)
    reader = WikipediaReader(splits=splits, domain="wikipedia", dumps={whole.name: found})
    return [doc for split in splits for doc in reader.read(split)]


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk", [7, 64, 1 << 18])
def test_every_form_gives_the_same_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, suffix: str, chunk: int
) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    mark, encoding = FORMS[form]
    path = tmp_path / f"dump.xml{suffix}"
    path.write_bytes(CONTAINERS[suffix](mark + dump(TEXTS, "utf-8").encode(encoding)))
    whole = Split(path=str(path), name=path.name, size=path.stat().st_size)
    found = inspect(whole)
    assert (found.language, found.encoding, found.hidden_prefixes) == ("bg", encoding, frozenset({"файл"}))
    docs = read(path)
    assert [verdict(doc) for doc in docs] == [None] * 3
    assert [doc.text for doc in docs] == TEXTS


@pytest.mark.parametrize(
    ("declared", "texts"),
    [
        ("windows-1251", ["Край на годината"]),
        ("ISO-8859-2", ["Čaj a růže"]),
        ("Shift_JIS", ["日本語"]),
        ("koi8-r", ["Год"]),
    ],
)
def test_the_declaration_names_an_encoding_that_bytes_do_not_tell(
    tmp_path: Path, declared: str, texts: list[str]
) -> None:
    path = tmp_path / "dump.xml.gz"
    path.write_bytes(gzip.compress(dump(texts, declared, "cs").encode(declared)))
    assert [doc.text for doc in read(path)] == texts


def test_bytes_speak_before_the_declaration(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(TEXTS, "UTF-16").encode())
    assert [doc.text for doc in read(path)] == TEXTS


def test_a_wide_encoding_is_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(TEXTS * 50).encode("utf-16-be"))
    whole = Split(path=str(path), name=path.name, size=path.stat().st_size)
    assert len(cut(whole, 100, "utf-16-be")) == 1
    assert len(cut(whole, 100)) > 100
    assert len(read(path, 100)) == 150


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_bytes_that_are_no_text_cost_their_page(tmp_path: Path, encoding: str) -> None:
    data = dump(["one", "two", "three"]).encode(encoding)
    half = "\ud83d".encode(encoding, "surrogatepass")
    data = data.replace("two".encode(encoding), "t".encode(encoding) + half + "o".encode(encoding))
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    docs = read(path)
    assert [doc.text for doc in docs if verdict(doc) is None] == ["one", "three"]
    failed: Any = next(doc for doc in docs if verdict(doc) is not None)
    assert verdict(failed).reason is Reason.invalid_xml  # type: ignore[union-attr]
    # The place is that of the file as it is stored.
    assert failed.metadata["source"].endswith(f"#{data.index('<page><title>T2'.encode(encoding))}")


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 64])
def test_places_are_those_of_the_file_for_any_size_of_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    data = dump(["a", "\x02", "c\x02", "𐍈\x02"]).encode("utf-16-le")
    path = tmp_path / "dump.xml"
    path.write_bytes(data)
    places = [doc.metadata["source"].rpartition("#")[2] for doc in read(path) if verdict(doc) is not None]
    assert places == [str(data.index(f"<page><title>T{number}".encode("utf-16-le"))) for number in (2, 3, 4)]


def test_a_cut_off_dump_costs_its_last_page(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(["one", "two"]).encode("utf-16-le")[:-41])
    docs = read(path)
    assert [doc.text for doc in docs if verdict(doc) is None] == ["one"]
    assert [found.reason for doc in docs if (found := verdict(doc))] == [Reason.truncated_file]


def test_half_a_character_before_damage_does_not_shift_what_follows() -> None:
    damage = Damage(9, False, "broken", True)
    blocks: list[Block | Damage] = [Block(b"a\0b", 0, 0, True), damage, Block(b"c\0", 50, 0, True)]
    found = list(to_utf8(iter(blocks), "utf-16-le"))
    assert found[1] is damage
    assert [block.data for block in found if isinstance(block, Block)] == [b"a", b"c"]


def test_an_encoding_that_is_not_known_is_one_failed_row(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    path.write_bytes(dump(["one"], "x-klingon").encode())
    [doc] = read(path)
    assert verdict(doc).reason is Reason.invalid_encoding  # type: ignore[union-attr]
    assert "x-klingon" in str(verdict(doc))


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"<mediawiki>", "utf-8"),
        (b"", "utf-8"),
        (b"<", "utf-8"),
        (b"<?xml version='1.0' encoding='UTF8'?>", "utf-8"),
        (b"<?xml version='1.0' encoding='us-ascii'?>", "utf-8"),
        (b"<?xml version='1.0' encoding = 'Windows-1252' standalone='yes'?>", "windows-1252"),
        (b"<mediawiki encoding='latin-1'>", "utf-8"),
        ("\ufeff<".encode("utf-16-le"), "utf-16-le"),
        ("\ufeff<".encode("utf-32-le"), "utf-32-le"),
    ],
)
def test_the_head_tells_the_encoding(head: bytes, encoding: str) -> None:
    assert detect(head) == encoding


@pytest.mark.parametrize(
    ("name", "known"), [("cp1251", True), ("utf-16-le", True), ("rot13", False), ("hex", False), ("undefined", False)]
)
def test_only_encodings_of_text_are_known(name: str, known: bool) -> None:
    assert is_known(name) is known
