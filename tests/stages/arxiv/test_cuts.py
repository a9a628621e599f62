"""What leaves a paper before its first section and at its bibliography, and what does not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.arxiv import cuts

HEAD = "\\documentclass{article}\\begin{document}\\title{T}\\maketitle\\begin{abstract}Abs\\end{abstract}\nIntro\n"
Runner = Callable[..., Any]


def clean(run: Runner, text: str, **settings: object) -> tuple[str, str]:
    found = run({"2101.00001.gz": gzip.compress(text.encode(), mtime=0)}, **settings)
    (doc,) = found.documents
    return doc["text"], doc["metadata"]["body_from"]


def test_the_first_section_and_not_a_commented_one(run: Runner) -> None:
    text = HEAD + "%\\section{Old}\nStill before.\n\\section*{New}\nText\n\\end{document}\nafter"
    assert clean(run, text) == ("\\section*{New}\nText", "section")


def test_a_section_in_verbatim_is_none(run: Runner) -> None:
    assert clean(run, HEAD + "\\verb|\\section{x}| \\part{P} Text")[0] == "\\part{P} Text"


def test_a_letter_without_sections_keeps_its_text(run: Runner) -> None:
    assert clean(run, HEAD + "\\date{today}Text\n\\end{document}") == ("Intro\nText", "front_matter")
    closing = "Text\n\\section*{Acknowledgments} We thank.\n\\end{document}"
    assert clean(run, HEAD + closing) == ("Intro\nText\n\\section*{Acknowledgments} We thank.", "front_matter")
    assert clean(run, "\\begin{document}Only text\\end{document}") == ("Only text", "document")


def test_settings(run: Runner) -> None:
    text = HEAD + "\\section{A}a\n\\begin{thebibliography}{9}\\bibitem{x} X\\end{thebibliography}\n\\appendix\nB"
    assert clean(run, text)[0] == "\\section{A}a\n\n\\appendix\nB"
    assert clean(run, text, cut_appendix=True)[0] == "\\section{A}a"
    assert clean(run, text, cut_after_bibliography=True)[0] == "\\section{A}a"
    kept = clean(run, text, keep_abstract=True, cut_appendix=True)[0]
    assert kept == "\\begin{abstract}Abs\\end{abstract}\n\n\\section{A}a"


def test_macros_may_stay(run: Runner) -> None:
    text = HEAD + "\\section{A}\\def\\x{y}\\x"
    assert clean(run, text, expand_macros=False)[0] == "\\section{A}\\def\\x{y}\\x"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\\begin{thebibliography}{9}x\\end{thebibliography}b", "ab"),
        ("a\\begin{thebibliography}{9}no end", "a"),
        ("a\n\\section*{References}\n\\begin{thebibliography}{9}x\\end{thebibliography}b", "a\nb"),
        ("a\\bibliographystyle{plain}\\bibliography{refs}b", "ab"),
        ("a\\printbibliography[title={Refs}]b", "ab"),
        ("a\n\\section{Bibliography}\n\\printbibliography", "a\n"),
        ("a\\nocite{*}b", "ab"),
        ("\\section{References in art} text", "\\section{References in art} text"),
        ("\\bibliographyx{y}", "\\bibliographyx{y}"),
        ("a\\begin{references}x\\end{references}b", "ab"),
    ],
)
def test_bibliography(text: str, wanted: str) -> None:
    assert cuts.remove_bibliography(text) == wanted


LIST = "\n\\item{[1]} A. Writer, 1999.\n\\item{[2]} B. Writer.\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\n\\section*{References}\n[1] A. Writer, 1999.\n\\section{More}b", "a\n\\section{More}b"),
        ("a\n\\section*{\\bf Bibliography}" + LIST, "a\n"),
        ("a\n\\subsection*{References}" + LIST + "\\subsection{More}b", "a\n\\subsection{More}b"),
        ("a\n\\section*{References}" + LIST + "\\begin{figure}f\\end{figure}", "a\n\\begin{figure}f\\end{figure}"),
        ("a\n\\section*{References}" + LIST + "\\appendix b", "a\n\\appendix b"),
        ("a\n\\bigskip\\centerline{\\bf REFERENCES}\n\\medskip" + LIST, "a\n"),
        ("a\n{\\bf References}" + LIST + "\\centerline{\\bf Figures}\nb", "a\n\\centerline{\\bf Figures}\nb"),
        ("a\n\\beginsection References\n" + LIST, "a\n"),
        ("a\n\\section{References}\nnothing like a list", "a\n\\section{References}\nnothing like a list"),
        ("a\n\\section{References to art}" + LIST, "a\n\\section{References to art}" + LIST),
        ("see {\\bf References} in 1999", "see {\\bf References} in 1999"),
    ],
)
def test_a_list_of_references_by_hand(text: str, wanted: str) -> None:
    assert cuts.remove_bibliography(text) == wanted


@pytest.mark.parametrize(
    ("heading", "found"),
    [
        ("\\centerline{\\bf 1. Introduction}", True),
        ("\\beginsection 1. Aims", True),
        ("\\medskip\\noindent{\\bf I. The mill}", True),
        ("\\heading Introduction \\endheading", True),
        ("\\centerline{\\bf A Mill by the River}", False),
        ("\\centerline{1. Introduction}", False),
        ("\\noindent{\\bf 2. Methods}", False),
    ],
)
def test_the_first_heading_in_plain_tex(heading: str, found: bool) -> None:
    text = f"\\centerline{{\\bf Title}}\n{heading}\ntext"
    assert (cuts.find_body(text) == (text.index(heading), "section")) is found


@given(st.text(max_size=200))
def test_text_without_commands_is_left_alone(text: str) -> None:
    text = text.replace("\\", "")
    assert cuts.remove_bibliography(text) == text
    assert cuts.find_body(text).start == 0
    assert cuts.tidy(cuts.tidy(text)) == cuts.tidy(text)
