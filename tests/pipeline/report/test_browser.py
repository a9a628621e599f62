"""The pages in a real Chromium: they fit every screen, say what the ledger says, and run nothing.

Skips where playwright (``pip install "llama-data[browser]"``) or a Chromium is missing: ``LLAMA_DATA_CHROMIUM`` names
one, else it is looked for on the path, else playwright's own is taken.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from reported import HOSTILE, SHOWN_HOSTILE, write_whole

from llama_data.pipeline.commands.report import write_comparison, write_report

WIDTHS, SCHEMES = (390, 1440), ("light", "dark")

# Every text that is shown, with the contrast between its colour and the nearest painted background behind it.
CONTRAST = """() => {
  const linear = v => v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.map(linear);
    return .2126 * r + .7152 * g + .0722 * b };
  const parse = s => { const n = s.match(/[\\d.]+/g).map(Number);
    return { rgb: n.slice(0, 3), alpha: n.length > 3 ? n[3] : 1 } };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.alpha === 1) return c.rgb } return null };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e), svg = e instanceof SVGElement;
    const a = light(parse(svg ? style.fill : style.color).rgb), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push([ratio, e.outerHTML.slice(0, 120)]);
  }
  return bad }"""
TABLES = """() => Object.fromEntries([...document.querySelectorAll('table')].map(t => [t.caption.textContent,
  [...t.querySelectorAll('tbody tr')].map(r => [r.querySelector('code')?.textContent || r.cells[0].textContent.trim(),
    ...[...r.cells].slice(1).map(c => c.querySelector('data') ? Number(c.querySelector('data').value) : null)])]))"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A running browser; skips when there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install "llama-data[browser]"')
    path = os.environ.get("LLAMA_DATA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with playwright.sync_playwright() as started:
        path = path or started.chromium.executable_path
        if not Path(path).is_file():
            pytest.skip(f"no Chromium at {path}: install one, or name it in LLAMA_DATA_CHROMIUM")
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run's report, its comparison with another one, and the same of runs whose every part is hostile."""
    folder = tmp_path_factory.mktemp("pages")
    for name, hostile in (("plain", ""), ("hostile", HOSTILE)):
        write_whole(folder / name / "a", hostile=hostile)
        write_whole(folder / name / "b", 0.05, hostile=hostile)
    found = {name: Path(write_report(str(folder / name / "a"))) for name in ("plain", "hostile")}
    for name in ("plain", "hostile"):
        found[f"{name} compared"] = Path(write_comparison(str(folder / name / "a"), str(folder / name / "b")))
    return found


class Look:
    """A page that is open, and what its console said."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append("a dialog"))
        self.page.on("request", lambda request: self.said.append(request.url) if request.url != path.as_uri() else None)
        self.page.goto(path.as_uri())

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


@pytest.mark.parametrize("which", ["plain", "hostile", "plain compared", "hostile compared"])
def test_every_page_fits_every_screen_and_runs_nothing(chromium: Any, pages: dict[str, Path], which: str) -> None:
    for width in WIDTHS:
        for scheme in SCHEMES:
            with Look(chromium, pages[which], width, scheme) as look:
                look.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert look.page.evaluate("document.documentElement.scrollWidth") <= width
                assert look.page.evaluate("window.hacked") is None
                assert look.page.evaluate(CONTRAST) == []
                assert look.said == []
                if which.startswith("hostile"):
                    assert SHOWN_HOSTILE in look.page.evaluate(
                        "document.querySelector('pre').closest('main').textContent"
                    )


def test_every_section_is_there_and_reached_from_the_top(chromium: Any, pages: dict[str, Path]) -> None:
    with Look(chromium, pages["plain"], 390, "light") as look:
        titles = [
            "At a glance", "Tokens and mixture", "Training", "Common Crawl", "GitHub", "Wikipedia", "Books", "arXiv",
            "Time", "Recipe",
        ]  # fmt: skip
        assert look.page.locator("nav a").all_inner_texts() == titles
        assert look.page.locator("h2").all_inner_texts() == titles
        assert look.page.locator("section h2").count() == len(titles)
        parts = set(look.page.locator("h3").all_inner_texts())
        assert parts >= {
            "Mixture", "Step by step", "Why records were not kept", "Figures that decide", "Repeated lines",
            "Overlapping documents", "Licences", "File types", "Unknown templates", "Some kept documents",
            "Its history", "What each step costs", "Evaluation texts",
        }  # fmt: skip
        look.page.keyboard.press("Tab")
        assert look.page.evaluate("document.activeElement.className") == "skip"
        look.page.locator("summary").first.focus()
        look.page.keyboard.press("Enter")
        assert look.page.evaluate("document.querySelector('details').open")
        assert len(look.page.pdf(format="A4")) > 10_000


def test_the_figures_are_those_of_the_ledger(chromium: Any, pages: dict[str, Path]) -> None:
    rows = pq.read_table(pages["plain"].parent / "ledger" / "commoncrawl").to_pylist()
    kept = [each for each in rows if each["outcome"] == "kept"]
    with Look(chromium, pages["plain"], 1440, "light") as look:
        tables = look.page.evaluate(TABLES)
    all_domains = {line[0]: line[1:] for line in tables["Records and characters of every domain"]}
    chars = [sum(each[name] for each in rows) for name in ("chars_in", "chars_out")]
    failed = sum(each["outcome"] == "failed" for each in rows)
    assert all_domains["Common Crawl"] == [len(rows), len(kept), None, failed, *chars, 9_000_000, 4321]
    reasons = {line[0]: line[1] for line in tables["Reasons in Common Crawl, the commonest first"]}
    assert reasons == Counter(each["reason"] for each in rows if each["reason"])
    funnel = [line[1:] for line in tables["What each step left of Common Crawl"]]
    order = ["read_commoncrawl", "minimum_length", "reference_classifier", "own_step"]
    left = len(rows)
    for line, step in zip(funnel[1:], order, strict=False):
        gone = sum(each["step"] == step for each in rows)
        left -= gone
        assert line[:2] == [gone, left], step
    assert funnel[-1][1] == len(kept) == left
    # Two tasks have noted n and 2 n seconds for their n-th step.
    costs = {line[0]: line[3] for line in tables["Time and removals of the steps of Common Crawl"]}
    assert (costs["Minimum length"], costs["Language"]) == (5, None)
    quiz = {line[0]: line[1:] for line in tables["Evaluation tasks found in arXiv"]}["quiz"]
    assert quiz == [10, 6, None, 1, 2, 6, 4, 2]
    moved = {line[0]: line[1:] for line in tables["Another threshold for likeness to references"]}
    scores = [each["reference_score"] for each in rows if each["reference_score"] is not None]
    for name, (passed, *_) in moved.items():
        at = float(name.replace("(now)", "").lstrip("\N{GREATER-THAN OR EQUAL TO}\u202f"))
        assert passed == sum(score >= at for score in scores)
    with Look(chromium, pages["plain compared"], 1440, "light") as look:
        compared = look.page.evaluate(TABLES)
    [mine] = [line for line in compared["Documents and characters that each run keeps"] if line[0] == "Common Crawl"]
    assert mine[1:6] == [len(kept), len(kept) + 1, 1, 1, 0]
