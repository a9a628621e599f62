"""arXiv's source tars to documents: one for every paper, its files still as they were sent in."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, make_document, reject
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.ledger import count_lines
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv.archive import Limits, Member, Source, read_members, unpack
from llama_data.stages.arxiv.project import Project, looks_like_tex

_NEW_ID = re.compile(r"(\d{4})\.\d{4,5}(?:v\d+)?\Z")
_OLD_ID = re.compile(r"([a-z][a-z-]*(?:\.[A-Z]{2})?)(\d{4})(\d{3}(?:v\d+)?)\Z")
_NOT_TEX = (b"%pdf", b"%!ps", b"\x04%!ps", b"<html", b"<!doctype", b"pk\x03\x04")


def parse_id(name: str) -> tuple[str, str] | None:
    """The arXiv identifier and its year and month (YYMM) from the name of a paper's archive, or None."""
    stem = posixpath.basename(name).removesuffix(".gz").removesuffix(".pdf").removesuffix(".tar")
    found = _NEW_ID.match(stem)
    if found is not None:
        return stem, found[1]
    found = _OLD_ID.match(stem)
    return (f"{found[1]}/{found[2]}{found[3]}", found[2]) if found is not None else None


class Paper(Document):
    """A paper's archive. ``project``: its files, with the verbatim passages that are masked while it is cleaned."""

    __slots__ = ("project",)
    project: Project


class ArxivReader(Reader):
    """Reads papers from splits of source tars; a paper without TeX is rejected, a broken one failed."""

    name = "read_arxiv"

    def __init__(
        self,
        *,
        splits: Sequence[Split] = (),
        tasks: Sequence[Sequence[Split]] | None = None,
        domain: str,
        limits: Limits,
    ) -> None:
        super().__init__(splits=splits, tasks=tasks, domain=domain)
        self.limits = limits

    def read(self, split: Split) -> Iterator[Document]:
        """Yield a document for every paper of the split."""
        if split.size == 0:
            yield self.failed(split, key=0, reason=Reason.truncated_file, detail="the file is empty")
            return
        for member in read_members(split, self.limits):
            doc = self._new(split, member)
            if member.problem is not None:
                yield self.failed(split, key=member.offset, reason=member.problem, detail=member.detail)
                continue
            if member.name.lower().endswith(".pdf"):
                reject(doc, Reason.no_tex, self.name)
                yield doc
                continue
            try:
                source = unpack(member.data, self.limits)
                self._fill(doc, source)
            except RecordError as error:
                detail = f"{member.name}: {error.detail}"
                yield self.failed(split, key=member.offset, reason=error.reason, detail=detail)
                continue
            yield doc

    def _new(self, split: Split, member: Member) -> Paper:
        known = parse_id(member.name)
        key = known[0] if known else f"{split.name}#{member.offset}"
        return make_document(
            Paper,
            domain=self.domain,
            id=f"{self.domain}/{key}",
            text="",
            source=f"{split.name}#{member.offset}",
            url=f"https://arxiv.org/abs/{known[0]}" if known else None,
            arxiv_id=known[0] if known else None,
            yymm=known[1] if known else None,
        )

    def _fill(self, doc: Paper, source: Source) -> None:
        """Put the paper's text into the document, or reject it. Raises RecordError when it is no text at all."""
        if source.single and _is_binary(source.files[""]):
            if not source.files[""].lower().lstrip().startswith(_NOT_TEX):
                raise RecordError(Reason.wrong_format, "neither a tar nor text")
            reject(doc, Reason.no_tex, self.name)
            return
        project = Project(files=source.files)
        names = project.tex_names
        doc.text = "\n".join(project.raw(name) for name in names)
        doc.chars_in = sum(len(project.raw(name)) for name in names)
        doc.lines_in = sum(count_lines(project.raw(name)) for name in names)
        doc.project = project
        if source.skipped:
            doc.metadata["skipped_members"] = source.skipped
        if not names or not any(looks_like_tex(project.raw(name)) for name in names):
            reject(doc, Reason.no_tex, self.name)


def _is_binary(data: bytes) -> bool:
    head = data[:4096]
    if head.lower().lstrip().startswith(_NOT_TEX):
        return True
    return head.count(b"\0") > len(head) // 500 and not head.startswith((b"\xff\xfe", b"\xfe\xff"))
