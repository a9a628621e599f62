"""Whether what is to be watched can be, before anything is started. Imports no torch."""

from __future__ import annotations

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.extras import require
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.loader import TrainingRows
from llama_data.train_handoff.trainer.measure.held_out import Windows, held_out_rows
from llama_data.train_handoff.trainer.measure.prepared import PreparedWindows
from llama_data.train_handoff.trainer.pieces import pieces_beside
from llama_data.train_handoff.trainer.watch.settings import WatchConfig


def require_boards(watch: WatchConfig) -> None:
    """Raise RequestError when a package for the curves that are asked for is not installed."""
    for wanted, package in ((watch.tensorboard, "tensorboard"), (watch.wandb is not None, "wandb")):
        if wanted:
            require(package, f"--{package}")


def windows_to_validate(watch: WatchConfig, rows: TrainingRows) -> Windows | None:
    """The held-out windows whose loss is to be measured, None when none is to be.

    Raises RequestError when it is and nothing was held out.
    """
    if watch.validate_every is None:
        return None
    if watch.validate_on is not None:
        return PreparedWindows(watch.validate_on)
    found = None
    if isinstance(rows, Mixture):
        pieces = pieces_beside(rows.folder, rows.footer.tokenizer_sha256)
        found = held_out_rows(rows, watch.validate_rows, pieces)
    if found is None:
        raise RequestError(
            f"--validate-every: {rows.place(0).rpartition(',')[0]}: nothing was held out from these rows; of a mix, "
            "set `tokens.validation` in the recipe, and tokenize and mix again, or leave the option out"
        )
    return found
