"""Some rows of a mix as a run of their own: other rows and another order for another seed. Imports no torch."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from llama_data.train_handoff.mix.order import epoch_keys, permute
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import ShardCache
from llama_data.train_handoff.shards.file import Rows
from llama_data.train_handoff.trainer.config import SampleConfig

PART = 8192  # rows, at most, that are put into another order together: they lie in a shard or two


class SampledMix(Mixture):
    """Rows of a mix that follow each other, from ``sample.begin`` on (the first after the last), in another order.

    Rows that follow each other hold the domains in their shares. Each ``PART`` of them (or all of a smaller mix) is put
    into an order drawn from the seed, so a shard is read once, and no row a second time before all of them. Row numbers
    of everything here are those of the run; ``row`` is the mix's.
    """

    def __init__(self, folder: str, sample: SampleConfig, cache: ShardCache | None = None) -> None:
        super().__init__(folder, cache)
        self.sample = sample
        drawn = [self.fingerprint, self.rows, sample.begin, sample.rows, sample.seed]
        self.fingerprint = sha256(json.dumps(drawn).encode()).hexdigest()
        self._size = min(PART, self.rows)
        self._part: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def __len__(self) -> int:
        return self.sample.rows

    def row(self, index: int) -> int:
        """The row of the mix that is row ``index`` of the run."""
        if not 0 <= index < self.sample.rows:
            raise IndexError(f"{self.folder}: row {index} of {self.sample.rows}")
        number, place = divmod(index, self._size)
        part = self._part
        if part[0] != number:
            size = min(self._size, self.sample.rows - number * self._size)
            order = permute(np.arange(size), size, epoch_keys(self.sample.seed, "sample", number))
            part = self._part = (number, order)
        return int((self.sample.begin + number * self._size + part[1][place]) % self.rows)

    def __getitem__(self, index: int) -> Rows:
        return super().__getitem__(self.row(index))

    def domain_of(self, index: int) -> int:
        """Index in ``domains`` of the domain that row ``index`` comes from."""
        return super().domain_of(self.row(index))

    def place(self, index: int) -> str:
        """The shard and the row in it that hold row ``index``, for people."""
        return super().place(self.row(index))
