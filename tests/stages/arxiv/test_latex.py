"""Comments leave, and nothing else does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.arxiv.latex import Cleaner
from llama_data.stages.arxiv.masks import Masks


def clean(text: str, *sources: str) -> str:
    masks = Masks()
    return masks.restore(Cleaner(masks=masks, sources=[text, *sources]).clean(text))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (r"100\% sure % note", r"100\% sure "),
        ("a\\\\% note\nb", "a\\\\b"),
        ("a\\\\\\% no note", "a\\\\\\% no note"),
        ("one\n% gone\ntwo", "one\ntwo"),
        ("one\n   % gone\n  two", "one\n  two"),
        ("foo%\n   bar", "foobar"),
        ("foo %\nbar", "foo bar"),
        ("foo%\n% more\n  %and more\n bar", "foobar"),
        ("foo% note\n\nbar", "foo\n\nbar"),
        ("foo%\n% note\n\nbar", "foo\n\nbar"),
        ("\\alpha%\nbeta", "\\alpha beta"),
        ("\\alpha%\n\\beta", "\\alpha\\beta"),
        (r"\verb|50% off| x % y", r"\verb|50% off| x "),
        (r"\verb*+%+ % y", r"\verb*+%+ "),
        (r"\verbatiminput{x} % y", r"\verbatiminput{x} "),
        (r"\lstinline[language=C]!a % b! c % d", r"\lstinline[language=C]!a % b! c "),
        (r"\lstinline{a % b} c % d", r"\lstinline{a % b} c "),
        (r"\mintinline{c}{a % b} c % d", r"\mintinline{c}{a % b} c "),
        (r"\url{http://a.b/%20c} % d", r"\url{http://a.b/%20c} "),
        (r"\href{http://a.b/%20c}{text} % d", r"\href{http://a.b/%20c}{text} "),
        ("\\begin{verbatim}\n% stays\n\\end{verbatim} % goes", "\\begin{verbatim}\n% stays\n\\end{verbatim} "),
        ("\\begin{minted}{c}\n% stays\n\\end{minted}", "\\begin{minted}{c}\n% stays\n\\end{minted}"),
        ("a\n\\begin{comment}\ngone % x\n\\end{comment}\nb", "a\nb"),
        ("a\\begin{comment}gone\\end{comment}b", "ab"),
        ("a \\iffalse gone \\fi b", "a  b"),
        ("a\n\\iffalse\ngone\n\\ifx x\\fi\n\\fi\nb", "a\nb"),
        ("\\iffalse gone\\else kept\\fi.", " kept."),
        ("\\iftrue kept\\else gone\\fi.", " kept."),
        ("\\if0 gone\\fi kept", " kept"),
        ("\\ifx\\iftrue\\x a\\else b\\fi c", "\\ifx\\iftrue\\x a\\else b\\fi c"),
        ("\\iffalse no end", "\\iffalse no end"),
        ("$a \\iff b$ \\fi", "$a \\iff b$ \\fi"),
        ("\\iffalse a % \\fi\n b \\fi c", " c"),
        ("\\newif\\ifdraft\\ifdraft gone\\fi kept", "\\newif\\ifdraft kept"),
        ("\\newif\\ifdraft\n\\drafttrue\n\\ifdraft kept\\else gone\\fi", "\\newif\\ifdraft\n\\drafttrue\n kept"),
        ("\\let\\ifnotes\\iffalse\n\\ifnotes gone\\fi kept", "\\let\\ifnotes\\iffalse\n kept"),
        ("\\let\\ifnotes=\\iftrue\n\\ifnotes kept\\fi", "\\let\\ifnotes=\\iftrue\n kept"),
        ("\\newif\\ifx\n a \\xtrue\n\\ifx y\\fi", "\\newif\\ifx\n a \\xtrue\n\\ifx y\\fi"),
        ("", ""),
        ("%", ""),
        ("no comment", "no comment"),
    ],
)
def test_comments(source: str, wanted: str) -> None:
    assert clean(source) == wanted


def test_verbatim_environments_that_the_paper_declares() -> None:
    text = "\\begin{python}\nx % 2\n\\end{python} % gone"
    assert clean(text, "\\lstnewenvironment{python}{}{}") == "\\begin{python}\nx % 2\n\\end{python} "
    assert "x  " not in clean(text, "\\lstnewenvironment{python}{}{}")
    assert "% 2" not in clean(text)


TEX = st.lists(
    st.sampled_from(
        [
            "%",
            "\\",
            "{",
            "}",
            "\n",
            " ",
            "a",
            "\\iffalse",
            "\\else",
            "\\fi",
            "\\verb|",
            "|",
            "\\url{",
            "\\%",
            "\\\\",
            "\\begin{verbatim}",
            "\\end{verbatim}",
            "\\begin{comment}",
            "\\end{comment}",
            "\\lstinline",
            "é",
            "\\if0",
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300)
@given(st.text(max_size=60) | TEX)
def test_takes_any_text_and_adds_nothing_but_spaces(text: str) -> None:
    text = "".join(c for c in text if not "\ufdd0" <= c <= "\ufdef")
    result = clean(text)
    rest = iter(text)
    assert all(character in rest for character in result if character != " ")


@settings(max_examples=300)
@given(TEX.filter(lambda text: not any(word in text for word in ("iffalse", "if0", "comment", "verb", "lst", "url"))))
def test_a_text_without_comments_is_left_alone(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100000,
        "\\iffalse" * 20000,
        "\\iffalse\\else" * 20000 + "\\fi" * 20000,
        "\\verb|x " * 30000,
        "\\begin{verbatim}" * 20000,
        "%\n" * 100000,
        "a%\n" * 100000,
        "\\url{" * 30000,
        " " * 200000 + "%",
    ],
    ids=range(9),
)
def test_hostile_text_ends_fast(text: str) -> None:
    start = time.perf_counter()
    clean(text)
    assert time.perf_counter() - start < 20  # seconds, not the hours of a quadratic scan
