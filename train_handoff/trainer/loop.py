"""The training loop of one process; torchrun starts one of these for each device."""

from __future__ import annotations

import json
import math
import signal
import sys
from pathlib import Path
from types import FrameType

import torch
from torch.nn import functional as F

from llama_data.pipeline.core.errors import LlamaDataError, RequestError, RunError
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.mix import Mixture
from llama_data.train_handoff.trainer import checkpoint, distributed
from llama_data.train_handoff.trainer.attention import document_mask
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig
from llama_data.train_handoff.trainer.loader import Batch, batches
from llama_data.train_handoff.trainer.metrics import Metrics, flops_per_token, peak_flops
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.optim import (
    clip_gradients,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)


class Trainer:
    """One process's share of a training run; ``train`` goes from the newest checkpoint to the last step."""

    def __init__(self, config: TrainConfig, processes: distributed.Processes) -> None:
        assert config.data is not None  # set by the launcher
        assert config.output is not None
        self.config = config
        self.processes = processes
        self.folder = Path(config.output)
        self.rows = Mixture(config.data)
        footer = self.rows.footer
        self.model_config = agree(config.model, footer.vocab_size, footer.seq_len)
        if config.document_mask and footer.bos_id is None:
            raise RequestError("document_mask needs rows with a BOS before every document, and these have none")
        self.batch_rows = config.batch_rows(footer.seq_len)
        self.steps = config.steps if config.steps is not None else len(self.rows) // self.batch_rows
        if self.steps < 1:
            raise RequestError(
                f"the mix has {len(self.rows):,} rows, fewer than one global batch of {self.batch_rows:,}"
            )
        with torch.device("meta"):
            self.model = Llama(self.model_config, recompute=config.recompute)
        distributed.shard(self.model, config, processes)
        self.model.to_empty(device=processes.device)
        self.model.init_weights(config.seed)
        self.optimizer = make_optimizer(self.model, config.optim)
        self.step = 0
        self.stopping = False

    def resume(self) -> None:
        """Load the newest checkpoint of the output folder, if there is one."""
        found = checkpoint.checkpoints(self.folder)
        if not found:
            return
        record = checkpoint.read_record(found[-1])
        checkpoint.require_same_run(
            record,
            fingerprint=self.rows.fingerprint,
            seed=self.config.seed,
            tokenizer_sha256=self.rows.footer.tokenizer_sha256,
            where=found[-1],
        )
        if record.rows % self.batch_rows:
            raise RequestError(f"{found[-1]}: {record.rows} rows are not whole batches of {self.batch_rows} rows")
        checkpoint.load(found[-1], self.model, self.optimizer)
        self.step = record.rows // self.batch_rows

    def train(self) -> None:
        """Train to the last step, saving on the way; a signal saves and stops after the step in hand."""
        self.resume()
        metrics = Metrics(str(self.folder), self.step) if self.processes.main else None
        self.model.train()
        first = self.step
        source = batches(
            self.rows,
            batch_rows=self.batch_rows,
            start_row=self.step * self.batch_rows,
            steps=self.steps,
            rank=self.processes.rank,
            world=self.processes.world,
        )
        try:
            for batch in source:
                loss, norm, domain_loss = self.update(batch)
                self.step = batch.step + 1
                if metrics is not None:
                    self.report(metrics, batch, loss, norm, domain_loss)
                if not math.isfinite(loss) or not math.isfinite(norm):
                    raise RunError(
                        f"step {batch.step} (rows {batch.start} to {batch.start + self.batch_rows - 1} of the mix): "
                        f"loss {loss}, gradient norm {norm}; nothing is saved after step {self.step - 1}"
                    )
                every = self.config.save_every
                if self.stop_wanted() or (every is not None and self.step % every == 0 and self.step < self.steps):
                    self.save()
                if self.stopping:
                    return
            if self.step > first:
                self.save()
        finally:
            if metrics is not None:
                metrics.close()

    def update(self, batch: Batch) -> tuple[float, float, dict[str, float]]:
        """One optimiser step. Returns the mean loss of the global batch (nats a token), the gradient norm before
        clipping, and the mean loss of each domain in the batch."""
        device, seq_len = self.processes.device, self.rows.footer.seq_len
        ids = torch.from_numpy(batch.ids).to(device, non_blocking=True)
        sums = torch.zeros(2, len(self.rows.domains), dtype=torch.float64, device=device)
        total = self.batch_rows * seq_len
        pieces = range(0, len(ids), self.config.micro_rows)
        for start in pieces:
            piece = ids[start : start + self.config.micro_rows]
            distributed.synchronise_gradients(self.model, start == pieces[-1])
            row_losses = self.row_losses(piece)
            (row_losses.sum() / total).backward()  # type: ignore[no-untyped-call]
            codes = torch.from_numpy(batch.domains[start : start + len(piece)]).to(device)
            sums[0].index_add_(0, codes, row_losses.detach().double())
            sums[1].index_add_(0, codes, torch.full_like(row_losses.detach(), seq_len, dtype=torch.float64))
        norm = clip_gradients(self.model, self.config.optim.clip)
        set_learning_rate(self.optimizer, learning_rate(batch.step, self.steps, self.config.optim))
        self.optimizer.step()
        self.optimizer.zero_grad()
        losses, tokens = distributed.sum_over_processes(sums).tolist()
        by_domain = {
            name: loss / count for name, loss, count in zip(self.rows.domains, losses, tokens, strict=True) if count
        }
        return sum(losses) / total, norm, by_domain

    def row_losses(self, ids: torch.Tensor) -> torch.Tensor:
        """Summed cross-entropy of each row (B,), float32."""
        inputs, targets = ids[:, :-1], ids[:, 1:]
        mask = None
        if self.config.document_mask:
            bos = self.rows.footer.bos_id
            assert bos is not None
            mask = document_mask(inputs, bos)
        logits = self.model(inputs, mask).float()
        losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        return losses.view(targets.shape).sum(dim=1)

    def stop_wanted(self) -> bool:
        """True when any process got a signal to stop."""
        flag = torch.tensor([float(self.stopping)], device=self.processes.device)
        self.stopping = bool(distributed.sum_over_processes(flag).item())
        return self.stopping

    def save(self) -> None:
        """Write a checkpoint after ``self.step`` steps."""
        record = checkpoint.Record(
            step=self.step,
            rows=self.step * self.batch_rows,
            fingerprint=self.rows.fingerprint,
            seed=self.config.seed,
            tokenizer_sha256=self.rows.footer.tokenizer_sha256,
            model=self.model_config.model_dump(),
        )
        checkpoint.save(self.folder, record, self.model, self.optimizer, self.config.keep_checkpoints)

    def report(self, metrics: Metrics, batch: Batch, loss: float, norm: float, by_domain: dict[str, float]) -> None:
        """Write the step's line, and print it every ``log_every`` steps."""
        seconds = metrics.seconds()
        tokens = self.batch_rows * self.rows.footer.seq_len
        rate = tokens / seconds
        peak = peak_flops(self.processes.device)
        flops = flops_per_token(self.model_config, self.rows.footer.seq_len)
        lr = learning_rate(batch.step, self.steps, self.config.optim)
        metrics.write(
            {
                "step": batch.step,
                "row": batch.start,
                "rows": self.batch_rows,
                "tokens": (batch.step + 1) * tokens,
                "loss": loss,
                "lr": lr,
                "gradient_norm": norm,
                "tokens_per_second": rate,
                "mfu": None if peak is None else flops * rate / (peak * self.processes.world),
                "peak_memory_bytes": _peak_memory(self.processes.device),
                "processes": self.processes.world,
                **{f"loss/{name}": value for name, value in by_domain.items()},
            }
        )
        if batch.step % self.config.log_every == 0 or batch.step == self.steps - 1:
            print(
                f"step {batch.step + 1:>6}/{self.steps}  loss {loss:7.4f}  lr {lr:.2e}  "
                f"norm {norm:7.3f}  {rate:10,.0f} tokens/s",
                flush=True,
            )


def agree(model: ModelConfig, vocab_size: int, seq_len: int) -> ModelConfig:
    """The model with the rows' vocabulary and length. Raises RequestError when it states others."""
    for name, stated, found in (
        ("vocab_size", model.vocab_size, vocab_size),
        ("seq_len", model.seq_len, seq_len),
    ):
        if stated is not None and stated != found:
            raise RequestError(f"model.{name} is {stated}, but the training rows have {found}")
    return model.model_copy(update={"vocab_size": vocab_size, "seq_len": seq_len})


def _peak_memory(device: torch.device) -> int:
    """Peak bytes: of the device on CUDA, of the process (resident) on CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(path: str) -> None:
    """Run one process of the training run described by a resolved configuration file (JSON)."""
    config = validate(TrainConfig, json.loads(Path(path).read_text()), path)
    torch.manual_seed(config.seed)
    try:
        trainer = Trainer(config, distributed.start(config))

        def stop(number: int, frame: FrameType | None) -> None:
            trainer.stopping = True

        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, stop)
        trainer.train()
    except LlamaDataError as error:
        print(f"llama-train: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    finally:
        distributed.stop()


if __name__ == "__main__":
    main(sys.argv[1])
