"""Texts of a run: those of rows of its ledger, and all that hold a passage. Files are read as streams, never whole."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import orjson

from llama_data.pipeline.core.document import Outcome
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import DAMAGE, join, list_files, read_pieces
from llama_data.pipeline.core.lines import cut_lines
from llama_data.pipeline.core.sink import SUFFIX, documents_of_task
from llama_data.pipeline.ledger_reading import ledger_domains
from llama_data.pipeline.looking.rows import Found, Place

OPEN = 4
"""So many files stay open where reading has stopped, so that the next page of rows goes on from there."""

KINDS = ("documents", "rejected")


class Hit(NamedTuple):
    """A text that holds a passage: its record, the kind of file that it stands in, and the task that wrote it."""

    kind: str
    domain: str
    task: str
    record: dict[str, Any]


class Texts:
    """The texts of a run by the rows of its ledger. Several threads may ask."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str, str], _Cursor] = OrderedDict()

    def of(self, found: Iterable[Found], seconds: float | None = None) -> dict[Place, dict[str, Any]]:
        """The records (id, text, metadata) of rows; those whose text was not kept are missing.

        Rows of one file cost one pass together, from where reading stopped before when they stand behind that.
        ``seconds``: so long is read, and what was not reached is missing.

        Raises:
            InputError: a file is damaged.
        """
        wanted: dict[tuple[str, str, str], dict[bytes, Place]] = {}
        for place, row in found:
            kind = KINDS[0] if row["outcome"] == Outcome.kept else KINDS[1]
            wanted.setdefault((kind, place.domain, place.task), {})[_head(row["id"])] = place
        texts: dict[Place, dict[str, Any]] = {}
        until = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            for key, heads in wanted.items():
                for head, line in self._cursor(key).lines(set(heads), until):
                    texts[heads[head]] = orjson.loads(line)
        return texts

    def _cursor(self, key: tuple[str, str, str]) -> _Cursor:
        if key not in self._open:
            kind, domain, task = key
            self._open[key] = _Cursor(documents_of_task(join(self.run, kind, domain), task))
            while len(self._open) > OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(key)
        return self._open[key]


def _head(id: str) -> bytes:
    """How the line of a record begins: the sink writes the id first."""
    return b'{"id":' + orjson.dumps(id) + b","


class _Cursor:
    """The lines of some files, from where the last question ended."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self._lines: Iterator[bytes] = iter(())

    def lines(self, heads: set[bytes], until: float | None) -> Iterator[tuple[bytes, bytes]]:
        """The lines that begin so, and which begins how. Goes on to the end, and then once from the beginning."""
        left = set(heads)
        for lines in (self._lines, _lines_of(self.paths)):
            self._lines = lines
            for number, line in enumerate(lines):
                if until is not None and not number % 64 and time.monotonic() > until:
                    return
                head = line[: line.find(b'","text":') + 2]
                if head in left:
                    left.discard(head)
                    yield head, line
                    if not left:
                        return


def _lines_of(paths: Iterable[str]) -> Iterator[bytes]:
    for path in paths:
        try:
            for lines in cut_lines(read_pieces(path)):
                yield from (line or b"" for line in lines)
        except DAMAGE as error:
            raise InputError(f"{path}: damaged: {error}; `llama-data verify` says what else is") from None


def texts_with(run: str, passage: str, domain: str | None = None) -> Iterator[Hit]:
    """All documents and rejected texts that hold a passage, as it is written. Reads every text of the run."""
    escaped = orjson.dumps(passage)[1:-1]
    for name in ledger_domains(run) if domain is None else [domain]:
        for kind in KINDS:
            for path in list_files(join(run, kind, name), SUFFIX):
                task = path.rpartition("/")[2].removesuffix(SUFFIX).partition("-")[0]
                for line in _lines_of([path]):
                    # The escaped passage may also stand in the metadata, so what is found is looked at again.
                    if escaped in line and passage in (record := orjson.loads(line))["text"]:
                        yield Hit(kind, name, task, record)
