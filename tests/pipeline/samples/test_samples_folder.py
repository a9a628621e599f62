"""The sample dumps as a whole: reproducible, long enough; and the planted defects of web and code."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard
from fastwarc.warc import ArchiveIterator, WarcRecordType

from llama_data.pipeline.samples import build_samples
from llama_data.pipeline.samples.repositories import MAX_BYTES, MAX_FILES, package_rows
from llama_data.pipeline.samples.sheets import TEXTS, Entry, sheet
from llama_data.pipeline.samples.web import PAGES

FILES = {
    "arxiv/arXiv_src_2401_001.tar",
    "books/9001_the_cartographer_of_low_water.txt",
    "books/9002-0.zip",
    "books/9003_on_the_keeping_of_lists.txt.gz",
    "books/9004_the_cartographer_of_low_water_second_edition.txt",
    "books/9005_a_field_guide_to_small_weather.txt",
    "c4/c4-train.00000-of-00001.json.gz",
    "cc/sample-00000.warc.wet.gz",
    "cc/sample-00001.warc.wet.gz",
    "github/sample.jsonl.zst",
    "stackexchange/cooking.sample.stackexchange.com.7z",
    "stackexchange/gardening.sample.stackexchange.com/Posts.xml.gz",
    "wikipedia/dewiki-sample-pages-articles.xml.bz2",
    "wikipedia/enwiki-sample-pages-articles.xml.bz2",
    "wikipedia/frwiki-sample-pages-articles.xml.bz2",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    build_samples(folder)
    return folder


@pytest.fixture(scope="module")
def wet(samples: Path) -> dict[str, bytes]:
    pages = {}
    for path in sorted((samples / "cc").iterdir()):
        with path.open("rb") as raw:
            for record in ArchiveIterator(raw, record_types=WarcRecordType.conversion):
                assert record.verify_block_digest()
                pages[record.headers["WARC-Target-URI"]] = record.reader.read()
    return pages


@pytest.fixture(scope="module")
def rows(samples: Path) -> list[dict[str, Any]]:
    data = zstandard.ZstdDecompressor().decompress((samples / "github/sample.jsonl.zst").read_bytes())
    return [json.loads(line) for line in data.decode().split("\n")[:-1]]


def web_entries() -> list[Entry]:
    return [entry for name in PAGES for entry in sheet(f"web/{name}.txt")]


def test_texts_are_long_enough_and_hold_no_line_twice() -> None:
    texts = [path.read_text(encoding="utf-8") for path in TEXTS.rglob("*") if path.is_file()]
    assert sum(len(text.encode()) for text in texts) >= 110_000
    lines = Counter(line for text in texts for line in text.splitlines() if len(line) > 100)
    assert max(lines.values()) == 1


def test_builds_exactly_these_files(samples: Path) -> None:
    assert set(contents(samples)) == FILES


def test_same_seed_gives_same_bytes_at_another_time(samples: Path, tmp_path: Path) -> None:
    time.sleep(1.1)
    build_samples(tmp_path)
    assert contents(tmp_path) == contents(samples)


def test_seed_changes_the_order_and_nothing_else(samples: Path, tmp_path: Path) -> None:
    build_samples(str(tmp_path), seed=1)
    before, after = contents(samples), contents(tmp_path)
    assert {name.split("/")[0] for name in FILES if before[name] != after[name]} == {"cc", "c4", "github"}
    name = "c4/c4-train.00000-of-00001.json.gz"
    assert sorted(gzip.decompress(before[name]).split(b"\n")) == sorted(gzip.decompress(after[name]).split(b"\n"))


def test_every_web_page_is_a_record(wet: dict[str, bytes]) -> None:
    assert set(wet) == {entry.head for entry in web_entries()}
    assert len(wet) >= 60


def test_wet_defects(wet: dict[str, bytes]) -> None:
    broken = [url for url, body in wet.items() if body.decode(errors="ignore").encode() != body]
    assert broken == ["https://archive-diary.example/posts/broken-bytes"]
    lines = Counter(line for body in wet.values() for line in set(body.split(b"\n")))
    assert sum(count >= 10 for count in lines.values()) >= 5
    # A title is no part of CCNet's text, so the length that counts is that of the rest.
    short = [url for url, body in wet.items() if len(body.partition(b"\n")[2].strip()) < 300]
    expected = [entry.head for entry in web_entries() if entry.fields.get("expect") == "short"]
    assert sorted(short) == sorted(expected)
    legal = {body.partition(b"\n")[2] for url, body in wet.items() if url.endswith("/legal")}
    assert len(legal) == 1
    assert len(legal.pop()) > 300
    assert b"\nWARC/1.0\n" in wet["https://archive-diary.example/posts/what-is-in-a-wet-file"]


def test_web_languages_and_junk() -> None:
    entries = web_entries()
    languages = Counter(entry.fields["lang"] for entry in entries)
    assert set(languages) == {"eng", "deu", "fra", "spa", "ita", "nld", "por", "pol"}
    assert sum(languages.values()) - languages["eng"] >= 12
    assert sum(entry.fields.get("expect") == "junk" for entry in entries) >= 6


def test_c4_defects(samples: Path) -> None:
    good, bad = [], 0
    for line in gzip.decompress((samples / "c4/c4-train.00000-of-00001.json.gz").read_bytes()).splitlines():
        try:
            good.append(json.loads(line))
        except json.JSONDecodeError:
            bad += 1
    assert bad == 1
    assert all(set(page) == {"text", "timestamp", "url"} for page in good)
    texts = [page["text"] for page in good]
    assert sum("lorem ipsum" in text.lower() for text in texts) == 1
    assert sum("{" in text for text in texts) == 1
    assert sum("JavaScript" in text for text in texts) == 1
    assert sum("[1]" in text for text in texts) == 1
    lines = Counter(line for text in texts for line in text.split("\n"))
    assert [count for count in lines.values() if count > 1] == [3]
    addresses = Counter(page["url"].partition("?utm_")[0] for page in good)
    assert [url for url, count in addresses.items() if count > 1] == ["https://word-cellar.example/words/salary"]


def test_github_stays_below_its_limits(rows: list[dict[str, Any]]) -> None:
    assert len(rows) <= MAX_FILES
    assert sum(row["size"] for row in rows) <= MAX_BYTES
    assert len({(row["repo_name"], row["path"]) for row in rows}) == len(rows)
    for row in rows:
        assert row["size"] == len((row["content"] or "").encode())


def test_github_defects(rows: list[dict[str, Any]]) -> None:
    texts = {f"{row['repo_name']}/{row['path']}": row["content"] for row in rows}
    assert sum(row["license"] == "gpl-3.0" for row in rows) == 2
    assert [name for name, text in texts.items() if text is None] == ["tidepool/tidepool/docs/chart.png"]
    kept = [text for text in texts.values() if text]
    assert len(kept) - len(set(kept)) == 1
    assert max(map(len, texts["lantern/slides/static/lantern.min.js"].split("\n"))) > 1000
    logo = texts["brickwork/heap/art/logo.md"]
    assert sum(map(str.isalnum, logo)) / len(logo) < 0.25
    assert "Copyright" in texts["tidepool/tidepool/src/harmonics.py"]
    assert texts["brickwork/heap/scripts/release.sh"].startswith("#!/bin/sh\n# Tag")


def test_package_rows_are_the_packages_own_files_whatever_else_is_installed() -> None:
    found = list(package_rows(12))
    assert len(found) == 12
    assert {row["license"] for row in found} == {"apache-2.0"}
    root = Path(__file__).resolve().parents[3]
    assert all((root / row["path"]).read_text() == row["content"] for row in found)
    # More than there are: all of a fit size, each once.
    every = [row["path"] for row in package_rows(10_000)]
    assert len(every) == len(set(every)) > MAX_FILES
    assert every[:12] == [row["path"] for row in found]
