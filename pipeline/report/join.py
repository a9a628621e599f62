"""What became of the same documents in two runs: their ledgers joined by id, in memory that does not grow with them.

Two runs over the same input mostly have the same rows in the same order, task by task: a row group whose ids are equal
in both is compared as it stands. The rows of every other group go to disk, into parts by a hash of their ids (at most
256, some 500,000 rows each where that is enough), and part by part is joined in memory.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from llama_data.pipeline.ledger_reading import count_rows, ledger_files, read_groups
from llama_data.pipeline.report.tally import Draw

KEPT = "kept"
ABSENT = "absent"  # in the other run only
PART_ROWS = 500_000
PARTS = 256
EACH = 3
_COLUMNS = ("id", "outcome", "reason", "chars_out")
_SPILLED = pa.schema([("id", pa.string()), ("became", pa.string()), ("chars_out", pa.int64()), ("task", pa.string())])


class Moved(NamedTuple):
    """How many records went from one end to another between two runs, and the characters written of them in each."""

    records: int = 0
    chars_a: int = 0
    chars_b: int = 0


class Mover(NamedTuple):
    """One of these records: its task in each run."""

    id: str
    task_a: str
    task_b: str


@dataclass
class DomainDiff:
    """What became of a domain's records. Ends are ``kept``, a reason, or ``absent``.

    ``moves``: by end in the first and end in the second run. ``rewritten``: kept in both, with another length.
    """

    domain: str
    moves: dict[tuple[str, str], Moved] = field(default_factory=dict)
    samples: dict[tuple[str, str], Draw[Mover]] = field(default_factory=dict)
    rewritten: int = 0
    spilled: int = 0

    def gained(self) -> list[tuple[str, Moved]]:
        """Documents that only the second run keeps, by what the first did with them, the most first."""
        return _ranked({a: moved for (a, b), moved in self.moves.items() if b == KEPT and a != KEPT})

    def lost(self) -> list[tuple[str, Moved]]:
        """Documents that only the first run keeps, by what the second did with them, the most first."""
        return _ranked({b: moved for (a, b), moved in self.moves.items() if a == KEPT and b != KEPT})

    def shifted(self) -> list[tuple[tuple[str, str], Moved]]:
        """Records that neither run keeps, for different reasons."""
        ends = {ends: moved for ends, moved in self.moves.items() if ends[0] != ends[1] and KEPT not in ends}
        return _ranked(ends)

    @property
    def is_same(self) -> bool:
        """True when every record ended the same way, with the same length."""
        return not self.rewritten and all(a == b for a, b in self.moves)


def _ranked(rows: dict[Any, Moved]) -> list[tuple[Any, Moved]]:
    return sorted(rows.items(), key=lambda item: (-item[1].records, item[0]))


def compare_ledgers(run_a: str, run_b: str, domain: str) -> DomainDiff:
    """Join the two ledgers of a domain by id."""
    found = DomainDiff(domain)
    files_a, files_b = ({_task(path): path for path in ledger_files(run, domain)} for run in (run_a, run_b))
    with ExitStack() as stack:
        spill: list[_Spill] = []
        for task in sorted({*files_a, *files_b}):
            for a, b in zip_longest(_groups(files_a.get(task), task), _groups(files_b.get(task), task)):
                if a is not None and b is not None and a.column("id").equals(b.column("id")):
                    _count(found, _beside(a, b))
                    continue
                if not spill:
                    rows = sum(count_rows(path) for path in (*files_a.values(), *files_b.values()))
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="llama-data-join-"))
                    parts = min(PARTS, max(1, -(-rows // PART_ROWS)))
                    spill = [stack.enter_context(_Spill(f"{folder}/{side}", parts)) for side in "ab"]
                for side, table in zip(spill, (a, b), strict=True):
                    if table is not None:
                        side.add(table)
                        found.spilled += table.num_rows
        if spill:
            for side in spill:
                side.finish()
            for a, b in zip(spill[0].parts(), spill[1].parts(), strict=True):
                _count(found, _joined(a, b))
    return found


def _task(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".parquet")


def _groups(path: str | None, task: str) -> Iterator[pa.Table]:
    for table in read_groups(path, _COLUMNS) if path is not None else ():
        kept = pc.equal(table.column("outcome"), KEPT)
        became = pc.if_else(kept, KEPT, pc.fill_null(table.column("reason"), "no reason"))
        columns = [table.column("id"), became, table.column("chars_out"), _same(task, table.num_rows)]
        yield pa.Table.from_arrays(columns, schema=_SPILLED)


def _same(value: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), count)


class _Spill:
    """The rows of one run that have to be looked for, on disk by a hash of their ids. A context manager."""

    def __init__(self, path: str, parts: int) -> None:
        self._paths = [f"{path}-{part:03d}" for part in range(parts)]
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> _Spill:
        self._stack = ExitStack()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writers = [
            self._stack.enter_context(
                pa.ipc.new_stream(self._stack.enter_context(pa.OSFile(path, "wb")), _SPILLED, options=options)
            )
            for path in self._paths
        ]
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, table: pa.Table) -> None:
        """Take some rows; they are sorted into their parts when there are enough of them."""
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= PART_ROWS:
            self._flush()

    def _flush(self) -> None:
        table, self._waiting, self._rows = pa.concat_tables(self._waiting), [], 0
        count = len(self._paths)
        if count == 1:
            self._writers[0].write_table(table)
            return
        parts = np.fromiter((crc32(id.encode()) % count for id in table.column("id").to_pylist()), np.int64)
        order = np.argsort(parts, kind="stable")
        ends = np.searchsorted(parts[order], np.arange(count + 1))
        table = table.take(order)
        for part, writer in enumerate(self._writers):
            writer.write_table(table.slice(ends[part], ends[part + 1] - ends[part]))

    def finish(self) -> None:
        """Write what waits, and close the files."""
        if self._waiting:
            self._flush()
        self._stack.close()

    def parts(self) -> Iterator[pa.Table]:
        """The parts, one after the other."""
        for path in self._paths:
            with pa.OSFile(path) as stream, pa.ipc.open_stream(stream) as reader:
                yield reader.read_all()


def _beside(a: pa.Table, b: pa.Table) -> pa.Table:
    names = ("became", "chars_out", "task")
    return pa.table(
        {"id": a.column("id")}
        | {f"{name}_a": a.column(name) for name in names}
        | {f"{name}_b": b.column(name) for name in names}
    )


def _joined(a: pa.Table, b: pa.Table) -> pa.Table:
    a, b = (
        table.rename_columns(["id", *(f"{name}_{side}" for name in table.column_names[1:])])
        for table, side in ((a, "a"), (b, "b"))
    )
    return a.join(b, "id", join_type="full outer", use_threads=False)


def _count(found: DomainDiff, rows: pa.Table) -> None:
    filled = {
        name: pc.fill_null(rows.column(name), empty)
        for side in "ab"
        for name, empty in ((f"became_{side}", ABSENT), (f"chars_out_{side}", 0), (f"task_{side}", ""))
    }
    rows = pa.table({"id": rows.column("id"), **filled})
    ends = ["became_a", "became_b"]
    sums = rows.select([*ends, "chars_out_a", "chars_out_b"]).group_by(ends, use_threads=False)
    for row in sums.aggregate([([], "count_all"), ("chars_out_a", "sum"), ("chars_out_b", "sum")]).to_pylist():
        key = (row["became_a"], row["became_b"])
        before, new = found.moves.get(key, Moved()), (row["count_all"], row["chars_out_a_sum"], row["chars_out_b_sum"])
        found.moves[key] = Moved(*(a + b for a, b in zip(before, new, strict=True)))
        if KEPT in key and key[0] != key[1]:
            here = rows.filter(pc.and_(pc.equal(rows.column(ends[0]), key[0]), pc.equal(rows.column(ends[1]), key[1])))
            drawn = found.samples.setdefault(key, Draw(EACH, f"{found.domain} {key}"))
            drawn.offer(here.num_rows, partial(_mover, here))
    both = pc.and_(pc.equal(rows.column(ends[0]), KEPT), pc.equal(rows.column(ends[1]), KEPT))
    other = pc.not_equal(rows.column("chars_out_a"), rows.column("chars_out_b"))
    found.rewritten += pc.sum(pc.and_(both, other)).as_py() or 0


def _mover(rows: pa.Table, place: int) -> Mover:
    return Mover(*(str(rows.column(name)[place].as_py()) for name in ("id", "task_a", "task_b")))
