"""Definitions on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.wikipedia.templates import store
from llama_data.stages.wikipedia.templates.store import StoredRecords, merge, open_records, write_records

TITLES = st.text(st.characters(exclude_characters="\0"), max_size=20)  # XML holds no NUL
NAMES = st.dictionaries(TITLES, st.text(max_size=40), max_size=30)


@given(NAMES)
def test_what_is_written_is_found(tmp_path_factory: pytest.TempPathFactory, records: dict[str, str]) -> None:
    path = str(tmp_path_factory.mktemp("store") / "a.templates")
    write_records(path, list(records.items()))
    with StoredRecords(path) as found:
        assert len(found) == len(records)
        assert all(found.get(title) == record for title, record in records.items())
        assert found.get("a title that is not there") is None


@given(st.lists(NAMES, max_size=4))
def test_the_first_file_counts_when_files_are_merged(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    paths = [str(folder / f"{number}.bin") for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        write_records(path, list(piece.items()))
    expected: dict[str, str] = {}
    for piece in reversed(pieces):
        expected |= piece
    assert merge(paths, str(folder / "all")) == len(expected)
    with StoredRecords(str(folder / "all")) as found:
        assert {title: found.get(title) for title in expected} == expected


def test_copying_crosses_the_edges_of_its_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_COPY_BYTES", 7)
    for number in range(3):
        write_records(str(tmp_path / str(number)), [(f"t{number}{n}", "x" * n) for n in range(20)])
    merge([str(tmp_path / str(number)) for number in range(3)], str(tmp_path / "all"))
    with StoredRecords(str(tmp_path / "all")) as found:
        assert [found.get(f"t2{n}") for n in range(20)] == ["x" * n for n in range(20)]


def test_titles_with_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "title_hash", lambda title: 7)
    write_records(str(tmp_path / "a"), [("one", "1")])
    with StoredRecords(str(tmp_path / "a")) as found:
        assert (found.get("one"), found.get("two")) == ("1", None)


def test_no_file_and_no_records_are_none(tmp_path: Path) -> None:
    assert open_records(str(tmp_path / "absent")) is None
    write_records(str(tmp_path / "empty"), [])
    assert open_records(str(tmp_path / "empty")) is None
