"""What ``llama-train tune`` does when it knows what it is asked. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import typer

from llama_data.pipeline.core.files import is_local
from llama_data.train_handoff.trainer import launch as launching
from llama_data.train_handoff.trainer.remote import staging
from llama_data.train_handoff.trainer.tuning import prepare
from llama_data.train_handoff.trainer.tuning.packing import Packing
from llama_data.train_handoff.trainer.tuning.prepare import Request


class Tuning(NamedTuple):
    """What is to be tuned, on what, and with which settings."""

    request: Request
    cluster: launching.Cluster
    memory: float | None
    packing: Packing
    model: str | None
    given: dict[str, Any]

    def describe(self) -> None:
        """Say what would be done; the examples are packed to know how many rows they are."""
        with TemporaryDirectory(prefix="llama-train-") as scratch:
            rows = prepare.rows_folder(self.packing, self.request.output)
            rows = rows if rows.exists() else prepare.pack_once(self.packing, Path(scratch))
            config = prepare.tune_config(self.request, rows, self.model, self.given)
            typer.echo(launching.describe(config, self.cluster, self.memory))

    def train(self, kept: str, rewind: int | None, aside: list[str]) -> None:
        """Pack the examples and train; ``kept``: where the run is, ``aside``: what of it was set aside there."""
        main, here = self.cluster.node_rank == 0, is_local(kept)
        # A folder of each node's own gets rows of its own: they are a function of the files.
        rows = prepare.pack_once(self.packing, self.request.output, self.cluster.node_rank if here else 0)
        config = prepare.tune_config(self.request, rows, self.model, self.given)
        if rewind is not None and main:
            for path in launching.rewind(config, rewind) if here else aside:
                typer.echo(f"set aside: {path}")
        typer.echo(launching.describe(config, self.cluster, self.memory))
        if main and not here:
            staging.send_tokenizer(kept, self.packing.pieces.path.parent)
        launching.launch(config, self.cluster)
        where = str(config.output) if here else kept
        typer.echo(f"checkpoints and metrics.jsonl are in {where}; talk with it: llama-train chat {where}")
