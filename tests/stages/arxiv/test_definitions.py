r"""Definitions of every form, and macros that take a branch, are read as TeX reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llama_data.stages.arxiv.conditionals import resolve

Body = Callable[..., str]


@pytest.mark.parametrize(
    ("preamble", "text", "wanted"),
    [
        (r"\def\d#1.{(#1)}", r"\d x.\d{a.b}.", "(x)(a.b)"),
        (r"\def\d(#1,#2){[#2;#1]}", r"\d(1,{2,3}) \d (x,y)", "[2,3;1] [y;x]"),
        (r"\def\d#1 {<#1>}", "\\d one two", "<one>two"),
        (r"\def\d#1\stop{<#1>}", r"\d a\stopping b\stop c", r"<a\stopping b>c"),
        (r"\def\d#1.{(#1)}", r"\d no end", r"\d no end"),
        (r"\def\d[#1]{(#1)}", r"\d{x}", r"\d{x}"),
        (r"\def\v{1}\edef\w{\v\v}\def\v{2}", r"\w\v", "112"),
        (r"\def\v{1}\edef\w{\noexpand\v}\def\v{2}", r"\w", "2"),
        (r"\NewDocumentCommand\d{s m}{\IfBooleanTF{#1}{S}{N}#2}", r"\d{x} \d*{y}", "Nx Sy"),
        (
            r"\NewDocumentCommand\d{o +m O{e} d()}{\IfNoValueTF{#1}{-}{#1}#2#3\IfValueT{#4}{#4}}",
            r"\d{x}\d[o]{y}[f](p)",
            "-xeoyfp",
        ),
        (r"\NewDocumentCommand\d{r<> t+ m}{#1\IfBooleanF{#2}{!}#3}", r"\d<a>{x}\d<b>+{y}", "a!xby"),
        (r"\NewDocumentCommand\d{m O{#1s} O{#2!}}{#1,#2,#3}", r"\d{a} \d{a}[b]", "a,as,as! a,b,b!"),
        (r"\newcommand{\d}{\@ifstar{S}{N}}", r"\d* \d", "S N"),
        (r"\makeatletter\def\d{\@ifnextchar[{\d@}{\d@[z]}}\def\d@[#1]{(#1)}\makeatother", r"\d[x] \d y", "(x) (z) y"),
        (r"\newcommand{\d}[2][k]{#1:#2}", r"\d[" + "x" * 9000 + "]{y}", "x" * 9000 + ":y"),
        (r"\newcommand{\d}[2][k]{#1:#2}", r"\d[{]}]{y} \d[a{]}b]{y}", "]:y a{]}b:y"),
        (r"\DeclarePairedDelimiterX\d[2]{<}{>}{#1\delimsize|#2}", r"\d{a}{b}\d*{a}{b}\d[\big]{a}{b}", "<a|b>" * 3),
        (r"\DeclarePairedDelimiterXPP\d[1]{P}{(}{)}{_0}{#1}", r"\d{a}", "P(a)_0"),
        (r"\newcommand{\mk}[2]{\newcommand{#1}{[#2]}}\mk{\q}{R}", r"\q", "[R]"),
        (r"\newcommand{\mk}[1]{\def\made##1{<##1#1>}}\mk{x}", r"\made{y}", "<yx>"),
        (r"\newcommand{\mk}[1]{\expandafter\newcommand\csname v#1\endcsname{\vec{#1}}}\mk{x}", r"\vx", r"\vec{x}"),
        (
            r"\expandafter\def\csname big\endcsname{B}\makeatletter\@namedef{sm}{S}\makeatother",
            r"\sm \csname sm\endcsname",
            "S S",
        ),
        (r"\catcode`\@=11 \def\a@b{x}\def\d{\a@b}\catcode`\@=12", r"\d", "x"),
        (r"\newcommand{\d}{CIC\xspace}", r"{\d} is", "{CIC} is"),
        (r"\newcommand{\d}{i.e.\@\xspace}", r"\d a", r"i.e.\@ a"),
        (r"\newcommand{\d}[1]{\verb|#1|}", r"\d{ab}", r"\verb|ab|"),
        (
            r"\newcommand{\d}[1]{\begin{listing}\caption{#1}\end{listing}}",
            r"\d{T}",
            r"\begin{listing}\caption{T}\end{listing}",
        ),
        (r"\def~{\nobreak}", "a~b", "a~b"),
        ("", r"\newif\ifdr\drtrue\ifdr yes\else no\fi", "yes"),
        ("", "a\n\\NewDocumentEnvironment{e}{m}{b}{c}\nd", "a\nd"),
    ],
)
def test_definition(body: Body, preamble: str, text: str, wanted: str) -> None:
    assert body(preamble, text) == wanted


def test_a_loop_over_letters_defines_them(body: Body) -> None:
    loop = (
        r"\def\each#1{\ifx\each#1\else\one{#1}\expandafter\each\fi}"
        r"\def\one#1{\expandafter\def\csname c#1\endcsname{\mathcal{#1}}}\each ABXYZ\each"
    )
    assert body(loop, r"\cA\cZ\cQ") == r"\mathcal{A}\mathcal{Z}\cQ"


@pytest.mark.parametrize(
    ("preamble", "text", "wanted"),
    [
        (r"\newcommand{\e}[2][]{\ifthenelse{\equal{#1}{}}{E}{E_{#1}}(#2)}", r"\e{x} \e[p]{y}", "E(x) E_{p}(y)"),
        (r"\def\o#1{\ifx&#1&none\else some\fi}", r"\o{} \o{abc}", "none some"),
        (r"\def\o#1{\if\relax\detokenize{#1}\relax none\else some\fi}", r"\o{} \o{abc}", "none some"),
        (r"\def\o#1{\ifnum#1=1 one\else\ifnum#1>1 more\else less\fi\fi}", r"\o{1} \o{5} \o{0}", "one more less"),
        (r"\def\o#1{\ifstrempty{#1}{none}{some}}", r"\o{} \o{x}", "none some"),
        (r"\def\o#1{\ifx#1\nowhere a\else b\fi}", r"\o{\thing}", r"\o{\thing}"),
        (r"\def\o#1{\ifodd\value{#1}a\else b\fi}", r"\o{x}", r"\o{x}"),
    ],
)
def test_a_branch_is_taken_where_it_is_certain(body: Body, preamble: str, text: str, wanted: str) -> None:
    assert body(preamble, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"a\iftrue b\else c\fi d", "abd"),
        (r"a\iffalse b\ifx x\fi\else c\fi d", "acd"),
        (r"\ifx aa1\else2\fi", "1"),
        (r"\ifx\known b1\else2\fi", "2"),
        (r"\ifx\nobody b1\else2\fi", None),
        (r"\ifnum\nobody=1 a\fi", None),
        (r"\ifnum3<2 a\fi", ""),
        (r"a\fi", None),
        (r"a\iff b", r"a\iff b"),
        (r"\iftrue a", None),
    ],
)
def test_resolve(text: str, wanted: str | None) -> None:
    found = resolve(text, lambda name: ("kernel", "") if name == "known" else ("", ""))
    assert found == wanted
