"""Words as licences have them: runs of five that stand in one of the texts of choosealicense.com."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from identify.vendor.licenses import LICENSES

_WORDS = re.compile(r"[a-z0-9]+")
_GRAM = 5
_FEWEST = 6
_TEXTS = (
    "0BSD AFL-3.0 AGPL-3.0 Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 CC0-1.0 EPL-1.0"
    " EPL-2.0 GPL-2.0 GPL-3.0 ISC LGPL-2.1 LGPL-3.0 LPPL-1.3c MIT MPL-2.0 MS-PL NCSA OFL-1.1 PostgreSQL UPL-1.0"
    " Unlicense WTFPL Zlib"
)


def known_words(words: Sequence[str]) -> list[bool]:
    """For each word (lower case), whether it stands in a run of five words as a known licence has them."""
    known = _grams()
    found = [False] * len(words)
    for at in range(len(words) - _GRAM + 1):
        if " ".join(words[at : at + _GRAM]) in known:
            found[at : at + _GRAM] = [True] * _GRAM
    return found


def words_of(text: str) -> list[str]:
    """The words that ``known_words`` compares."""
    return _WORDS.findall(text.lower())


def share(plain: str) -> float:
    """Share of a sentence's words that ``known_words`` knows, 0 to 1; 0 for one of fewer than six words."""
    words = words_of(plain)
    return sum(known_words(words)) / len(words) if len(words) >= _FEWEST else 0.0


@cache
def _grams() -> frozenset[str]:
    grams: set[str] = set()
    known = frozenset(_TEXTS.split())
    for key, text in LICENSES:
        if key in known:
            words = _WORDS.findall(text.lower())
            grams.update(" ".join(words[at : at + _GRAM]) for at in range(len(words) - _GRAM + 1))
    return frozenset(grams)
