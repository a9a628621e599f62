"""Common Crawl: https://commoncrawl.org/get-started. A crawl's files are listed in ``KIND.paths.gz``; no checksums."""

from __future__ import annotations

import re

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.paths import COMMON_CRAWL, read_list
from llama_data.pipeline.download.source import Ask, Item, Source, checked_name

KINDS = ("wet", "warc")
_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}")


def files(ask: Ask) -> list[Item]:
    """The WET (or WARC) files of crawls. Raises RequestError: there is no such crawl."""
    if not ask.what or not all(_CRAWL.fullmatch(crawl) for crawl in ask.what):
        raise RequestError(f"commoncrawl: expected crawls like CC-MAIN-2020-05, found {', '.join(ask.what) or 'none'}")
    if ask.kind not in KINDS:
        raise RequestError(f"--kind {ask.kind}: expected one of {', '.join(KINDS)}")
    found: list[Item] = []
    for crawl in ask.what:
        url = f"{ask.base}crawl-data/{crawl}/{ask.kind}.paths.gz"
        try:
            listed = read_list(url, ask.base)
        except InputError as error:
            raise RequestError(f"{error}; https://index.commoncrawl.org/collinfo.json lists the crawls") from None
        found += [Item(checked_name(item.name), item.path) for item in listed]
    return found


SOURCE = Source(
    name="commoncrawl",
    domain="commoncrawl",
    what="crawls, like CC-MAIN-2020-05",
    base=COMMON_CRAWL,
    licence="Common Crawl terms of use; the pages are their authors'",
    terms="https://commoncrawl.org/terms-of-use",
    checksums="none published: length, and the check values inside gzip",
    connections=8,
    files=files,
)
