"""Values of a row: found, compared, and turned into what JSON holds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.custom.values import MAX_DEPTH, find, names_of, plain

ROW = {"a": 1, "m": {"b": {"c": 2}, "x.y": 3}, "m.b": {"d": 4}, "n": None, "l": [{"b": 1}]}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", 1),
        ("m.b.c", 2),
        ("m.x.y", 3),
        ("m.b", {"d": 4}),
        ("m.b.d", 4),
        *[(path, None) for path in ("n", "a.b", "z", "l.b", "m.", "")],
    ],
)
def test_a_dot_goes_into_a_nested_field_unless_one_has_the_whole_name(path: str, value: Any) -> None:
    assert find(ROW, path) == value


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("x", ["x"]),
        (5, ["5"]),
        (5.0, ["5.0"]),
        (True, ["true"]),
        (None, []),
        (["a", 1, None, False], ["a", "1", "false"]),
    ],
)
def test_values_are_compared_as_json_writes_them(value: Any, names: list[str]) -> None:
    assert names_of(value) == names


PLAIN = [
    (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2024-01-02T03:04:05+00:00"),
    (dt.date(2024, 1, 2), "2024-01-02"),
    (dt.time(1, 2), "01:02:00"),
    (dt.timedelta(seconds=90), 90.0),
    (Decimal("1.10"), "1.10"),
    (b"ab\xc3\xa9", "abé"),
    (b"\xff\x00", "ff00"),
    (float("nan"), None),
    (float("-inf"), None),
    (2**64 - 1, 2**64 - 1),
    (2**64, str(2**64)),
    (-(2**63), -(2**63)),
    (-(2**63) - 1, str(-(2**63) - 1)),
    (np.float32(0.5), 0.5),
    (np.array([[1, 2]]), [[1, 2]]),
    (np.bool_(True), True),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ([("k", {1: b"v"})], [["k", {"1": "v"}]]),
]


@pytest.mark.parametrize(("value", "held"), PLAIN)
def test_what_json_cannot_hold_becomes_what_it_has(value: Any, held: Any) -> None:
    assert plain(value) == held
    assert orjson.loads(orjson.dumps(plain(value))) == held


@pytest.mark.parametrize(("levels", "fits"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, True), (MAX_DEPTH + 1, False)])
def test_depth_has_a_limit(levels: int, fits: bool) -> None:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    if fits:
        assert plain(value) == value
    else:
        with pytest.raises(RecordError) as caught:
            plain(value)
        assert caught.value.reason is Reason.too_complex
