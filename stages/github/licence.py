"""The licence of a repository: its licence files against the texts of choosealicense.com, else its package's word.

A licence file counts when it says what the licence's own text says, word for word but for titles, copyright lines,
names of holders and a slip or two; one that says more or less is ``other``. GitHub decides so too, with
licensee; the keys are those of BigQuery's rows (SPDX ids in lower case).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from identify.vendor.licenses import LICENSES

from llama_data.stages.github.metadata import METADATA, declared, known_keys

OTHER = "other"
# Sorensen-Dice on pairs of words: one word changed in MIT's 160 is 0.99.
MIN_LIKENESS = 0.97
_EVIDENCE_BYTES = 1 << 20
_NAME = re.compile(
    r"(?:[a-z0-9.]+[-_])?(?:un)?licen[cs]es?(?:[-_.][a-z0-9.+_-]*)?|copying(?:[-_.][a-z0-9.+_-]*)?", re.IGNORECASE
)
# Texts about the licences of other people's parts, and files that are code or data.
_NOT_ITS_OWN = re.compile(
    r"third|3rd|party|bundle|vendor|depend|notice|header|template"
    r"|\.(?:py|js|ts|go|rs|java|rb|c|h|cpp|cs|php|sh|json|ya?ml|toml|xml|csv|lock|in|spdx|png|svg|pdf)\Z",
    re.IGNORECASE,
)
_REUSE = re.compile(r"licenses/[a-z0-9.+-]+\.(?:txt|md)", re.IGNORECASE)
_COPYRIGHT = re.compile(
    r"^[^\w\n]*(?:portions )?(?:copyright\s*(?:\(c\)|©|&copy;|[\[<{(]|\d{4}|by\b|holder:)|\(c\)|©|copr\.).*$",
    re.IGNORECASE | re.MULTILINE,
)
_NOTICE = re.compile(r"all rights reserved\.?|^\s*spdx-license-identifier:.*$", re.IGNORECASE | re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_TITLE_WORDS = 14
_HOLDERS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"neither the names? of .{1,200}? nor the names? of .{0,40}?contributors", "neither contributors"),
        (r"provided by .{1,200}? as is", "provided by holders as is"),
        (r"in no event shall .{1,200}? be liable", "in no event shall holders be liable"),
        (r"\bcopyright (?:owner|holder)s? or contributors\b", "holders"),
    )
)
_APPENDIX = "end of terms and conditions"
# A word of these more or less makes another licence of it.
_GUARDED_WORDS = (
    "not no non with noncommercial commercial except unless only evil military research academic educational ai machine"
    " learning training prohibited forbidden restricted may must shall without void addition additionally however"
)
_GUARDED = frozenset(_GUARDED_WORDS.split())


class _Text(NamedTuple):
    key: str
    words: Counter[str]
    pairs: Counter[tuple[str, str]]
    size: int


def is_evidence(path: bytes) -> bool:
    """True for a file that may say the repository's licence: at the root, or in REUSE's ``LICENSES`` folder."""
    name = path.decode("utf-8", "replace")
    return is_licence_file(name) or name in METADATA


def is_licence_file(path: str) -> bool:
    """True for LICENSE, COPYING, UNLICENSE, MIT-LICENSE and their like at the root, and for ``LICENSES/*``."""
    if _REUSE.fullmatch(path):
        return True
    return _NAME.fullmatch(path) is not None and not _NOT_ITS_OWN.search(path)


def licence_of(files: Mapping[bytes, bytes]) -> str | None:
    """The licence as an expression of keys: ``mit``, ``apache-2.0 AND bsd-3-clause``, ``mit OR gpl-3.0``; None: none.

    ``files``: those that ``is_evidence`` names. Several licence files bind together, unless the package's metadata say
    of the same licences that one may choose. Without a licence file the metadata decide alone.
    """
    texts = {path.decode("utf-8", "replace"): data for path, data in sorted(files.items())}
    found = {_key_of(data) for name, data in texts.items() if is_licence_file(name)}
    stated = next((said for name in METADATA if name in texts if (said := declared(name, texts[name]))), None)
    if not found:
        return stated
    if stated is not None and " OR " in stated and found == known_keys(stated):
        return stated
    return " AND ".join(sorted(found))


def _key_of(data: bytes) -> str:
    if len(data) > _EVIDENCE_BYTES:
        return OTHER
    text = data.decode("utf-8-sig", "replace")
    return recognise(text) or OTHER


def recognise(text: str) -> str | None:
    """The key of the licence whose text this is; None when it is none of those that are known."""
    found = _measure("", text)
    best, likeness = None, MIN_LIKENESS
    for known in _texts():
        if abs(known.size - found.size) > (1 - MIN_LIKENESS) * (known.size + found.size):
            continue
        value = 2 * (known.pairs & found.pairs).total() / max(1, known.pairs.total() + found.pairs.total())
        if value >= likeness and not _differs_in_law(known, found):
            best, likeness = known.key, value
    return best


def _differs_in_law(one: _Text, other: _Text) -> bool:
    return any(one.words[word] != other.words[word] for word in _GUARDED)


@cache
def _texts() -> tuple[_Text, ...]:
    """The known texts, and those that have an appendix also without it."""
    texts = []
    for key, text in LICENSES:
        texts.append(_measure(key.lower(), text))
        at = text.lower().find(_APPENDIX)
        if at >= 0:
            texts.append(_measure(key.lower(), text[: at + len(_APPENDIX)]))
            texts.append(_measure(key.lower(), text[:at]))
    return tuple(texts)


def _measure(key: str, text: str) -> _Text:
    words = _words(text)
    return _Text(key, Counter(words), Counter(pairwise(words)), len(words))


def _words(text: str) -> list[str]:
    """The words that bind: no title, no copyright lines, no names of holders."""
    text = _NOTICE.sub("", _COPYRIGHT.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    paragraphs = [part for part in _PARAGRAPH.split(text) if part.strip()]
    while len(paragraphs) > 1 and len(paragraphs[0].split()) <= _TITLE_WORDS:
        del paragraphs[0]
    plain = "\n".join(paragraphs).lower().replace("licence", "license").replace("https:", "http:")
    line = " ".join(re.findall(r"[a-z0-9]+", plain))
    for pattern, replacement in _HOLDERS:
        line = pattern.sub(replacement, line)
    return line.split()
