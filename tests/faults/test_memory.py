"""No file can ask for more memory than a record may need: a run over each bomb, under a limit that the system sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from limited import call

LONG = pytest.mark.skipif("LLAMA_DATA_SOAK" not in os.environ, reason="set LLAMA_DATA_SOAK=1 for the long form")
GIGABYTE = 1 << 30
MB = 1 << 20


@pytest.mark.parametrize(
    ("bomb", "arguments", "outcome"),
    [
        ("long_line", ["zst"], {"kept": 2, "too_complex": 1}),
        pytest.param("long_line", ["bz2"], {"kept": 2, "too_complex": 1}, marks=LONG),
        pytest.param("long_line", ["xz"], {"kept": 2, "too_complex": 1}, marks=LONG),
        pytest.param("long_line", ["gz"], {"kept": 2, "too_complex": 1}, marks=LONG),
        pytest.param("empty_lines", ["zst"], {"kept": 2}, marks=LONG),
        pytest.param("empty_lines", ["bz2"], {"kept": 2}, marks=LONG),
        pytest.param("many_lines", [4 * MB], {"too_few_sentences": 2}, marks=LONG),
        ("many_lines", [4 * MB + 1], {"too_complex": 1, "too_few_sentences": 1}),
        pytest.param("web_lines", [4 * MB, 1], {"kept": 2}, marks=LONG),
        ("web_lines", [30 * MB, 1], {"too_complex": 1, "kept": 1}),
        pytest.param("web_lines", [15_000, 3000], {"all_lines_duplicated": 3000, "kept": 1}, marks=LONG),
        ("parquet_dictionary", [30 * MB, 40], {"kept": 40}),
        pytest.param("book_member", [8], {"too_long": 1, "kept": 1}, marks=LONG),
        ("book_member", [12], {"unsafe_archive": 1, "kept": 1}),
        pytest.param("book_member", [14], {"unsafe_archive": 1, "kept": 1}, marks=LONG),
        pytest.param("book_stream", ["gz"], {"too_long": 1, "kept": 1}, marks=LONG),
        pytest.param("dump_stream", ["bz2"], {"too_complex": 1, "kept": 1}, marks=LONG),
        pytest.param("dump_stream", ["gz"], {"too_complex": 1, "kept": 1}, marks=LONG),
        ("dump_stream", ["xz"], {"too_complex": 1, "kept": 1}),
        ("posts_row", ["gz"], {"too_complex": 1, "kept": 1}),
        pytest.param("paper", [], {"damaged_archive": 1, "kept": 1}, marks=LONG),
        pytest.param("code_archive", ["gz"], {"kept": 1, "no_content": 1, "unsafe_archive": 1}, marks=LONG),
        pytest.param("code_archive", ["bz2"], {"kept": 1, "no_content": 1, "unsafe_archive": 1}, marks=LONG),
        pytest.param("code_archive", ["xz"], {"kept": 1, "no_content": 1, "unsafe_archive": 1}, marks=LONG),
    ],
)
def test_a_bomb_is_a_row_and_its_neighbours_are_read(
    tmp_path: Path, bomb: str, arguments: list[Any], outcome: dict[str, int]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    done = call("bombs", bomb, [str(folder), *arguments], memory=GIGABYTE)
    assert done.status == 0, done.said
    assert done.answer == outcome


@pytest.mark.parametrize(
    ("bomb", "arguments", "outcome"),
    [
        pytest.param("widest_line", [], {"kept": 2}, marks=LONG),
        pytest.param("parquet_pages", [8 * MB, 34], {"too_complex": 34}, marks=LONG),
    ],
)
def test_the_largest_record_fits_a_worker(
    tmp_path: Path, bomb: str, arguments: list[Any], outcome: dict[str, int]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    done = call("bombs", bomb, [str(folder), *arguments])
    assert done.status == 0, done.said
    assert done.answer == outcome


def test_the_limit_is_the_systems(tmp_path: Path) -> None:
    done = call("builtins", "len", [[0]], memory=10 * GIGABYTE)
    assert (done.status, done.answer) == (0, 1)
    taken = call("bytes_of", "zeros", [GIGABYTE], memory=GIGABYTE)
    assert taken.status == 1
    assert "MemoryError" in taken.said
    assert call("bytes_of", "zeros", [GIGABYTE], memory=3 * GIGABYTE).peak > GIGABYTE
    assert call("time", "sleep", [60], seconds=2).status == -9
