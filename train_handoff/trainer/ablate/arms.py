"""The arms of an ablation: mixes that differ in their data and in nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import exists, is_local, join, local_path
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.cache import open_cache
from llama_data.train_handoff.trainer.ablate.overlap import Hashes
from llama_data.train_handoff.trainer.config import SampleConfig
from llama_data.train_handoff.trainer.loader import Ranges
from llama_data.train_handoff.trainer.pieces import Pieces, find_tokenizer, pieces_beside

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CONTROL = "A/A"  # the first arm once more, on other rows of its mix


@dataclass(frozen=True)
class Arm:
    """A mix and its name."""

    name: str
    mix: Mixture

    @property
    def rows(self) -> int:
        """Rows that the mix has."""
        return self.mix.rows


def named(item: str) -> tuple[str, str]:
    """``NAME=PATH`` as both, ``PATH`` with an empty name."""
    name, sign, path = item.partition("=")
    return (name, path) if sign and "/" not in name and path else ("", item)


def open_arms(given: Sequence[str], cache_dir: str | None = None) -> list[Arm]:
    """The arms: ``NAME=PATH`` or ``PATH`` (named after its folder) of a mix, or of a run with one in mix/.

    Raises:
        InputError: there is no mix.
        RequestError: fewer than two, two of one name, the same mix twice, or mixes that cannot be compared.
    """
    if len(given) < 2:
        raise RequestError("ablate compares two mixes or more; the first is what the others are compared with")
    arms = [_open(item, cache_dir) for item in given]
    names = [arm.name for arm in arms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f"two mixes would be called {twice!r}; name them: NAME=PATH")
    for number, arm in enumerate(arms):
        for other in arms[:number]:
            if arm.mix.fingerprint == other.mix.fingerprint:
                raise RequestError(
                    f"{other.name} and {arm.name} are the same mix ({arm.mix.fingerprint[:12]}); the A/A arm shows how "
                    "far it is from itself"
                )
    _require_agreement(arms)
    return arms


def _open(item: str, cache_dir: str | None) -> Arm:
    name, path = named(item)
    folder = str(local_path(path)) if is_local(path) else path
    folder = folder.rstrip("/") or folder
    if not exists(join(folder, "mix.json")) and exists(join(folder, "mix", "mix.json")):
        folder = join(folder, "mix")
    mix = Mixture(folder, open_cache(cache_dir))
    parts = [part for part in folder.split("/") if part not in ("", ".", "..")]
    if parts[-1:] == ["mix"]:
        parts.pop()
    name = name or (parts[-1] if parts else "mix")
    if not NAME.fullmatch(name):
        raise RequestError(f"{item}: the name {name!r}: expected letters, digits, . _ and - ; name it: NAME=PATH")
    return Arm(name, mix)


def _require_agreement(arms: Sequence[Arm]) -> None:
    first = arms[0]
    known = first.mix.footer.agreement()
    for arm in arms[1:]:
        for key, value in arm.mix.footer.agreement().items():
            if known[key] != value:
                raise RequestError(
                    f"{first.name} and {arm.name} differ in more than their data: {key} is {known[key]} and {value}; "
                    "tokenize both with the same tokenizer, row length and special ids, and mix again"
                )


def find_pieces(arms: Sequence[Arm], given: str | None) -> Pieces:
    """The tokenizer of all arms: the one given, else one that lies beside a mix.

    Raises InputError when there is none, RequestError when the given one is another.
    """
    wanted = arms[0].mix.footer.tokenizer_sha256
    if given is not None:
        from pathlib import Path

        if find_tokenizer(Path(given))[1] != wanted:
            raise RequestError(f"--tokenizer {given}: it is not the tokenizer of the mixes (sha256 {wanted})")
        return Pieces(Path(given))
    for arm in arms:
        found = pieces_beside(arm.mix.folder, wanted)
        if found is not None:
            return found
    raise InputError(
        f"{arms[0].mix.folder}: its tokenizer (sha256 {wanted}) lies beside none of the mixes; give its folder as "
        "--tokenizer"
    )


def sample(rows: int, needed: int, number: int, samples: int) -> SampleConfig:
    """The ``number``-th of so many samples of ``needed`` rows, which lie as far from each other as they can."""
    return SampleConfig(begin=number * rows // samples, rows=needed, seed=number + 1)


def ranges_of(taken: SampleConfig, rows: int) -> Ranges:
    """The rows of a mix of ``rows`` rows that a sample reads, each once."""
    end = taken.begin + min(taken.rows, rows)
    return ((taken.begin, min(end, rows)), (0, max(0, end - rows)))


def hashes_of(hashes: Hashes, taken: SampleConfig) -> Hashes:
    """The distinct rows that a sample reads, given a hash of each row of the mix."""
    return np.unique(np.concatenate([hashes[begin:end] for begin, end in ranges_of(taken, len(hashes))]))
