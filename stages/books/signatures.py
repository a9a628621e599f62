"""Which books may be alike: their MinHash signatures cut into bands, in datasketch's index.

``RUN/signatures/books/*.parquet`` has a row for every book that has a word, the duplicates too
(``steps/signature_files``). docs/formats.md says what is in the files, and how they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, log
from typing import Any

from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.kernels.minhash import Signature
from llama_data.stages.steps.signature_files import SUFFIX, Made, read_file, to_minhash

MISSED = 1e-6
"""The chance with which the bands may miss two books that are alike by just the threshold; it falls fast above."""


def bands(threshold: float, permutations: int) -> tuple[int, int]:
    """How many bands a signature is cut into, and how many values each has.

    Two books are compared when one of their bands is equal. The widest bands are taken, for they let the fewest books
    through, that miss two books of just the threshold's Jaccard similarity with a chance of at most ``MISSED``.
    (datasketch's own choice weighs both errors alike, and would miss two of three at 0.9.)

    Raises ValueError: there are too few permutations for that.
    """
    for width in range(permutations // 2, 0, -1):
        number = permutations // width
        if (1 - threshold**width) ** number <= MISSED:
            return number, width
    needed = ceil(log(MISSED) / log(1 - threshold))
    raise ValueError(
        f"{permutations} permutations are too few for a Jaccard similarity of {threshold}: it needs {needed}"
    )


def find_alike(
    folder: str, rank: int, tasks: int, numbers: Mapping[str, int], threshold: float
) -> dict[int, list[int]]:
    """Candidates by datasketch's ``MinHashLSH``: for the books of this task's files those of higher numbers.

    The index holds the task's own books only and is asked by all, file by file: no task has all signatures in memory.
    Books without a number are left out.
    """
    from datasketch import MinHashLSH  # type: ignore[import-untyped]

    paths = list_files(folder, SUFFIX)
    own = [path for path in paths if belongs(path, rank, tasks)]
    index: Any = None
    for made, number, values in _numbered(own, numbers):
        if index is None:
            index = MinHashLSH(num_perm=made.permutations, params=bands(threshold, made.permutations))
        index.insert(number, to_minhash(values, made), check_duplication=False)
    found: dict[int, list[int]] = {}
    if index is not None:
        for made, number, values in _numbered(paths, numbers):
            for preferred in index.query(to_minhash(values, made)):
                if preferred < number:
                    found.setdefault(preferred, []).append(number)
    return {preferred: sorted(others) for preferred, others in found.items()}


def _numbered(paths: Sequence[str], numbers: Mapping[str, int]) -> Iterator[tuple[Made, int, Signature]]:
    for path in paths:
        made, signed = read_file(path)
        for book in signed:
            if book.id in numbers:
                yield made, numbers[book.id], book.values


def belongs(path: str, rank: int, tasks: int) -> bool:
    """True when a file that is named by the number of the task that wrote it is one of task ``rank``'s of ``tasks``."""
    return int(path.rsplit("/", 1)[-1].split(".", 1)[0]) % tasks == rank
