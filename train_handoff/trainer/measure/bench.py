"""``llama-train bench``: how fast a model trains, and where the time goes. Takes the same steps as a run."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from torch.profiler import ProfilerActivity, profile

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.file import Footer, Rows
from llama_data.train_handoff.trainer import distributed
from llama_data.train_handoff.trainer.config import BenchConfig
from llama_data.train_handoff.trainer.learner import Learner
from llama_data.train_handoff.trainer.loader import TrainingRows, batches
from llama_data.train_handoff.trainer.metrics import flops_per_token, peak_flops, peak_memory
from llama_data.train_handoff.trainer.model import Llama

PHASES = ("data", "forward_backward", "optimizer")


class SyntheticRows:
    """Rows of random ids: row k is the same for everyone. ``rows`` of them."""

    def __init__(self, rows: int, seq_len: int, vocab_size: int) -> None:
        self.rows = rows
        self.domains = ("synthetic",)
        self.footer = Footer(
            kind="mix", split="train", domain="mix", seq_len=seq_len, vocab_size=vocab_size,
            tokenizer_sha256="", bos_id=1, eos_id=2,
        )  # fmt: skip

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, index: int) -> Rows:
        ids = np.random.default_rng(index).integers(0, self.footer.vocab_size, self.footer.seq_len + 1)
        return ids.astype(self.footer.numpy_dtype)

    def domain_of(self, index: int) -> int:
        """All rows are of one domain."""
        return 0

    def place(self, index: int) -> str:
        """They are in no shard."""
        return f"random row {index}"


class Stopwatch:
    """Seconds of each phase of the steps; waits for the device at the end of a phase."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.steps: list[dict[str, float]] = []
        self._last = 0.0

    def start(self) -> None:
        """Begin a step."""
        self.steps.append(dict.fromkeys(PHASES, 0.0))
        self._last = time.perf_counter()

    def lap(self, phase: str) -> None:
        """What passed since the last lap belongs to ``phase``."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.steps[-1][phase] += now - self._last
        self._last = now


@dataclass(frozen=True)
class Measured:
    """Steps of this process: seconds of each phase, peak bytes, and seconds of communication (None: not measured)."""

    steps: list[dict[str, float]]
    memory: int
    communication: float | None


def measure(request: BenchConfig, learner: Learner, rows: TrainingRows) -> Measured:
    """Take the steps: some to warm up, those that count, and a few under the profiler."""
    processes, watch = learner.processes, Stopwatch(learner.processes.device)
    profiled = request.profiled if processes.world > 1 else 0
    source = batches(
        rows,
        batch_rows=learner.batch_rows,
        start_row=0,
        first=0,
        steps=request.warmup + request.steps + profiled,
        rank=processes.rank,
        world=processes.world,
    )
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if processes.device.type == "cuda" else [])
    profiler = profile(activities=activities)

    def step() -> None:
        watch.start()
        batch = next(source)
        watch.lap("data")
        learner.update(batch, learner.config.optim.lr, watch.lap)

    for _ in range(request.warmup + request.steps):
        step()
    counted, memory = watch.steps[request.warmup :], peak_memory(processes.device)
    if not profiled:
        return Measured(counted, memory, None)
    with profiler:
        for _ in range(profiled):
            step()
    return Measured(counted, memory, _communication(profiler, processes.device) / profiled)


def _communication(profiler: profile, device: torch.device) -> float:
    """Seconds in collectives: of their kernels on CUDA, of gloo's calls (with waiting for the others) on CPU."""
    cuda = device.type == "cuda"
    names = ("ncclDevKernel", "ncclKernel") if cuda else ("gloo:",)
    events = [event for event in profiler.key_averages() if event.key.startswith(names)]
    return sum(float(event.device_time_total if cuda else event.cpu_time_total) for event in events) / 1e6


def bench(request: BenchConfig) -> dict[str, Any]:
    """Measure in this process, together with the others that torchrun started.

    Raises:
        RequestError: the rows do not fit the model, or the device is out of memory.
    """
    config = request.run
    processes = distributed.start(config)
    needed = (request.warmup + request.steps + request.profiled) * config.batch_rows(request.seq_len)
    rows: TrainingRows = (
        SyntheticRows(needed, request.seq_len, request.vocab_size) if config.data is None else Mixture(config.data)
    )
    try:
        learner = Learner(config, rows.footer, rows.domains, processes)
        _fill(learner.model, config.seed)
        learner.model.train()
        measured = measure(request, learner, rows)
    except torch.OutOfMemoryError:
        raise RequestError(
            f"{processes.device}: out of memory with --micro-rows {config.micro_rows}; "
            "take fewer rows, --recompute full, or more processes"
        ) from None
    return _result(request, learner, measured)


@torch.no_grad()
def _fill(model: Llama, seed: int) -> None:
    """Any parameters of the usual size, drawn where they lie (a run draws its own whole on every process: slow)."""
    torch.manual_seed(seed)
    for parameter in model.parameters():
        local = parameter.to_local() if isinstance(parameter, DTensor) else parameter
        if parameter.dim() == 1:
            local.fill_(1.0)
        else:
            local.normal_(0.0, model.config.init_std)


def _result(request: BenchConfig, learner: Learner, measured: Measured) -> dict[str, Any]:
    config, processes = request.run, learner.processes
    seconds = [sum(step.values()) for step in measured.steps]
    split = {name: sum(step[name] for step in measured.steps) / request.steps for name in PHASES}
    means = torch.tensor([*split.values(), measured.communication or 0.0, sum(seconds)], dtype=torch.float64)
    shares = (distributed.sum_over_processes(means.to(processes.device)) / processes.world).tolist()
    memory = torch.zeros(processes.world, dtype=torch.float64, device=processes.device)
    memory[processes.rank] = measured.memory
    tokens = learner.batch_rows * learner.seq_len
    rate = tokens * request.steps / shares[-1]
    flops = flops_per_token(learner.model.config, learner.seq_len) * rate / processes.world
    peak = peak_flops(processes.device, config.dtype)
    cuda = processes.device.type == "cuda"
    return {
        "model": config.name,
        "parameters": learner.model.config.parameters(),
        "data": config.data or "synthetic",
        "device": torch.cuda.get_device_name(processes.device) if cuda else f"cpu, {torch.get_num_threads()} thread(s)",
        "processes": processes.world,
        "dtype": config.dtype,
        "compile": config.compile,
        "recompute": config.recompute,
        "seq_len": learner.seq_len,
        "batch_rows": learner.batch_rows,
        "micro_rows": config.micro_rows,
        "warmup": request.warmup,
        "steps": request.steps,
        "tokens_per_second": rate,
        "tokens_per_second_per_process": rate / processes.world,
        "tflops_per_process": flops / 1e12,
        "mfu": None if peak is None else flops / peak,
        "step_seconds": {"mean": shares[-1] / request.steps, "median": median(seconds), "max": max(seconds)},
        "split_seconds": {
            **dict(zip(PHASES, shares, strict=False)),
            "communication": None if measured.communication is None else shares[len(PHASES)],
        },
        "peak_memory_bytes": int(distributed.sum_over_processes(memory).max()),
        "peak_memory_of": "device" if cuda else "process",
    }


def main(path: str) -> None:
    """One process of a measurement; the first one writes the result to result.json beside the request."""
    with distributed.worker():
        result = bench(validate(BenchConfig, json.loads(Path(path).read_text()), path))
        if torch.distributed.get_rank() == 0:
            (Path(path).parent / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
