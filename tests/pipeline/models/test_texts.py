"""Reading of training texts, language codes, urls of references, and measures of a classifier."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.models.languages import language_code
from llama_data.pipeline.models.references import is_mirror, measure, reference_urls, url_key
from llama_data.pipeline.models.texts import Text, find_files, read_texts, split_text, stem

WET = (
    b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.example/\r\n"
    b"WARC-Identified-Content-Language: ita,eng\r\nContent-Length: 4\r\n\r\nciao\r\n\r\n"
)


def test_reads_text_json_and_web_pages(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("plain")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": "row", "url": "u"}).encode()))
    (tmp_path / "c.warc.wet.gz").write_bytes(gzip.compress(WET))
    (tmp_path / "ignored.csv").write_text("1,2")
    files = find_files([str(tmp_path)])
    assert list(read_texts(files)) == [
        Text("plain"),
        Text("row", "u"),
        Text("ciao", "http://a.example/", "ita"),
    ]
    assert find_files([str(tmp_path / "*.txt"), str(tmp_path / "a.txt")]) == [str(tmp_path / "a.txt")]


def test_says_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file matches it"):
        find_files([str(tmp_path / "*.txt")])
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(InputError, match=r"a\.csv: expected \.txt"):
        list(read_texts([str(tmp_path / "a.csv")]))
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{"body": "y"}\n')
    with pytest.raises(InputError, match="line 2: expected an object with a text"):
        list(read_texts([str(tmp_path / "a.jsonl")]))


@given(st.text(alphabet="ab\n", max_size=60), st.integers(1, 12))
def test_split_text_loses_nothing_and_cuts_at_line_ends(text: str, limit: int) -> None:
    parts = list(split_text(text, limit))
    assert "".join(parts) == text
    assert all(part.endswith("\n") for part in parts[:-1])
    assert all(len(part) <= limit or part.count("\n") <= 1 for part in parts)


@pytest.mark.parametrize(
    ("name", "code"),
    [("eng", "en"), ("deu_1901", "de"), ("pt-BR", "pt"), ("zh", "zh"), ("cmn_hans", "zh"), ("als", "sq"),
     ("ceb", "ceb"), ("nb-NO", "no"), ("007", None), ("README", None), ("", None)],
)  # fmt: skip
def test_language_codes(name: str, code: str | None) -> None:
    assert language_code(name) == code


def test_stem_has_no_suffixes() -> None:
    assert stem("/x/eng.txt.gz") == "eng"


def test_urls_of_references(tmp_path: Path) -> None:
    dump = tmp_path / "dump.xml"
    dump.write_text(
        'a &lt;ref&gt;[http://www.one.example/a/ One]&lt;/ref&gt; b &lt;ref name="n"&gt;{{cite|url=https://two.example/b?x=1'
        "|archive-url=https://web.archive.org/web/20200101000000/http://three.example/c}}&lt;/ref&gt;\n"
        "[http://four.example/not-a-reference] &lt;ref name=n /&gt; http://five.example/ &lt;ref\n&gt;https://six.example\n"
        "&lt;/ref&gt;"
    )
    found = reference_urls(str(dump))
    assert found == {"one.example/a", "two.example/b?x=1", "three.example/c", "six.example"}


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.a.example/x/", "a.example/x"),
        ("https://a.example/x#part", "a.example/x"),
        ("https://a.example/x?y=1", "a.example/x?y=1"),
        ("http://[broken", ""),
    ],
)
def test_url_keys(url: str, key: str) -> None:
    assert url_key(url) == key


def test_mirrors() -> None:
    assert is_mirror("https://en.wikipedia.org/wiki/X")
    assert is_mirror("http://dbpedia.org/page/X")
    assert not is_mirror("https://notwikipedia.org/")
    assert not is_mirror(None)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])), min_size=2, max_size=30))
def test_measures_equal_their_definitions(rows: list[tuple[bool, float]]) -> None:
    truth = np.array([row[0] for row in rows])
    scores = np.array([row[1] for row in rows])
    good, bad = scores[truth], scores[~truth]
    if not len(good) or not len(bad):
        with pytest.raises(InputError, match="one class only"):
            measure(truth, scores, 0.5)
        return
    wins = [(g > b) + 0.5 * (g == b) for g in good for b in bad]
    found = measure(truth, scores, 0.5)
    assert found["auc"] == pytest.approx(sum(wins) / len(wins), abs=1e-4)
    assert found["recall"] == pytest.approx(float((good >= 0.5).mean()), abs=1e-4)
    chosen = int((scores >= 0.5).sum())
    assert found["precision"] == pytest.approx((good >= 0.5).sum() / chosen if chosen else 0.0, abs=1e-4)
