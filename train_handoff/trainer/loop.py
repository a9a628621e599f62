"""The training loop of one process; torchrun, or the launcher, starts one of these for each device."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch

from llama_data.pipeline.core.errors import RequestError, RunError, StoppedError
from llama_data.pipeline.core.lock import Lock
from llama_data.pipeline.core.settings import validate
from llama_data.train_handoff.trainer import checkpoint, distributed
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.learner import Learner, StepResult
from llama_data.train_handoff.trainer.loader import Batch, batches
from llama_data.train_handoff.trainer.optim import learning_rate
from llama_data.train_handoff.trainer.record import AT_WORK, LAUNCHER, LOCK, SIGNALS, Record, saves
from llama_data.train_handoff.trainer.remote.mirror import Mirror
from llama_data.train_handoff.trainer.remote.staging import store_of
from llama_data.train_handoff.trainer.saver import Saver
from llama_data.train_handoff.trainer.start import find_start
from llama_data.train_handoff.trainer.tuning.rows import open_rows
from llama_data.train_handoff.trainer.watch.watch import Watch


class Stop:
    """The signal for which this process is to stop: one that it got, or SIGHUP when those that started it are gone.

    ``says``: it tells of the first itself, where no launcher does.
    """

    def __init__(self, *, says: bool = False) -> None:
        self.got = 0
        self.says = says
        self._parent = os.getppid()
        self._launcher = os.environ.get(LAUNCHER)
        for number in SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.says and not self.got:
            print(f"llama-train: {saves(number)}", file=sys.stderr, flush=True)
        self.got = number

    def number(self) -> int:
        """Number of the signal; 0 when the process is to go on."""
        alone = os.getppid() != self._parent or self._launcher_gone()
        return self.got or (signal.SIGHUP if alone else 0)

    def _launcher_gone(self) -> bool:
        if self._launcher is None:
            return False
        try:
            os.kill(int(self._launcher), 0)
        except ProcessLookupError:
            return True
        except OSError:
            pass
        return False


class Trainer:
    """One process's share of a training run; ``train`` goes from the newest checkpoint to the last step."""

    def __init__(
        self, config: TrainConfig, processes: distributed.Processes, stop: Stop, mirror: Mirror | None = None
    ) -> None:
        assert config.data is not None  # set by the launcher
        assert config.output is not None
        self.config = config
        self.processes = processes
        self.stop = stop
        self.folder = Path(config.output)
        self.rows = open_rows(config)
        self.start = find_start(config, self.rows, resume=checkpoint.find_sound(self.folder, processes))
        self.batch_rows, self.steps = self.start.batch_rows, self.start.steps
        self.learner = Learner(config, self.rows.footer, self.rows.domains, processes)
        self.learner.norms.extend(self.start.norms)
        self.step, self.row = self.start.step, self.start.row
        background = {"auto": processes.device.type == "cuda", "on": True, "off": False}[config.async_save]
        self.saver = Saver(self.folder, config.keep_checkpoints, background=background, mirror=mirror)
        self.saved = time.monotonic()
        self.skipped: list[str] = []  # the last steps without a break that were left out

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
        """Train to the last step, saving on the way.

        Raises StoppedError after a signal, on all processes, when the step in hand is taken and saved.
        """
        self.fill()
        self.learner.model.train()
        watch = Watch(self.config, self.rows, self.start, self.learner)
        source = batches(
            self.rows,
            batch_rows=self.batch_rows,
            start_row=self.row,
            first=self.step,
            steps=self.steps,
            rank=self.processes.rank,
            world=self.processes.world,
            skip=self.start.skip,
        )
        with closing(watch), self.saver:
            watch.validate(self.step, self.row)  # what a process owes that was stopped or killed
            for batch in watch.steps(source):
                rate = self.rate(batch)
                done = self.learner.update(batch, rate)
                self.step, self.row = batch.step + 1, batch.end
                watch.step(batch, done, rate)
                self.require_progress(batch, done)
                signalled, due = self.agreed()
                every = self.config.save_every
                if signalled or due or self.step == self.steps or (every is not None and self.step % every == 0):
                    self.save(watch)
                if signalled:
                    raise StoppedError(f"stopped after step {batch.step}", signalled)
                watch.validate(self.step, self.row)

    def rate(self, batch: Batch) -> float:
        """Learning rate of a step."""
        return learning_rate(
            batch.start, self.start.total_rows, self.batch_rows, self.start.warmup_rows, self.config.optim
        )

    def agreed(self) -> tuple[int, bool]:
        """The signal for which all are to stop, else 0, and whether it is time to save by the first one's clock.

        Or one could not write the checkpoint in hand: then ``save``, which waits for it, tells all of them.
        """
        minutes = self.config.save_minutes
        due = self.processes.main and minutes is not None and time.monotonic() - self.saved >= 60 * minutes
        flags = torch.tensor([self.stop.number(), int(due or self.saver.failed())], device=self.processes.device)
        signalled, save = distributed.highest_of_processes(flags).tolist()
        return signalled, bool(save)

    def require_progress(self, batch: Batch, done: StepResult) -> None:
        """Raise RunError when so many steps in a row were left out that the run is no longer one."""
        if done.skipped is None:
            self.skipped.clear()
            return
        what = f"step {batch.step} (rows {batch.start} to {batch.end - 1} of the mix)"
        self.skipped.append(f"{what}: loss {done.loss:.4f}, gradient norm {done.norm:.4f}")
        limit = self.config.spikes.in_a_row
        if limit is not None and len(self.skipped) >= limit:
            raise RunError(
                f"{len(self.skipped)} steps in a row were left out, the last {self.skipped[-1]}; "
                f"go back with --rewind ROW to before the first, {self.skipped[0].partition(':')[0]}, with --skip-rows "
                "for what is wrong in the data, or --change --lr for a lower rate"
            )

    def save(self, watch: Watch) -> None:
        """Write a checkpoint after ``self.step`` steps."""
        record = Record(
            step=self.step,
            rows=self.row,
            fingerprint=self.rows.fingerprint,
            seed=self.config.seed,
            tokenizer_sha256=self.rows.footer.tokenizer_sha256,
            model=self.learner.model.config.model_dump(),
            bos_id=self.rows.footer.bos_id,
            eos_id=self.rows.footer.eos_id,
            origin=self.start.origin,
            settings=self.start.settings,
            norms=tuple(self.learner.norms),
            template=self.config.template,
            totals=watch.totals.state(),
        )
        self.saver.save(record, self.learner.model, self.learner.optimizer)
        self.saved = time.monotonic()
        watch.saved(self.row)


@contextmanager
def only_run(folder: Path, processes: distributed.Processes) -> Iterator[None]:
    """Hold the run's lock, on the first process for all of them. Raises RequestError when another run has it."""
    lock, problem = Lock(folder / LOCK, AT_WORK), ""
    if processes.main:
        try:
            lock.__enter__()
        except RequestError as error:
            problem = str(error)
    refused = torch.tensor([float(bool(problem))], device=processes.device)
    if distributed.sum_over_processes(refused).item():
        raise RequestError(problem or "the first process could not take the run's lock")
    try:
        yield
    finally:
        if processes.main:
            lock.__exit__(None, None, None)


def mirrored(config: TrainConfig) -> AbstractContextManager[Mirror | None]:
    """What keeps the run in a store, where it is to be kept in one."""
    folder = Path(config.output or "")
    store = store_of(folder)
    return nullcontext() if store is None else Mirror(store, folder, config.keep_checkpoints)


def run(config: TrainConfig, stop: Stop) -> None:
    """Take this process's share of a run. Raises RequestError when another run is at work in its folder."""
    torch.manual_seed(config.seed)
    processes = distributed.start(config)
    with only_run(Path(config.output or ""), processes), mirrored(config) as mirror:
        Trainer(config, processes, stop, mirror).train()


def main(path: str) -> None:
    """Run one process of the training run described by a resolved configuration file (JSON)."""
    stop = Stop()
    config = validate(TrainConfig, json.loads(Path(path).read_text()), path)
    with distributed.worker():
        run(config, stop)


if __name__ == "__main__":
    main(sys.argv[1])
