"""A store whose files are in a folder, for this process and those it starts."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest

from llama_data.pipeline.core import stores
from llama_data.pipeline.core.errors import StoppedError
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster

SEQ_LEN, BATCH_ROWS = 32, 8
ENTRY = "[fsspec.specs]\ndirstore = dirstore:DirStore\n"


@pytest.fixture
def dirstore(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class of the store, clean; addresses are dirstore:// and an absolute path."""
    packages = tmp_path_factory.mktemp("packages")
    shutil.copy(Path(__file__).with_name("dirstore.py"), packages)
    described = packages / "dirstore-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: dirstore\nVersion: 1\n")
    (described / "entry_points.txt").write_text(ENTRY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(packages))
    sys.modules.pop("dirstore", None)
    from dirstore import DirStore  # type: ignore[import-not-found]

    fsspec.register_implementation("dirstore", DirStore, clobber=True)
    yield DirStore
    sys.modules.pop("dirstore", None)


class After:
    """A signal that comes after so many steps."""

    def __init__(self, steps: int | None) -> None:
        self.left = steps

    def number(self) -> int:
        if self.left is not None:
            self.left -= 1
        return signal.SIGTERM if self.left is not None and self.left <= 0 else 0


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Trains in this process instead of starting others; after how many steps the next run gets a signal."""
    pytest.importorskip("torch")
    from llama_data.train_handoff.trainer import distributed, loop

    after: list[int | None] = [None]

    def train(command: list[str], cluster: Cluster, what: str) -> None:
        config = TrainConfig.model_validate_json(Path(command[-1]).read_text())
        processes = distributed.start(config)
        stopped = nullcontext() if after[0] is None else suppress(StoppedError)
        try:
            with stopped, loop.only_run(Path(config.output or ""), processes), loop.mirrored(config) as mirror:
                told: Any = After(after[0])
                loop.Trainer(config, processes, told, mirror).train()
        finally:
            distributed.stop()

    monkeypatch.setattr(launching, "run", train)
    monkeypatch.setattr(stores, "LIMITS", stores.Limits(tries=6, pause=0.001))
    return after


Configure = Callable[..., TrainConfig]


@pytest.fixture
def config(mix: Path, tmp_path: Path, dirstore: Any) -> Configure:
    """Eight steps of a very small model, kept in the store, with a checkpoint after every second one."""

    def make(**changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "name": "test", "data": str(mix), "output": f"dirstore://{tmp_path}/bucket/run/train",
            "cache_dir": str(tmp_path / "here"),
            "model": {"dim": 32, "n_heads": 2, "n_layers": 1, "multiple_of": 32}, "device": "cpu", "dtype": "float32",
            "optim": {"lr": 1e-2, "warmup_steps": 2}, "batch_tokens": BATCH_ROWS * SEQ_LEN, "micro_rows": 8,
            "steps": 8, "save_every": 2, "keep_checkpoints": 3, "watch": {"quiet": True},
        }  # fmt: skip
        return TrainConfig.model_validate({**values, **changes})

    return make
