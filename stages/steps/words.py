"""The words of a text as the systems see them whose rules count words.

Splitters, and whose they are:

- ``spacy``: datatrove's: spaCy's tokenizer for English without a model (extra ``words``). A word counts unless all
  its characters are marks (``datatrove.utils.text.PUNCTUATION``). Lengths in characters.
- ``whitespace``: ``str.split``, all words count; ``signs``: the same, and words of marks do not count.
- ``fasttext``: ``str.split``; what fastText's tokenizer cuts (at ASCII's spaces) counts when it begins with a letter or
  digit (DCLM's quality rules).
- ``uniseg``: Unicode's word boundaries (UAX 29, as ``regex`` has them), words that begin with a letter or digit (DCLM's
  repetition).
- ``unicode``: the same, words that hold a letter or digit, lengths in bytes of UTF-8 (datamap-rs's repetition).
- ``bytes``: stretches between Unicode's White_Space, lengths in bytes of UTF-8 (datamap-rs's quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from datatrove.utils.text import PUNCTUATION  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.kernels.memory import padded
from llama_data.pipeline.kernels.utf8 import Bytes
from llama_data.pipeline.kernels.word_table import WordTable
from llama_data.stages.steps.kernels.word_boundaries import find_bounded
from llama_data.stages.steps.kernels.word_chunks import (
    ASKED,
    GIVEN,
    IN_CONTEXT,
    LONGEST,
    MISSING,
    NEXT,
    SIZE_BITS,
    WHOLE,
    WORDS,
    find_chunks,
    look_up,
    make_exceptions,
)
from llama_data.stages.steps.kernels.word_properties import ALPHANUMERIC, SPACE, WHITE, WORDLIKE, properties
from llama_data.stages.steps.kernels.word_scan import (
    ALL_COUNT,
    ALPHA,
    BEHIND_ASCII,
    COUNTS,
    MOST_STOP_WORDS,
    SIGNS_DO_NOT,
    STOP_SHIFT,
    WordArrays,
    find_spaced,
    make_arrays,
    make_stops,
)
from llama_data.stages.steps.spacy_words import SpacyWords

Kind = Literal["spacy", "whitespace", "signs", "fasttext", "uniseg", "unicode", "bytes"]
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
"""Gopher's eight (Rae et al. 2021, appendix A.1)."""
TABLE_BYTES = 96 << 20
_ASK = 512
_KEEP_BYTES = 16 << 20
_SIGNS = frozenset(PUNCTUATION)
_IN_THEIR_CASE = ("spacy", "signs")
BOUNDED = ("uniseg", "unicode")
"""The kinds of which hashes and lengths are found at once, and neither places nor marks."""
_IN_BYTES = ("unicode", "bytes")
_COUNTING = {"whitespace": ALL_COUNT, "signs": SIGNS_DO_NOT, "fasttext": BEHIND_ASCII, "bytes": ALL_COUNT}
# Characters whose lower case depends on their neighbours, or is two characters: the Greek sigmas, and a dot above.
_OF_CONTEXT = frozenset("\u03c3\u03c2\u0307")


class Found(NamedTuple):
    """The words of a text: ``total`` of them, at places of ``text``. All is overwritten by the next text's.

    Their hashes are those of BOUNDED kinds alone.
    """

    total: int
    words: WordArrays
    text: Bytes


class Words:
    """Splits texts. ``stop_words``: the words that are marked; datatrove's are compared in their case.

    Raises RequestError: spaCy is not installed; there are too many stop words.
    """

    def __init__(self, kind: Kind, *, stop_words: Sequence[str] = STOP_WORDS) -> None:
        if len(stop_words) > MOST_STOP_WORDS:
            raise RequestError(f"stop_words: expected at most {MOST_STOP_WORDS} words, found {len(stop_words)}")
        self.kind = kind
        self.lower = kind not in _IN_THEIR_CASE
        self.stops = {word: number for number, word in enumerate(stop_words, 1)}
        self._stops = make_stops(self.stops, lower=self.lower)
        self._in_context = self.lower and any(_OF_CONTEXT.intersection(word) for word in stop_words)
        self._spacy = _SpacyTable(self) if kind == "spacy" else None
        self._make_room(1 << 16)
        self._last: bytes | None = None
        self._found = Found(0, self._words, padded(b""))

    def _make_room(self, size: int) -> None:
        self._room = size
        self._words = make_arrays(size + 1)

    def of(self, data: bytes) -> Found:
        """The words of a text in UTF-8. The text of the call before is not split again."""
        if self._last is None or self._last != data:
            self._last = None
            if len(data) > self._room or (self._room > _KEEP_BYTES >= len(data)):
                self._make_room(max(len(data), 1 << 16))
            self._found = self._split(data)
            self._last = data
        return self._found

    def _split(self, data: bytes) -> Found:
        src, words = padded(data), self._words
        in_bytes = self.kind in _IN_BYTES
        kinds, lowered = properties()
        if self._spacy is not None:
            return self._spacy.split(data, src, words)
        if self.kind in _COUNTING:
            space = WHITE if self.kind == "bytes" else SPACE
            counting = _COUNTING[self.kind]
            total = find_spaced(src, len(data), space, counting, in_bytes, kinds, lowered, self._stops, *words[:4])
            if self._in_context:
                self._mark_stops(data, int(total))
        else:
            wanted = ALPHANUMERIC if self.kind == "uniseg" else WORDLIKE
            first = self.kind == "uniseg"
            total = find_bounded(src, len(data), first, in_bytes, kinds, wanted, words.hashes, words.lengths)
        return Found(int(total), words, src)

    def _mark_stops(self, data: bytes, total: int) -> None:
        """Mark stop words by what ``str.lower`` says of each word."""
        words = self._words
        for number in range(total):
            word = data[words.starts[number] : words.ends[number]].decode("utf-8", "surrogatepass").lower()
            words.marks[number] = words.marks[number] & (ALPHA | COUNTS) | self.stops.get(word, 0) << STOP_SHIFT


class _SpacyTable:
    """spaCy's words, each distinct chunk asked for once."""

    def __init__(self, words: Words) -> None:
        self._stops, self._stop_table = words.stops, words._stops
        self._spacy = SpacyWords()
        rules = (rule.encode("utf-8", "surrogatepass") for rule in self._spacy.rules)
        self._exceptions = make_exceptions(rules)
        self._table = WordTable(max_bytes=TABLE_BYTES, numbers=4)
        self._make_room(0)

    def _make_room(self, size: int) -> None:
        starts, ends, cores = (np.empty(size, np.int64) for _ in range(3))
        self._chunks = starts, ends, cores, np.empty(size, np.uint64)

    def split(self, data: bytes, src: Bytes, words: WordArrays) -> Found:
        """The words of a text; ``words``: room for as many as it has bytes."""
        room = len(words.starts) // 2 + 2
        if len(self._chunks[0]) != room:
            self._make_room(room)
        kinds, lowered = properties()
        count = find_chunks(src, len(data), kinds, self._exceptions, *self._chunks)
        state = np.zeros(4, np.int64)
        asked = np.empty(_ASK, np.int64)
        given = np.empty(0, np.int32)
        while state[NEXT] < count:
            why = look_up(
                src, count, *self._chunks, self._table.arrays, kinds, lowered, self._stop_table, given,
                asked, state, words,
            )  # fmt: skip
            if why == IN_CONTEXT:
                found = self._in_context(data, int(state[NEXT]), count)
                if found is None:
                    return self._split_whole(data, words)
                given, state[GIVEN] = found, 1
            elif why == MISSING:
                state[GIVEN] = 1
                given = self._ask(data, asked[: state[ASKED]].tolist())
        return Found(int(state[WORDS]), words, src)

    def _ask(self, data: bytes, numbers: list[int]) -> NDArray[np.int32]:
        """Split chunks that the table lacks; the numbers of the first."""
        starts, ends, *_ = self._chunks
        chunks = list(dict.fromkeys(data[starts[number] : ends[number]] for number in numbers))
        texts = [chunk.decode("utf-8", "surrogatepass") for chunk in chunks]
        first = None
        for chunk, words in zip(chunks, self._spacy.of_chunks(texts), strict=True):
            numbers_of = self._numbers(words)
            first = numbers_of if first is None else first
            self._table.put(chunk, numbers_of)
        assert first is not None
        return first

    def _in_context(self, data: bytes, number: int, count: int) -> NDArray[np.int32] | None:
        """The numbers of a chunk whose words depend on its neighbours; None: only the whole text will do."""
        reach = self._spacy.reach
        starts, ends, *_ = self._chunks
        first, last = max(number - reach, 0), min(number + reach, count - 1)
        begin, start, end = starts[first], starts[number], ends[number]
        before, chunk, after = (
            data[a:b].decode("utf-8", "surrogatepass") for a, b in ((begin, start), (start, end), (end, ends[last]))
        )
        try:
            words = self._spacy.in_context(before + chunk + after, len(before), len(before) + len(chunk))
        except Exception:  # it is for ``of_text`` to say what spaCy cannot split
            return None
        numbers = self._numbers(words)
        return None if numbers.size == WHOLE else numbers

    def _numbers(self, words: Sequence[str] | None) -> NDArray[np.int32]:
        """What the table holds of a chunk."""
        sizes = [] if words is None else [len(word.encode("utf-8", "surrogatepass")) for word in words]
        if words is None or any(size > LONGEST for size in sizes):
            return np.zeros(WHOLE, np.int32)
        packed = []
        for word, size in zip(words, sizes, strict=True):
            packed += [self._marks(word) << SIZE_BITS | size, len(word)]
        return np.array(packed, np.uint32).view(np.int32)

    def _marks(self, word: str) -> int:
        marks = 0 if _SIGNS.issuperset(word) else COUNTS
        if any(map(str.isalpha, word)):
            marks |= ALPHA
        return marks | self._stops.get(word, 0) << STOP_SHIFT

    def _split_whole(self, data: bytes, words: WordArrays) -> Found:
        """Split a text as a whole: one of its chunks depends on its neighbours, or is too long for the table."""
        # spaCy may leave something out, so what it finds is a text of its own.
        found = self._spacy.of_text(data.decode("utf-8", "surrogatepass"))
        encoded = [word.encode("utf-8", "surrogatepass") for word in found]
        end = 0
        for number, (word, held) in enumerate(zip(found, encoded, strict=True)):
            words.starts[number], words.ends[number] = end, end + len(held)
            words.lengths[number], words.marks[number] = len(word), self._marks(word)
            end += len(held)
        return Found(len(found), words, padded(b"".join(encoded)))


def shared_words(kind: Kind, stop_words: tuple[str, ...] = STOP_WORDS) -> Words:
    """The splitter of this process, which all steps share that want the same of it: they look at one text in turn."""
    # Not cached itself: a default that is given and one that is left out are two keys of a cache.
    return _words(kind, stop_words)


@cache
def _words(kind: Kind, stop_words: tuple[str, ...]) -> Words:
    return Words(kind, stop_words=stop_words)
