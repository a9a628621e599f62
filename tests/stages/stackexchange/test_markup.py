"""HTML of posts to text: what a reader sees stays, tags go."""
# ruff: noqa: RUF001

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.stackexchange.markup import MAX_DEPTH, MAX_SCRIPT, html_to_text

CASES = {
    "paragraphs": ("<p>One.</p>\n\n<p>Two.</p>\n", "One.\n\nTwo."),
    "line break": ("<p>One<br>\ntwo<br/>three</p>", "One\ntwo\nthree"),
    "two line breaks": ("<p>One<br><br><br>two</p>", "One\n\ntwo"),
    "newline of the source": ("<p>One \n  two</p>", "One\ntwo"),
    "spaces": ("<p>One \t  two&nbsp;three</p>", "One two three"),
    "entities": ("<p>a &lt; b &amp;&amp; c &#8212; d &eacute;</p>", "a < b && c — d é"),
    "escaped tag": ("<p>Use <code>&lt;div&gt;</code>.</p>", "Use <div>."),
    "inline": ("<p>An <strong>im<em>port</em>ant</strong> <kbd>Ctrl</kbd></p>", "An important Ctrl"),
    "code block": (
        "<p>See:</p>\n\n<pre><code>def f():\n    if x:\n\n\n\treturn 1  \n</code></pre>\n<p>End</p>",
        "See:\n\ndef f():\n    if x:\n\n\n\treturn 1  \n\nEnd",
    ),
    "code with markup in it": ("<pre><code>a &lt; b<br>c</code></pre>", "a < b\nc"),
    "empty code": ("<p>a</p><pre><code>\n</code></pre><p>b</p>", "a\n\nb"),
    "list": ("<p>x</p><ul>\n<li>one</li>\n<li>two</li>\n</ul>\n<p>y</p>", "x\n\n* one\n* two\n\ny"),
    "numbered": ("<ol>\n<li>one</li>\n<li>two</li>\n</ol>", "1. one\n2. two"),
    "numbered from": ('<ol start="9"><li>one</li><li>two</li></ol>', "9. one\n10. two"),
    "nested list": ("<ul><li>a\n<ol><li>b</li><li>c</li></ol></li><li>d</li></ul>", "* a\n  1. b\n  2. c\n* d"),
    "loose list": ("<ul><li><p>a</p>\n<p>b</p></li><li><p>c</p></li></ul>", "* a\n\n  b\n\n* c"),
    "list of paragraphs": ("<ul><li><p>a</p></li>\n<li><p>b</p></li></ul>", "* a\n* b"),
    "code in a list": ("<ul><li><p>a</p><pre><code>if x:\n    y</code></pre></li></ul>", "* a\n\n  if x:\n      y"),
    "empty item": ("<ul><li></li><li><img src='x'></li><li>b</li></ul>", "* b"),
    "list in a list": ("<ul><li>a</li><ul><li>b</li></ul></ul>", "* a\n  * b"),
    "item outside a list": ("<li>a</li>", "* a"),
    "quotation": ("<blockquote>\n  <p>Said.</p>\n</blockquote>\n<p>Yes.</p>", "Said.\n\nYes."),
    "heading and rule": ("<h2>Head</h2><hr><p>Text</p>", "Head\n\nText"),
    "link": ('<p>See <a href="http://x.org/a">this</a>.</p>', "See this."),
    "image": ('<p><a href="http://i.imgur.com/x.png"><img src="x.png" alt="alt"></a></p><p>b</p>', "b"),
    "comment": ("<p>a</p><!-- language: lang-js --><p>b</p>", "a\n\nb"),
    "math": (r"<p>$a_1 &lt; b$ and $$\sum_{i} x^2 \\ y$$</p>", r"$a_1 < b$ and $$\sum_{i} x^2 \\ y$$"),
    "math span": (r'<p><span class="math-container">$x^2$</span>.</p>', "$x^2$."),
    "power": ("<p>10<sup>6</sup>, 19<sup>th</sup>, x<sup>-1</sup>, H<sub>2</sub>O</p>", "10^6, 19th, x^-1, H₂O"),
    "table": ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td></td></tr></table>", "a | b\n1 | "),
    "text alone": ("just text", "just text"),
    "text in paragraphs": ("one\n\n\n\ntwo", "one\n\ntwo"),
    "nothing": ("", ""),
    "only white space": ("<p> \n </p>\n", ""),
    "open tags": ("<p>a<p>b<ul><li>c<li>d", "a\n\nb\n\n* c\n* d"),
    "declaration": ('<?xml version="1.0" encoding="latin-1"?><p>é</p>', "é"),
    "controls": ("<p>a\x00b\x08c\ufeff</p>", "abc"),
    "closing tags only": ("</p></div>a</div>", "a"),
    "windows newlines": ("<p>a\r\nb</p>", "a\nb"),
    "references to newlines": ("<p>a&#13;b&#xD;&#10;c</p><pre>d&#13;\ne</pre>", "a\nb\nc\n\nd\ne"),
    "rule in a line": ("foo<hr>bar", "foo\n\nbar"),
    "rule in a paragraph": ("<p>foo <b>bold<hr/>still</b> bar</p>", "foo bold\n\nstill bar"),
    "references to controls": ("<p>a&#x0B;b&#1;c&#12;d&#31;</p><pre>e&#x0B;f&#127;</pre>", "abcd\n\nef"),
    "references to windows-1252": ("<p>&#147;q&#x94; &#150; &#129;x \x96</p>", "“q” – x –"),
    "struck out": ("<p>It is <s>wrong</s> right, <strike>never</strike>.</p><del><p>Old.</p></del>", "It is right, ."),
    "fractional power": ("<p>10<sup>3.5</sup> and 10<sup>-3.5</sup></p>", "10^3.5 and 10^-3.5"),
    "power of letters": ("<p>e<sup>−x</sup>, 2<sup>n+1</sup>, 2<sup>3n</sup></p>", "e^−x, 2^(n+1), 2^(3n)"),
    "power in emphasis": ("<p><b>10</b><sup><i>5</i></sup></p>", "10^5"),
    "power of a power": ("<p>10<sup>10<sup>2</sup></sup></p>", "10^(10^2)"),
    "index": ("<p>x<sub>i</sub>, a<sub>max</sub>, log<sub>10</sub>2, 101<sub>2</sub></p>", "x_i, a_max, log₁₀2, 101₂"),
    "fraction": ("<p>3<sup>1</sup>/<sub>2</sub> and <sup>3</sup>&frasl;<sub>4</sub></p>", "3 1/2 and 3⁄4"),
    "gap before a power": ("<p>10 <sup>5</sup>, <sup>14</sup>C</p>", "10 ^5, 14C"),
    "space in a script": ("<p><sup>[1] </sup>One, x<sup>2 </sup>is</p>", "[1] One, x^2 is"),
    "small print": ("<p>text</p><sup><p>not a power</p></sup>", "text\n\nnot a power"),
    "remark below a word": ("<p>word<sup>see below</sup> <sub>(edited)</sub></p>", "word[see below] (edited)"),
    "table in a table": ("<table><tr><td>a<table><tr><td>in</td></tr></table></td><td>b</td></tr></table>", "a in | b"),
    "caption": ("<table><caption>Title</caption><thead><tr><th>a</th></tr></thead></table>", "Title\na"),
    "cells without a table": ("<td>a</td><td>b</td>", "a\n\nb"),
}


@pytest.mark.parametrize(("html", "text"), CASES.values(), ids=CASES.keys())
def test_html_to_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


def test_link_targets_are_written_on_request() -> None:
    html = (
        '<p><a href="http://x.org/a">this</a>, <a href="http://y.org">http://y.org</a>, <a href="/q/1">here</a>, '
        '<a href="http://z.org"><img src="i"></a> <a href="//w.org/">w</a> <a href="mailto:a@b.org">mail</a> '
        '<a href="#top">up</a> <a href="javascript:f()">run</a> <a href="http://[v">odd</a> <a>none</a></p>'
    )
    assert html_to_text(html, link_targets=True, base="https://s.org/questions/5") == (
        "this (http://x.org/a), http://y.org, here (https://s.org/q/1), (http://z.org) w (https://w.org/) "
        "mail (mailto:a@b.org) up run odd none"
    )
    assert html_to_text(html) == "this, http://y.org, here, w mail up run odd none"


def test_struck_out_text_is_kept_on_request() -> None:
    assert html_to_text("<p>a <s>b</s> <del>c</del></p>", struck_out=True) == "a b c"


def test_a_long_superscript_is_small_print() -> None:
    at_limit, over = "1" * MAX_SCRIPT, "1" * (MAX_SCRIPT + 1)
    assert html_to_text(f"<p>2<sup>{at_limit}</sup></p>") == f"2^{at_limit}"
    assert html_to_text(f"<p>2<sup>{over}</sup></p>") == f"2{over}"


def test_nesting_beyond_the_limit_is_refused() -> None:
    with pytest.raises(RecordError) as caught:
        html_to_text("<blockquote>" * (MAX_DEPTH * 3) + "deep")
    assert caught.value.reason is Reason.too_complex
    assert html_to_text("<b>" * (MAX_DEPTH // 2) + "deep") == "deep"


TAGS = ["p", "ul", "ol", "li", "b", "a", "pre", "code", "blockquote", "br", "table", "tr", "td", "sup", "h1", "img"]
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.text(st.characters(codec="utf-8", exclude_characters="<&\r*."), max_size=12),
    st.sampled_from(["&amp;", "&lt;", "&#0;", "&nosuch;", "<", "&", "\n\n\n", "<!--", "-->", "<![CDATA[", "]]>"]),
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_any_html_gives_clean_text(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip("\n")
    assert not re.search(r"^ *(\*|\d+\.) *$", text, re.M)
    if "<pre>" not in html:
        assert "\n\n\n" not in text
    assert html_to_text(html) == text


@given(
    st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=30), st.randoms(use_true_random=False)
)
def test_no_word_is_lost(words: list[str], random: object) -> None:
    tags = ["p", "b", "li", "pre", "blockquote", "h3", "td", "code", "em", "a"]
    html = "".join(f"<{tag}>{word}</{tag}> " for word, tag in zip(words, tags * 3, strict=False))
    assert html_to_text(html).replace("* ", "").split() == words


@pytest.mark.parametrize("hidden", ["<!-- c -->", "<?pi x?>", "<script>x()</script>", "<style>p {}</style>"])
def test_what_a_reader_does_not_see_is_left_out_inside_a_line_and_between(hidden: str) -> None:
    assert html_to_text(f"<p>one{hidden} two</p>{hidden}<p>three {hidden}</p>") == "one two\n\nthree"
