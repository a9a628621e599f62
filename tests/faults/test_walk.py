"""Every verb over S3 while it fails, each in turn: the same bytes as here."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from s3_server import Faults, Store, environment
from walk import contents, in_folder, in_store, shape, unlike, upload, verbs, write_recipe

from llama_data.pipeline.cli import app
from llama_data.pipeline.core import stores

pytest.importorskip("s3fs", reason="s3fs is not installed: install the extra `s3` to run these")

DOMAINS = ("c4", "books")
# Told to slow down often a process comes down to five requests a second: minutes. `walk.py` does that.
FAULTS = Faults(slow_down=0.02, reset=0.05, truncate=0.05, short=0.02, lost=0.02, stall=0.01, stall_seconds=0.5)


def here(words: Sequence[str]) -> None:
    """Give a verb in this process."""
    app(list(words), standalone_mode=False)


@pytest.mark.timeout(1800)
def test_all_verbs_over_a_store_that_fails_make_what_they_make_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llama_data.pipeline.samples import build_samples

    build_samples(tmp_path / "dumps")
    recipe = write_recipe(tmp_path / "recipe.yaml", DOMAINS, workers=2)
    monkeypatch.setenv("LLAMA_DATA_CACHE", str(tmp_path / "copies"))
    for words in verbs(DOMAINS, recipe, str(tmp_path / "dumps"), str(tmp_path / "run")):
        here(words)
    with Store().serving() as store, contextlib.ExitStack() as after:
        after.callback(stores.forget)
        for name, value in environment(store).items():
            monkeypatch.setenv(name, value)
        stores.forget()
        upload(store, tmp_path / "dumps", "raw")
        store.buckets.add("runs")
        store.faults = FAULTS
        for words in verbs(DOMAINS, recipe, "s3://raw", "s3://runs/walk"):
            here(words)
        assert min(store.counts[kind] for kind in ("slow_down", "reset", "truncate")) > 5
        local = in_folder(tmp_path / "run")
        assert unlike(in_store(store, "runs/walk/"), local) == []
        assert {name.split("/")[0] for name in local} >= {"documents", "ledger", "tokenizer", "tokens", "mix"}
        _asks_little(store, monkeypatch, capsys)


def _asks_little(store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``verify`` lists the folders of inputs instead of asking for each of them; one that changed is still seen."""
    store.faults = Faults()
    store.clear()
    here(["verify", "s3://runs/walk"])
    asked = Counter(map(shape, store.asked.elements()))
    assert asked["LIST /raw/books/"] == 1
    assert not [what for what in asked if what.startswith("HEAD /raw/books/")]
    book = next(key for key in store.objects if key.startswith("raw/books/"))
    store.put(book, b"another")
    with pytest.raises(Exception, match=f"input s3://{book}"):
        here(["verify", "s3://runs/walk"])
    del store.objects[book]
    capsys.readouterr()
    here(["verify", "s3://runs/walk"])
    assert "1 of its 5 inputs are no longer there" in capsys.readouterr().out


def test_what_datatrove_opens_in_a_worker_follows_the_rule() -> None:
    """A worker unpickles datatrove's folder, which asks fsspec for its file system before we are asked for any."""
    code = (
        "from llama_data.pipeline.executors import worker\n"
        "import fsspec\n"
        "worker.load(__import__('dill').dumps(None))\n"
        "print(fsspec.get_filesystem_class('s3').__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "PatientS3", done.stderr


def test_manifests_are_compared_by_what_they_say_was_made() -> None:
    files = {"tokens/a/manifest.json": b'{"sha256": "x", "about": 1}', "tokens/a/1.parquet": b"1", "logs/x": b"2"}
    other = {**files, "tokens/a/manifest.json": b'{"sha256": "x", "about": 2}', "logs/x": b"3"}
    assert unlike(contents(files), contents(other)) == []
    assert unlike(contents(files), contents({**other, "tokens/a/1.parquet": b"2"})) == ["tokens/a/1.parquet"]
    assert unlike(contents(files), {}) == ["tokens/a/1.parquet", "tokens/a/manifest.json"]
