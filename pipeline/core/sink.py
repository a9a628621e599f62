"""The end of every domain's last job: documents, ledger, and a seeded sample of the rejected texts."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.document import Document, Outcome, Verdict, fail, is_open, verdict
from llama_data.pipeline.core.files import exists, join, list_files, remove_tree
from llama_data.pipeline.core.hashed import WrittenFile
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.pipeline.core.keys import KeyHashes
from llama_data.pipeline.core.ledger import LedgerWriter
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import Utf8Document
from llama_data.pipeline.core.whereabouts import counts
from llama_data.pipeline.core.written import leave_note

SUFFIX = ".jsonl.zst"


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage in cycles a hundred times more rarely: documents make none, and every search walks the heap."""
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Sink(Step):
    """Writes the documents of a task to the files of their domain.

    ``domains``: the domains that a document's ``metadata["domain"]`` may name, where it is not one alone. Every one
    of them gets its three files, empty ones too, so that what a task writes does not depend on what it reads.
    ``keys``: a folder for the keys of all rows, where the source may give one to two records (``core.keys``).
    """

    name = "write"
    leaves = ""

    def __init__(
        self,
        *,
        run: RunContext,
        domain: str,
        columns: Mapping[str, str] | None = None,
        domains: Sequence[str] = (),
        keys: str | None = None,
    ) -> None:
        super().__init__()
        self.context = run
        self.group = domain
        self.keys = keys
        self.domains = tuple(domains) or (domain,)
        self.columns = dict(columns or {})

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's files. Yields nothing."""
        outcomes: Counter[str] = Counter()
        keys = None if self.keys is None else KeyHashes(self.keys, rank)
        with _few_collections(), ExitStack() as stack:
            outputs = {
                domain: stack.enter_context(_Output(self.context, domain, f"{rank:05d}", self.columns))
                for domain in self.domains
            }
            for doc in data:
                mend(doc, self.domains[0], self.name)
                named = doc.metadata.get("domain")
                if named not in outputs:
                    detail = f"expected a domain among {', '.join(self.domains)}, found {named!r} of a step before"
                    fail(doc, Reason.not_writable, self.name, detail)
                    doc.metadata["domain"] = named = self.domains[0]
                found = outputs[named].add(doc)
                outcomes["kept" if found is None else str(found.outcome)] += 1
                counts.settled += 1
                counts.kept += found is None
                counts.failed += found is not None and found.outcome is Outcome.failed
                if keys is not None:
                    keys.add(doc, found is None)
        if keys is not None:
            keys.write()
        files = [file for output in outputs.values() for file in output.written()]
        leave_note(self.context.output, self.group, f"{self.leaves}{rank:05d}", files)
        self.count(outcomes)
        yield from ()


def mend(doc: Document, domain: str, step: str) -> None:
    """Fail a document of which a step before ``step`` has left no text, id or metadata; give it what a row needs."""
    if not isinstance(doc.metadata, dict):
        _spoilt(doc, step, "metadata", {"domain": domain})
    if not isinstance(doc.id, str):
        _spoilt(doc, step, "id", "")
    # A rejected page that nobody has decoded yet need not be decoded for this.
    if (is_open(doc) or not isinstance(doc, Utf8Document)) and not isinstance(doc.text, str):
        _spoilt(doc, step, "text", "")


def _spoilt(doc: Document, step: str, name: str, empty: str | dict[str, str]) -> None:
    detail = f"expected {name} to be a {type(empty).__name__}, found {getattr(doc, name)!r:.100} of a step before"
    fail(doc, Reason.not_writable, step, detail)
    setattr(doc, name, empty)


class _Output:
    """The files of one task in one domain. A context manager."""

    def __init__(self, run: RunContext, domain: str, name: str, columns: Mapping[str, str]) -> None:
        self._run = run
        self._documents = DocumentsWriter(run.documents(domain), name, run.documents_per_file)
        self._rejected = JsonlWriter(join(run.rejected(domain), name + SUFFIX))
        self._ledger = LedgerWriter(join(run.ledger(domain), name + ".parquet"), columns)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for writer in (self._documents, self._rejected, self._ledger):
                stack.enter_context(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def written(self) -> list[WrittenFile]:
        """What was written, once it is there."""
        return [*self._documents.written, self._rejected.written, self._ledger.written]

    def add(self, doc: Document) -> Verdict | None:
        """Write the document where it belongs, and its row; what became of it in the end."""
        if is_open(doc):
            try:
                self._documents.write({"id": doc.id, "text": doc.text, "metadata": doc.metadata})
            except TypeError as error:  # a lone surrogate, or a value that a step has put there
                fail(doc, Reason.not_writable, Sink.name, str(error))
        self._ledger.add(doc)
        found = verdict(doc)
        if found is not None and sampled(self._run, doc.id):
            marks = {"reason": str(found.reason), "step": found.step}
            try:
                self._rejected.write({"id": doc.id, "text": doc.text, "metadata": {**doc.metadata, **marks}})
            except TypeError:
                self._rejected.write({"id": _plain(doc.id), "text": _plain(doc.text), "metadata": marks})
        return found


def sampled(run: RunContext, id: str) -> bool:
    """True for the share of rejected ids whose texts the recipe keeps, chosen by a hash of seed and id."""
    digest = hashlib.blake2b(f"{run.seed}:{id}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little") < run.rejected_sample * 2**64


def _plain(text: str) -> str:
    """The text with a question mark for what UTF-8 does not have."""
    return text.encode("utf-8", "replace").decode()


class DocumentsWriter:
    """Writes the documents of a task: to ``name.jsonl.zst``, or in parts ``name-00000.jsonl.zst`` of ``most`` each.

    ``written``: what was written, once it is there.
    """

    def __init__(self, folder: str, name: str, most: int | None) -> None:
        self._base = join(folder, name)
        self._most = most
        self._part = 0
        self.written: list[WrittenFile] = []

    def __enter__(self) -> Self:
        if self._most is not None:
            self._remove_parts()
        self._open()
        return self

    def _remove_parts(self) -> None:
        """Remove the parts that a task left when it was ended; with a step mended since, it may come to fewer."""
        parts = 0
        while exists(self._path(parts)):
            parts += 1
        # From the last on, so that what is left is still found when this ends midway.
        for part in reversed(range(parts)):
            remove_tree(self._path(part))

    def _path(self, part: int) -> str:
        return f"{self._base}{'' if self._most is None else f'-{part:05d}'}{SUFFIX}"

    def _open(self) -> None:
        self._file = JsonlWriter(self._path(self._part)).__enter__()

    def write(self, record: dict[str, Any]) -> None:
        """Add one document."""
        if self._file.count == self._most:
            self._close(None, None, None)
            self._part += 1
            self._open()
        self._file.write(record)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(kind, error, trace)

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, trace)
        self.written.append(self._file.written)


def documents_of_task(folder: str, name: str) -> list[str]:
    """The files that ``DocumentsWriter`` made in a folder under the name of a task, in order."""
    return [path for path in list_files(folder, SUFFIX) if path.rpartition("/")[2].startswith((f"{name}.", f"{name}-"))]
