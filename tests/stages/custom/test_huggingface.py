"""Hugging Face folders: what their library writes, the hub's cache of links, and what is no row in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split
from llama_data.stages.custom.huggingface import huggingface_files
from llama_data.stages.shared.arrow_rows import arrow_rows

ROWS = [{"text": f"text {n}", "meta": {"n": n}} for n in range(50)]


def names(root: Path) -> list[str]:
    return [split.name for split in huggingface_files(str(root))]


def rows(splits: list[Split]) -> list[Any]:
    return [row for split in splits for _, row in arrow_rows(split.path)]


def test_saved_datasets_are_read_as_their_library_reads_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list(ROWS)
    data.save_to_disk(tmp_path / "one", num_shards=3)
    assert names(tmp_path / "one") == [f"data-0000{n}-of-00003.arrow" for n in range(3)]
    # What `map` leaves beside the rows is none of them.
    (tmp_path / "one" / "cache-0123.arrow").write_bytes((tmp_path / "one" / "data-00000-of-00003.arrow").read_bytes())
    assert rows(huggingface_files(str(tmp_path / "one"))) == datasets.load_from_disk(tmp_path / "one").to_list() == ROWS
    datasets.DatasetDict({"train": data, "test": data.select(range(5))}).save_to_disk(tmp_path / "two")
    assert names(tmp_path / "two") == ["test/data-00000-of-00001.arrow", "train/data-00000-of-00001.arrow"]
    assert rows(huggingface_files(str(tmp_path / "two"))) == ROWS[:5] + ROWS
    # A selection is written as the rows that it selects.
    data.select([7, 3]).save_to_disk(tmp_path / "selected")
    assert rows(huggingface_files(str(tmp_path / "selected"))) == [ROWS[7], ROWS[3]]
    (tmp_path / "one" / "data-00001-of-00003.arrow").unlink()
    with pytest.raises(InputError, match=r"missing: data-00001-of-00003\.arrow"):
        names(tmp_path / "one")


def test_results_of_map_in_the_cache_of_the_library_are_no_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "a"}\n{"text": "b"}\n')
    data = datasets.load_dataset("json", data_files=str(source), cache_dir=str(tmp_path / "cache"), split="train")
    data.map(lambda row: {"text": row["text"] * 2})
    assert rows(huggingface_files(str(tmp_path / "cache"))) == [{"text": "a"}, {"text": "b"}]


def cache(root: Path, revisions: dict[str, list[str]], main: str | None) -> Path:
    """A folder as the hub's client makes it: blobs, and links to them."""
    repo = root / "datasets--org--name"
    (repo / "blobs").mkdir(parents=True)
    for revision, files in revisions.items():
        for name in files:
            link = repo / "snapshots" / revision / name
            link.parent.mkdir(parents=True, exist_ok=True)
            blob = repo / "blobs" / f"{abs(hash((revision, name))):x}"
            blob.write_bytes(name.encode())
            link.symlink_to(os.path.relpath(blob, link.parent))
    if main is not None:
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(main)
    return repo


def test_the_cache_of_the_hub_is_made_of_links(tmp_path: Path) -> None:
    files = ["README.md", ".gitattributes", "data/b.parquet", "data/a.parquet"]
    repo = cache(tmp_path, {"old": ["data/z.parquet"], "new": files}, "new")
    found = huggingface_files(str(repo))
    assert [(split.name, split.size) for split in found] == [("data/a.parquet", 14), ("data/b.parquet", 14)]
    assert Path(found[0].path).read_bytes() == b"data/a.parquet"
    assert names(repo / "snapshots" / "old") == ["data/z.parquet"]


def test_a_cache_with_several_snapshots_asks_for_one(tmp_path: Path) -> None:
    assert names(cache(tmp_path / "a", {"one": ["a.jsonl.zst"]}, None)) == ["a.jsonl.zst"]
    with pytest.raises(InputError, match="expected one snapshot, found one, two"):
        names(cache(tmp_path / "b", {"one": ["a.csv"], "two": ["a.csv"]}, None))
    with pytest.raises(InputError, match="expected one snapshot"):
        names(cache(tmp_path / "c", {"one": ["a.csv"], "two": ["a.csv"]}, "gone"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.parquet", "b.jsonl"], "expected data files of one format, found 1 jsonl, 1 parquet"),
        (["README.md"], "found none"),
        (["dataset_info.json", "cache-1.arrow", ".git/x.parquet"], "found none"),
    ],
)
def test_what_is_not_clear_is_an_error(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=message):
        names(tmp_path)


def test_a_state_that_cannot_be_read_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        names(tmp_path / "absent")
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(InputError, match=r"state\.json: not readable as JSON"):
        names(tmp_path)
    (tmp_path / "state.json").write_text('{"_data_files": [], "_indices_data_files": [{"filename": "i.arrow"}]}')
    with pytest.raises(InputError, match="flatten_indices"):
        names(tmp_path)
