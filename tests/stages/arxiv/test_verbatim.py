r"""Which text is no TeX: environments and commands as their packages document them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Body = Callable[..., str]
M = r"\newcommand{\m}{MM}"


@pytest.mark.parametrize(
    ("preamble", "text"),
    [
        ("", "\\begin{verbatim}\n%\\m\n\\end{verbatim}"),
        ("", "\\begin{Verbatim*}[numbers=left]\n%\\m\n\\end{Verbatim*}"),
        ("", "\\begin{BVerbatim}\n%\\m\n\\end{BVerbatim}"),
        ("", "\\begin{lstlisting}[language=C]\n%\\m\n\\end{lstlisting}"),
        ("", "\\begin{minted}{tex}\n%\\m\n\\end{minted}"),
        ("", "\\begin{spverbatim}\n%\\m\n\\end{spverbatim}"),
        (r"\usepackage{moreverb}", "\\begin{listing}[1]{1}\n%\\m\n\\end{listing}"),
        (r"\documentclass{jss}", "\\begin{Code}\n%\\m\n\\end{Code}"),
        (r"\DefineVerbatimEnvironment{shell}{Verbatim}{fontsize=\small}", "\\begin{shell}\n%\\m\n\\end{shell}"),
        (r"\CustomVerbatimEnvironment{shell}{BVerbatim}{}", "\\begin{shell}\n%\\m\n\\end{shell}"),
        (r"\lstnewenvironment{rust}[1][]{\lstset{#1}}{}", "\\begin{rust}\n%\\m\n\\end{rust}"),
        (r"\newminted{go}{}", "\\begin{gocode}\n%\\m\n\\end{gocode}"),
        (r"\newminted[prog]{go}{}", "\\begin{prog}\n%\\m\n\\end{prog}"),
        (r"\newtcblisting{box}{}", "\\begin{box}\n%\\m\n\\end{box}"),
        (r"\newenvironment{vb}{\small\verbatim}{\endverbatim}", "\\begin{vb}\n%\\m\n\\end{vb}"),
        (
            r"\newenvironment{vb}[1]{\VerbatimEnvironment\begin{Verbatim}}{\end{Verbatim}}",
            "\\begin{vb}\n%\\m\n\\end{vb}",
        ),
        ("", r"\verb|%\m| \verb*+%\m+ \Verb[x=1]!%\m! \spverb?%\m?"),
        ("", r"\lstinline[language=C]!%\m! \lstinline{%\m}"),
        ("", r"\mintinline{c}{if (a) { %\m }} \mint{c}|%\m|"),
        (r"\newmint{go}{}\newmintinline{py}{}", r"\go|%\m| \pyinline{%\m}"),
        ("", r"\url{http://a.b/%20c} \path|%\m| \nolinkurl{a%20b}"),
        (r"\MakeShortVerb{\|}", r"|%\m|"),
        (r"\lstMakeShortInline[basicstyle=\tt]|", r"|%\m|"),
    ],
)
def test_verbatim_text_stays(body: Body, preamble: str, text: str) -> None:
    assert body(M + preamble, text + "\\m") == text + "MM"


@pytest.mark.parametrize(
    ("preamble", "text", "wanted"),
    [
        ("", "\\begin{listing}\\caption{\\m}% c\n\\end{listing}", "\\begin{listing}\\caption{MM}\\end{listing}"),
        ("", "\\begin{alltt}\n5% \\m \\%\n\\end{alltt}", "\\begin{alltt}\n5% MM \\%\n\\end{alltt}"),
        ("", "\\begin{semiverbatim}\n%\\m\n\\end{semiverbatim}", "\\begin{semiverbatim}\n%MM\n\\end{semiverbatim}"),
        (
            r"\DefineVerbatimEnvironment{hl}{Verbatim}{commandchars=\\\{\}}",
            "\\begin{hl}\n%\\m\n\\end{hl}",
            "\\begin{hl}\n%MM\n\\end{hl}",
        ),
        (
            "",
            "\\begin{Verbatim}[commandchars=\\\\\\{\\}]\n%\\m\n\\end{Verbatim}",
            "\\begin{Verbatim}[commandchars=\\\\\\{\\}]\n%MM\n\\end{Verbatim}",
        ),
        (r"\newenvironment{hide}{\comment}{\endcomment}", "a\n\\begin{hide}\n\\m\n\\end{hide}\nb", "a\nb"),
        (r"\excludeversion{long}", "a\\begin{long}x\\end{long}b", "ab"),
        (r"\MakeShortVerb{\|}", r"\|\m\| |\m|", r"\|MM\| |\m|"),
        ("", "\\catcode`\\%=12 5% \\m\nb% c\n", "\\catcode`\\%=12 5% MM\nb"),
        ("", r"\begin{filecontents}{x.dat}" + "\n1 2\n\\end{filecontents}\na", "a"),
    ],
)
def test_what_is_only_half_verbatim(body: Body, preamble: str, text: str, wanted: str) -> None:
    assert body(M + preamble, text) == wanted


def test_a_file_that_the_paper_writes_is_read(body: Body) -> None:
    written = "\\begin{filecontents*}[overwrite]{part/one.tex}\nFrom \\m{} % c\n\\end{filecontents*}\n"
    assert body(M, written + "\\input{part/one}") == "From MM{}"
    assert body(M, written + "\\input{part/one}", **{"part/one__tex": "Sent"}) == "Sent"
    style = "\\begin{filecontents}{own.sty}\n\\newcommand{\\n}{NN}\n\\end{filecontents}\\usepackage{own}"
    assert body(style, r"\n") == "NN"
