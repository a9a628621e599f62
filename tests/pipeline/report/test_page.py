"""The pages as HTML: nothing of a run becomes markup, and what a screen reader needs is there. No browser needed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from reported import HOSTILE, SHOWN_HOSTILE, write_whole
from typer.testing import CliRunner

from llama_data.pipeline.cli import app
from llama_data.pipeline.report import render
from llama_data.pipeline.report.collect import collect
from llama_data.pipeline.report.compare import compare
from llama_data.pipeline.report.render import encode, render_comparison
from llama_data.pipeline.report.render import render as render_run

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes and texts; checks that what is opened is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The page of a run whose every part is hostile, and its comparison with another one."""
    run, other = (tmp_path_factory.mktemp(name) for name in ("run", "other"))
    write_whole(run, hostile=HOSTILE)
    write_whole(other, 0.05, hostile=HOSTILE)
    return render_run(collect(str(run))), render_comparison(compare(str(run), str(other)))


@pytest.mark.parametrize("which", [0, 1])
def test_nothing_of_a_run_becomes_markup(hostile: tuple[str, str], which: int) -> None:
    page = Page(hostile[which])
    names = {tag for tag, _ in page.elements}
    assert not names & {"script", "img", "object", "iframe", "link"}
    assert len(page.all("style")) == 1
    for tag, attributes in page.elements:
        bad = [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcdoc", "action")]
        assert not bad, (tag, attributes)
        if tag == "a":
            assert re.fullmatch(r"#[a-z0-9-]+", attributes["href"] or "")
    text = "".join(page.texts)
    assert SHOWN_HOSTILE in text
    assert "{{ 7*7 }}" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]", hostile[which])


@pytest.mark.parametrize("which", [0, 1])
def test_the_policy_forbids_everything_but_the_pages_own_style(hostile: tuple[str, str], which: int) -> None:
    [style] = re.findall(r"<style>(.*?)</style>", hostile[which], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = Page(hostile[which])
    [policy] = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("which", [0, 1])
def test_headings_tables_and_charts_say_what_they_are(hostile: tuple[str, str], which: int) -> None:
    page = Page(hostile[which])
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) > 4
    assert all(each.get("scope") in ("row", "col") for each in page.all("th"))
    assert all(each.get("aria-hidden") == "true" or each.get("aria-label") for each in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(each["href"] or "")[1:] for each in page.all("a")} | {
        each["aria-labelledby"] for each in page.all("section")
    }
    assert targets <= set(ids)
    assert all(each.get("tabindex") == "0" and each.get("aria-label") for each in page.all("div") if each.get("role"))


def test_a_bucket_is_shown_below_its_domain_and_counted_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    write_whole(run)
    path = run / "tokens" / "commoncrawl" / "tokens.json"
    record = json.loads(path.read_text())
    shard = {key: value for key, value in record["shards"][0].items() if key != "name"}
    named = [("best-00000.parquet", 700), ("rest-00000.parquet", 200), ("rest-00001.parquet", 100)]
    record["shards"][:1] = [{**shard, "name": name, "tokens": tokens} for name, tokens in named]
    path.write_text(json.dumps(record))
    report = collect(str(run))
    assert [(one.domain, one.tokens, one.held_out) for one in report.tokens] == [
        ("commoncrawl", 1000, 513), ("commoncrawl/best", 700, 0), ("commoncrawl/rest", 300, 0),
    ]  # fmt: skip
    page = " ".join(" ".join(Page(render_run(report)).texts).split())
    assert re.search(r"All \d+ 1.000 ", page.partition("Held out: tokens")[0].rpartition("Tokens of every domain")[2])
    assert "A bucket (domain/bucket) is a part of its domain." in page


def test_half_a_surrogate_pair_in_a_recipe_does_not_stop_the_page() -> None:
    assert encode("a \ud800 b") == b"a ? b"


def test_texts_are_left_out_before_the_page_grows_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path)
    whole = render_run(collect(str(tmp_path)))
    assert "left out to keep the page small" not in whole
    monkeypatch.setattr(render, "SAMPLES_BYTES", 1500)
    report = collect(str(tmp_path))
    small = render_run(report)
    assert "left out to keep the page small" in small
    left = [sample for item in report.domains for texts in (item.kept, *item.rejected.values()) for sample in texts]
    assert 0 < len(left) <= 3
    assert len(small) < len(whole)


def test_diff_says_in_short_and_as_json_what_the_rows_say(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", hostile="\x1b[31m<b>")
    write_whole(tmp_path / "b", 0.05, hostile="\x1b[31m<b>")
    command = ["diff", str(tmp_path / "a"), str(tmp_path / "b")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "commoncrawl: 6 \N{RIGHTWARDS ARROW} 7 documents (+1)" in done.output
    assert "  gained 1 (A: not_like_references 1)" in done.output
    assert "books: the same, 1 documents" in done.output
    assert "\x1b" not in done.output
    found = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert found["domains"]["commoncrawl"]["kept"] == [6, 7]
    assert found["domains"]["commoncrawl"]["gained"] == {"not_like_references": {"records": 1, "characters": 80}}
    assert found["domains"]["commoncrawl"]["lost"] == {}
    assert found["domains"]["books"]["same"]
    assert found["tokens"]["commoncrawl"] == [1537, 1537]


def test_report_writes_both_pages_and_refuses_what_is_no_run(tmp_path: Path) -> None:
    write_whole(tmp_path / "a")
    write_whole(tmp_path / "b", 0.05)
    one = CliRunner().invoke(app, ["report", str(tmp_path / "a")])
    two = CliRunner().invoke(app, ["report", str(tmp_path / "a"), str(tmp_path / "b")])
    assert one.output.strip() == str(tmp_path / "a" / "report.html")
    assert two.output.strip() == str(tmp_path / "b" / "compare.html")
    assert Path(two.output.strip()).read_text().startswith("<!doctype html>")
    refused = CliRunner().invoke(app, ["report", str(tmp_path / "a"), str(tmp_path)])
    assert "no recipe.yaml there" in str(refused.exception)
