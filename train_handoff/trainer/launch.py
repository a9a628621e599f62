"""``llama-train launch``: resolve the configuration, then hand over to torchrun. Imports no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError, RunError
from llama_data.train_handoff.mix import Mixture
from llama_data.train_handoff.trainer.config import TrainConfig

WORKER = "llama_data.train_handoff.trainer.loop"


@dataclass(frozen=True)
class Cluster:
    """How many processes on how many nodes; with several nodes, ``rendezvous`` is host:port of the first one."""

    nproc: int = 1
    nnodes: int = 1
    node_rank: int = 0
    rendezvous: str | None = None


def torchrun(cluster: Cluster, config_path: Path) -> list[str]:
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
    return [*command, "-m", WORKER, str(config_path)]


def describe(config: TrainConfig, cluster: Cluster) -> str:
    """What would be trained: parameters, batch, steps, tokens, memory; checks the rows against the model."""
    assert config.data is not None
    rows = Mixture(config.data)
    footer = rows.footer
    model = config.model.model_copy(update={"vocab_size": footer.vocab_size})
    batch_rows = config.batch_rows(footer.seq_len)
    world = cluster.nproc * cluster.nnodes
    if batch_rows % world:
        raise RequestError(f"a global batch of {batch_rows} rows does not divide among {world} processes")
    steps = config.steps or len(rows) // batch_rows
    lines = [
        f"model {config.name}: {model.parameters():,} parameters, vocabulary {footer.vocab_size:,}, "
        f"rows of {footer.seq_len:,} tokens",
        f"data {config.data}: {len(rows):,} rows, {len(rows) * footer.seq_len:,} tokens",
        f"{steps:,} steps of {batch_rows:,} rows = {steps * batch_rows * footer.seq_len:,} tokens on {world} processes",
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
    from importlib.util import find_spec

    if config.data is None or config.output is None:
        raise RequestError("a training run needs --data (RUN/mix) and --output (a folder for checkpoints and metrics)")
    if find_spec("torch") is None:
        raise RequestError("torch is not installed; install llama-data with the extra `train`")
    folder = Path(config.output)
    folder.mkdir(parents=True, exist_ok=True)
    resolved = folder / "train.json"
    resolved.write_text(json.dumps(config.model_dump(mode="json"), indent=2))
    environment = dict(os.environ)
    threads = max(1, (os.cpu_count() or 1) // cluster.nproc)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    code = subprocess.run(torchrun(cluster, resolved), env=environment, check=False).returncode
    if code:
        raise RunError(f"training stopped with exit code {code}; the first error is printed above")
