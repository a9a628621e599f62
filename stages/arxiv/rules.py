"""The decisions of the arXiv stage: a paper's files become one clean LaTeX text."""

from __future__ import annotations

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import cuts
from llama_data.stages.arxiv.expand import expand
from llama_data.stages.arxiv.reader import Paper


class InlineAndExpand(Rule):
    """One text from a paper's files: comments removed, files inlined, definitions expanded (LLaMA, section 2.1).

    ``macros`` False leaves definitions and macros as they are. ``growth``: how many times longer than its source
    a paper may become; beyond it the macros are left and ``macro_problem`` says so.
    """

    name = "inline_and_expand"

    def __init__(self, *, macros: bool = True, growth: float = 4.0) -> None:
        super().__init__()
        self.macros = macros
        self.growth = growth

    def judge(self, doc: Document) -> Reason | None:
        """Return why the paper has no body. Raises RecordError past the limits on inlined files."""
        project = Paper.of(doc).project
        main = project.main()
        if main is None:
            return Reason.no_tex
        result = expand(project, main, macros_too=self.macros, growth=self.growth)
        doc.metadata["main_file"] = main or "(single file)"
        doc.metadata["encoding"] = project.encodings[main]
        doc.metadata["macros_expanded"] = result.expanded
        doc.metadata["files_read"] = len(set(result.read))
        if result.missing:
            doc.metadata["missing_inputs"] = len(result.missing)
        if result.problem is not None:
            doc.metadata["macro_problem"] = result.problem
        if not result.text.strip():
            return Reason.no_body
        doc.text = result.text
        return None


class CutToBody(Rule):
    """Leaves out what stands before the first section, and the bibliography (LLaMA, section 2.1).

    ``keep_abstract``: the abstract stands before the first section (Minerva, B.1). ``appendix`` False: everything
    from the appendix on leaves (Minerva). ``after_bibliography`` False: everything from the bibliography on leaves
    (Minerva, RedPajama).
    """

    name = "cut_to_body"

    def __init__(self, *, keep_abstract: bool = False, appendix: bool = True, after_bibliography: bool = True) -> None:
        super().__init__()
        self.keep_abstract = keep_abstract
        self.appendix = appendix
        self.after_bibliography = after_bibliography

    def judge(self, doc: Document) -> Reason | None:
        """Return why nothing is left."""
        front = cuts.find_body(doc.text)
        text = doc.text[front.start :]
        if front.found_by != "section":
            text = cuts.remove_front_matter(text)
        if not self.after_bibliography:
            text = cuts.cut_at_bibliography(text)
        if not self.appendix:
            text = cuts.cut_appendix(text)
        text = cuts.tidy(cuts.remove_bibliography(text))
        if not text:
            return Reason.empty_after_cleaning
        if self.keep_abstract:
            text = cuts.abstract(doc.text[: front.start]) + text
        doc.metadata["body_from"] = front.found_by
        doc.text = Paper.of(doc).project.masks.restore(text)
        return None
