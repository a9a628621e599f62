"""Runs of words that pages and evaluation texts both have, against the same rule in plain Python."""

from __future__ import annotations

import random
import string
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import english_pages, row

from llama_data.stages.steps.evaluations import Item
from llama_data.stages.steps.overlap_index import OverlapIndex, write_index

WORDS = 13
PASSAGE = 40
ITEMS = 20_000
PLANTED = 10  # every such page holds an item, dressed otherwise
BATCH = 4 << 20
_GONE = str.maketrans("", "", string.punctuation)


def _plain_runs(text: str) -> set[str]:
    words = text.lower().translate(_GONE).split()
    return {" ".join(words[at : at + WORDS]) for at in range(len(words) - WORDS + 1)}


def decontaminate(corpus: Path) -> dict[str, Any]:
    """13 words in a row of 20,000 texts of 40 words; the clock runs from pages in UTF-8 to what is found in each.

    Only ASCII is taken, where the plain rule's words are ours. Items are passages of books; every tenth page holds one.
    """
    draw = random.Random(1)
    pages = [page.decode("ascii", "ignore") for page in english_pages(corpus, 1)]
    books = [path.read_text("ascii", "ignore").split() for path in sorted((corpus / "books").glob("*.txt"))]
    sources = [words for words in books if len(words) > PASSAGE]
    items = []
    for _ in range(ITEMS):
        words = draw.choice(sources)
        first = draw.randrange(len(words) - PASSAGE)
        items.append(" ".join(words[first : first + PASSAGE]))
    for place in range(0, len(pages), PLANTED):
        pages[place] += "\n" + draw.choice(items).upper().replace(" ", ",\n")
    encoded = [page.encode() for page in pages]
    wanted = set().union(*map(_plain_runs, items))
    with tempfile.TemporaryDirectory() as folder:
        write_index(folder, WORDS, "llama_data", (Item("task", str(n), (text,)) for n, text in enumerate(items)))
        index = OverlapIndex(folder)

        def ours() -> list[int]:
            found, batch, size = [0] * len(encoded), [], 0
            for place, page in enumerate(encoded):
                batch.append(page)
                size += len(page)
                if size >= BATCH or place == len(encoded) - 1:
                    hits = index.find(batch)
                    for text, _ in {(text, run) for text, run, *_ in hits.tolist()}:
                        found[place + 1 - len(batch) + text] += 1
                    batch, size = [], 0
            return found

        def peer() -> list[int]:
            return [len(wanted & _plain_runs(page)) for page in pages]

        mine = ours()
        compared = Counter("clean" if not count else "contaminated" for count in mine)
        compared["runs"] = sum(mine)
        size = sum(map(len, encoded)) / 1e6
        return row("decontaminate", "plain sets of runs", size, compared, mine == peer(), ours, peer)


NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {"decontaminate": decontaminate}
