"""The words of a text as the systems see them whose rules count words, each distinct stretch of text split once.

Splitters, and whose they are:

- ``spacy``: datatrove's: spaCy's tokenizer for English without a model (extra ``words``). A word counts unless all
  its characters are marks (``datatrove.utils.text.PUNCTUATION``). Lengths in characters.
- ``whitespace``: ``str.split``, all words count; ``signs``: the same, and words of marks do not count.
- ``fasttext``: ``str.split``; what fastText's tokenizer cuts (at ASCII's spaces) counts when it begins with a letter or
  digit (DCLM's quality rules).
- ``uniseg``: Unicode's word boundaries (UAX 29), words that begin with a letter or digit (DCLM's repetition).
- ``unicode``: the same, words that hold a letter or digit, lengths in bytes of UTF-8 (datamap-rs's repetition).
- ``bytes``: stretches between Unicode's White_Space, lengths in bytes of UTF-8 (datamap-rs's quality).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import regex
from datatrove.utils.text import PUNCTUATION  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.kernels.memory import PADDING
from llama_data.pipeline.kernels.word_table import WordTable, key_hash
from llama_data.stages.steps.kernels.word_chunks import (
    ALPHA,
    ASKED,
    COUNTS,
    FULL,
    GIVEN,
    IN_CONTEXT,
    LENGTH_BITS,
    LONGEST,
    MARK_IS_DROPPED,
    MARK_IS_WORD,
    MARK_STAYS,
    MISSING,
    MOST_STOP_WORDS,
    NEXT,
    NUMBERS,
    STOP_SHIFT,
    WHOLE,
    WORDS,
    Plain,
    WordArrays,
    find_chunks,
    hash_of_points,
    look_up,
)
from llama_data.stages.steps.spacy_words import SpacyWords

Kind = Literal["spacy", "whitespace", "signs", "fasttext", "uniseg", "unicode", "bytes"]
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's eight (Rae et al. 2021, appendix A.1)."""
TABLE_BYTES = 96 << 20
_ASK = 512
_KEEP_BYTES = 16 << 20
_BOUNDARY = regex.compile(r"(?V1w)\b")
_ANY_WORD = regex.compile(r"[\p{Alphabetic}\p{N}]")
_WHITE_SPACE = regex.compile(r"\p{White_Space}+")
_SIGNS = frozenset(PUNCTUATION)


class Word(NamedTuple):
    """A word of a splitter, and whether it counts."""

    text: str
    counts: bool


def _not_signs(word: str) -> bool:
    return not _SIGNS.issuperset(word)


def _whitespace(chunk: str) -> list[Word]:
    return [Word(word, True) for word in chunk.split()]


def _signs(chunk: str) -> list[Word]:
    return [Word(word, _not_signs(word)) for word in chunk.split()]


def _fasttext(chunk: str) -> list[Word]:
    # What has no ASCII space inside is one word to fastText, and may be several to str.split.
    return [Word(word, number == 0 and chunk[0].isalnum()) for number, word in enumerate(chunk.split())]


def _uniseg(chunk: str) -> list[Word]:
    return [Word(word, True) for word in _BOUNDARY.split(chunk) if word and word[0].isalnum()]


def _unicode(chunk: str) -> list[Word]:
    return [Word(word, True) for word in _BOUNDARY.split(chunk) if _ANY_WORD.search(word)]


def _bytes(chunk: str) -> list[Word]:
    return [Word(word, True) for word in _WHITE_SPACE.split(chunk) if word]


class _Splitter(NamedTuple):
    """``mark``: what becomes of the mark behind a plain chunk; ``unicode_spaces``: what ends a chunk."""

    mark: int
    unicode_spaces: bool
    in_bytes: bool
    split: Callable[[str], list[Word]] | None


_SPLITTERS: dict[Kind, _Splitter] = {
    "spacy": _Splitter(MARK_IS_WORD, True, False, None),
    "whitespace": _Splitter(MARK_STAYS, True, False, _whitespace),
    "signs": _Splitter(MARK_STAYS, True, False, _signs),
    "fasttext": _Splitter(MARK_STAYS, False, False, _fasttext),
    "uniseg": _Splitter(MARK_IS_DROPPED, False, False, _uniseg),
    "unicode": _Splitter(MARK_IS_DROPPED, False, True, _unicode),
    "bytes": _Splitter(MARK_STAYS, False, True, _bytes),
}


class Found(NamedTuple):
    """The words of a text: ``count`` of them in ``words``, which is overwritten by the next text."""

    count: int
    words: WordArrays


class Words:
    """Splits texts. ``stop_words``: the words that are marked, compared in lower case when ``lower`` says so.

    Raises RequestError: spaCy is not installed; there are too many stop words.
    """

    def __init__(self, kind: Kind, *, stop_words: Sequence[str] = STOP_WORDS, lower: bool = False) -> None:
        if len(stop_words) > MOST_STOP_WORDS:
            raise RequestError(f"stop_words: expected at most {MOST_STOP_WORDS} words, found {len(stop_words)}")
        self.kind = kind
        self.lower = lower
        self.stops = {word: number for number, word in enumerate(stop_words, 1)}
        self._splitter = _SPLITTERS[kind]
        self._spacy = SpacyWords() if kind == "spacy" else None
        stops = [_hash(word) for word in stop_words]
        exceptions = [] if self._spacy is None else sorted({_key(word) for word in self._spacy.rules})
        # Of what a plain chunk's mark is a word, it is one that spaCy cuts off, and no word that counts.
        self._plain = Plain(
            self._splitter.mark,
            lower,
            False,
            np.array(exceptions, np.uint64),
            np.array(stops, np.uint64),
        )
        self._table = WordTable(max_bytes=TABLE_BYTES, numbers=4)
        self._make_room(1 << 16)
        self._last: bytes | None = None
        self._found = 0

    def _make_room(self, size: int) -> None:
        self._room = size
        self._starts, self._ends = np.empty(size // 2 + 2, np.int64), np.empty(size // 2 + 2, np.int64)
        self._keys = np.empty(size // 2 + 2, np.uint64)
        self._words = WordArrays(
            np.empty(size + 1, np.uint64), np.empty(size + 1, np.int32), np.empty(size + 1, np.uint8)
        )

    def of(self, data: bytes) -> Found:
        """The words of a text in UTF-8. The text of the call before is not split again."""
        if self._last is None or self._last != data:
            self._last = None
            self._found = self._split(data)
            self._last = data
        return Found(self._found, self._words)

    def _split(self, data: bytes) -> int:
        if len(data) > self._room or (self._room > _KEEP_BYTES >= len(data)):
            self._make_room(max(len(data), 1 << 16))
        src = np.frombuffer(data + bytes(PADDING), np.uint8)
        count = find_chunks(src, len(data), self._splitter.unicode_spaces, self._starts, self._ends, self._keys)
        state = np.zeros(4, np.int64)
        asked = np.empty(_ASK, np.int64)
        given = np.empty(0, np.int32)
        while state[NEXT] < count:
            why = look_up(
                src, count, self._starts, self._ends, self._keys, self._table.arrays, self._plain, given, asked, state,
                self._words,
            )  # fmt: skip
            if why == FULL:
                self._table.make_room()
            elif why == IN_CONTEXT:
                found = self._in_context(data, int(state[NEXT]), count)
                if found is None:
                    return self._split_whole(data)
                given, state[GIVEN] = found, 1
            elif why == MISSING:
                state[GIVEN] = 1
                given = self._ask(data, asked[: state[ASKED]].tolist())
        return int(state[WORDS])

    def _ask(self, data: bytes, numbers: list[int]) -> NDArray[np.int32]:
        """Split chunks that the table lacks; the numbers of the first."""
        starts, ends = self._starts, self._ends
        chunks = list(dict.fromkeys(data[starts[number] : ends[number]] for number in numbers))
        texts = [chunk.decode("utf-8", "surrogatepass") for chunk in chunks]
        if self._spacy is not None:
            split = [
                None if words is None else [Word(word, _not_signs(word)) for word in words]
                for words in self._spacy.of_chunks(texts)
            ]
        else:
            assert self._splitter.split is not None
            split = [self._splitter.split(text) for text in texts]
        first = None
        for chunk, words in zip(chunks, split, strict=True):
            numbers_of = self._numbers(words)
            first = numbers_of if first is None else first
            self._table.put(chunk, numbers_of)
        assert first is not None
        return first

    def _in_context(self, data: bytes, number: int, count: int) -> NDArray[np.int32] | None:
        """The numbers of a chunk whose words depend on its neighbours; None: only the whole text will do."""
        if self._spacy is None:
            return None
        reach = self._spacy.reach
        first, last = max(number - reach, 0), min(number + reach, count - 1)
        begin, start, end = self._starts[first], self._starts[number], self._ends[number]
        before, chunk, after = (
            data[a:b].decode("utf-8", "surrogatepass")
            for a, b in ((begin, start), (start, end), (end, self._ends[last]))
        )
        try:
            words = self._spacy.in_context(before + chunk + after, len(before), len(before) + len(chunk))
        except Exception:  # it is for ``of_text`` to say what spaCy cannot split
            return None
        numbers = self._numbers([Word(word, _not_signs(word)) for word in words])
        return None if numbers.size == WHOLE else numbers

    def _numbers(self, words: Sequence[Word] | None) -> NDArray[np.int32]:
        """What the table holds of a chunk."""
        features = None if words is None else self._features(words)
        if features is None or any(length > LONGEST for _, length, _ in features):
            return np.zeros(1, np.int32)
        packed = []
        for hashed, length, marks in features:
            packed += [hashed & 0xFFFFFFFF, hashed >> 32, marks << LENGTH_BITS | length]
        return np.array(packed, np.uint32).view(np.int32)

    def _features(self, words: Sequence[Word]) -> list[tuple[int, int, int]]:
        """Hash, length and marks of words."""
        found = []
        for word, counts in words:
            marks = COUNTS if counts else 0
            if any(map(str.isalpha, word)):
                marks |= ALPHA
            marks |= self.stops.get(word.lower() if self.lower else word, 0) << STOP_SHIFT
            length = len(word.encode("utf-8", "surrogatepass")) if self._splitter.in_bytes else len(word)
            found.append((_hash(word), length, marks))
        return found

    def _split_whole(self, data: bytes) -> int:
        """Split a text as a whole: one of its chunks depends on its neighbours, or is too long for the table."""
        text = data.decode("utf-8", "surrogatepass")
        if self._spacy is not None:
            words = [Word(word, _not_signs(word)) for word in self._spacy.of_text(text)]
        else:
            split = self._splitter.split
            assert split is not None
            separate: Any = str.split if self._splitter.unicode_spaces else regex.compile(r"[\t-\r ]+").split
            words = [word for chunk in separate(text) if chunk for word in split(chunk)]
        for number, (hashed, length, marks) in enumerate(self._features(words)):
            self._words.hashes[number] = hashed
            self._words.lengths[number] = length
            self._words.marks[number] = marks
        return len(words)


def _hash(word: str) -> int:
    points = np.frombuffer(word.encode("utf-32-le", "surrogatepass"), np.uint32)
    return int(hash_of_points(points))


def _key(word: str) -> int:
    data = word.encode("utf-8", "surrogatepass")
    return int(key_hash(np.frombuffer(data + bytes(PADDING), np.uint8), 0, len(data)))


@cache
def shared_words(kind: Kind, stop_words: tuple[str, ...] = STOP_WORDS, lower: bool = False) -> Words:
    """The splitter of this process, which all steps share that want the same of it: they look at one text in turn."""
    return Words(kind, stop_words=stop_words, lower=lower)
