"""The training loop of one process; torchrun starts one of these for each device."""

from __future__ import annotations

import json
import math
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from llama_data.pipeline.core.errors import RunError
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer import checkpoint, distributed
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.learner import Learner, StepResult
from llama_data.train_handoff.trainer.loader import Batch, batches
from llama_data.train_handoff.trainer.metrics import Metrics, flops_per_token, peak_flops, peak_memory
from llama_data.train_handoff.trainer.optim import learning_rate
from llama_data.train_handoff.trainer.record import Record
from llama_data.train_handoff.trainer.start import find_start


class Trainer:
    """One process's share of a training run; ``train`` goes from the newest checkpoint to the last step."""

    def __init__(self, config: TrainConfig, processes: distributed.Processes) -> None:
        assert config.data is not None  # set by the launcher
        assert config.output is not None
        self.config = config
        self.processes = processes
        self.folder = Path(config.output)
        self.rows = Mixture(config.data)
        self.start = find_start(config, self.rows)
        self.batch_rows, self.steps = self.start.batch_rows, self.start.steps
        self.learner = Learner(config, self.rows.footer, self.rows.domains, processes)
        self.step = self.start.step
        self.stopping = False

    def fill(self) -> None:
        """Load the parameters, and the optimiser where the run goes on, or draw the parameters."""
        model = self.learner.model
        if self.start.resume is not None:
            checkpoint.load(self.start.resume, model, self.learner.optimizer)
        elif self.start.initial is not None:
            checkpoint.load_parameters(self.start.initial, model)
        else:
            model.init_weights(self.config.seed)

    def train(self) -> None:
        """Train to the last step, saving on the way; a signal saves and stops after the step in hand."""
        self.fill()
        metrics = Metrics(str(self.folder), self.step) if self.processes.main else None
        self.learner.model.train()
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
                done = self.learner.update(batch, learning_rate(batch.step, self.steps, self.config.optim))
                self.step = batch.step + 1
                if metrics is not None:
                    self.report(metrics, batch, done)
                if not math.isfinite(done.loss) or not math.isfinite(done.norm):
                    raise RunError(
                        f"step {batch.step} (rows {batch.start} to {batch.start + self.batch_rows - 1} of the mix): "
                        f"loss {done.loss}, gradient norm {done.norm}; nothing is saved after step {self.step - 1}"
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

    def stop_wanted(self) -> bool:
        """True when any process got a signal to stop."""
        flag = torch.tensor([float(self.stopping)], device=self.processes.device)
        self.stopping = bool(distributed.sum_over_processes(flag).item())
        return self.stopping

    def save(self) -> None:
        """Write a checkpoint after ``self.step`` steps."""
        record = Record(
            step=self.step,
            rows=self.step * self.batch_rows,
            fingerprint=self.rows.fingerprint,
            seed=self.config.seed,
            tokenizer_sha256=self.rows.footer.tokenizer_sha256,
            model=self.learner.model.config.model_dump(),
            bos_id=self.rows.footer.bos_id,
            eos_id=self.rows.footer.eos_id,
            origin=self.start.origin,
        )
        checkpoint.save(self.folder, record, self.learner.model, self.learner.optimizer, self.config.keep_checkpoints)

    def report(self, metrics: Metrics, batch: Batch, done: StepResult) -> None:
        """Write the step's line, and print it every ``log_every`` steps."""
        seconds = metrics.seconds()
        tokens = self.batch_rows * self.rows.footer.seq_len
        rate = tokens / seconds
        peak = peak_flops(self.processes.device, self.config.dtype)
        flops = flops_per_token(self.learner.model.config, self.rows.footer.seq_len)
        lr = learning_rate(batch.step, self.steps, self.config.optim)
        metrics.write(
            {
                "step": batch.step,
                "row": batch.start,
                "rows": self.batch_rows,
                "tokens": (batch.step + 1) * tokens,
                "loss": done.loss,
                "lr": lr,
                "gradient_norm": done.norm,
                "tokens_per_second": rate,
                "mfu": None if peak is None else flops * rate / (peak * self.processes.world),
                "peak_memory_bytes": peak_memory(self.processes.device),
                "processes": self.processes.world,
                **{f"loss/{name}": value for name, value in done.by_domain.items()},
            }
        )
        if batch.step % self.config.log_every == 0 or batch.step == self.steps - 1:
            print(
                f"step {batch.step + 1:>6}/{self.steps}  loss {done.loss:7.4f}  lr {lr:.2e}  "
                f"norm {done.norm:7.3f}  {rate:10,.0f} tokens/s",
                flush=True,
            )


def main(path: str) -> None:
    """Run one process of the training run described by a resolved configuration file (JSON)."""
    config = validate(TrainConfig, json.loads(Path(path).read_text()), path)
    torch.manual_seed(config.seed)
    with distributed.worker():
        trainer = Trainer(config, distributed.start(config))

        def stop(number: int, frame: FrameType | None) -> None:
            trainer.stopping = True

        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, stop)
        trainer.train()


if __name__ == "__main__":
    main(sys.argv[1])
