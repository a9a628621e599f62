"""Held-out loss by domain while a model is trained, on rows as `evaluate` reads them, or on prepared windows."""

from __future__ import annotations

import time
from typing import Any

from torch.distributed.fsdp import FSDPModule

from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.learner import Learner
from llama_data.train_handoff.trainer.measure.evaluate import summary, window_losses
from llama_data.train_handoff.trainer.measure.held_out import Windows


class Validation:
    """Measures a model that is being trained and leaves it, and the training, as they were.

    The losses are those of ``evaluate`` in the type that the run computes in. They do not depend on the number of
    processes: the batches and the order in which losses are added are the same for any.
    """

    def __init__(self, config: TrainConfig, windows: Windows, processes: distributed.Processes) -> None:
        self.config = config
        self.windows = windows
        self.processes = processes

    def run(self, learner: Learner) -> tuple[dict[str, Any], float]:
        """Figures of each domain and of all, and the seconds that it took. Called by all processes."""
        began = time.perf_counter()
        model = learner.model
        model.eval()
        losses = window_losses(model, self.windows, self.processes, self.config.micro_rows, self.config.document_mask)
        model.train()
        if isinstance(model, FSDPModule):
            # A forward pass without a backward one leaves the outermost parameters whole, and notes that others follow.
            model.reset_iter_state()
        return summary(self.windows, losses), time.perf_counter() - began
