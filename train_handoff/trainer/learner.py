"""A model and its optimiser, sharded over the processes, and what happens in one optimiser step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch.nn import functional as F

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.shards.file import Footer
from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.attention import document_mask, mask_of
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig, agree
from llama_data.train_handoff.trainer.loader import Batch
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.optim import clip_gradients, make_optimizer, set_learning_rate

Lap = Callable[[str], None]


def sharded_model(config: TrainConfig, described: ModelConfig, processes: distributed.Processes) -> Llama:
    """The model ``described``, sharded, with parameters that are still to be filled."""
    with torch.device("meta"):
        model = Llama(described, recompute=config.recompute)
    distributed.shard(model, config, processes)
    model.to_empty(device=processes.device)
    model.init_tables()
    return model


def token_losses(
    model: Llama, ids: torch.Tensor, bos_id: int | None, documents: torch.Tensor | None = None
) -> torch.Tensor:
    """Cross-entropy (B, S) of each next token of ``ids`` (B, S + 1), float32.

    With the document mask: documents begin at ``bos_id``, or are what ``documents`` (B, S) numbers.
    """
    inputs, targets = ids[:, :-1], ids[:, 1:]
    mask = None if bos_id is None else document_mask(inputs, bos_id)
    mask = mask if documents is None else mask_of(documents)
    logits = model(inputs, mask).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)


@dataclass(frozen=True)
class StepResult:
    """Mean loss of the global batch (nats a token), gradient norm before clipping, mean loss of each domain.

    ``tokens``: of each domain in the global batch. ``skipped``: why the parameters were left as they were
    (``not_finite``, ``spike``), None when the step was taken.
    """

    loss: float
    norm: float
    by_domain: dict[str, float]
    tokens: dict[str, int]
    skipped: str | None = None


class Learner:
    """One process's share of the model and its optimiser; ``update`` takes one step on a global batch.

    The parameters are still to be filled. Raises RequestError when the rows do not fit the configuration.
    """

    def __init__(
        self, config: TrainConfig, footer: Footer, domains: tuple[str, ...], processes: distributed.Processes
    ) -> None:
        if config.document_mask and footer.bos_id is None:
            raise RequestError("document_mask needs rows with a BOS before every document, and these have none")
        self.config = config
        self.processes = processes
        self.domains = domains
        self.seq_len = footer.seq_len
        self.bos_id = footer.bos_id if config.document_mask else None
        self.batch_rows = config.batch_rows(footer.seq_len)
        self.model = sharded_model(config, agree(config, footer.vocab_size, footer.seq_len), processes)
        self.optimizer = make_optimizer(self.model, config.optim)
        self.norms: deque[float] = deque(maxlen=config.spikes.window)  # of the newest steps that were taken

    def update(self, batch: Batch, rate: float, lap: Lap | None = None) -> StepResult:
        """One optimiser step at the learning rate ``rate``. ``lap`` is called after each phase with its name."""
        device = self.processes.device
        ids = torch.from_numpy(batch.ids).to(device, non_blocking=True)
        sums = torch.zeros(2, len(self.domains), dtype=torch.float64, device=device)
        counts, examples = (
            None if part is None else torch.from_numpy(part).to(device) for part in (batch.counts, batch.examples)
        )
        total = batch.targets
        pieces = range(0, len(ids), self.config.micro_rows)
        for start in pieces:
            piece = ids[start : start + self.config.micro_rows]
            distributed.synchronise_copies(self.model, start == pieces[-1])
            mine = slice(start, start + len(piece))
            documents = None if examples is None else examples[mine]
            losses = token_losses(self.model, piece, self.bos_id, documents=documents)
            weights = torch.ones_like(losses) if counts is None else counts[mine].to(losses.dtype)
            row_losses = (losses * weights).sum(dim=1)
            (row_losses.sum() / total).backward()  # type: ignore[no-untyped-call]
            codes = torch.from_numpy(batch.domains[mine]).to(device)
            sums[0].index_add_(0, codes, row_losses.detach().double())
            sums[1].index_add_(0, codes, weights.sum(dim=1).double())
        if lap is not None:
            lap("forward_backward")
        by_name, tokens = distributed.sum_over_processes(sums).tolist()
        loss, norm = sum(by_name) / total, clip_gradients(self.model, self.config.optim.clip)
        skipped = self.judge(loss, norm)
        if skipped is None:
            set_learning_rate(self.optimizer, rate)
            self.optimizer.step()
            self.norms.append(norm)
        self.optimizer.zero_grad()
        if lap is not None:
            lap("optimizer")
        by_domain = {
            name: loss / count for name, loss, count in zip(self.domains, by_name, tokens, strict=True) if count
        }
        counted = {name: round(count) for name, count in zip(self.domains, tokens, strict=True) if count}
        return StepResult(loss, norm, by_domain, counted, skipped)

    def judge(self, loss: float, norm: float) -> str | None:
        """Why a step is not taken (``SpikeConfig``), None when it is. The same on every process: so are the figures."""
        if not math.isfinite(loss) or not math.isfinite(norm):
            return "not_finite"
        factor = self.config.spikes.factor
        known = len(self.norms) == self.norms.maxlen
        return "spike" if factor is not None and known and norm > factor * median(self.norms) else None
