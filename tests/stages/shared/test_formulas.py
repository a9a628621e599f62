"""Formulas of HTML pages: of which form the TeX is found, and what stays as it is."""

from __future__ import annotations

import pytest

from llama_data.stages.shared.formulas import with_formulas
from llama_data.stages.shared.html import ALL, MAIN, html_text

MATHML = (
    '<math xmlns="http://www.w3.org/1998/Math/MathML"{}><semantics><mi>a</mi>'
    '<annotation encoding="application/x-tex">{}</annotation></semantics></math>'
)


@pytest.mark.parametrize(
    ("page", "tex"),
    [
        ('<script type="math/tex">a < b</script>', "$a &lt; b$"),
        ("<script id=x type='math/tex; mode=display'>\n a \n b</script>", "$$a b$$"),
        (MATHML.format("", r"{\displaystyle a &amp; b}"), "$a &amp; b$"),
        (MATHML.format(' display="block"', "a"), "$$a$$"),
        (r'<img src=x class="mwe-math-fallback-image-inline" alt="{\displaystyle x_{1}}">', "$x_{1}$"),
        ("<img alt='\\frac 12' class='latex' src=x />", r"$\frac 12$"),
        ('<img class="tex" alt="&quot;a&quot;">', '$"a"$'),
    ],
)
def test_the_source_of_a_formula_becomes_text(page: str, tex: str) -> None:
    assert with_formulas(f"<p>so {page} is</p>") == f"<p>so <span>{tex}</span> is</p>"


@pytest.mark.parametrize(
    "page",
    [
        "<p>latex</p><script>let a = 'math/tex'</script>",
        "<math><mi>a</mi></math>",
        '<math><annotation encoding="MathML-Content">a</annotation></math>',
        '<img class="latex">',
        '<img class="latex" alt="">',
        '<img class="texture" alt="wood">',
        '<img class="photo" alt="latex gloves">',
    ],
)
def test_what_has_no_tex_stays_as_it_is(page: str) -> None:
    assert with_formulas(page) == page


def test_only_the_main_content_has_formulas_as_tex() -> None:
    hidden = f'<span style="display: none">{MATHML.format("", "n")}</span><img class="mwe-math-x" alt="n">'
    page = f"<html><body><p>The mean of {hidden} numbers.</p></body></html>".encode()
    assert html_text(page, None, MAIN) == b"\nThe mean of $n$ numbers."
    assert b"$" not in html_text(page, None, ALL)


@pytest.mark.parametrize(
    ("start", "unit"),
    [
        ("", "<math>"),
        ("", "<script type=math/tex>"),
        ("", "<img class="),
        ("", "<math><annotation "),
        ('<p class="tex"><img ', "class=a "),
        ('<p class="tex"><img ', "a"),
        ("<math><annotation ", "application/x-tex "),
        ("math/tex<script ", "type= "),
    ],
)
def test_a_page_of_nothing_but_beginnings_takes_no_longer_than_others(start: str, unit: str) -> None:
    page = start + unit * (400_000 // len(unit)) + ">"
    assert len(with_formulas(page)) >= len(page)
