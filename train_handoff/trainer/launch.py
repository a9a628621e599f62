"""Resolve what `launch`, `bench` and `evaluate` are to do, and hand over to torchrun. Imports no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llama_data.pipeline.core.errors import RequestError, RunError
from llama_data.pipeline.core.settings import Strict
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.config import BenchConfig, TrainConfig, agree, load_config, make_config
from llama_data.train_handoff.trainer.loader import require_rows
from llama_data.train_handoff.trainer.record import RECORD, read_record
from llama_data.train_handoff.trainer.start import SIZES, find_start

WORKER = "llama_data.train_handoff.trainer.loop"
BENCH = "llama_data.train_handoff.trainer.measure.bench"
EVALUATE = "llama_data.train_handoff.trainer.measure.evaluate"


@dataclass(frozen=True)
class Cluster:
    """How many processes on how many nodes; with several nodes, ``rendezvous`` is host:port of the first one."""

    nproc: int = 1
    nnodes: int = 1
    node_rank: int = 0
    rendezvous: str | None = None


def torchrun(cluster: Cluster, config_path: Path, worker: str = WORKER) -> list[str]:
    """The command that starts the processes. Raises RequestError when several nodes have no meeting place."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={cluster.nproc}"]
    if cluster.nnodes == 1:
        command += ["--standalone", "--local-addr=127.0.0.1"]
    else:
        if cluster.rendezvous is None:
            raise RequestError(f"{cluster.nnodes} nodes need --rendezvous HOST:PORT (a port of the first node)")
        command += [
            f"--nnodes={cluster.nnodes}",
            f"--node-rank={cluster.node_rank}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={cluster.rendezvous}",
        ]
    return [*command, "-m", worker, str(config_path)]


def describe(config: TrainConfig, cluster: Cluster) -> str:
    """What would be trained: parameters, batch, steps, tokens, memory; checks the rows against the model."""
    assert config.data is not None
    rows = Mixture(config.data)
    start = find_start(config, rows)
    model, seq_len, batch_rows, steps = start.model, rows.footer.seq_len, start.batch_rows, start.steps
    world = cluster.nproc * cluster.nnodes
    require_rows(len(rows), batch_rows, steps, world)
    lines = [
        f"model {config.name}: {model.parameters():,} parameters, vocabulary {model.vocab_size:,}, "
        f"rows of {seq_len:,} tokens",
        f"goes on from {start.resume} (step {start.step:,})"
        if start.resume is not None
        else f"starts from {start.initial or f'parameters drawn from seed {config.seed}'}",
        f"data {config.data}: {len(rows):,} rows, {len(rows) * seq_len:,} tokens",
        f"{steps:,} steps of {batch_rows:,} rows = {steps * batch_rows * seq_len:,} tokens on {world} processes",
        f"parameters, gradients and AdamW state: {16 * model.parameters() * config.replicate / world / 1e9:,.2f} GB "
        "a process, before activations",
    ]
    return "\n".join(lines)


def launch(config: TrainConfig, cluster: Cluster) -> None:
    """Train. Blocks until torchrun ends.

    Raises:
        RequestError: torch is not installed, or the configuration lacks data or output.
        RunError: a process failed.
    """
    if config.data is None or config.output is None:
        raise RequestError("a training run needs --data (RUN/mix) and --output (a folder for checkpoints and metrics)")
    require_torch()
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    resolved = folder / "train.json"
    resolved.write_text(json.dumps(config.model_dump(mode="json"), indent=2))
    run(torchrun(cluster, resolved), cluster, "training")


def require_torch() -> None:
    """Raise RequestError when torch is not installed."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise RequestError("torch is not installed; install llama-data with the extra `train`")


def run(command: list[str], cluster: Cluster, what: str) -> None:
    """Run torchrun to its end. Raises RunError, which names ``what``, when a process failed."""
    environment = dict(os.environ)
    threads = max(1, (os.cpu_count() or 1) // cluster.nproc)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler of `bench` writes to the terminal otherwise
    code = subprocess.run(command, env=environment, check=False).returncode
    if code:
        raise RunError(f"{what} stopped with exit code {code}; the first error is printed above")


def ask(cluster: Cluster, worker: str, request: Strict, what: str) -> dict[str, Any] | None:
    """Start the processes of ``worker`` with a request, and return what the first of them found out.

    None on a node that is not the first. Raises RunError when a process failed.
    """
    require_torch()
    with TemporaryDirectory(prefix="llama-train-") as folder:
        path = Path(folder) / "request.json"
        path.write_text(request.model_dump_json())
        run(torchrun(cluster, path, worker), cluster, what)
        result = Path(folder) / "result.json"
        found: dict[str, Any] | None = json.loads(result.read_text()) if result.exists() else None
        return found


def bench_config(
    source: str, overrides: dict[str, Any], cluster: Cluster, *, steps: int, warmup: int, seq_len: int, vocab_size: int
) -> BenchConfig:
    """The measurement of a model. Without ``batch_tokens`` a step is one micro-batch on each process.

    Raises:
        RequestError: the rows do not fit the model, or the batch does not divide among the processes.
    """
    config = load_config(source, overrides)
    world = cluster.nproc * cluster.nnodes
    rows = None if config.data is None else Mixture(config.data)
    if rows is not None:
        seq_len, vocab_size = rows.footer.seq_len, rows.footer.vocab_size
    if "batch_tokens" not in overrides:
        config = config.model_copy(update={"batch_tokens": config.micro_rows * world * seq_len})
    agree(config, vocab_size, seq_len)
    request = BenchConfig(run=config, steps=steps, warmup=warmup, seq_len=seq_len, vocab_size=vocab_size)
    batch_rows, taken = config.batch_rows(seq_len), warmup + steps + (request.profiled if world > 1 else 0)
    require_rows(taken * batch_rows if rows is None else len(rows), batch_rows, taken, world)
    return request


def starting_from(initial: Path, source: str | None, overrides: dict[str, Any]) -> TrainConfig:
    """A run that begins with the parameters and the model of the checkpoint ``initial``.

    ``source``: the preset or .yaml file with its settings (None: LLaMA's batch and schedule). A model stated there has
    to have the checkpoint's sizes; ``norm_eps`` and ``rope_theta`` are the checkpoint's. Raises RequestError.
    """
    model = read_record(initial).model_config(initial)
    if source is None:
        described = {"name": initial.name, "model": model.model_dump()}
        config = make_config(described, str(initial / RECORD), {}, overrides)
    else:
        config = load_config(source, overrides)
        for name in SIZES:
            asked, found = getattr(config.model, name), getattr(model, name)
            if asked is not None and asked != found:
                raise RequestError(
                    f"--model {source} has {name} {asked}, the checkpoint {initial} has {found}; leave --model out, or "
                    "give a .yaml file with the checkpoint's model and your settings"
                )
    return config.model_copy(update={"model": model, "initial": str(initial)})
