"""Reads repositories and source archives: one document for every file, link and submodule at one commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, fail, make_document, reject
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.github import archives, git
from llama_data.stages.github.entry import Entry, Limits, Snapshot, entry_key, has_text, readable
from llama_data.stages.github.file import SourceFile
from llama_data.stages.github.languages import language_of
from llama_data.stages.github.repositories import Repository


class RepositoryReader(Reader):
    """Documents in the order of the repositories' names. The id is ``github/NAME/PATH``, NAME being the repository's
    path below the input folder, which nothing else can have.

    ``tasks``: what each task reads; the first of them is task number ``first_task`` of the job, behind those that read
    rows.
    """

    name = "read_repositories"

    def __init__(self, *, tasks: Sequence[Sequence[Repository]], first_task: int, domain: str, limits: Limits) -> None:
        super().__init__(tasks=tasks, domain=domain)
        self.first_task = first_task
        self.limits = limits

    def task_splits(self, rank: int, world_size: int) -> Sequence[Split]:
        """The repositories of the task."""
        number = rank - self.first_task
        return self.tasks[number] if 0 <= number < len(self.tasks) else ()

    def read(self, split: Split) -> Iterator[Document]:
        """Yield the files of a repository; one row for a repository that has none or cannot be read."""
        assert isinstance(split, Repository)
        found = False
        try:
            snapshot = self._snapshot(split)
            if snapshot is not None:
                for entry in snapshot.entries:
                    found = True
                    yield self._document(split, snapshot, entry)
        except RecordError as error:
            found = True
            if split.piece == 0:
                doc = self._whole(split)
                fail(doc, error.reason, self.name, error.detail)
                yield doc
        # Where there is any file, the last piece has one.
        if not found and split.piece == split.pieces - 1:
            doc = self._whole(split)
            reject(doc, Reason.empty_repository, self.name)
            yield doc

    def _snapshot(self, split: Repository) -> Snapshot | None:
        """The repository at its commit, None when it has none. Raises RecordError: it cannot be read."""
        if not split.git:
            return archives.snapshot(split, archives.without_suffix(split.name), self.limits)
        commit = split.commit or git.head_commit(split.path)
        if commit is None:
            return None
        name = split.name.removesuffix("/.git").removesuffix(".git")
        return git.snapshot(split.path, name, commit, self.limits, split.piece, split.pieces)

    def _whole(self, split: Repository) -> Document:
        """The document of a repository of which there is no file to name."""
        return make_document(
            SourceFile, domain=self.domain, id=f"{self.domain}/{split.name}", text="", source=split.name
        )

    def _document(self, split: Repository, snapshot: Snapshot, entry: Entry) -> Document:
        key, path = entry_key(entry), readable(entry.path)
        doc = make_document(
            SourceFile,
            domain=self.domain,
            id=f"{self.domain}/{split.name}/{key}" if key else f"{self.domain}/{split.name}",
            text="",
            source=f"{split.name}#{key}",
            path=path,
            repo_name=snapshot.name,
            commit=snapshot.commit,
            license=snapshot.licence,
            code_language=language_of(path),
            url=snapshot.url(entry.path),
        )
        doc.has_content = entry.data is not None and has_text(entry.data)
        if entry.problem is not None:
            fail(doc, entry.problem.reason, self.name, entry.problem.detail)
        elif entry.link:
            reject(doc, Reason.not_a_file, self.name)
        elif entry.data is not None and doc.has_content:
            try:
                doc.text = entry.data.decode()
            except UnicodeDecodeError as error:
                reject(doc, Reason.invalid_encoding, self.name, f"not UTF-8 at byte {error.start}")
        return doc
