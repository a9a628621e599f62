"""Examples to rows, once before a run: which share a row, what of them counts, and where each came from.

Everything that is written is a function of the files, the template, the tokenizer, the row length and the seed, so that
a run that goes on elsewhere makes the same rows. Imports no torch.
"""

from __future__ import annotations

import json
import shutil
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import sha256_of
from llama_data.train_handoff.mix.order import draw
from llama_data.train_handoff.shards.file import Footer
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import file_entry
from llama_data.train_handoff.trainer.template import Template
from llama_data.train_handoff.trainer.tuning.examples import read_lines

EXAMPLES = "examples.json"
FORMAT = 1
COUNTS, BEGINS = 1, 2  # marks of an id: it has to be predicted; an example, or the padding, begins with it
OPEN_ROWS = 256  # that examples are still put into
SHOWN = 20  # damaged lines are named up to this many
LEFT_OUT = ("damaged_line", "empty_completion", "too_long")


@dataclass(frozen=True)
class Packing:
    """What is packed, and how.

    ``overflow``: an example with more than the ``seq_len + 1`` ids of a row is left out (``drop``), or is cut off there
    (``truncate``), and left out too when no id of a completion is left. ``damaged``: so many damaged lines at most.
    """

    files: tuple[str, ...]
    template: Template
    pieces: Pieces
    footer: Footer
    seed: int
    overflow: Literal["drop", "truncate"] = "drop"
    damaged: int = 10

    @property
    def opener(self) -> list[int]:
        """What a conversation begins with, as documents did: BOS, or EOS where the rows have no BOS."""
        return [id for id in (self.footer.bos_id, self.footer.eos_id) if id is not None][:1]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over all that fixes the rows and their order; reads the files once."""
        files = [sha256_of(path) for path in self.files]
        how = [FORMAT, self.seed, self.template.text, self.overflow, self.footer.agreement(), files]
        return sha256(json.dumps(how).encode()).hexdigest()


@dataclass
class Tally:
    """What became of the lines: counts by reason, and the damaged ones by name."""

    lines: int = 0
    examples: int = 0
    truncated: int = 0
    left_out: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEFT_OUT, 0))
    damaged: list[str] = field(default_factory=list)

    def note_damage(self, line: str, most: int) -> None:
        """Count a damaged line. Raises InputError when there are more than ``most``."""
        self.left_out["damaged_line"] += 1
        if len(self.damaged) < SHOWN:
            self.damaged.append(line)
        if self.left_out["damaged_line"] > most:
            raise InputError(
                f"{line}; {self.left_out['damaged_line']:,} damaged line(s), more than the {most:,} of --damaged"
            )


@dataclass(frozen=True)
class Encoded:
    """An example: its ids, whether each counts, and the file and line that it came from."""

    ids: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]
    file: int
    line: int


def encode(packing: Packing, tally: Tally) -> Iterator[Encoded]:
    """The examples of all files in their order; ``tally`` is told what is left out. Raises InputError."""
    room = packing.footer.seq_len + 1
    for file, path in enumerate(packing.files):
        for line in read_lines(path):
            tally.lines += 1
            if line.problem:
                tally.note_damage(f"{path}: line {line.number:,}: {line.problem}", packing.damaged)
                continue
            if not all(completion.strip() for _, completion in line.turns):
                tally.left_out["empty_completion"] += 1
                continue
            ids, said = packing.template.example(packing.pieces, line.turns)
            ids, said = [*packing.opener, *ids], [False] * len(packing.opener) + said
            said[0] = False  # nothing stands before it
            if len(ids) > room:
                if packing.overflow == "drop" or not any(said[:room]):
                    tally.left_out["too_long"] += 1
                    continue
                tally.truncated += 1
            tally.examples += 1
            yield Encoded(
                np.array(ids[:room], packing.footer.numpy_dtype), np.array(said[:room], np.bool_), file, line.number
            )


def fill_rows(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Which examples share a row of ``room`` ids, in the order in which the rows are closed.

    Each is put into the row that it fills best of at most ``OPEN_ROWS``; when it fits into none and there are so many,
    the fullest of them is closed.
    """
    rows: list[list[int]] = []
    closed: list[list[int]] = []
    left: list[tuple[int, int]] = []  # room and number of the open rows, least room first
    for number, size in enumerate(sizes):
        place = bisect_left(left, (size, 0))
        if place < len(left):
            space, row = left.pop(place)
        else:
            if len(left) == OPEN_ROWS:
                closed.append(rows[left.pop(0)[1]])
            space, row = room, len(rows)
            rows.append([])
        rows[row].append(number)
        insort(left, (space - size, row))
    return closed + [rows[row] for _, row in left]


def pack(packing: Packing, folder: Path) -> None:
    """Write the rows to ``folder``, which appears when all is written.

    Raises InputError when a file cannot be read, more lines are damaged than ``damaged``, or no example is left.
    """
    tally = Tally()
    found = list(encode(packing, tally))
    if not found:
        why = ", ".join(f"{name} {count:,}" for name, count in tally.left_out.items() if count)
        raise InputError(f"{packing.files[0]}: no example in {tally.lines:,} line(s){f' ({why})' if why else ''}")
    order = draw(np.arange(len(found)), len(found), seed=packing.seed, domain="examples")
    examples = [found[number] for number in order]
    room = packing.footer.seq_len + 1
    rows = fill_rows([len(example.ids) for example in examples], room)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    arrays = _arrays(examples, rows, room, packing.footer)
    for name, values in arrays.items():
        np.save(partial / name, values)
    content = {
        "format": FORMAT,
        "fingerprint": packing.fingerprint,
        "seed": packing.seed,
        "template": packing.template.text,
        "overflow": packing.overflow,
        "files": list(packing.files),
        "rows": len(rows),
        "ids": sum(len(example.ids) for example in examples),
        "targets": int(arrays["targets.npy"].sum()),
        "tally": asdict(tally),
        "footer": asdict(packing.footer),
        "sizes": {name: file_entry(partial / name) for name in arrays},
    }
    (partial / EXAMPLES).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _arrays(
    examples: Sequence[Encoded], rows: Sequence[Sequence[int]], room: int, footer: Footer
) -> dict[str, np.ndarray[Any, Any]]:
    """Ids and marks of each row; how many of its ids count; row, file and line of each example."""
    ids = np.zeros((len(rows), room), footer.numpy_dtype)
    marks = np.zeros((len(rows), room), np.uint8)
    origins = []
    for number, row in enumerate(rows):
        ends = [0, *accumulate(len(examples[index].ids) for index in row)]
        for index, (begin, end) in zip(row, pairwise(ends), strict=True):
            example = examples[index]
            ids[number, begin:end] = example.ids
            marks[number, begin:end] = example.counts * COUNTS
            marks[number, begin] |= BEGINS
            origins.append((number, example.file, example.line))
        if ends[-1] < room:
            marks[number, ends[-1]] = BEGINS  # padding, which is no part of the last example and does not count
    return {
        "ids.npy": ids,
        "marks.npy": marks,
        "targets.npy": (marks & COUNTS).astype(np.int64).sum(axis=1),
        "origins.npy": np.array(origins, np.int64),
    }
