"""The records that a person means by an id, an address, a part of one, or a passage of text."""

from __future__ import annotations

from llama_data.pipeline.looking.rows import Found, Ledgers
from llama_data.pipeline.looking.texts import texts_with


def by_name(
    ledgers: Ledgers, wanted: str, domain: str | None, limit: int, *, whole: bool = True
) -> tuple[list[Found], int]:
    """Records by id, source or address, and how many more match.

    The id first, in the domain that it begins with, then a source: a few files are read. Then all ids, sources and
    addresses are read (``whole`` False: they are not); those that are equal go before those that only hold it.
    """
    own = wanted.partition("/")[0]
    places = [own, *(name for name in ledgers.domains if name != own)] if own in ledgers.domains else ledgers.domains
    for one in [domain] if domain is not None else places:
        found = ledgers.find("id", wanted, one)
        if found is not None:
            return [found], 0
    if "#" in wanted:
        found = ledgers.find("source", wanted, domain)
        if found is not None:
            return [found], 0
    if not whole:
        return [], 0
    equal: list[Found] = []
    partly: list[Found] = []
    counts = {True: 0, False: 0}
    for same, found in ledgers.holding(wanted, domain):
        counts[same] += 1
        kept = equal if same else partly
        if len(kept) < limit:
            kept.append(found)
    return (equal, counts[True] - len(equal)) if equal else (partly, counts[False] - len(partly))


def by_text(ledgers: Ledgers, passage: str, domain: str | None, limit: int) -> tuple[list[Found], int]:
    """Records whose text, kept or rejected and sampled, holds a passage, and how many more do. Reads all texts."""
    found: list[Found] = []
    count = 0
    for hit in texts_with(ledgers.run, passage, domain):
        count += 1
        if len(found) < limit:
            row = ledgers.find("id", hit.record["id"], hit.domain)
            if row is not None:
                found.append(row)
    return found, count - len(found)
