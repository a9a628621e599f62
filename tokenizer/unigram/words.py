"""Kernels for one word: its normal form, the best path through its pieces, and what is written of it.

The best path through a line is the best paths through its words one after the other, but for one thing: SentencePiece
adds scores in float32 from the line's beginning, so where two paths through a word are nearly equal the score of what
stands before it decides by rounding. With n characters in the word and sums up to M in size, n additions err by less
than n * 2**-24 * M in all; a path that is better than every other way into each of its nodes by more than twice that is
the one that SentencePiece finds. So a word is kept with the largest score before it for which that holds, and is looked
at again, in float32 and in SentencePiece's order, where more stands before it.

Sources: unigram_model.cc ``EncodeOptimized`` for the order of comparisons and for sums that begin anew beyond 100,000;
normalizer.cc for the normal form.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import address, copy, load_byte_at
from llama_data.pipeline.kernels.utf8 import decode_checked_at, is_surrogate
from llama_data.pipeline.kernels.word_table import INLINE_NUMBERS
from llama_data.tokenizer.unigram.model import NO_PIECE, SPACE, trie_child

DONE, TABLE_FULL, OUT_FULL, LATTICE_FULL, NOT_UTF8, NOT_BY_WORDS = 0, 1, 2, 3, 4, 5
LIMIT_UNIT = 32
MOST_EDGES = 511
_RESET = np.float32(100000)
_BLANK = 32
_SPACE_0, _SPACE_1, _SPACE_2 = SPACE.encode()
# ``node & 512`` of the double array says that its offset counts in steps of 256; bit 8 that a rule ends there; the
# lowest byte and bit 31 are the label, so that a leaf is like no byte.
_WIDE_OFFSET, _LEAF_BIT, _LABEL, _VALUE = 1 << 9, 8, 0x800000FF, 0x7FFFFFFF


class Lattice(NamedTuple):
    """Scratch for one word: its normal form, and for each place in it the best ways to get there.

    ``sums``, ``came``: score of SentencePiece's best path to a place and its last edge: where it begins, times two,
    plus 1 when it has no piece; -1 where no path ends. ``exact``, ``second``, ``from_``, ``edges``: the best and second
    best score from the word's beginning in float64, the last edge of the best path and its score.
    """

    form: NDArray[np.uint8]
    sums: NDArray[np.float32]
    came: NDArray[np.int32]
    exact: NDArray[np.float64]
    second: NDArray[np.float64]
    from_: NDArray[np.int32]
    edges: NDArray[np.float32]
    order: NDArray[np.int32]
    packed: NDArray[np.int32]


def make_lattice(size: int) -> Lattice:
    """Scratch for words whose normal form is up to ``size`` bytes."""
    return Lattice(
        form=np.empty(size + 8, np.uint8),
        sums=np.empty(size, np.float32),
        came=np.empty(size, np.int32),
        exact=np.empty(size, np.float64),
        second=np.empty(size, np.float64),
        from_=np.empty(size, np.int32),
        edges=np.empty(size, np.float32),
        order=np.empty(size, np.int32),
        packed=np.empty(1 + 4 * MOST_EDGES, np.int32),
    )


@njit(cache=True, nogil=True)
def _char_size(place):  # type: ignore[no-untyped-def]
    """Bytes of the UTF-8 character at an address, 0 when there is none; no continuation byte follows the word."""
    if load_byte_at(place) < 0x80:
        return 1
    point, size = decode_checked_at(place)
    return 0 if point < 0 or is_surrogate(point) else size


@njit(cache=True, nogil=True)
def _step(unit):  # type: ignore[no-untyped-def]
    """From a node of the double array to where its children are, to be combined with a byte."""
    return (unit >> 10) << ((unit & _WIDE_OFFSET) >> 6)


@njit(cache=True, nogil=True)
def _rule(model, place, end):  # type: ignore[no-untyped-def]
    """The longest rule of the normaliser for what stands at an address: bytes that it takes, place of its form."""
    rules = model.rules
    taken, form = 0, np.int64(0)
    if rules.size == 0:
        return taken, form
    node = _step(np.int64(rules[0]))
    at = place
    # The array comes from a file: every place in it is held against its size.
    while at < end:
        byte = load_byte_at(at)
        node ^= byte
        if node >= rules.size:
            break
        unit = np.int64(rules[node])
        if unit & _LABEL != byte:
            break
        at += 1
        node ^= _step(unit)
        if node >= rules.size:
            break
        if (unit >> _LEAF_BIT) & 1 and np.int64(rules[node]) & _VALUE < model.forms.size:
            taken, form = at - place, np.int64(rules[node]) & _VALUE
    return taken, form


@njit(cache=True, nogil=True)
def normal_form(model, place, end, form):  # type: ignore[no-untyped-def]
    """Write the normal form of the word at an address, with the space in front; its size, 0 for nothing.

    Minus a code when that cannot be done. ``place`` begins a line or follows a space, ``end`` ends it or is a space.
    """
    form[0], form[1], form[2] = _SPACE_0, _SPACE_1, _SPACE_2
    size, after_space = 3, True
    # What one step writes at most: a form of which every byte is a space, or a character.
    room = form.size - model.longest * 3 - 16
    while place < end:
        if size > room:
            return -LATTICE_FULL
        taken, written = _rule(model, place, end)
        if taken == 0:
            taken = _char_size(place)
            if taken == 0:
                return -NOT_UTF8
            for k in range(taken):
                form[size + k] = load_byte_at(place + k)
            if taken == 3 and form[size] == _SPACE_0 and form[size + 1] == _SPACE_1 and form[size + 2] == _SPACE_2:
                return -NOT_BY_WORDS
            size += taken
            after_space = False
        else:
            while after_space and model.forms[written] == _BLANK:
                written += 1
            while model.forms[written] != 0:
                after_space = model.forms[written] == _BLANK
                if after_space:
                    form[size], form[size + 1], form[size + 2] = _SPACE_0, _SPACE_1, _SPACE_2
                    size += 3
                else:
                    form[size] = model.forms[written]
                    size += 1
                written += 1
        place += taken
    return size - 3 if after_space else size


@njit(cache=True, nogil=True)
def best_path(model, lattice, size, before):  # type: ignore[no-untyped-def]
    """Fill the lattice for a word of ``size`` bytes with the score ``before`` in front of it.

    Returns the limit in LIMIT_UNIT: with less than so much in front of it, the best path is the one in ``from_``.
    """
    form, sums, came, exact, second = lattice.form, lattice.sums, lattice.came, lattice.exact, lattice.second
    for k in range(size + 1):
        came[k] = -1
        exact[k] = second[k] = -np.inf
    sums[0], exact[0] = before, 0.0
    # Places in their order and pieces by their length, as SentencePiece visits them; of equal sums the first stays.
    trie, mask, unknown = address(model.trie), np.uint64(model.trie.size - 1), model.unknown
    largest = 0.0
    at = frontier = chars = 0
    while at < size:
        chars += 1
        # SentencePiece begins its sums anew there, at all places that are reached but not left.
        if sums[at] < -_RESET or sums[at] > _RESET:
            offset = sums[at]
            for k in range(at, frontier + 1):
                if k == at or came[k] >= 0:
                    sums[k] -= offset
        byte = form[at]
        char = min(1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4, size - at)
        node, end, known = np.int64(0), at, False
        while True:
            node = trie_child(trie, mask, node, form[end]) if node >= 0 and end < size else np.int64(-1)
            edge = np.int32(2 * at)
            if node >= 0:
                end += 1
                score = model.scores[node]
                if score == NO_PIECE:  # a beginning of longer pieces
                    continue
                known |= end - at == char
            elif known:
                break
            else:  # no piece is this character alone: it is an edge without a piece
                known, score, end = True, unknown, at + char
                edge += 1
            frontier = max(frontier, end)
            total = np.float32(sums[at] + score)
            if came[end] < 0 or total > sums[end]:
                sums[end], came[end] = total, edge
            total64 = exact[at] + np.float64(score)
            largest = max(largest, -total64)
            if total64 > exact[end]:
                second[end] = exact[end]
                exact[end], lattice.from_[end], lattice.edges[end] = total64, edge, score
            elif total64 > second[end]:
                second[end] = total64
        at += char
    # By how much the best path beats the second best way into the nodes that it goes through.
    margin = np.inf
    at = size
    while at > 0:
        margin = min(margin, exact[at] - second[at])
        at = lattice.from_[at] >> 1
    # See the module: sums are at most |before| + largest, so |before| may be up to margin / (2 n 2 ** -24) - largest.
    # 2.04 and 1.01 leave room for the rounding of these very numbers. The second line keeps all sums within the word
    # from where they would be begun anew, by 64 for the rounding of sums as large as that.
    limit = margin / (2.04 / (1 << 24) * max(chars, 1)) - 1.01 * largest
    limit = min(limit, np.float64(_RESET) - 1.01 * largest - 64.0)
    return np.int64(max(limit, 0.0)) // LIMIT_UNIT


@njit(cache=True, nogil=True)
def write(lattice, came, size, out, at):  # type: ignore[no-untyped-def]
    """Write the pieces of a path, each with a space behind it; the place after them and their number.

    Unknown characters that follow each other are one piece.
    """
    order = lattice.order
    edges, end = 0, size
    while end > 0:
        order[edges] = end
        end = came[end] >> 1
        edges += 1
    pieces, joins = 0, False
    for k in range(edges - 1, -1, -1):
        start, end = came[order[k]] >> 1, order[k]
        unknown = came[end] & 1 != 0
        if unknown and joins:
            at -= 1
        else:
            pieces += 1
        at = copy(lattice.form, start, end, out, at)
        out[at] = _BLANK
        at += 1
        joins = unknown
    return at, pieces


# The first number that the table keeps of a word: 12 bits of the limit, 9 of the number of edges, 9 of the number of
# pieces, and 2 of how many bytes the last number of the text lacks.
_LIMIT_SHIFT, _EDGES_SHIFT, _PIECES_SHIFT, _LACKS = 20, 11, 2, 3
_MOST_LIMIT = 0xFFF


@njit(cache=True, nogil=True)
def packed_limit(head):  # type: ignore[no-untyped-def]
    """The limit, in LIMIT_UNIT, of a word whose first number is ``head``."""
    return (head >> _LIMIT_SHIFT) & _MOST_LIMIT


@njit(cache=True, nogil=True)
def packed_edges(head):  # type: ignore[no-untyped-def]
    """How many scores follow the first number."""
    return (head >> _EDGES_SHIFT) & MOST_EDGES


@njit(cache=True, nogil=True)
def packed_pieces(head):  # type: ignore[no-untyped-def]
    """How many pieces the word has."""
    return (head >> _PIECES_SHIFT) & MOST_EDGES


@njit(cache=True, nogil=True)
def packed_size(head, numbers):  # type: ignore[no-untyped-def]
    """Bytes of the pieces as they are written, of a word of so many numbers."""
    return 4 * (numbers - 1 - packed_edges(head) - (numbers > INLINE_NUMBERS)) - (head & _LACKS)


@njit(cache=True, nogil=True)
def pack(lattice, size, limit):  # type: ignore[no-untyped-def]
    """Write what the table keeps of a word to ``packed``; its size, 0 when the word is too long.

    The first number (above); then the edges' scores; then the pieces as they are written. One number more where the
    table keeps it outside the slot, so that eight bytes can be read at a time: behind a slot there is another one or
    some padding, but the table's array of numbers may end with the word's last.
    """
    packed = lattice.packed
    end, edges = size, 0
    while end > 0:
        end = lattice.from_[end] >> 1
        edges += 1
    if edges > MOST_EDGES or 2 * size > MOST_EDGES * 8:
        return 0
    scores = packed.view(np.float32)
    end = size
    for k in range(edges, 0, -1):
        scores[k] = lattice.edges[end]
        end = lattice.from_[end] >> 1
    text = packed.view(np.uint8)
    at, pieces = write(lattice, lattice.from_, size, text, 4 + 4 * edges)
    lacks = -at & _LACKS
    head = limit << _LIMIT_SHIFT | edges << _EDGES_SHIFT | pieces << _PIECES_SHIFT | lacks
    packed[0] = np.int32(np.uint32(head))
    numbers = (at + lacks) >> 2
    return numbers if numbers <= INLINE_NUMBERS else numbers + 1
