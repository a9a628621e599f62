"""The compiled parts of ``near_dup``: components of a graph, and who stays in a component."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from llama_data.pipeline.kernels.minhash import count_common

NOBODY = -1


@njit(cache=True, nogil=True)
def unite(parents: Any, a: Any, b: Any, none: Any) -> None:
    """Put the ends of every edge into one component. ``parents``: of each number one that is no larger, or ``none``.

    The smaller root becomes the parent, so a component's root is its least number, whatever the order of the edges.
    """
    for edge in range(len(a)):
        one, two = _root(parents, a[edge], none), _root(parents, b[edge], none)
        if one < two:
            parents[two] = one
        elif two < one:
            parents[one] = two


@njit(cache=True, nogil=True)
def _root(parents: Any, number: Any, none: Any) -> Any:
    if parents[number] == none:
        parents[number] = number
        return number
    while parents[number] != number:
        parents[number] = parents[parents[number]]  # halves the way for those who come after
        number = parents[number]
    return number


@njit(cache=True, nogil=True)
def point_to_roots(parents: Any, none: Any) -> None:
    """Give everyone in a component its root. Parents are smaller, so one pass upwards is enough."""
    for number in range(len(parents)):
        if parents[number] != none:
            parents[number] = parents[parents[number]]


@njit(cache=True, nogil=True)
def similarity(sets: Any, a: Any, a_end: Any, b: Any, b_end: Any, contained: bool, least: float) -> Any:
    """The exact similarity of two sets that stand in one array; 0 where the sizes alone keep it below ``least``."""
    smaller, larger = min(a_end - a, b_end - b), max(a_end - a, b_end - b)
    if smaller == 0 or (not contained and smaller / larger < least):
        return 0.0
    shared = count_common(sets[a:a_end], sets[b:b_end])
    return shared / smaller if contained else shared / (smaller + larger - shared)


@njit(cache=True, nogil=True)
def choose(
    sets: Any, starts: Any, ends: Any, components: Any, contained: bool, least: float, kept_by: Any, found: Any
) -> None:
    """For each document the kept one before it in its component that is alike, or ``NOBODY``, and how alike.

    Documents stand in the order in which they are preferred, ``components[i]`` to ``components[i + 1]`` in one.
    """
    for number in range(len(components) - 1):
        first, last = components[number], components[number + 1]
        keepers = np.empty(last - first, np.int64)
        kept = 0
        for document in range(first, last):
            kept_by[document] = NOBODY
            for keeper in keepers[:kept]:
                share = similarity(
                    sets, starts[keeper], ends[keeper], starts[document], ends[document], contained, least
                )
                if share >= least:
                    kept_by[document], found[document] = keeper, share
                    break
            if kept_by[document] == NOBODY:
                keepers[kept] = document
                kept += 1
