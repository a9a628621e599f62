"""User definitions are read as TeX reads them, and files come where they are called."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecordError
from llama_data.stages.arxiv.expand import expand
from llama_data.stages.arxiv.project import Project

Body = Callable[..., str]


@pytest.mark.parametrize(
    ("preamble", "text", "wanted"),
    [
        (r"\newcommand{\norm}[2][2]{\|#2\|_{#1}}", r"\norm{x} \norm[1]{x}", r"\|x\|_{2} \|x\|_{1}"),
        (r"\newcommand{\E}{\mathbb{E}}", r"$\E x$ \E", r"$\mathbb{E} x$ \mathbb{E}"),
        (r"\newcommand\E{\mathbb{E}}", r"\E[x]", r"\mathbb{E}[x]"),
        (r"\newcommand*{\E}{e}", r"\E1\E", r"e1e"),
        (r"\newcommand\half{\frac12}", r"\half", r"\frac12"),
        (r"\renewcommand{\leq}{\leqslant}", r"$a \leq b$", r"$a \leqslant b$"),
        (r"\providecommand{\R}{\mathbb{R}}", r"\R", r"\mathbb{R}"),
        (r"\newcommand{\R}{R}\providecommand{\R}{S}", r"\R", "R"),
        (
            r"\DeclareMathOperator{\Tr}{Tr}\DeclareMathOperator*{\amax}{arg\,max}",
            r"\Tr\amax",
            r"\operatorname{Tr}\operatorname*{arg\,max}",
        ),
        (
            r"\DeclarePairedDelimiter{\abs}{\lvert}{\rvert}",
            r"\abs{x} \abs*{y} \abs[\big]{z}",
            r"\lvert x\rvert \lvert y\rvert \lvert z\rvert",
        ),
        (r"\def\a#1#2{#2#1}", r"\a xy \a{pq}\b", r"yx \b pq"),
        (r"\def\a{x}\def\b{\a\a}", r"\b", "xx"),
        (r"\let\eps\varepsilon", r"\eps x", r"\varepsilon x"),
        (r"\let\oldvec\vec\renewcommand{\vec}[1]{\oldvec{\mathbf{#1}}}", r"\vec{x}", r"\vec{\mathbf{x}}"),
        (r"\let\oldphi\phi\let\phi\varphi", r"\phi\oldphi", r"\varphi\phi"),
        (r"\def\a{1}\let\b\a\def\a{2}", r"\a\b", "21"),
        (r"\def\a{1}\edef\a{\a2}", r"\a", "12"),
        (r"\long\def\a#1{<#1>}", r"\a{x}", "<x>"),
        (r"\NewDocumentCommand{\p}{m O{t}}{#1:#2}", r"\p{a}\p{b}[u]", "a:tb:u"),
        (r"\newcommand{\lang}{CIC\xspace}", r"\lang is \lang.", "CIC is CIC."),
        (r"\newcommand{\a}{\alpha}", r"\a b \a1 \a{}b", r"\alpha b \alpha1 \alpha{}b"),
        (r"\newcommand{\f}[1]{\alpha#1}", r"\f{b}", r"\alpha b"),
        (r"\newcommand{\f}[1]{#1\alpha}", r"\f{x}y", r"x\alpha y"),
        (r"\newcommand{\ie}{i.e.}", r"\alpha\ie", r"\alpha i.e."),
        (r"\newcommand{\x}{a+b}", r"\frac\x\x \hat\x \sqrt\x", r"\frac{a+b}{a+b} \hat{a+b} \sqrt{a+b}"),
        (r"\newcommand{\n}[1]{|#1|}", r"\n{\n{x}}", "||x||"),
        (r"\newcommand{\nm}{\n}\newcommand{\n}[1]{|#1|}", r"\nm{x}", "|x|"),
        (
            r"\newcommand{\be}{\begin{equation}}\newcommand{\ee}{\end{equation}}",
            r"\be x\ee",
            r"\begin{equation} x\end{equation}",
        ),
        (r"\newcommand{\sect}[1]{\section{#1}}", r"\sect{One}", r"\section{One}"),
        (r"\def\kms{\ifmmode km/s\else km s\fi}", r"\kms", r"\ensuremath{km/s}"),
        (
            r"\makeatletter\def\f{\@ifstar{\@fs}{\@f}}\def\@f#1{(#1)}\def\@fs#1{[#1]}\makeatother",
            r"\f{x} \f*{y}",
            "(x) [y]",
        ),
        (r"\def\onedot{\futurelet\x\y}\def\eg{e.g\onedot}", r"\eg x", "e.g. x"),
        (r"\newcommand{\v}[1]{<#1>}", r"\v{\verb|#1 % x|}", r"<\verb|#1 % x|>"),
        (r"\newcommand{\mk}[1]{\def\made{#1}}", r"\mk{x}\made", "x"),
        (r"\newcommand{\c}{100\%}", r"\c", r"100\%"),
        (r"\newcommand{\*}{\times}", r"$a\*b\*2 \*\*c \* d$", r"$a\times b\times2 \times\times c \times d$"),
        (r"\let\|\Vert", r"$\|x\|$", r"$\Vert x\Vert$"),
        ("", r"\newcommand{\a}{x}\a\renewcommand{\a}{y}\a", "xy"),
        ("", r"\def\a{1}{\def\a{2}\a}\a", "{2}1"),
        ("", r"\def\a{1}{\gdef\a{2}\a}\a", "{2}2"),
        ("", "\\def\\a{1}\\begin{x}\\def\\a{2}\\a\\end{x}\\a", "\\begin{x}2\\end{x}1"),
        ("", "one\n\\newcommand{\\a}{x}\ntwo", "one\ntwo"),
        ("", "one\n\\newenvironment{e}[1][d]{b}{c}\n\\begin{e}in\\end{e}", "one\n\\begin{e}in\\end{e}"),
    ],
)
def test_expansion(body: Body, preamble: str, text: str, wanted: str) -> None:
    assert body(preamble, text) == wanted


@pytest.mark.parametrize(
    ("preamble", "text"),
    [
        (r"\newcommand{\a}{\csname x\endcsname}", r"\a"),
        (r"\newcommand{\a}{\internal@thing}", r"\a"),
        (r"\newcommand{\a}{\ifx\b\c x\fi}", r"\a"),
        (r"\ExplSyntaxOn\cs_new:Npn \my_f:n #1 {x}\ExplSyntaxOff", r"\myf{x}"),
        (r"\newcommand{\n}[1]{|#1|}", r"\n"),
        (r"\renewcommand{\section}[1]{\LARGE #1}", r"\section{x}"),
        (r"\def\a{\a}", r"\a text"),
        (r"\def\a{\b}\def\b{\a}", r"\a\b text"),
    ],
)
def test_what_cannot_be_expanded_stays(body: Body, preamble: str, text: str) -> None:
    assert body(preamble, text) == text


def test_definitions_of_local_style_files(body: Body) -> None:
    style = r"\ProvidesPackage{my}\RequirePackage{other}\newcommand{\R}{\mathbb{R}} % \def\R{no}"
    other = r"\def\N{\mathbb{N}}"
    assert body(r"\usepackage{amsmath,my}", r"\R\N", my__sty=style, other__sty=other) == r"\mathbb{R}\mathbb{N}"


def test_files_come_where_they_are_called_and_once(body: Body) -> None:
    text = "A\n\\input{b}\nC\n\\include{d.tex}\n\\input e\nF"
    files = {"b__tex": "B % note", "d__tex": "D\n\\endinput\nnot read", "e__tex": "E", "x__tex": "never read"}
    assert body("", text, **files).split() == ["A", "B", "C", "D", "E", "F"]


def test_files_that_are_not_there_or_read_themselves(body: Body) -> None:
    assert body("", "A\n\\input{none}\nB\n\\input{c}\nD", c__tex="C\n\\input{c}\n").split() == ["A", "B", "C", "D"]


def test_subfiles_and_imports() -> None:
    text = r"A \subfile{s/one} \import{t/}{two} \subimport{t}{two.tex}"
    main = rf"\documentclass{{article}}\begin{{document}}{text}\end{{document}}"
    files = {
        "main.tex": main,
        "s/one.tex": r"\documentclass[../main]{subfiles}\begin{document}One\end{document} no",
        "t/two.tex": r"Two \input{three}",
        "t/three.tex": "Three",
    }
    project = Project(files={name: text.encode() for name, text in files.items()})
    assert expand(project, "main.tex").text.split() == ["A", "One", "Two", "Three", "Two", "Three"]


def test_text_after_the_end_is_not_read(body: Body) -> None:
    assert body("", "A\n\\input{b}\nC", b__tex="B\\end{document}") == "A\nB"


def test_growth_is_bounded_and_the_paper_stays() -> None:
    doubled = "".join(rf"\def\x{chr(97 + i)}{{\x{chr(98 + i)}\x{chr(98 + i)}}}" for i in range(24))
    text = rf"\documentclass{{a}}\begin{{document}}{doubled}\xa text\end{{document}}"
    result = expand(Project(files={"m.tex": text.encode()}), "m.tex")
    assert result.problem == "growth_limit"
    assert result.text.endswith(r"\xa text")
    empty = text.replace(r"\xa text", r"\def\xy{}\xa text")
    assert expand(Project(files={"m.tex": empty.encode()}), "m.tex").problem == "step_limit"


def test_a_recursive_macro_is_named_in_the_account_and_others_are_expanded() -> None:
    text = r"\documentclass{a}\begin{document}\def\a{\a\a}\def\b{x}\a\b\end{document}"
    result = expand(Project(files={"m.tex": text.encode()}), "m.tex")
    assert (result.text, result.problem) == (r"\a x", "recursive_macro")


def test_too_many_files_fail_the_paper() -> None:
    files = {f"{chr(97 + i)}.tex": rf"\input{{{chr(98 + i)}}}" * 2 for i in range(14)}
    files |= {"o.tex": "x", "zz.tex": r"\documentclass{a}\begin{document}\input{a}\end{document}"}
    project = Project(files={name: text.encode() for name, text in files.items()})
    with pytest.raises(RecordError, match="files"):
        expand(project, "zz.tex")


def test_without_macros_the_definitions_stay() -> None:
    text = r"\documentclass{a}\begin{document}\def\b{x}\b\input{c}\end{document}"
    project = Project(files={"m.tex": text.encode(), "c.tex": b"C"})
    assert expand(project, "m.tex", macros_too=False).text.strip() == r"\def\b{x}\bC"


PIECES = st.lists(
    st.sampled_from(
        [
            r"\def\a",
            r"\def\b#1",
            r"\newcommand{\c}[2][o]",
            r"\let\a\b",
            r"\renewcommand\a",
            r"\a",
            r"\b",
            r"\c",
            "{",
            "}",
            "[",
            "]",
            "#1",
            "x",
            " ",
            "\n",
            r"\frac",
            r"\hat",
            r"\input{main}",
            r"\begin{document}",
            r"\end{document}",
            r"\makeatletter",
            r"\@x",
            r"\global",
            r"\newenvironment{e}",
            r"\DeclareMathOperator\a",
            r"\edef\a",
            "\\",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=60) | PIECES)
def test_any_text_ends_without_an_error(text: str) -> None:
    project = Project(files={"main.tex": text.encode("utf-8", "replace")})
    project.masks.restore(expand(project, "main.tex").text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab c{}[]$^_\n.\\é", max_size=80))
def test_a_text_without_definitions_is_left_alone(text: str) -> None:
    project = Project(files={"main.tex": text.encode()})
    wanted = project.clean("main.tex")
    assert expand(project, "main.tex").text.rstrip("\n") == wanted.rstrip("\n")


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100000,
        r"\newcommand{\n}[1]{|#1|}" + r"\n{" * 20000,
        r"\newcommand{\n}[2][a]{|#1|}" + r"\n[" * 20000,
        r"\def\a{" * 20000,
        r"\let\a\b" * 20000,
        "{" * 3000 + r"\def\a{x}\a" * 10000,
        r"\def\a{x\a}\a",
        r"\frac{" * 20000,
        r"\newcommand{\d}[1]{#1#1}" + r"\d{" * 40 + "x" + "}" * 40,
        r"\makeatletter" * 20000,
    ],
    ids=range(10),
)
def test_hostile_text_ends_fast(text: str) -> None:
    start = time.perf_counter()
    expand(Project(files={"m.tex": (r"\documentclass{a}\begin{document}" + text).encode()}), "m.tex")
    assert time.perf_counter() - start < 20  # seconds, not the hours of a quadratic scan


@pytest.mark.parametrize(
    ("preamble", "text", "expected"),
    [
        (r"\let\sep=;", r"a\sep{} b", "a; b"),
        (r"\newcommand{\one}{first}\let\two\one", r"\two{}", "first"),
        (r"\newcommand{\one}{first}\let\two=\one\renewcommand{\one}{second}", r"\two{} \one{}", "first second"),
    ],
)
def test_a_name_is_let_to_a_character_or_to_what_a_macro_means_then(
    body: Callable[..., str], preamble: str, text: str, expected: str
) -> None:
    assert body(preamble, text).replace("{}", "") == expected
