"""The decisions of the arXiv stage: a paper's files become one clean LaTeX text."""

from __future__ import annotations

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import cuts
from llama_data.stages.arxiv.expand import expand
from llama_data.stages.arxiv.reader import Paper

# stands between the texts of papers that share an archive; decoding has made sure that no source brings it
BETWEEN = "\ufdd2"


class InlineAndExpand(Rule):
    """One text from a paper's files: comments removed, files inlined, definitions expanded (LLaMA, section 2.1).

    ``macros`` False leaves definitions and macros as they are. ``growth``: how many times longer than its source
    a paper may become; beyond it the macros are left and ``macro_problem`` says so. An archive may hold several
    complete papers: their texts follow each other in arXiv's order, ``further_main_files`` names all but the first.
    """

    name = "inline_and_expand"

    def __init__(self, *, macros: bool = True, growth: float = 4.0) -> None:
        super().__init__()
        self.macros = macros
        self.growth = growth

    def judge(self, doc: Document) -> Reason | None:
        """Return why the paper has no body. Raises RecordError past the limits on inlined files."""
        project = Paper.of(doc).project
        mains = project.mains()
        if not mains:
            return Reason.no_tex
        results = [expand(project, main, macros_too=self.macros, growth=self.growth) for main in mains]
        doc.metadata["main_file"] = mains[0] or "(single file)"
        if len(mains) > 1:
            doc.metadata["further_main_files"] = " ".join(mains[1:])
        doc.metadata["encoding"] = project.encodings[mains[0]]
        doc.metadata["macros_expanded"] = sum(result.expanded for result in results)
        doc.metadata["files_read"] = len({file for result in results for file in result.read})
        missing = sum(len(result.missing) for result in results)
        if missing:
            doc.metadata["missing_inputs"] = missing
        problem = next((result.problem for result in results if result.problem is not None), None)
        if problem is not None:
            doc.metadata["macro_problem"] = problem
        texts = [result.text for result in results if result.text.strip()]
        if not texts:
            return Reason.no_body
        doc.text = BETWEEN.join(texts)
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
        bodies: list[str] = []
        for whole in doc.text.split(BETWEEN):
            front = cuts.find_body(whole)
            text = self._body(whole, front)
            if text:
                bodies.append(text)
                doc.metadata.setdefault("body_from", front.found_by)
        if not bodies:
            return Reason.empty_after_cleaning
        doc.text = Paper.of(doc).project.masks.restore("\n\n".join(bodies))
        return None

    def _body(self, whole: str, front: cuts.Front) -> str:
        text = whole[front.start :]
        if front.found_by != "section":
            text = cuts.remove_front_matter(text)
        if not self.after_bibliography:
            text = cuts.cut_at_bibliography(text)
        if not self.appendix:
            text = cuts.cut_appendix(text)
        text = cuts.tidy(cuts.remove_bibliography(text))
        return cuts.abstract(whole[: front.start]) + text if text and self.keep_abstract else text
