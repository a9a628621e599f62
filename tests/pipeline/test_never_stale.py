"""Nothing stale is ever used: tiny runs of real verbs, after which something is changed, deleted or cut short."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.commands import mix as mix_verb
from llama_data.pipeline.commands import tokenize as tokenize_verb
from llama_data.pipeline.commands import train_tokenizer as tokenizer_verb
from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.verify import verify_run

WORDS = ["river", "ferry", "quiet", "lantern", "harbour", "marble", "orchard", "thunder", "whistle", "copper", "velvet"]


def text_of(number: int) -> str:
    chosen = [WORDS[(number * 7 + place * place) % len(WORDS)] + str((number * 31 + place) % 97) for place in range(60)]
    return " ".join(chosen) + ".\n"


def dump(folder: Path) -> Path:
    """Two sources, each of two files of JSON lines."""
    for source in ("news", "notes"):
        (folder / source).mkdir(parents=True)
        for file in range(2):
            rows = [{"text": text_of(1000 * file + row + len(source)), "id": f"{file}-{row}"} for row in range(30)]
            path = folder / source / f"{file}.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


class Place:
    """A folder with dumps and a run, and the verbs on them."""

    def __init__(self, root: Path) -> None:
        self.root, self.dumps, self.run = root, root / "dumps", root / "run"

    def recipe(self, **changes: Any) -> Recipe:
        """The recipe, with other values under dotted keys."""
        step = {"bad_words": {"path": "words.txt"}}
        news = {"inputs": ["news/*.jsonl"], "steps": [step], "max_task_bytes": 4000}
        given = {
            "input": str(self.dumps),
            "output": str(self.run),
            "executor.workers": 1,
            "domains": {},
            "sources": {"news": news, "notes": {"inputs": ["notes/*.jsonl"]}},
            "tokenizer.vocab_size": 330,
            "tokens.seq_len": 32,
            "tokens.validation": 0.1,
            "mix": {"weights": {"news": 0.5, "notes": 0.5}, "max_epochs": 4, "rows_per_shard": 64},
        }
        return load_recipe(str(self.base), {**given, **changes})

    @property
    def base(self) -> Path:
        path = self.root / "base.yaml"
        path.write_text("name: tiny\n")
        return path

    def documents(self, *stages: str, overwrite: bool = False, **changes: Any) -> None:
        run_stages(self.recipe(**changes), list(stages or ("news", "notes")), overwrite=overwrite)

    def tokenizer(self, *, overwrite: bool = False, **changes: Any) -> None:
        tokenizer_verb.train(self.recipe(**changes), overwrite=overwrite)

    def tokens(self, *domains: str, overwrite: bool = False, **changes: Any) -> None:
        tokenize_verb.tokenize_domains(self.recipe(**changes), list(domains or ("news", "notes")), overwrite=overwrite)

    def mix(self, name: str | None = None, *, overwrite: bool = False, **changes: Any) -> None:
        recipe = self.recipe(**changes)
        shards = mix_verb.shards_of(recipe)
        mix_verb.write(recipe, mix_verb.plan_recipe(recipe, shards), shards, name=name, overwrite=overwrite)

    def everything(self) -> None:
        self.documents()
        self.tokenizer()
        self.tokens()
        self.mix()

    def problems(self, full: bool = False) -> list[str]:
        return [finding.what for finding in verify_run(str(self.run), full=full) if not finding.ok]

    def sha256(self, folder: str) -> str:
        found = manifest.find(str(self.run / folder))
        assert found is not None
        return found.sha256


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    dump(root / "dumps")
    (root / "words.txt").write_text("unheard\n")
    with contextlib.chdir(root):
        Place(root).everything()
    return root


@pytest.fixture
def place(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of a finished run, elsewhere: everything is as it was, times too."""
    shutil.copytree(finished, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return Place(tmp_path / "here")


def same_size(path: Path, old: str, new: str) -> None:
    """Another content of the same size under the same name, a second later."""
    text = path.read_text()
    assert len(old) == len(new)
    assert old in text
    before = path.stat()
    path.write_text(text.replace(old, new, 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert path.stat().st_size == before.st_size


def refused(what: Callable[[], object], *sentences: str) -> str:
    with pytest.raises(RequestError) as caught:
        what()
    for sentence in sentences:
        assert sentence in str(caught.value)
    return str(caught.value)


def test_a_finished_run_is_complete_sound_and_not_done_again(place: Place) -> None:
    assert place.problems() == []
    assert place.problems(full=True) == []
    before = {path: path.stat().st_mtime_ns for path in place.run.rglob("*") if path.is_file()}
    place.everything()
    assert {path: path.stat().st_mtime_ns for path in place.run.rglob("*") if path.is_file()} == before
