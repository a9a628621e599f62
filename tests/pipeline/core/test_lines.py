"""Lines out of pieces: every seam, the limit, damage."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.lines import cut_lines


def lines(pieces: list[bytes], limit: int | None = None) -> list[bytes | None]:
    return [line for batch in cut_lines(pieces, limit) for line in batch]


@given(
    st.lists(st.sampled_from([b"", b"a", b"bcd", b"\r", b"x" * 9]), max_size=8),
    st.lists(st.integers(0, 40), max_size=6),
    st.sampled_from([None, 0, 1, 3, 8, 9, 10]),
    st.booleans(),
)
def test_lines_do_not_depend_on_the_pieces(
    expected: list[bytes], cuts: list[int], limit: int | None, ends: bool
) -> None:
    data = b"".join(line + b"\n" for line in expected) if ends else b"\n".join(expected)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    if not ends and expected and not expected[-1]:
        expected = expected[:-1]
    assert lines(pieces, limit) == [None if limit is not None and len(e) > limit else e for e in expected]


@pytest.mark.parametrize(("size", "given_"), [(4, True), (5, True), (6, False)])
@pytest.mark.parametrize("step", [1, 2, 100])
def test_a_line_over_the_limit_is_not_given(size: int, given_: bool, step: int) -> None:
    data = b"a\n" + b"x" * size + b"\nb\n" + b"y" * size
    long = (b"x" * size, b"y" * size) if given_ else (None, None)
    assert lines([data[i : i + step] for i in range(0, len(data), step)], 5) == [b"a", long[0], b"b", long[1]]


def test_damage_comes_after_all_whole_lines_before_it() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a\nb\nhal"
        raise EOFError("cut")

    found: list[bytes | None] = []
    with pytest.raises(EOFError, match="cut"):
        found.extend(line for batch in cut_lines(pieces()) for line in batch)
    assert found == [b"a", b"b"]
