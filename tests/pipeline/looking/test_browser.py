"""The page in a real Chromium: nothing of a run is executed, no error, both widths, light and dark, by keyboard."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.browse.server import Server
from llama_data.pipeline.browse.views import Views

CHROMIUM = os.environ.get("LLAMA_DATA_CHROMIUM", "/usr/bin/chromium")
sync_api = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install "llama-data[browser]"')


@pytest.fixture(scope="module")
def address(looked: Path) -> Iterator[str]:
    with Server(Views(str(looked)), 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made.address
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: set LLAMA_DATA_CHROMIUM to run this test")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def opened(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, open and filled; what its console says is an error at the end."""
    width, scheme = getattr(request, "param", (1440, "light"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(120_000)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.goto(address)
    page.wait_for_selector("#list li")
    yield page
    assert said == []
    assert all(url.startswith((address.partition("#")[0], "data:")) for url in asked)
    assert not page.evaluate("window.hacked")
    context.close()


@pytest.mark.parametrize("opened", [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")], indirect=True)
def test_it_fits_and_can_be_read(opened: Any, request: pytest.FixtureRequest) -> None:
    width, scheme = request.node.callspec.params["opened"]
    if width == 390:
        opened.click("#list li >> nth=2")
    opened.wait_for_selector(".verdict")
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    colours = opened.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    light = [sum(map(int, colour[4:-1].split(","))) > 384 for colour in colours]
    assert light == ([True, False] if scheme == "light" else [False, True])
    if width == 390:
        opened.click("button.back")
        opened.click("#fold")
        assert opened.is_visible("#reason")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width


def test_the_token_leaves_the_address_and_a_reload_keeps_it(opened: Any) -> None:
    assert "#" not in opened.url
    opened.reload()
    opened.wait_for_selector("#list li")


def test_records_are_read_by_keyboard(opened: Any) -> None:
    opened.wait_for_selector(".verdict")
    first = opened.text_content(".view .id")
    opened.keyboard.press("j")
    opened.wait_for_function("before => document.querySelector('.view .id')?.textContent !== before", arg=first)
    opened.keyboard.press("k")
    opened.wait_for_function("before => document.querySelector('.view .id')?.textContent === before", arg=first)
    opened.keyboard.press("d")
    opened.wait_for_selector(".diff .changed")
    opened.keyboard.press("m")
    opened.wait_for_selector(".meta")
    opened.keyboard.press("/")
    opened.keyboard.type("List 3")
    assert opened.locator("#list li").count() >= 1
    opened.keyboard.press("Enter")
    opened.keyboard.press("t")
    opened.wait_for_selector(".text mark, .view h2")
    opened.keyboard.press("?")
    assert opened.is_visible("#help")
    opened.keyboard.press("Escape")
    assert not opened.is_visible("#help")


def test_filters_take_what_they_say(opened: Any, ledger: list[dict[str, Any]]) -> None:
    opened.select_option("#domain", "news")
    opened.select_option("#outcome", "rejected")
    opened.wait_for_function("() => document.querySelectorAll('#list .kept').length === 0")
    opened.select_option("#reason", "too_short")
    expected = sum(row["domain"] == "news" and row["reason"] == "too_short" for row in ledger)
    opened.wait_for_function("count => document.querySelectorAll('#list li').length === count", arg=expected)
    opened.select_option("#column", "chars_in")
    opened.fill("#least", "59")
    opened.keyboard.press("Enter")
    opened.wait_for_function("() => document.querySelectorAll('#list li').length === 1")
    opened.wait_for_selector("tr.ended")
    assert "-1" in opened.text_content("tr.ended")


def test_hostile_records_are_shown_as_text(opened: Any) -> None:
    opened.fill("#holds", "javascript:")
    opened.keyboard.press("Enter")
    opened.wait_for_function("() => document.querySelectorAll('#list li').length === 1")
    shown = "() => document.querySelector('.text')?.textContent.includes('<script>window.hacked=1</script>')"
    opened.wait_for_function(shown)
    assert opened.text_content(".view h2").startswith("<img src=x")
    assert opened.locator(".view a").count() == 0
    assert opened.locator(".view img, .view script").count() == 0
    for tab in ("#of-compare", "#of-meta"):
        opened.click(tab)
        opened.wait_for_selector(".diff, .meta")
    opened.fill("#search", "<script>")
    assert opened.locator("#list li").count() == 1


def test_training_rows_lead_to_their_documents(opened: Any) -> None:
    opened.click("#tab-training")
    opened.wait_for_selector(".trow")
    assert opened.locator(".trow").count() == 8
    opened.click("#tnext")
    opened.wait_for_function("() => document.querySelector('.trow h3').textContent.includes('Row 8')")
    id = opened.text_content(".part button >> nth=0")
    opened.click(".part button >> nth=0")
    opened.wait_for_function("id => document.querySelector('.view .id')?.textContent === id", arg=id)
