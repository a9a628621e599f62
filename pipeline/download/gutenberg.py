"""Project Gutenberg: its catalogue, and the UTF-8 texts that it generates, from a mirror.

The main site is for people: a robot takes the catalogue from its feeds (https://www.gutenberg.org/ebooks/offline_catalogs.html)
and books from a mirror, two seconds between them (https://www.gutenberg.org/policy/robot_access.html).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.download.source import Ask, Item, Source, index

CATALOGUE = "cache/epub/feeds/pg_catalog.csv.gz"
_SITE = "https://www.gutenberg.org/"
_MIRROR = "https://gutenberg.pglaf.org/"


def files(ask: Ask) -> list[Item]:
    """A text of each book in the chosen languages (default: English); ``all`` takes every language."""
    url = (_SITE if ask.base == _MIRROR else ask.base) + CATALOGUE
    data = index(url, "the catalogue is not there; check --from")
    try:
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(data).decode())))
    except (OSError, EOFError, zlib.error, ValueError, csv.Error) as error:
        raise RequestError(f"{url}: not readable as the catalogue: {error}") from None
    wanted = set(ask.what or ("en",))
    found = []
    for row in rows:
        number, languages = row.get("Text#") or "", {code.strip() for code in (row.get("Language") or "").split(";")}
        if row.get("Type") == "Text" and number.isdecimal() and ("all" in wanted or languages & wanted):
            name = f"cache/epub/{int(number)}/pg{int(number)}.txt"
            found.append(Item(name, ask.base + name))
    if not found:
        raise RequestError(f"{url}: has no book in {', '.join(sorted(wanted))}")
    return found


SOURCE = Source(
    name="gutenberg",
    domain="books",
    what="languages, like en,fr, or all (default: en)",
    base=_MIRROR,
    licence="Project Gutenberg License; most books are in the public domain in the USA, each says so itself",
    terms="https://www.gutenberg.org/policy/robot_access.html",
    checksums="none published: length",
    connections=1,
    pause=2.0,
    files=files,
)
