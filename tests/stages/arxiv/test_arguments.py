r"""What stands as an argument gets braces, and tokens that TeX reads as they are stay (The TeXbook, chapter 20)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llama_data.stages.arxiv import kernel
from llama_data.stages.arxiv.arguments import is_single, needs_braces

Body = Callable[..., str]
TWO = r"\newcommand{\wd}{pq}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"\textsc\wd", r"\textsc{pq}"),
        (r"\emph \wd!", r"\emph {pq}!"),
        ("\\mathds\n\\wd", "\\mathds\n{pq}"),
        ("\\mathds\n\n\\wd", "\\mathds\n\npq"),
        (r"$\hat\wd^\wd_\wd$", r"$\hat{pq}^{pq}_{pq}$"),
        (r"\frac\wd\wd", r"\frac{pq}{pq}"),
        (r"\frac{1}\wd \frac1\wd \frac\alpha\wd", r"\frac{1}{pq} \frac1{pq} \frac\alpha{pq}"),
        (r"\frac12\wd \frac{1}{2}\wd", r"\frac12pq \frac{1}{2}pq"),
        (r"\sqrt[3]\wd \section*\wd", r"\sqrt[3]{pq} \section*{pq}"),
        (r"\multicolumn{2}{c}\wd", r"\multicolumn{2}{c}{pq}"),
        (r"\"\wd \'\wd", r"\"{pq} \'{pq}"),
        (r"\nobody\wd", r"\nobody{pq}"),
        (r"\bf\wd \alpha\wd \left\wd \quad\wd a\over\wd", r"\bf pq \alpha pq \left pq \quad pq a\over pq"),
        (r"\\\wd \_\wd \&\wd", r"\\pq \_pq \&pq"),
        (r"\textbf{x}\wd (\wd) {\wd} a\wd", r"\textbf{x}pq (pq) {pq} apq"),
        (r"\sqrt[\wd]{x} \cite[\wd]{y}", r"\sqrt[pq]{x} \cite[pq]{y}"),
    ],
)
def test_an_expansion_of_two_tokens_is_braced_where_one_argument_stands(body: Body, text: str, wanted: str) -> None:
    assert body(TWO, text) == wanted


@pytest.mark.parametrize(
    ("meaning", "wanted"),
    [("z", r"\hat z"), (r"\zeta", r"\hat\zeta"), ("{zz}", r"\hat{zz}"), ("", r"\hat{}"), ("{z}{z}", r"\hat{{z}{z}}")],
)
def test_one_token_or_group_needs_none(body: Body, meaning: str, wanted: str) -> None:
    assert body(rf"\newcommand{{\m}}{{{meaning}}}", r"$\hat\m$") == f"${wanted}$"


def test_structure_is_never_braced(body: Body) -> None:
    preamble = r"\newcommand{\bq}{\begin{quote}}\newcommand{\eq}{\end{quote}}\newcommand{\hd}[1]{\section{#1}}"
    assert body(preamble, r"\nobody\bq a\eq \nobody\hd{T}") == r"\nobody\begin{quote} a\end{quote} \nobody\section{T}"


def test_a_command_of_the_paper_counts_its_own_arguments(body: Body) -> None:
    preamble = TWO + r"\newcommand{\keep}[2]{\ifx#1\weird #2\fi}\newcommand{\none}{\ifx\p\q\fi}"
    assert body(preamble, r"\none\wd") == r"\none pq"


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("\\hat", True),
        ("\\hat{x}", False),
        ("\\frac{x}", True),
        ("x^", True),
        ("x\\^", True),
        ("x\\_", False),
        ("", False),
    ],
)
def test_what_stands_before(before: str, wanted: bool) -> None:
    assert needs_braces("ab", before, kernel.arity) is wanted
    assert not needs_braces("a", before, kernel.arity)


@pytest.mark.parametrize(("text", "single"), [("{a}{b}", False), ("{a{b}}", True), ("\\%", True), ("\\a b", False)])
def test_single(text: str, single: bool) -> None:
    assert is_single(text) is single


@pytest.mark.parametrize(
    "text",
    [
        r"\ifx\wd\other a\else b\fi",
        r"\if\wd x\fi",
        r"\ifcat\wd a\fi",
        r"\ifdefined\wd a\fi",
        r"\string\wd",
        r"\meaning\wd",
        r"\noexpand\wd",
        r"\expandafter\wd\wd",
        r"\show\wd",
    ],
)
def test_operands_that_tex_does_not_expand_stay(body: Body, text: str) -> None:
    assert body(TWO, text) == text


def test_behind_the_operands_expansion_goes_on(body: Body) -> None:
    assert body(TWO, r"\ifx\wd\wd\wd\fi \string\wd\wd") == r"\ifx\wd\wd pq\fi \string\wd pq"


@pytest.mark.parametrize(
    ("preamble", "text", "wanted"),
    [
        (r"\providecommand{\ldots}{D}", r"a\ldots b", r"a\ldots b"),
        (r"\providecommand{\boxplus}{D}", r"a\boxplus b", "aD b"),
        (r"\usepackage{amssymb}\providecommand{\boxplus}{D}", r"a\boxplus b", r"a\boxplus b"),
        (r"\usepackage{mathtools}\providecommand{\tfrac}{D}", r"\tfrac12", r"\tfrac12"),
        (r"\ProvideDocumentCommand{\Gamma}{}{D}", r"\Gamma", r"\Gamma"),
        (r"\providecommand{\ownname}{D}", r"\ownname", "D"),
    ],
)
def test_a_command_that_is_there_is_not_provided(body: Body, preamble: str, text: str, wanted: str) -> None:
    assert body(preamble, text) == wanted


def test_the_vocabulary_knows_counts_and_packages() -> None:
    assert [kernel.arity(name) for name in ("alpha", "hat", "frac", "multicolumn", "nobody")] == [0, 1, 2, 3, -1]
    assert kernel.is_defined("frac", set())
    assert not kernel.is_defined("slashed", set())
    assert kernel.is_defined("slashed", {"slashed"})
    assert "amsmath" in kernel.loaded({"amsart"})
