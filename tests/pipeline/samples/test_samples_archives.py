"""The sample dumps that are XML or archives: the standard libraries read them, and the defects are there."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import py7zr
import pytest

from llama_data.pipeline.samples import build_samples
from llama_data.pipeline.samples.prose import second_edition, story
from llama_data.pipeline.samples.sheets import TEXTS, sheet
from llama_data.pipeline.samples.wiki import posts_xml

NS = "{http://www.mediawiki.org/xml/export-0.10/}"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    build_samples(folder)
    return folder


def pages(samples: Path, language: str) -> list[Element]:
    name = f"{language}wiki-sample-pages-articles.xml.bz2"
    return fromstring(bz2.decompress((samples / "wikipedia" / name).read_bytes())).findall(f"{NS}page")


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_wikipedia_pages_are_the_entries(samples: Path, language: str) -> None:
    found = {page.findtext(f"{NS}title"): page.findtext(f"{NS}revision/{NS}text") for page in pages(samples, language)}
    assert found == {entry.head: entry.text for entry in sheet(f"wikipedia/{language}.wiki")}


def test_wikipedia_defects(samples: Path) -> None:
    found = [page for language in ("en", "de", "fr") for page in pages(samples, language)]
    assert sum(page.find(f"{NS}redirect") is not None for page in found) == 2
    assert sum(page.findtext(f"{NS}ns") != "0" for page in found) == 1
    text = "\n".join(page.findtext(f"{NS}revision/{NS}text") or "" for page in found)
    for markup in (
        "{{convert|",
        "{{disambiguation",
        '{| class="wikitable"',
        "<ref",
        "<!--",
        "[[File:",
        "[[Datei:",
    ):
        assert markup in text


def shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[k : k + size]) for k in range(len(words) - size + 1)}


@pytest.mark.parametrize("size", [5, 13])
def test_second_edition_holds_95_per_cent_of_the_first_but_not_all(size: int) -> None:
    first = story("the_cartographer_of_low_water")
    one, other = shingles(first, size), shingles(second_edition(first), size)
    assert 0.95 <= len(one & other) / min(len(one), len(other)) < 1


def test_other_books_have_nothing_in_common() -> None:
    names = sorted(path.stem for path in (TEXTS / "books").iterdir())
    assert len(names) == 4
    for one, other in itertools.combinations(names, 2):
        assert not shingles(story(one), 13) & shingles(story(other), 13)


def read_zip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return archive.read(archive.namelist()[0])


@pytest.mark.parametrize(
    ("name", "opened", "title"),
    [
        ("9001_the_cartographer_of_low_water.txt", bytes, "THE CARTOGRAPHER OF LOW WATER"),
        ("9002-0.zip", read_zip, "THE NIGHT SCHOOL FOR CLOCKS"),
        ("9003_on_the_keeping_of_lists.txt.gz", gzip.decompress, "ON THE KEEPING OF LISTS"),
        ("9005_a_field_guide_to_small_weather.txt", bytes, "A FIELD GUIDE TO SMALL WEATHER"),
        ("9004_the_cartographer_of_low_water_second_edition.txt", bytes, "THE CARTOGRAPHER OF LOW WATER"),
    ],
)
def test_books_have_markers(samples: Path, name: str, opened: Callable[[bytes], bytes], title: str) -> None:
    text = opened((samples / "books" / name).read_bytes()).decode()
    header, start, rest = text.partition(f"\n*** START OF THE PROJECT GUTENBERG EBOOK {title} ***\n")
    body, end, footer = rest.partition(f"\n*** END OF THE PROJECT GUTENBERG EBOOK {title} ***\n")
    assert start
    assert end
    assert "llama-data" in header
    assert "notice" in footer
    assert body.strip().startswith(title)
    assert body.strip().endswith("THE END")


def test_arxiv_members(samples: Path) -> None:
    with tarfile.open(samples / "arxiv/arXiv_src_2401_001.tar") as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}  # type: ignore[union-attr]
    assert sorted(members) == [f"2401/2401.0000{k}.gz" for k in (1, 2, 3)] + ["2401/2401.00004.pdf"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(members["2401/2401.00001.gz"]))) as paper:
        assert "main.tex" in paper.getnames()
        assert "sections/introduction.tex" in paper.getnames()
    assert gzip.decompress(members["2401/2401.00002.gz"]).decode("ascii").startswith("\\documentclass")
    latin = gzip.decompress(members["2401/2401.00003.gz"])
    with pytest.raises(UnicodeDecodeError):
        latin.decode("utf-8")
    assert "Poincaré" in latin.decode("latin-1")
    assert members["2401/2401.00004.pdf"].startswith(b"%PDF-")


def posts(data: bytes) -> list[dict[str, str]]:
    return [dict(row.attrib) for row in fromstring(data)]


def test_stackexchange_archives_hold_the_posts(samples: Path, tmp_path: Path) -> None:
    with py7zr.SevenZipFile(samples / "stackexchange/cooking.sample.stackexchange.com.7z") as archive:
        archive.extractall(tmp_path)
    assert (tmp_path / "Posts.xml").read_bytes() == posts_xml("cooking")
    packed = samples / "stackexchange/gardening.sample.stackexchange.com/Posts.xml.gz"
    assert gzip.decompress(packed.read_bytes()) == posts_xml("gardening")


def test_stackexchange_defects() -> None:
    cooking, gardening = posts(posts_xml("cooking")), posts(posts_xml("gardening"))
    assert [int(row["Id"]) for row in cooking] == sorted(int(row["Id"]) for row in cooking)
    assert [row["Score"] for row in cooking if row.get("ParentId") == "1"] == ["9", "87", "10", "-1"]
    questions = {row["Id"] for row in cooking if row["PostTypeId"] == "1"}
    assert [row["Id"] for row in cooking if row.get("ParentId") and row["ParentId"] not in questions] == ["12"]
    assert sum(row["PostTypeId"] == "5" for row in cooking) == 1
    unanswered = [row["Id"] for row in cooking + gardening if row.get("AnswerCount") == "0"]
    assert unanswered == ["10", "9"]
    bodies = "".join(row["Body"] for row in cooking)
    assert all(tag in bodies for tag in ("<pre><code>", "<li>", "<a href="))
