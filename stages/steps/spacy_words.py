"""spaCy's tokenizer for English, as datatrove calls it, split into what depends on one chunk alone and what does not.

spaCy cuts a text at its spaces and splits each chunk by rules for its beginning, end and inside, and by special cases.
All of that looks at the chunk alone. Then it looks for special cases among the words of the whole text, where
the longest match wins: there a chunk may depend on its neighbours, but only one whose own words hold a special case
that would still change them. Of such a chunk ``of_chunks`` says None, and its text is given to ``of_text``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import accumulate
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.extras import install


class SpacyWords:
    """The words that ``datatrove.utils.text.split_into_words`` finds. Raises RequestError: spaCy is not installed."""

    def __init__(self) -> None:
        try:
            spacy: Any = import_module("spacy")
        except ImportError:
            raise RequestError(
                "words: spacy: spaCy is not installed, which splits words as datatrove does; install it with "
                f"`{install('spacy')}`, or write `words: whitespace` (other words, so other decisions)"
            ) from None
        english: Any = spacy.blank("en").tokenizer
        self.rules: dict[str, Any] = english.rules
        loading = True

        def unless_loading(search: Any, nothing: Any) -> Any:
            return lambda text: nothing if loading else search(text)

        urls = english.url_match
        # A vocabulary that computes nothing of a new word: shape, lower case and the like are not asked for.
        self._whole: Any = spacy.tokenizer.Tokenizer(
            spacy.vocab.Vocab(),
            self.rules,
            english.prefix_search,
            english.suffix_search,
            english.infix_finditer,
            url_match=urls,
        )
        # Without affixes while its special cases are read, this one finds none that it would have to look for among
        # the words: it does the first half of the work alone. So does one that has no special cases.
        quiet = (
            unless_loading(english.prefix_search, None),
            unless_loading(english.suffix_search, None),
            unless_loading(english.infix_finditer, []),
        )
        self._alone: Any = spacy.tokenizer.Tokenizer(spacy.vocab.Vocab(), self.rules, *quiet, url_match=urls)
        loading = False
        without = spacy.tokenizer.Tokenizer(spacy.vocab.Vocab(), {}, *quiet, url_match=urls)
        self._looked_for = _Cases(self._cases(without, spacy.symbols.ORTH))

    def _cases(self, plain: Any, orth: int) -> dict[tuple[str, ...], bool]:
        """The special cases that are looked for among the words, as the rules for chunks split them.

        True: what they become is something else.
        """
        whole, found = self._whole, {}
        for case, becomes in self.rules.items():
            if whole.find_prefix(case) or whole.find_suffix(case) or whole.find_infix(case) or " " in case:
                words = tuple(token.text for token in plain(case))
                found[words] = words != tuple(word[orth] for word in becomes)
        return found

    def of_chunks(self, chunks: Sequence[str]) -> list[list[str] | None]:
        """The words of each chunk; None: they may depend on the text around it. A chunk has no space in it."""
        # A chunk of letters alone has nothing that a rule could cut at.
        found: list[list[str] | None] = [[chunk] for chunk in chunks]
        others = [number for number, chunk in enumerate(chunks) if not chunk.isalpha() or chunk in self.rules]
        # All in one call: what a call of spaCy's costs is more than most chunks do.
        try:
            split = self._side_by_side([chunks[number] for number in others])
        except Exception:  # one of them; it is for ``of_text`` to say what spaCy cannot split
            split = [self._of_chunk(chunks[number]) for number in others]
        for number, words in zip(others, split, strict=True):
            found[number] = words
        return found

    def _side_by_side(self, chunks: Sequence[str]) -> list[list[str] | None]:
        """The words of chunks that are put behind each other in one text. Raises what spaCy raises."""
        words: list[list[str]] = [[] for _ in chunks]
        ends = list(accumulate(len(chunk) + 1 for chunk in chunks))
        number = 0
        for token in self._alone(" ".join(chunks)):
            while token.idx >= ends[number]:
                number += 1
            words[number].append(token.text)
        return [self._settled(chunk, found) for chunk, found in zip(chunks, words, strict=True)]

    def _of_chunk(self, chunk: str) -> list[str] | None:
        try:
            return self._settled(chunk, [token.text for token in self._alone(chunk)])
        except Exception:
            return None

    def _settled(self, chunk: str, words: list[str]) -> list[str] | None:
        """The words of a chunk, of which these are found without special cases; None as in ``of_chunks``."""
        if spans := self._looked_for.within(words):
            if self._looked_for.reach_out(words, spans):
                return None
            words = [token.text for token in self._whole(chunk)]
        return [stripped for word in words if (stripped := word.strip())]

    def in_context(self, text: str, start: int, end: int) -> list[str]:
        """The words of ``text[start:end]`` where it stands; ``text`` goes on for ``reach`` chunks on either side."""
        found = self._whole(text)
        return [word for token in found if start <= token.idx < end and (word := token.text.strip())]

    @property
    def reach(self) -> int:
        """How many chunks on either side a chunk may depend on."""
        return self._looked_for.longest

    def of_text(self, text: str) -> list[str]:
        """The words of a text as a whole. Raises what spaCy raises."""
        try:
            found = self._whole(text)
        except Exception:
            # The name of an attribute of spaCy's, which its tables cannot hold: datatrove takes it out.
            if "IS_ALPHA" not in text:
                raise
            found = self._whole(text.replace("IS_ALPHA", ""))
        return [stripped for token in found if (stripped := token.text.strip())]


class _Cases:
    """Sequences of words that are looked for in a text, the longest first. True: a find changes the words."""

    def __init__(self, cases: Mapping[tuple[str, ...], bool]) -> None:
        self.longest = 1
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        self._begins: set[tuple[str, ...]] = set()
        self._ends: set[tuple[str, ...]] = set()
        self._inside: set[tuple[str, ...]] = set()
        for case, changes in cases.items():
            if changes:
                self._by_first.setdefault(case[0], []).append(case)
            size = len(case)
            self.longest = max(self.longest, size)
            self._begins |= {case[:k] for k in range(1, size)}
            self._ends |= {case[k:] for k in range(1, size)}
            self._inside |= {case[i:k] for i in range(1, size) for k in range(i + 1, size)}

    def within(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Where cases that change something begin and end among the words."""
        return [
            (number, number + len(case))
            for number, word in enumerate(words)
            for case in self._by_first.get(word, ())
            if tuple(words[number : number + len(case)]) == case
        ]

    def reach_out(self, words: Sequence[str], spans: Sequence[tuple[int, int]]) -> bool:
        """True when a longer case may begin or end beyond the words and share some with one of the spans."""
        size = len(words)
        begin, end = min(start for start, _ in spans), max(end for _, end in spans)
        return (
            tuple(words) in self._inside
            or any(tuple(words[size - k :]) in self._begins for k in range(1, size + 1) if size - k < end)
            or any(tuple(words[:k]) in self._ends for k in range(1, size + 1) if k > begin)
        )
