"""The words of a text between Unicode's word boundaries (UAX 29), as ``regex`` finds them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.code_points import LIMIT
from llama_data.pipeline.kernels.memory import address, borrowed, load_byte_at, load_word_at
from llama_data.pipeline.kernels.swar import HIGH, first_place
from llama_data.pipeline.kernels.utf8 import decode_trusted_at
from llama_data.pipeline.kernels.word_table import hash_at
from llama_data.stages.steps.kernels.word_properties import (
    ALPHANUMERIC,
    CLASS_SHIFT,
    DOUBLE_QUOTE,
    EXTEND,
    HEBREW,
    JOINER_SIGN,
    KATAKANA,
    LETTER,
    MID_BOTH,
    MID_LETTER,
    MID_NUMBER,
    NEWLINE,
    NUMERIC,
    OTHER,
    PICTOGRAPH,
    REGIONAL,
    SINGLE_QUOTE,
    VOWEL,
    WIDE_SPACE,
    ZWJ,
)
from llama_data.stages.steps.kernels.word_scan import ASCII_SPACE, digits, letters

# What the classes of two neighbours say of the boundary between them.
_BREAK, _JOIN, _BEFORE_LETTER, _BEFORE_NUMBER, _BEHIND_LETTER, _BEHIND_NUMBER, _BEFORE_HEBREW, _BEHIND_HEBREW = range(8)


def _rules() -> NDArray[np.uint8]:
    """WB 5 to 13 of UAX 29 as a table over the classes of two neighbours."""
    table = np.zeros((16, 16), np.uint8)
    letters, runs = (LETTER, HEBREW), (LETTER, HEBREW, NUMERIC, JOINER_SIGN)
    for left in runs:
        table[left, runs] = _JOIN
    table[KATAKANA, (KATAKANA, JOINER_SIGN)] = _JOIN
    table[JOINER_SIGN, KATAKANA] = _JOIN
    for letter in letters:
        table[letter, (MID_LETTER, MID_BOTH, SINGLE_QUOTE)] = _BEFORE_LETTER
        table[(MID_LETTER, MID_BOTH, SINGLE_QUOTE), letter] = _BEHIND_LETTER
    table[HEBREW, SINGLE_QUOTE] = _JOIN
    table[HEBREW, DOUBLE_QUOTE] = _BEFORE_HEBREW
    table[DOUBLE_QUOTE, HEBREW] = _BEHIND_HEBREW
    table[NUMERIC, (MID_NUMBER, MID_BOTH, SINGLE_QUOTE)] = _BEFORE_NUMBER
    table[(MID_NUMBER, MID_BOTH, SINGLE_QUOTE), NUMERIC] = _BEHIND_NUMBER
    return table


_RULES = _rules()
_APOSTROPHES = (0x27, 0x2019)
_STANDS_ALONE = np.zeros(256, np.bool_)
_STANDS_ALONE[[ord(mark) for mark in "!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~"]] = True


@njit(cache=True, nogil=True)
def _run_end(place):  # type: ignore[no-untyped-def]
    """Where ASCII's letters and digits end that begin at an address."""
    while True:
        word = load_word_at(place)
        others = ~(letters(word) | digits(word)) & HIGH | (word & HIGH)
        if others:
            return place + first_place(others)
        place += 8


@njit(cache=True, nogil=True)
def _class_at(kinds, place, end):  # type: ignore[no-untyped-def]
    """The class of the character at an address; OTHER at the end."""
    if place >= end:
        return np.int64(OTHER)
    point, _ = decode_trusted_at(place)
    return np.int64(kinds[point]) >> CLASS_SHIFT if point < LIMIT else np.int64(OTHER)


@njit(cache=True, nogil=True)
def _joins(rule, before, after):  # type: ignore[no-untyped-def]
    """Whether a rule that looks beyond two neighbours joins them: at the class before them, or the one after."""
    if rule == _BEFORE_LETTER:
        return after in (LETTER, HEBREW)
    if rule == _BEHIND_LETTER:
        return before in (LETTER, HEBREW)
    if rule == _BEFORE_NUMBER:
        return after == NUMERIC
    if rule == _BEHIND_NUMBER:
        return before == NUMERIC
    return (after if rule == _BEFORE_HEBREW else before) == HEBREW


@njit(cache=True, nogil=True)
def find_bounded(src, end, first_only, in_bytes, kinds, wanted, hashes, lengths):  # type: ignore[no-untyped-def]
    """Find the words between word boundaries (``\\b`` of ``regex`` with its flag W), in each stretch between ASCII's
    spaces by itself.

    A word has a character of kind ``wanted``; ``first_only``: its first is one. How many there are. UAX 29 is followed
    as ``regex`` does: WB 6 to 12 look at the very next character, which may be one that only extends; an apostrophe
    stays with a vowel; an odd REGIONAL stays with whatever is next; and so does what extends nothing.
    """
    kinds = borrowed(kinds)
    text = address(src)
    stop = text + end
    count, at = 0, text
    while at < stop:
        if ASCII_SPACE[load_byte_at(at)]:
            at += 1
            continue
        # A stretch. ``raw``: class of the character just behind; ``left``: of the last that is more than an extension
        # (``bare``: there was none), and ``before`` of the one just behind that.
        start, others, seen, first = at, 0, np.int64(0), np.int64(0)
        left, before, raw = np.int64(OTHER), np.int64(OTHER), np.int64(OTHER)
        bare, odd, apostrophe = True, False, False
        while True:
            over = at >= stop
            kind, size, point = np.int64(0), 1, np.int64(0)
            if not over:
                point, size = decode_trusted_at(at)
                kind = np.int64(kinds[point]) if point < LIMIT else np.int64(0)
                over = point < 128 and ASCII_SPACE[point]
            right = kind >> CLASS_SHIFT
            extends = right in (EXTEND, ZWJ)
            joined = False
            if not over and at > start:
                rule = np.int64(_RULES[left, right])
                if rule == _JOIN and raw == left:
                    joined = True
                elif raw == NEWLINE or right == NEWLINE:
                    joined = False
                elif (
                    extends
                    or bare
                    or odd
                    or rule == _JOIN
                    or (raw == ZWJ and kind & PICTOGRAPH)
                    or (raw == WIDE_SPACE and right == WIDE_SPACE)
                    or (apostrophe and kind & VOWEL)
                ):
                    joined = True
                elif rule != _BREAK:
                    joined = _joins(rule, before, _class_at(kinds, at + size, stop))
            if not joined:
                if at > start and (first if first_only else seen) & wanted:
                    hashes[count] = hash_at(start, at - start)
                    lengths[count] = at - start if in_bytes else at - start - others
                    count += 1
                if over:
                    break
                start, others, seen, first = at, 0, np.int64(0), kind
            seen |= kind
            if point < 128 and kind & ALPHANUMERIC:
                # The letters and digits that follow are of the same word.
                at = _run_end(at)
                last = load_byte_at(at - 1)
                left = raw = np.int64(kinds[last]) >> CLASS_SHIFT
                bare, odd, apostrophe = False, False, False
                # A mark before a space stands alone.
                mark = load_byte_at(at)
                spaced = ASCII_SPACE[mark]
                if spaced or (_STANDS_ALONE[mark] and at + 1 < stop and ASCII_SPACE[load_byte_at(at + 1)]):
                    if not first_only or first & wanted:
                        hashes[count] = hash_at(start, at - start)
                        lengths[count] = at - start if in_bytes else at - start - others
                        count += 1
                    at += 1
                    break
                continue
            others += size - 1
            at = min(at + size, stop)
            if not extends:
                odd = right == REGIONAL and not (odd and raw == REGIONAL)
                apostrophe = point == _APOSTROPHES[0] or point == _APOSTROPHES[1]
                before, left, bare = raw, right, False
            raw = right
    return count
