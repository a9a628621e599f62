"""A model and its optimiser, sharded over the processes, and what happens in one optimiser step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.shards.file import Footer
from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.attention import choose_kernel, document_ids, mask_for
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig, agree
from llama_data.train_handoff.trainer.loader import Batch
from llama_data.train_handoff.trainer.model import Compute, Llama
from llama_data.train_handoff.trainer.optim import clip_gradients, make_optimizer, set_learning_rate

Lap = Callable[[str], None]
BACKEND = "inductor"  # torch.compile's own


def sharded_model(config: TrainConfig, described: ModelConfig, processes: distributed.Processes) -> Llama:
    """The model ``described``, sharded, with parameters that are still to be filled.

    Raises RequestError when the kernel for attention that was asked for does not run on the device.
    """
    kernel = choose_kernel(config.attention, processes.device, getattr(torch, config.dtype))
    compute = Compute(config.recompute, config.loss_tokens, kernel, BACKEND if config.compile else None)
    with torch.device("meta"):
        model = Llama(described, compute)
    for child in model.children():  # the rotary tables, which are the model's own, stay float32
        child.to(getattr(torch, config.optim.states))
    distributed.shard(model, config, processes)
    model.to_empty(device=processes.device)
    model.init_tables()
    return model


def token_losses(
    model: Llama,
    ids: Tensor,
    bos_id: int | None = None,
    *,
    documents: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy (B, S) of each next token of ``ids`` (B, S + 1), float32, times its ``weights`` (B, S).

    With ``bos_id``, under the document mask: a document begins at each BOS. ``documents`` (B, S), a number for each
    input, says where they begin otherwise. These and the ids are best on the CPU: the mask is made from them.
    """
    device = model.cos.device
    inputs, mask = ids[:, :-1], None
    if documents is None and bos_id is not None:
        documents = document_ids(inputs, bos_id)
    if documents is not None:
        mask = mask_for(model.compute.attention, documents, device)
    ids = ids.to(device, non_blocking=True)
    losses = model.losses(ids[:, :-1], ids[:, 1:], mask).view(inputs.shape)
    return losses if weights is None else losses * weights.to(device, non_blocking=True)


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
        self.optimizer = make_optimizer(self.model, config.optim, config.seed)
        self.norms: deque[float] = deque(maxlen=config.spikes.window)  # of the newest steps that were taken

    def update(self, batch: Batch, rate: float, lap: Lap | None = None) -> StepResult:
        """One optimiser step at the learning rate ``rate``. ``lap`` is called after each phase with its name."""
        device = self.processes.device
        ids = torch.from_numpy(batch.ids)
        sums = torch.zeros(2, len(self.domains), dtype=torch.float64, device=device)
        counts, examples = (None if part is None else torch.from_numpy(part) for part in (batch.counts, batch.examples))
        total = batch.targets
        pieces = range(0, len(ids), self.config.micro_rows)
        for start in pieces:
            piece = ids[start : start + self.config.micro_rows]
            distributed.synchronise_copies(self.model, start == pieces[-1])
            mine = slice(start, start + len(piece))
            documents = None if examples is None else examples[mine]
            weights = None if counts is None else counts[mine].float()
            losses = token_losses(self.model, piece, self.bos_id, documents=documents, weights=weights)
            row_losses = losses.sum(dim=1)
            (row_losses.sum() / total).backward()  # type: ignore[no-untyped-call]
            codes = torch.from_numpy(batch.domains[mine]).to(device)
            sums[0].index_add_(0, codes, row_losses.detach().double())
            tokens_of = torch.full((len(piece),), self.seq_len) if counts is None else counts[mine].sum(dim=1)
            sums[1].index_add_(0, codes, tokens_of.to(device).double())
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
