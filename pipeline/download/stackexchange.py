"""Stack Exchange's dumps at the Internet Archive: ``ITEM_files.xml`` of an item has sizes, md5, sha1 and crc32.

Layout of such items: https://archive.org/developers/items.html. A large site has one archive a table, so only its
posts are fetched; a small one has one archive.
"""

from __future__ import annotations

import re

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.download.source import Ask, Item, Source, checked_name, index
from llama_data.pipeline.download.xml_index import file_elements

ITEM = "stackexchange"
LARGEST = 28  # LLaMA's number of sites (section 2.1 of its paper)
_TABLE = re.compile(r"-(?:Badges|Comments|PostHistory|PostLinks|Tags|Users|Votes)\.7z$")


def files(ask: Ask) -> list[Item]:
    """The archives with the posts of sites: those named, ``all``, or the 28 largest that are no meta sites."""
    item = ITEM if ask.date is None else f"{ITEM}_{ask.date}"
    url = f"{ask.base}download/{item}/{item}_files.xml"
    hint = "no such item; give the date of one, like --date 20240402, if its dumps have moved (docs/downloads.md)"
    sites: dict[str, Item] = {}
    for row in file_elements(index(url, hint), url):
        name = row.get("name", "")
        if name.endswith(".7z") and not _TABLE.search(name):
            sums = tuple((kind, row[kind]) for kind in ("sha1", "md5") if row.get(kind))
            size = int(row["size"]) if row.get("size", "").isdecimal() else None
            site = name.rpartition("/")[2].removesuffix(".7z").removesuffix("-Posts")
            sites[site] = Item(checked_name(name), f"{ask.base}download/{item}/{name}", size, sums)
    if not sites:
        raise RequestError(f"{url}: names no .7z archive")
    if ask.what == ("all",):
        return [sites[site] for site in sorted(sites)]
    if not ask.what:
        own = [site for site in sites if not _is_meta(site)]
        return sorted((sites[site] for site in own), key=lambda found: -(found.size or 0))[:LARGEST]
    return [_site(asked, sites, url) for asked in ask.what]


def _is_meta(site: str) -> bool:
    return ".meta." in site or site.startswith("meta.")


def _site(asked: str, sites: dict[str, Item], url: str) -> Item:
    """A site by its name, or by the first part of it."""
    found = sites.get(asked) or sites.get(f"{asked}.stackexchange.com") or sites.get(f"{asked}.com")
    if found is None:
        like = sorted(site for site in sites if asked.split(".")[0] in site)[:5]
        near = f"; there is {', '.join(like)}" if like else ""
        raise RequestError(f"{url}: no site {asked}{near}")
    return found


SOURCE = Source(
    name="stackexchange",
    domain="stackexchange",
    what=f"sites, like cooking,stackoverflow, or all (default: the {LARGEST} largest)",
    base="https://archive.org/",
    licence="CC BY-SA 4.0 (older posts: 3.0 and 2.5)",
    terms="https://archive.org/about/terms and https://stackoverflow.com/help/licensing",
    checksums="sha1 and md5 (the item's files.xml)",
    connections=2,
    files=files,
)
