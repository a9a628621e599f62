"""The texts that are measured: which files, how many of their documents, and how they become windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.ablate.arms import Arm
from llama_data.train_handoff.trainer.ablate.sets import own_sets, read_sets, windows_of
from llama_data.train_handoff.trainer.measure.held_out import TextWindows, Window
from llama_data.train_handoff.trainer.measure.prepared import PreparedWindows, write_windows
from llama_data.train_handoff.trainer.pieces import Pieces


@pytest.fixture(scope="module")
def pieces(tokenizer: Path) -> Pieces:
    return Pieces(tokenizer.parent)


def write(path: Path, texts: list[str]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": list(range(len(texts))), "text": texts}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    else:
        path.write_text(texts[0])
    return path


def test_a_set_may_have_several_files_of_any_kind(tmp_path: Path, pieces: Pieces) -> None:
    files = [write(tmp_path / name, [f"{name} one", "the same"]) for name in ("a.jsonl", "b.parquet", "c.txt")]
    found = read_sets([f"news={files[0]}", f"news={files[1]}", str(files[2])], pieces, 10**6)
    assert [(one.name, one.found) for one in found] == [("news", 3), ("c", 1)]
    assert sorted(one.text_bytes for one in found[0].documents) == [8, 11, 13]
    assert [Path(path) for path, _ in found[0].files] == files[:2]
    assert found[0].key == "text/news"
    swapped = read_sets([f"news={files[1]}", f"news={files[0]}"], pieces, 10**6)[0]
    assert [one.text_bytes for one in swapped.documents] == [one.text_bytes for one in found[0].documents]


def test_what_is_no_text_is_named(tmp_path: Path, pieces: Pieces) -> None:
    good = write(tmp_path / "a.jsonl", ["one"])
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "b.parquet")
    pq.write_table(pa.table({"text": ["x", None]}), tmp_path / "n.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing PAR1")
    (tmp_path / "empty.txt").write_text(" \n")
    for given, said in (
        ([str(tmp_path / "none.txt")], "no such file"),
        ([str(tmp_path / "b.parquet")], "no column `text`; it has: body"),
        ([str(tmp_path / "n.parquet")], "expected strings, found NoneType"),
        ([str(tmp_path / "broken.parquet")], "not a readable parquet file"),
        ([str(tmp_path / "empty.txt")], "there is no text in it"),
    ):
        with pytest.raises(InputError, match=said):
            read_sets(given, pieces, 100)
    for given, said in (([f"a b={good}"], "the name 'a b'"), ([f"n={good}", f"n={good}"], "named twice")):
        with pytest.raises(RequestError, match=said):
            read_sets(given, pieces, 100)


def test_the_limit_is_shared_among_documents(tmp_path: Path, pieces: Pieces) -> None:
    texts = ["é" * 5000, "b" * 3000, "c" * 100, "d" * 5000]
    path = write(tmp_path / "a.jsonl", texts)

    def sizes(limit: int) -> list[int]:
        return sorted(one.text_bytes for one in read_sets([str(path)], pieces, limit)[0].documents)

    total = 10_000 + 3000 + 100 + 5000
    assert sizes(total) == sizes(total + 1) == [100, 3000, 5000, 10_000]
    assert sizes(9_101) == [100, 3000, 3000, 3000]  # 3,000.3 bytes each; an é is two
    assert sum(sizes(5_000)) in (4_999, 5_000)
    assert max(sizes(5_000)) == 2048  # no shorter beginnings, but fewer documents
    assert sum(sizes(3)) in (2, 3)


def test_windows_are_those_of_evaluate(tmp_path: Path, pieces: Pieces, words: list[str]) -> None:
    path = write(tmp_path / "a.jsonl", [" ".join(words[:90]), f"{words[3]} é", words[5]])
    theirs = TextWindows((str(path),), pieces, 32)
    ours = windows_of(read_sets([str(path)], pieces, 10**6), [], pieces, 32)
    plain = {(tuple(one.ids.tolist()), one.text_bytes) for one in ours}
    assert plain == {(tuple(theirs[n].ids.tolist()), theirs[n].text_bytes) for n in range(len(theirs))}


def test_windows_come_back_from_their_file(tmp_path: Path, pieces: Pieces) -> None:
    windows = [Window(np.arange(size, dtype=np.int64) + size, size % 2, size * 3) for size in (4, 9, 2, 9, 33)]
    path = tmp_path / "held-out.npz"
    write_windows(str(path), windows, domains=["text/a", "own/b/c"], special=pieces.special, bos_id=None)
    found = PreparedWindows(str(path))
    assert (found.domains, found.bos_id) == (("text/a", "own/b/c"), None)
    assert np.array_equal(found.special, pieces.special)  # type: ignore[arg-type]
    assert [len(found[index].ids) for index in range(len(found))] == [33, 9, 9, 4, 2]
    assert {(tuple(found[n].ids.tolist()), found[n].domain, found[n].text_bytes) for n in range(5)} == {
        (tuple(one.ids.tolist()), one.domain, one.text_bytes) for one in windows
    }
    for content in (b"", b"PK\x03\x04 nothing", path.read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a file of held-out windows, or damaged"):
            PreparedWindows(str(path))
    with pytest.raises(InputError, match="not a file of held-out windows"):
        PreparedWindows(str(tmp_path / "nothing"))


def test_rows_that_two_mixes_hold_out_are_one_set(mix: Path, repeating_mix: Path, pieces: Pieces) -> None:
    held = Mixture(str(mix))
    found = own_sets([Arm("a", held), Arm("b", held), Arm("none", Mixture(str(repeating_mix)))], pieces, 10**6)
    assert [(one.arms, one.domain, one.key) for one in found] == [(("a", "b"), "books", "own/a+b/books")]
    assert len(found[0].windows) == held.validation()["books"].rows
    assert len(own_sets([Arm("a", held)], pieces, 1)[0].windows) == 1
