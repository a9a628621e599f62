"""Pages of WARC, WET and ARC files as rows of a source: their text, title, address, and what was said of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from llama_data.pipeline.core.errors import RecordError
from llama_data.stages.custom.fields import Fields
from llama_data.stages.shared.html import HtmlPage, Reading, html_page
from llama_data.stages.shared.records import Damage, Record
from llama_data.stages.shared.warc import read_warc
from llama_data.stages.shared.wet import WetRecord, is_text, read_batch, wet_record
from llama_data.stages.shared.wet_batch import WetBatch

FIELDS = Fields(
    url="url",
    title="title",
    keep=("date", "digest", "http_status", "content_type", "content_language", "html_language", "identified_language"),
)
"""What of a page goes into its document, unless the recipe names other fields."""

HEADING_LINES = 10
"""Among how many lines of a text its heading is looked for."""


class PageError(RecordError):
    """A record that is no page, or cannot be read; ``url`` is its address where that is known."""

    def __init__(self, damage: Damage) -> None:
        super().__init__(damage.reason, damage.detail)
        self.url = damage.url


def page_rows(path: str, reading: Reading) -> Iterator[tuple[str, dict[str, Any] | RecordError]]:
    """The pages of a file by the place of their record, and errors in place of what is none."""
    for found in read_warc(path):
        if isinstance(found, WetBatch):
            yield from ((page.key, _text_row(page)) for page in read_batch(found))
            continue
        page: WetRecord | HtmlPage | Damage = found if isinstance(found, Damage) else _page(found, reading)
        if isinstance(page, Damage):
            yield page.key, PageError(page)
        else:
            yield page.key, _text_row(page) if isinstance(page, WetRecord) else _html_row(page, reading)


def _page(record: Record, reading: Reading) -> WetRecord | HtmlPage | Damage:
    return wet_record(record) if is_text(record) else html_page(record, reading)


def _row(page: WetRecord | HtmlPage, **more: Any) -> dict[str, Any]:
    return {"url": page.url, "date": page.date, "digest": page.digest, **more}


def _text_row(page: WetRecord) -> dict[str, Any]:
    return _row(page, text=page.body.decode("utf-8", "replace"), identified_language=page.languages)


def _html_row(page: HtmlPage, reading: Reading) -> dict[str, Any]:
    title, _, text = page.body.decode("utf-8", "replace").partition("\n")
    if reading.content == "all":
        return _row(page, text=f"{title}\n{text}", title=title, **page.about)
    return _row(page, text=titled(title, text), title=title, **page.about)


def titled(title: str, text: str) -> str:
    """The text below its title. One that has the heading which the title repeats stays as it is.

    Titles of pages are mostly the article's own heading and the name of the site. The heading is the first line that is
    part of the title, or, behind a category, a date or the way to the page, a line that is most of it.
    """
    said = " ".join(title.split()).casefold()
    if not said or not text.strip():
        return text
    lines = (" ".join(line.split()).casefold() for line in text.split("\n") if line.strip())
    for number, line in enumerate(islice(lines, HEADING_LINES)):
        if line in said and (number == 0 or 2 * len(line) >= len(said)):
            return text
    return f"{title}\n\n{text}"
