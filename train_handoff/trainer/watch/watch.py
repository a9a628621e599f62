"""Everything that watches a run, on every process of it: the loop tells it what happens, and it tells the observers."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.learner import Learner, StepResult
from llama_data.train_handoff.trainer.loader import Batch, TrainingRows
from llama_data.train_handoff.trainer.metrics import SUMMARY, Metrics, flops_per_token, peak_flops, peak_memory
from llama_data.train_handoff.trainer.start import Start
from llama_data.train_handoff.trainer.watch.boards import Guarded, TensorBoard, Wandb
from llama_data.train_handoff.trainer.watch.checks import windows_to_validate
from llama_data.train_handoff.trainer.watch.energy import Energy, Spent, watts_of
from llama_data.train_handoff.trainer.watch.observer import HeldOut, Observer, StepSeen
from llama_data.train_handoff.trainer.watch.profiling import ProfilerWindow
from llama_data.train_handoff.trainer.watch.slowness import Sample, SlowProcess, SlowRows
from llama_data.train_handoff.trainer.watch.terminal import Terminal
from llama_data.train_handoff.trainer.watch.totals import Totals, tokens_of_domains
from llama_data.train_handoff.trainer.watch.validation import Validation
from llama_data.train_handoff.trainer.watch.waiting import Waiting

UNSAMPLED = 3  # the first steps of a process, in which it compiles and reserves memory


class Watch:
    """Watches the run of ``learner``. Called alike on all processes; only the first has observers."""

    def __init__(self, config: TrainConfig, rows: TrainingRows, start: Start, learner: Learner) -> None:
        self.config = config
        self.settings = config.watch
        self.processes = learner.processes
        self.learner = learner
        self.start = start
        self.folder = Path(config.output or "")
        self.seq_len = rows.footer.seq_len
        self.sizes = tokens_of_domains(rows)
        self.totals = Totals(rows.domains, start.totals, start.row)
        self.observers: list[Observer] = []
        self.energy = self._energy(Spent())
        self.held_out: dict[str, Any] = {}  # the newest, as metrics.jsonl has it
        if self.processes.main:
            metrics = Metrics(str(self.folder), start.row)
            self.energy = self._energy(metrics.spent)
            self.held_out = metrics.newest_held_out
            self.observers = [metrics, *self._others()]
        validated = self._any(self.held_out.get("row") == start.row)
        self.validated_row = start.row if validated else None
        windows = windows_to_validate(self.settings, rows)
        self.validation = None if windows is None else Validation(config, windows, self.processes)
        self.profiler = self._profiler()
        self.waiting = Waiting(self.processes)
        self.judges: list[SlowProcess | SlowRows] = []
        self._slowness()
        self._taken = 0  # steps of this process
        self._began = time.perf_counter()
        self._waited = 0.0
        self._since_sample = [0.0, 0.0]  # waiting for rows, and all seconds

    def _any(self, flag: bool) -> bool:
        flags = torch.tensor([float(flag)], device=self.processes.device)
        return bool(distributed.sum_over_processes(flags).item())

    def _energy(self, before: Spent) -> Energy:
        watts = self.settings.device_watts
        if watts is None and self.processes.device.type == "cuda":
            watts = watts_of(torch.cuda.get_device_name(self.processes.device))
        return Energy(
            before,
            devices=self.processes.world,
            watts=watts,
            pue=self.settings.pue,
            kg_per_kwh=self.settings.kg_co2e_per_kwh,
        )

    def _others(self) -> list[Observer]:
        """Observers besides the metrics."""
        watch, start = self.settings, self.start
        made: list[Observer] = [Terminal(start.steps, self.config.log_every, quiet=watch.quiet)]
        if watch.tensorboard:
            begin = start.step if watch.axis == "step" else start.row * self.seq_len + 1
            made.append(Guarded("tensorboard", lambda: TensorBoard(self.folder, watch.axis, begin)))
        if watch.wandb is not None:
            project, config = watch.wandb, self.config.model_dump(mode="json")
            made.append(Guarded("wandb", lambda: Wandb(self.folder, project, watch.axis, config)))
        return made

    def _profiler(self) -> ProfilerWindow | None:
        window, rank = self.settings.profile_steps, self.processes.rank
        if window is None or rank not in self.settings.profile_ranks:
            return None
        return ProfilerWindow(self.folder / "profile", rank, *window, self.processes.device)

    def _slowness(self) -> None:
        """Prepare the samples and who judges them."""
        settings, world = self.settings, self.processes.world
        hosts: list[str] = [""] * world
        if settings.sample_every is None:
            return
        dist.all_gather_object(hosts, socket.gethostname())
        if settings.data_wait is not None:
            self.judges.append(SlowRows(settings.data_wait, hosts))
        if settings.slow_factor is not None and world > 1:
            self.judges.append(SlowProcess(settings.slow_factor, hosts))
            self.waiting.watch(self.learner.model)

    def steps(self, source: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of ``source``, and how long they were waited for."""
        batches = iter(source)
        while True:
            self._began = time.perf_counter()
            batch = next(batches, None)
            self._waited = time.perf_counter() - self._began
            if batch is None:
                return
            if self.profiler is not None:
                self.profiler.before(batch.step)
            if self._sampled(batch.step):
                self.waiting.begin()
            yield batch

    def _sampled(self, step: int) -> bool:
        every = self.settings.sample_every
        return every is not None and bool(self.judges) and (step + 1) % every == 0 and self._taken >= UNSAMPLED

    def step(self, batch: Batch, done: StepResult, rate: float) -> None:
        """A step was taken, or left out, with the learning rate ``rate``."""
        seconds = time.perf_counter() - self._began
        self.totals.add(done.tokens, done.by_domain, done.skipped is not None)
        if self._taken:  # nothing was read ahead for the first
            self._since_sample[0] += self._waited
            self._since_sample[1] += seconds
        if self._sampled(batch.step):
            waited, passed = self._since_sample
            self._judge(Sample(seconds - self.waiting.end(), self._waited, waited / passed))
        self._taken += 1
        if self.profiler is not None:
            self.profiler.after(batch.step)
        if self.observers:
            seen = self._seen(batch, done, rate, seconds)
            for observer in self.observers:
                observer.step(seen)

    def _seen(self, batch: Batch, done: StepResult, rate: float, seconds: float) -> StepSeen:
        per_second = self.start.batch_rows * self.seq_len / seconds
        device, world = self.processes.device, self.processes.world
        peak = peak_flops(device, self.config.dtype)
        flops = flops_per_token(self.learner.model.config, self.seq_len)
        return StepSeen(
            step=batch.step,
            row=batch.start,
            end=batch.end,
            rows=self.start.batch_rows,
            tokens=batch.end * self.seq_len,
            loss=done.loss,
            lr=rate,
            norm=done.norm,
            seconds=seconds,
            data_wait=self._waited,
            tokens_per_second=per_second,
            mfu=None if peak is None else flops * per_second / (peak * world),
            peak_memory=peak_memory(device),
            processes=world,
            skipped=done.skipped,
            left_out=batch.left_out,
            by_domain=done.by_domain,
            seen=dict(self.totals.tokens),
            epochs={name: self.totals.tokens[name] / size for name, size in self.sizes.items() if size},
            energy=self.energy.now(),
        )

    def _judge(self, own: Sample) -> None:
        """Tell the others this process's sample, and say what their judges say of all."""
        self._since_sample = [0.0, 0.0]
        figures = torch.zeros(self.processes.world, 3, dtype=torch.float64, device=self.processes.device)
        figures[self.processes.rank] = torch.tensor([own.seconds, own.data, own.share], dtype=torch.float64)
        samples = [Sample(*row) for row in distributed.sum_over_processes(figures).tolist()]
        for text in [text for judge in self.judges for text in judge.judge(samples)]:
            for observer in self.observers:
                observer.warned(text)

    def saved(self, row: int) -> None:
        """A checkpoint was written, or is being written."""
        for observer in self.observers:
            observer.saved(row)

    def validate(self, step: int, row: int) -> None:
        """Measure the held-out loss, if it is due after ``step`` steps and has not been measured at this row."""
        every = self.settings.validate_every
        if self.validation is None or every is None or step == 0 or row == self.validated_row:
            return
        if step % every and step < self.start.steps:
            return
        figures, seconds = self.validation.run(self.learner)
        self.validated_row = row
        result = HeldOut(step - 1, row, row * self.seq_len, seconds, figures["all"], figures["domains"])
        self.held_out = result.record()
        for observer in self.observers:
            observer.held_out(result)

    def close(self) -> None:
        """This process takes no more steps, for whatever reason."""
        if self.profiler is not None:
            self.profiler.close()
        if not self.observers:
            return
        summary = self.summary()
        with atomic_write(str(self.folder / SUMMARY)) as stream:
            stream.write(json.dumps(summary, indent=2).encode() + b"\n")
        for observer in self.observers:
            observer.end(summary)
        for observer in self.observers:
            observer.close()

    def summary(self) -> dict[str, Any]:
        """What the run has come to: tokens, epochs and losses by domain, device hours, energy and CO2e."""
        totals, held = self.totals, self.held_out
        domains = {}
        for name, tokens in totals.tokens.items():
            size = self.sizes.get(name)
            domains[name] = {
                "tokens": tokens,
                "tokens_left_out": totals.left_out[name],
                "epochs": tokens / size if size else None,
                "last_loss": totals.last.get(name),
                "mean_loss": totals.mean_loss(name),
                "held_out_loss": held.get(f"loss/{name}"),
                "bits_per_byte": held.get(f"bits_per_byte/{name}"),
            }
        watts = self.energy.watts
        formula = "of earlier processes" if watts is None else f"hours x {watts:g} W x PUE {self.settings.pue:g}"
        return {
            "domains": domains,
            "counted_since_row": totals.since,
            **self.energy.now(),
            "energy_formula": f"{formula}; x {self.settings.kg_co2e_per_kwh:g} kg/kWh",
        }
