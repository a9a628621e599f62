"""Resolve what `launch`, `bench` and `evaluate` are to do, and start the processes. Imports no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from llama_data.pipeline.core.errors import InputError, RequestError, RunError, StoppedError
from llama_data.pipeline.core.extras import require
from llama_data.pipeline.core.files import atomic_write, is_local, local_path
from llama_data.pipeline.core.lock import refuse_if_held
from llama_data.pipeline.core.settings import Strict
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import open_cache
from llama_data.train_handoff.trainer.config import (
    BenchConfig,
    ModelConfig,
    TrainConfig,
    agree,
    load_config,
    make_config,
)
from llama_data.train_handoff.trainer.fit import report
from llama_data.train_handoff.trainer.loader import TrainingRows, require_rows, rows_left
from llama_data.train_handoff.trainer.record import (
    AT_WORK,
    FAILURE,
    LAUNCHER,
    LOCK,
    RECORD,
    RESULT,
    SIGNALS,
    checkpoints,
    find_checkpoint,
    read_record,
    saves,
    set_aside,
)
from llama_data.train_handoff.trainer.remote import staging
from llama_data.train_handoff.trainer.remote.copies import copies_folder, opened, place_of
from llama_data.train_handoff.trainer.start import SIZES, find_start
from llama_data.train_handoff.trainer.tuning.rows import ExampleRows, open_rows
from llama_data.train_handoff.trainer.watch.checks import require_boards, windows_to_validate

AGENT = "llama_data.train_handoff.trainer.agent"
WORKER = "llama_data.train_handoff.trainer.loop"
BENCH = "llama_data.train_handoff.trainer.measure.bench"
EVALUATE = "llama_data.train_handoff.trainer.measure.evaluate"
IMPATIENT = 3  # so many times Ctrl-C ends the processes at once, without a checkpoint
SHUTDOWN_SECONDS = 3600  # for the step in hand and the checkpoint after it; a scheduler's own limit comes before


@dataclass(frozen=True)
class Cluster:
    """How many processes on how many nodes; with several nodes, ``rendezvous`` is host:port of the first one.

    Raises RequestError when there is no node ``node_rank``.

    ``meeting``: name of what they meet for, so that one that is late is not taken for one of the next.
    """

    nproc: int = 1
    nnodes: int = 1
    node_rank: int = 0
    rendezvous: str | None = None
    meeting: str = "train"

    def __post_init__(self) -> None:
        if self.node_rank >= self.nnodes:
            raise RequestError(f"--node-rank {self.node_rank}: {self.nnodes} nodes have the numbers from 0 on")

    @property
    def world(self) -> int:
        """Processes on all nodes."""
        return self.nproc * self.nnodes

    @property
    def alone(self) -> bool:
        """Whether there is one process only."""
        return self.nproc == self.nnodes == 1


class FailedError(RunError):
    """Processes have failed; ``reason`` is what one of them said of it, if any did."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def start_command(cluster: Cluster, config_path: Path, worker: str = WORKER) -> list[str]:
    """The command that starts the processes: torchrun, or the process itself where it is the only one.

    Raises RequestError when several nodes have no meeting place.
    """
    if cluster.alone:
        return [sys.executable, "-m", worker, str(config_path)]
    command = [
        sys.executable,
        "-m",
        AGENT,
        f"--nproc-per-node={cluster.nproc}",
        f"--signals-to-handle={','.join(number.name for number in SIGNALS)}",
        f"--shutdown-timeout={SHUTDOWN_SECONDS}",
    ]
    if cluster.nnodes == 1:
        command += ["--standalone", "--local-addr=127.0.0.1"]
    else:
        if cluster.rendezvous is None:
            raise RequestError(f"{cluster.nnodes} nodes need --rendezvous HOST:PORT (a port of the first node)")
        command += [
            f"--nnodes={cluster.nnodes}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={cluster.rendezvous}",
            f"--rdzv-id={cluster.meeting}",
        ]
    return [*command, "-m", worker, str(config_path)]


def describe(config: TrainConfig, cluster: Cluster, memory: float | None = None) -> str:
    """What would be trained: parameters, batch, steps, tokens, memory; checks the rows against the model.

    ``memory``: bytes of a device, to say whether the run fits.
    """
    assert config.data is not None
    rows = open_rows(config)
    found = checkpoints(Path(config.output)) if config.output is not None else []
    start = find_start(config, rows, resume=found[-1] if found else None)
    model, seq_len, batch_rows = start.model, rows.footer.seq_len, start.batch_rows
    steps, world = max(0, start.steps - start.step), cluster.world
    _require_copies(config, cluster)
    require_rows(rows_left(start.row, len(rows), start.skip), batch_rows, steps, world)
    require_watchable(config, cluster, rows)
    lines = [
        _model_line(config, model),
        f"goes on from {start.resume} (row {start.row:,}, step {start.step:,})"
        if start.resume is not None
        else f"starts from {start.initial or f'parameters drawn from seed {config.seed}'}",
        *(f"changed: {name} {before} -> {now}" for name, (before, now) in start.changed.items()),
        *(f"rows {first:,} to {last - 1:,} are left out" for first, last in start.skip if last > start.row),
        *(
            rows.summary()
            if isinstance(rows, ExampleRows)
            else [f"data {config.data}: {len(rows):,} rows, {len(rows) * seq_len:,} tokens"]
        ),
        f"{steps:,} steps of {batch_rows:,} rows = {steps * batch_rows * seq_len:,} tokens on {world} processes",
        # Rows may be shorter than what an imported model reads; memory is held for rows.
        *report(config, model.model_copy(update={"seq_len": seq_len}), world, memory),
    ]
    return "\n".join(lines)


def describe_without_data(
    config: TrainConfig, cluster: Cluster, memory: float | None = None, *, seq_len: int, vocab_size: int
) -> str:
    """What would be trained on rows of ``seq_len`` tokens of a vocabulary: parameters, a step, memory.

    What the model itself says of both comes first. Raises RequestError when the batch does not divide.
    """
    seq_len, vocab_size = config.model.seq_len or seq_len, config.model.vocab_size or vocab_size
    model, world = agree(config, vocab_size, seq_len), cluster.world
    _require_copies(config, cluster)
    rows = config.batch_rows(seq_len)
    require_rows(rows, rows, 1, world)
    lines = [
        _model_line(config, model),
        f"no data was given: a step of {rows:,} rows = {rows * seq_len:,} tokens on {world} processes",
        *report(config, model, world, memory),
    ]
    return "\n".join(lines)


def _require_copies(config: TrainConfig, cluster: Cluster) -> None:
    if cluster.world % config.replicate:
        raise RequestError(f"replicate {config.replicate}: must divide the {cluster.world} processes")


def _model_line(config: TrainConfig, model: ModelConfig) -> str:
    return (
        f"model {config.name}: {model.parameters():,} parameters, vocabulary {model.vocab_size:,}, "
        f"rows of {model.seq_len:,} tokens"
    )


def prepared(config: TrainConfig, cluster: Cluster) -> tuple[TrainConfig, Path]:
    """The run with its paths resolved, and the file in its folder that says so to the processes.

    Raises RequestError: torch is not installed, data or output is lacking, or another run is at work there.
    """
    if config.data is None or config.output is None:
        raise RequestError("a training run needs --data (RUN/mix) and --output (a folder for checkpoints and metrics)")
    require_torch()
    require_watchable(config, cluster, open_rows(config))
    if not is_local(config.output):
        folder, _ = staging.prepare(config.output, config.cache_dir)
        config = config.model_copy(update={"output": str(folder)})
    data = config.data or ""
    if is_local(data):  # train.json is read from other places
        config = config.model_copy(update={"data": str(Path(local_path(data)).resolve())})
    folder = Path(config.output or "")
    folder.mkdir(parents=True, exist_ok=True)
    refuse_if_held(folder / LOCK, AT_WORK)
    resolved, settings = folder / "train.json", json.dumps(config.model_dump(mode="json"), indent=2).encode()
    with atomic_write(str(resolved)) as stream:
        stream.write(settings)
    store = staging.store_of(folder)
    if store is not None and cluster.node_rank == 0:
        store.put(resolved.name, settings)
    return config, resolved


def launch(config: TrainConfig, cluster: Cluster) -> None:
    """Train. Blocks until the processes end.

    Raises:
        RequestError: torch is not installed, the configuration lacks data or output, or another run is at work there.
        RunError: a process failed, or a signal has stopped the run.
    """
    config, resolved = prepared(config, cluster)
    folder = Path(config.output or "")
    try:
        run(start_command(cluster, resolved), cluster, "training")
    except StoppedError as stopped:
        row = newest_row(folder)
        state = "nothing was saved yet" if row is None else f"saved at row {row:,}"
        again = "the same command begins anew" if row is None else "the same command goes on from there"
        raise StoppedError(f"{stopped}; {state}: {again}", stopped.number) from None


def newest_row(folder: Path) -> int | None:
    """The rows that are behind the newest checkpoint of a run, where it is kept; None when it has none."""
    store = staging.store_of(folder)
    if store is not None:
        return staging.saved_row(store)
    found = checkpoints(folder)
    return read_record(found[-1]).rows if found else None


def require_watchable(config: TrainConfig, cluster: Cluster, rows: TrainingRows) -> None:
    """Raise RequestError when nothing was held out that is to be validated, or a package for curves is missing."""
    windows_to_validate(config.watch, rows)
    if cluster.node_rank == 0:  # curves are drawn by the first process
        require_boards(config.watch)


def rewind(config: TrainConfig, row: int) -> list[Path]:
    """Set the run's checkpoints after ``row`` aside. Raises RequestError: it is at work, or has none before."""
    folder = Path(config.output or "")
    refuse_if_held(folder / LOCK, AT_WORK)
    return set_aside(folder, row)


def require_torch() -> None:
    """Raise RequestError when torch is not installed."""
    require("torch", "training")


def run(command: list[str], cluster: Cluster, what: str) -> None:
    """Run torchrun, or the only process, to its end, handing it the signals that this process gets.

    Raises:
        StoppedError: a signal has ended it, to whomever it was sent.
        RunError: a process failed; names ``what``.
    """
    environment = dict(os.environ)
    threads = max(1, (os.cpu_count() or 1) // cluster.nproc)
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler of `bench` writes to the terminal otherwise
    environment[LAUNCHER] = str(os.getpid())
    if cluster.alone:  # what another torchrun around this command says is not meant for its process
        environment = {name: value for name, value in environment.items() if name not in ("RANK", "WORLD_SIZE")}
        environment["LOCAL_RANK"] = "0"
    # In a session of its own it gets a terminal's Ctrl-C from here alone, and once.
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    got: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        got.append(number)
        if len(got) == 1:
            print(f"llama-train: {saves(number)}", file=sys.stderr, flush=True)
            process.send_signal(number)
        elif number == signal.SIGINT and got.count(signal.SIGINT) >= IMPATIENT:
            os.killpg(process.pid, signal.SIGKILL)

    before = {number: signal.signal(number, forward) for number in SIGNALS} if _in_main_thread() else {}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code == 0:
        return
    # A process that a signal has ended is -N to its parent, and 128 + N to the parent's.
    ended = got[0] if got and code not in (1, 2) else -code if code < 0 else code - 128
    if ended in SIGNALS:
        raise StoppedError(f"{what} was stopped by {signal.Signals(ended).name}", ended)
    if ended == signal.SIGKILL:
        raise RunError(f"{what}: a process was killed (SIGKILL), as the system does when memory runs out")
    raise RunError(f"{what} stopped with exit code {code}; the first error is printed above")


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def ask(cluster: Cluster, worker: str, request: Strict, what: str) -> dict[str, Any]:
    """Start the processes of ``worker`` with a request, and return what they found out together, on every node.

    Raises FailedError, with the reason where a process of this node gave one.
    """
    require_torch()
    with TemporaryDirectory(prefix="llama-train-") as folder:
        path = Path(folder) / "request.json"
        path.write_text(request.model_dump_json())
        try:
            run(start_command(cluster, path, worker), cluster, what)
        except StoppedError:
            raise
        except RunError as error:
            reason = path.with_name(FAILURE)
            raise FailedError(str(error), reason.read_text() if reason.exists() else "") from None
        found: dict[str, Any] = json.loads(path.with_name(RESULT).read_text())
        return found


def bench_config(
    source: str, overrides: dict[str, Any], cluster: Cluster, *, steps: int, warmup: int, seq_len: int, vocab_size: int
) -> BenchConfig:
    """The measurement of a model. Without ``batch_tokens`` a step is one micro-batch on each process.

    Raises:
        RequestError: the rows do not fit the model, or the batch does not divide among the processes.
    """
    config = load_config(source, overrides)
    world = cluster.world
    cache = open_cache(config.cache_dir, config.cache_bytes)
    rows = None if config.data is None else Mixture(config.data, cache)
    if rows is not None:
        seq_len, vocab_size = rows.footer.seq_len, rows.footer.vocab_size
    if "batch_tokens" not in overrides:
        config = config.model_copy(update={"batch_tokens": config.micro_rows * world * seq_len})
    agree(config, vocab_size, seq_len)
    request = BenchConfig(run=config, steps=steps, warmup=warmup, seq_len=seq_len, vocab_size=vocab_size)
    batch_rows, taken = config.batch_rows(seq_len), warmup + steps + (request.profiled if world > 1 else 0)
    require_rows(taken * batch_rows if rows is None else len(rows), batch_rows, taken, world)
    return request


def first_checkpoint(initial: str | Path, output: str | None, cache_dir: str | None = None) -> Path:
    """The checkpoint that a run which starts from ``initial`` started from, or starts from now.

    ``initial`` is a checkpoint or the folder of a run; what an address holds is copied to below ``cache_dir``. A run
    that is there already keeps its own, even when it is gone, or is no longer the newest of that folder. Raises
    InputError.
    """
    there = isinstance(initial, str) and not is_local(initial)
    place = place_of(str(initial), copies_folder(cache_dir)) if there else Path(initial)
    for path in reversed(checkpoints(Path(output)) if output is not None else []):
        name = (read_record(path).origin or {}).get("checkpoint", "")
        before = Path(name) if is_local(name) else place_of(name, copies_folder(cache_dir))
        if before.name and place in (before, *before.parents):
            if there:
                with suppress(InputError):  # it is no longer there
                    opened(name, cache_dir)
            return before
    return find_checkpoint(opened(str(initial), cache_dir) if there else place)


def starting_from(
    initial: str | Path, source: str | None, overrides: dict[str, Any], settings: dict[str, Any] | None = None
) -> TrainConfig:
    """A run that begins with the parameters and the model of the checkpoint ``initial``.

    ``source``: the preset or .yaml file with its settings (None: ``settings``, else LLaMA's batch and schedule). A
    model stated there has to have the checkpoint's sizes; ``norm_eps`` and ``rope_theta`` are the checkpoint's. Raises
    RequestError.
    """
    initial = first_checkpoint(initial, overrides.get("output"), overrides.get("cache_dir"))
    where = initial if (initial / RECORD).exists() else find_checkpoint(Path(overrides["output"]))
    model = read_record(where).model_config(where)
    if source is None:
        described = {"name": initial.name, "model": model.model_dump(), **deepcopy(settings or {})}
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
