"""Packed examples as the rows of a run: epoch after epoch, each in an order of its own. Imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.train_handoff.mix.order import draw
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import open_cache
from llama_data.train_handoff.shards.file import Footer, Rows
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.loader import Marks, RunRows
from llama_data.train_handoff.trainer.record import file_entry
from llama_data.train_handoff.trainer.sampled import SampledMix
from llama_data.train_handoff.trainer.tuning.packing import BEGINS, COUNTS, EXAMPLES, FORMAT

NAMED = 8  # examples of a row that are named when it is asked where it comes from


class ExampleRows:
    """The rows of a folder that ``packing.pack`` wrote, ``epochs`` times; ``rows[k]`` is row k as ``seq_len + 1`` ids.

    An epoch's order is a function of the seed and its number. After the last epoch stand ``padding`` rows in which
    nothing counts, so that a last batch can be filled. Raises InputError when the folder is damaged.
    """

    kind = "examples"

    def __init__(self, folder: str, epochs: int = 1, padding: int = 0) -> None:
        self.folder = folder
        path = Path(folder) / EXAMPLES
        try:
            self.record: dict[str, Any] = json.loads(path.read_text())
            self.fingerprint: str = self.record["fingerprint"]
            self.footer = Footer(**self.record["footer"])
            self.rows: int = self.record["rows"]
            if self.record["format"] != FORMAT:
                raise ValueError(f"format {self.record['format']}, where this version reads {FORMAT}")
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"{path}: damaged: {error}; remove {folder}, and it is made again") from None
        self.epochs = epochs
        self.padding = padding
        self.domains: tuple[str, ...] = ("completions",)
        self._ids, self._marks, self._targets, self._origins = (
            self._open(f"{name}.npy") for name in ("ids", "marks", "targets", "origins")
        )

    def _open(self, name: str) -> NDArray[Any]:
        path = Path(self.folder) / name
        try:
            found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: damaged: {error}; remove {self.folder}, and it is made again") from None
        return found

    def verify(self) -> None:
        """Raise InputError when a file is not what was written."""
        for name, entry in self.record["sizes"].items():
            path = Path(self.folder) / name
            if file_entry(path) != entry:
                raise InputError(f"{path}: not what was written; remove {self.folder}, and it is made again")

    def __len__(self) -> int:
        return self.rows * self.epochs + self.padding

    def _place(self, index: int) -> int | None:
        """The row of the folder that is row ``index`` of the run; None for one that fills a batch."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.folder}: row {index} of {len(self)}")
        if index >= self.rows * self.epochs:
            return None
        return int(draw(np.array([index]), self.rows, seed=self.record["seed"], domain="rows")[0])

    def __getitem__(self, index: int) -> Rows:
        place = self._place(index)
        row: Rows = np.zeros(self.footer.seq_len + 1, self.footer.numpy_dtype) if place is None else self._ids[place]
        return row

    def marks(self, index: int) -> Marks:
        """Which targets of a row count, and the number of each input's example."""
        place = self._place(index)
        size = self.footer.seq_len
        if place is None:
            return Marks(np.zeros(size, np.bool_), np.zeros(size, np.int64))
        marks = np.asarray(self._marks[place])
        return Marks((marks[1:] & COUNTS) != 0, np.cumsum((marks[:-1] & BEGINS) != 0))

    def targets(self, index: int) -> int:
        """How many targets of a row count."""
        place = self._place(index)
        return 0 if place is None else int(self._targets[place])

    def domain_of(self, index: int) -> int:
        """Index in ``domains`` of a row's domain; there is one."""
        return 0

    def place(self, index: int) -> str:
        """The lines whose examples stand in a row, for people."""
        place = self._place(index)
        if place is None:
            return f"{self.folder}, padding after the last epoch"
        begin, end = np.searchsorted(self._origins[:, 0], [place, place + 1])
        lines = [f"{self.record['files'][file]} line {line:,}" for _, file, line in self._origins[begin:end].tolist()]
        more = f" and {len(lines) - NAMED:,} more" if len(lines) > NAMED else ""
        return f"{self.folder}, row {place:,} ({', '.join(lines[:NAMED])}{more})"

    def summary(self) -> list[str]:
        """What became of the lines, for people."""
        tally, room = self.record["tally"], self.rows * (self.footer.seq_len + 1)
        reasons = [f"{count:,} {name.replace('_', ' ')}" for name, count in tally["left_out"].items() if count]
        return [
            f"{tally['examples']:,} examples of {tally['lines']:,} lines; left out: {', '.join(reasons) or 'none'}; "
            f"truncated: {tally['truncated']:,}",
            f"{self.rows:,} rows an epoch, {self.epochs} epoch(s); {self.record['targets']:,} tokens of completions "
            f"count; {1 - self.record['ids'] / room:.1%} of the rows is padding",
            *tally["damaged"],
        ]


def open_rows(config: TrainConfig) -> RunRows:
    """The rows of a run: of a mix, or of packed examples. Raises InputError, and RequestError for epochs of a mix."""
    assert config.data is not None
    if "://" not in config.data and (Path(config.data) / EXAMPLES).exists():
        rows = ExampleRows(config.data, config.epochs or 1)
        rows.padding = config.batch_rows(rows.footer.seq_len) - 1
        return rows
    if config.epochs is not None:
        raise RequestError(f"{config.data}: epochs are for examples; of a mix they are in its plan (`llama-data mix`)")
    cache = open_cache(config.cache_dir, config.cache_bytes)
    return Mixture(config.data, cache) if config.sample is None else SampledMix(config.data, config.sample, cache)
