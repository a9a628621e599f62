"""splitmix64 against its published numbers and a plain transcription."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.pipeline.kernels.hashing import GOLDEN, mix64, mix64_all, splitmix64

# The first outputs of Vigna's splitmix64.c from state 1234567, as many test suites print them.
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def plain(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ value >> 27) * 0x94D049BB133111EB % 2**64
    return value ^ value >> 31


def test_the_published_numbers_come_out() -> None:
    assert splitmix64(1234567, 5).tolist() == PUBLISHED
    kernel = [int(mix64(np.uint64((1234567 + k * int(GOLDEN)) % 2**64))) for k in range(1, 6)]
    assert kernel == PUBLISHED
    assert splitmix64(1234567, 0).size == 0


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
@example([0, 1, 2**63, 2**64 - 1])
def test_kernel_and_array_are_the_plain_rule(values: list[int]) -> None:
    wanted = [plain(value) for value in values]
    assert [int(mix64(np.uint64(value))) for value in values] == wanted
    assert mix64_all(np.array(values, np.uint64)).tolist() == wanted


@given(st.integers(2**64 - 3, 2**64 - 1))
def test_the_largest_seeds_wrap_around(seed: int) -> None:
    assert splitmix64(seed, 3).tolist() == [plain((seed + k * int(GOLDEN)) % 2**64) for k in (1, 2, 3)]


def test_the_step_is_the_golden_ratio() -> None:
    # 2 ** 64 / phi, made odd, by its defining equation and not by floats: x * (x + 2 ** 64) = 2 ** 128, nearly.
    x = int(GOLDEN)
    assert x % 2 == 1
    assert (x - 1) * (x - 1 + 2**64) < 2**128 < (x + 1) * (x + 1 + 2**64)
