"""The compiled kernels against plain references."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.tokenizer.bpe.kernels import _glued, _merge_large, _merge_small
from llama_data.tokenizer.bpe.tables import EMPTY_PAIR, _placed, glue_bit, pair_slots


def reference_merge(symbols: list[int], pairs: dict[tuple[int, int], int], ranks: list[int]) -> list[int]:
    """BPE by the book: the pair of best rank, leftmost among equals, until there is none."""
    symbols = list(symbols)
    while True:
        found = [(ranks[pairs[pair]], place) for place, pair in enumerate(itertools.pairwise(symbols)) if pair in pairs]
        if not found:
            return symbols
        place = min(found)[1]
        symbols[place : place + 2] = [pairs[symbols[place], symbols[place + 1]]]


def pair_table(pairs: dict[tuple[int, int], int]) -> np.ndarray:
    table = np.full(256, EMPTY_PAIR, np.uint64)
    for (left, right), merged in pairs.items():
        at = int(pair_slots(np.array([left << 21 | right], np.uint64), 256)[0])
        while table[at] != EMPTY_PAIR:
            at = (at + 1) % 256
        table[at] = (left << 21 | right) << 22 | merged
    return table


@settings(deadline=None, max_examples=200)
@given(
    symbols=st.lists(st.integers(-1, 5), min_size=1, max_size=40),
    pairs=st.dictionaries(st.tuples(st.integers(0, 12), st.integers(0, 12)), st.integers(6, 12), max_size=40),
    ranks=st.lists(st.integers(0, 6), min_size=13, max_size=13),
)
def test_both_merge_loops_are_bpe(symbols: list[int], pairs: dict[tuple[int, int], int], ranks: list[int]) -> None:
    expected = reference_merge(symbols, pairs, ranks)
    table, order = pair_table(pairs), np.array(ranks, np.int32)
    shift = np.uint64(64 - 8)
    for large in (False, True):
        array, begins = np.array(symbols, np.int32), np.arange(len(symbols))
        arguments = (array, begins, len(symbols), table.ctypes.data, shift, order.ctypes.data)
        left = _merge_large(*arguments) if large else _merge_small(*arguments, np.empty(64, np.int32))
        assert array[:left].tolist() == expected
        assert begins[0] == 0
        assert np.all(np.diff(begins[:left]) > 0)


@settings(deadline=None)
@given(st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF))
def test_the_set_of_pairs_is_addressed_as_it_was_built(first: int, second: int) -> None:
    glue = np.zeros((1 << 21) // 8, np.uint8)
    assert not _glued(glue.ctypes.data, first, second)
    bit = glue_bit(first, second)
    glue[bit >> 3] = 1 << (bit & 7)
    assert _glued(glue.ctypes.data, first, second)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 31)), max_size=31, unique_by=lambda item: item[0]))
def test_values_that_are_placed_at_once_are_found_by_a_search_from_their_slot(items: list[tuple[int, int]]) -> None:
    values, slots = (np.array([item[part] for item in items], np.uint64) for part in (0, 1))
    table = _placed(values, slots, 32)
    for value, at in items:
        while table[at] != value:
            assert table[at] != EMPTY_PAIR
            at = (at + 1) % 32
    assert int((table != EMPTY_PAIR).sum()) == len(items)
