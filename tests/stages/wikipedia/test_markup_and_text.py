"""Text is not markup, and markup is not text: each kind, by MediaWiki's rule."""
# ruff: noqa: RUF001 - Cyrillic letters and dashes

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.switches import without_switches
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("!Kung is a language.", "!Kung is a language."),
        ("The norm\n|v| of v\n! is not !!", "The norm |v| of v ! is not !!"),
        ("a\n|}\n|-\nb", "a |} |- b"),
        ("'''*NSYNC''' sang.", "*NSYNC sang."),
        ("''# one'' and <b>: two</b>", "# one and : two"),
        ("<b>: two</b>\n<small>; three</small>", ": two ; three"),
        ("[[#Top]] and\n[[; (album)]]", "#Top and ; (album)"),
        ("[http://a.example #1 hit] ever", "#1 hit ever"),
        ("&#42; star\n\n&#61;&#61; no heading &#61;&#61;", "* star\n\n== no heading =="),
        ("<nowiki>* star</nowiki>\n<nowiki/>* star", "* star * star"),
        ("-----\n---- rest of the line\n----", "rest of the line"),
        ("== Heading == and text", "== Heading == and text"),
        ("call -{x}- here", "call -{x}- here"),
    ],
)
def test_marks_that_begin_no_list_table_or_heading_are_text(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_rows_of_a_table_that_a_template_begins_are_rows() -> None:
    rows = "! Year\n! People\n|-{{grey}}\n| 1999 || 3\n|-\n| 2000 || 4\n|}"
    assert text(f"Before.\n{{{{table head}}}}\n{rows}\nAfter.") == "Before.\n\nAfter."
    box = "{{box\n| a = {{x}}\n| b = 1\n}}\n"
    assert text(f"{box}Before.\n{{{{head}}}}\n{rows}\nAfter.") == "Before.\n\nAfter."
    # Another template may end the table.
    assert text("Before.\n{{head}}\n|-\n| 1999 || 3\nmore\n|- class=x\n! b\n{{foot}}\nAfter.") == "Before. After."
    assert text("Before.\n{{head}}\n|-\n| 1999 || 3\n\nAfter.") == "Before.\n\nAfter."
    assert text("Before. {{head}}\n|- not a row") == "Before. |- not a row"
    assert text("{|\n| {{x}}\n|-\n| b\n|}\n{{head}}\n|-\n| c\n|}\nAfter.") == "After."
    # Not from a template before a heading on, nor from one with text after it.
    assert text("{{head}}\n|x\n== H ==\n| y\n|}").endswith("| y |}")
    assert text("{{head}} text\n| y\n|}") == "text | y |}"


def test_an_unclosed_table_ends_where_a_paragraph_begins() -> None:
    assert text("a\n{|\n| cell\n\n| cell\n\nb\n\nc") == "a\n\nb\n\nc"
    assert text("a\n{|\n|-\n{|\n| in\n|}\n== H ==\nb") == "a\n\nH\nb"


def test_what_stands_in_no_cell_of_a_table_is_shown_before_it() -> None:
    assert text("{| class=x\n|-\nloose [[text|words]]\n| cell\n|}\nb") == "loose words\n\nb"
    assert text("a <table><tr><td>cell</td></tr>loose</table> b") == "a loose b"


def test_the_arguments_of_an_unclosed_template_are_not_text() -> None:
    assert text("a\n\n{{Box\n| name = b\n |image=c.jpg\n\nd") == "a\n\nd"
    assert text("{{Box\n| name = b\ntext\n| bar") == "text | bar"


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("<code>map<string, int></code>", "map<string, int>"),
        ("x <y> z and a < b > c", "x <y> z and a < b > c"),
        ("<a href='http://x.example'>link</a>", "<a href='http://x.example'>link</a>"),
        ("<img src=x> <body> </tbody>", "<img src=x> <body> </tbody>"),
        ("<b→>a</b→> <bä>c</bä>", "<b→>a</b→> <bä>c</bä>"),
        ("<SPAN class=x>a</Span><b >c</b>", "ac"),
        ("a<br>b<BR/>c<br clear=all />d</br>e< br>f", "a\nb\nc\nd\ne< br>f"),
        ("<link rel=x> <link itemprop=y href=z>a", "<link rel=x> a"),
        ("a<wbr>b<kbd>c</kbd><ruby>d<rp>(</rp><rt>e</rt><rp>)</rp></ruby>", "abcd(e)"),
        ("*a</div>b", "- ab"),
        ("The <math> tag and <nowiki>", "The <math> tag and <nowiki>"),
        ("a </ref> b <references> c", "a b c"),
        ("<pre <pre>a</pre>", "a"),
        ("a<onlyinclude>b</onlyinclude><noinclude>c</noinclude>", "abc"),
    ],
)
def test_only_the_tags_that_mediawiki_knows_are_markup(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>\nd", "- a\n- b c\n\nd"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n  - b\n2. c"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\nb"),
        ("a\n<h2 class=x>Life</h2>\nb\n<h2>References</h2>\nc", "a\n\nLife\nb"),
        ("<h3>Two\nlines</h3>\na", "Two lines\na"),
        ("<h2>" + "long " * 60 + "</h2>\na", ("long " * 60).strip() + "\n\na"),
        ("== <center>Life</center> ==\na", "Life\na"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<table><tr><td><table><tr><td>x</td></tr></table>y</td></tr></table>b", "a\n\nb"),
    ],
)
def test_html_makes_the_layout_that_wikitext_would(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "language", "expected"),
    [
        ("a __FILE__ b __init__ c", "en", "a __FILE__ b __init__ c"),
        ("a __NoToc__ b __noindex__", "en", "a b __noindex__"),
        ("a ___TOC___ b", "en", "a __ b"),
        ("a __KEIN_INHALTSVERZEICHNIS__ b", "de", "a b"),
        ("a __KEIN_INHALTSVERZEICHNIS__ b", "en", "a __KEIN_INHALTSVERZEICHNIS__ b"),
        ("a __ОБЯЗ_ОГЛ__ b __БЕЗ_ЗМІСТУ__", "uk", "a b"),
        ("a __EXPECTED_UNCONNECTED_PAGE__ b", "fr", "a b"),
        ("<nowiki>__TOC__</nowiki>", "en", "__TOC__"),
    ],
)
def test_switches_are_those_of_the_wiki(wikitext: str, language: str, expected: str) -> None:
    assert text(wikitext, language) == expected


@pytest.mark.parametrize(
    ("language", "switch"),
    [
        ("bg", "БЕЗСЪДЪРЖАНИЕ"), ("ca", "CAPTAULA"), ("cs", "BEZOBSAHU"), ("da", "NOTOC"), ("de", "KEIN_INDEX"),
        ("en", "HIDDENCAT"), ("es", "SIN_TDC"), ("fr", "AUCUNSOMMAIRE"), ("hr", "BEZSADRŽAJA"), ("hu", "NINCSTJ"),
        ("it", "NOINDICE"), ("nl", "GEENINHOUD"), ("pl", "BEZSPISU"), ("pt", "SEMTDC"), ("ro", "FARACUPRINS"),
        ("ru", "БЕЗ_ОГЛ"), ("sl", "BREZKAZALA"), ("sr", "БЕЗСАДРЖАЈА"), ("sv", "DOLDKAT"), ("uk", "БЕЗ_ЗМІСТУ"),
    ],
)  # fmt: skip
def test_every_language_knows_its_switches(language: str, switch: str) -> None:
    assert language in LANGUAGES
    assert without_switches(f"a__{switch}__b __{switch}X__", language) == f"ab __{switch}X__"


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("AT&T &copy 2000 &para1;", "AT&T &copy 2000 &para1;"),
        ("&copy; &CounterClockwiseContourIntegral; &רלמ;!", "© ∳ \u200f!"),
        ("&amp;lt; &ampamp; &#38;lt;", "&lt; &ampamp; &lt;"),
        ("&#128; &#x9F; &#0; &#xD; &#xD800; &#xFFFE; &#x110000;",) * 2,
        ("&#126;&#x7e; &#127; &#159; &#160;&#xA0;x", "~~ &#127; &#159; x"),
        ("&#xD7FF;&#xE000;&#xFFFD;&#x10FFFF;", "\ud7ff\ue000\ufffd\U0010ffff"),
        ("a&#10;b&#9;c &#0000000065;", "a b c A"),
        ("$ <math>a &lt; b & c &section=1</math>", "$ $a < b & c &section=1$"),
        ("<pre>&lt;b&gt; &copy</pre>", "<b> &copy"),
        ("<nowiki>&lt;&#128;</nowiki>", "<&#128;"),
        ("<source lang=xml>&lt;b/&gt;</source>", "&lt;b/&gt;"),
        ("http://a.example/?a=1&amp;b=2&lang=en.", "http://a.example/?a=1&b=2&lang=en."),
        ("http://a.example/&#x5B;x&#93;#&#x5B;y&#93;&lt;z", "http://a.example/%5Bx%5D#[y]<z"),
    ],
)
def test_character_references_are_those_of_mediawiki(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("one<ref>x</ref>\n<ref>y</ref>two", "one two"),
        ("one<ref>x</ref> <ref>y</ref>two<ref/><ref/>three", "one twothree"),
        ("one.<ref>x</ref>\n<ref>y</ref>\n<ref>z</ref> Two", "one. Two"),
        ("a [[Category:X]] [[Category:Y]]b", "a b"),
        ("(a{{unknown}} {{unknown}}) b", "(a) b"),
    ],
)
def test_a_space_between_gaps_stays_a_space(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("see [http://a.example/c Title [PDF]] here", "see Title [PDF] here"),
        ("[//a.example x] [mailto:a@b.example y] [git://a.example z]", "x y z"),
        ("[http:/a.example x] [foo://a.example y] [1]", "[http:/a.example x] [foo://a.example y] [1]"),
        ("[http://a.example''x'' y] [http://a.example<b>x</b> y]", "x y x y"),
        ("[http://a.example | x]\n[http://[::1]/a y]", "| x y"),
        ("[http://a.example/{{unknown}}/b x] y", "x y"),
        ("[http://a.example\nx]", "[http://a.example x]"),
        ("[http://a.example a [[b|c]] d]", "a c d"),
        ("[[http://a.example x]] [[//a.example|x y]]", "[x] [y]"),
        ("<nowiki>[http://a.example x]</nowiki> [http://a.example/<nowiki>x</nowiki> y]", "[http://a.example x] x y"),
    ],
)
def test_external_links_show_their_title(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("m = [[a[0]]] and [[x<y]] and [[a\nb]]", "m = [[a[0]]] and [[x<y]] and [[a b]]"),
        ("[[|a]] [[]] [[a{{unknown}}]]", "[[|a]] [[]] a"),
        ("[[a|b [[c|d]] e]]", "[[a|b d e]]"),
        ("[[a||b|c]] [[a| ]]d", "|b|c d"),
        ("[[a|<nowiki/>]]b [[a|<nowiki>]]</nowiki>]]", "b ]]"),
        ("[[A%26B]] [[a#%5Bb%5D]] [[100%]] [[%3Ca%3E]] [[a%01%02]]", "A&B a#[b] 100% [[%3Ca%3E]] [[a%01%02]]"),
        ("[[d''un''e]] [[a|''b'' c]] ''[[a|b'' c]] d", "d''un''e b c b c d"),
        ("[[a#<x>]] [[:de:Katze]] [[:Category:A]]", "a#<x> de:Katze Category:A"),
        ("a[[Imachen:x.jpg|thumb|b [[c]]]]d [[Foo: a story.]]", "ad Foo: a story."),
        ("[[a|b <span title='[[x]]'>c</span>]]", "b c"),
        ("a]] b [[c|d]] [[e", "a b d e"),
        ("[[a and [[b|c]] ]] d", "[[a and c ]] d"),
        ("ISBN 0-306-40615-2, RFC 2119, PMID 1", "ISBN 0-306-40615-2, RFC 2119, PMID 1"),
    ],
)
def test_internal_links_are_those_that_lead_to_a_title(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_stray_brackets_at_the_beginning_of_a_line_begin_no_list() -> None:
    assert text("[[#open\nb") == "#open b"


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("* a\n** b\n*** c\n** d\n* e", "- a\n  - b\n    - c\n  - d\n- e"),
        ("# a\n#* b\n#: c\n# d", "1. a\n  - b\n  c\n2. d"),
        ("*** a\n* b", "- a\n- b"),
        ("* <ref>x</ref>\n** a", "- a"),
        ("* a\n\n** b", "- a\n\n- b"),
        (":* a\n:** b\n:: c", "- a\n  - b\nc"),
        ("* a\n** b<br>c", "- a\n  - b\n  c"),
        ("; term : meaning\n; http://a.example : b\n;c:d:e", "term: meaning\nhttp://a.example: b\nc: d:e"),
        ("* see also: [[x]]\n** See also: [[y]]\n** z", "- z"),
    ],
)
def test_nested_lists_are_indented(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a\n b  c\n d\ne", "a\nb c\nd\ne"),
        ("a:\n<pre>\nb  c\n d\n</pre>\ne", "a:\nb  c\n d\ne"),
        ("a <pre>b</pre> c", "a\nb\nc"),
        ("<pre><nowiki>[[a]]</nowiki> <nowiki></pre>", "[[a]] <nowiki>"),
        ("a <source lang=c inline>b  c</source> d", "a b  c d"),
        ("a <source lang=c>b</source> c", "a\nb\nc"),
        ("<poem>\na<ref>n</ref>\n: b ''c''\n\nd\n</poem>", "a\nb c\n\nd"),
        ("a<br>\n* b", "a\n\n- b"),
    ],
)
def test_lines_that_stand_alone_stay_alone(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("a\n <!-- x --> <!-- y\nz --> \nb", "a b"),
        ("a\n<!-- x --> b", "a\nb"),
        ("* a\n<!-- x -->\n* b", "- a\n- b"),
        ("== H == <!-- x --> <!-- y -->\na", "H\na"),
        ("a <!-- x --> b", "a b"),
        ("<nowiki><!-- a --></nowiki>", "<!-- a -->"),
        ("a<!---->b<!-- - -- >-->c", "abc"),
    ],
)
def test_comments_take_the_line_that_they_are_alone_on(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_an_unclosed_comment_goes_to_the_end_and_is_counted() -> None:
    cleaned = clean("a <!-- b --> c <!-- d\n\n== e ==\nf")
    assert (cleaned.text, cleaned.unclosed_comment) == ("a c", len("<!-- d\n\n== e ==\nf"))
    assert clean("a <!-- b --> c").unclosed_comment == 0


def test_apostrophes_count_line_by_line_and_literal_text_parts_them() -> None:
    assert text("'''a ''b'''''<nowiki/>''s c''") == "a bs c"
    assert text("''a\nb'' c") == "a b c"


def test_language_variants_are_markup_on_the_wikis_that_have_them() -> None:
    assert text("-{text}- and -{sr-ec:ћ; sr-el:ć}- -{T|Наслов}--{H|sr-ec:а;sr-el:a}-", "sr") == "text and ћ"


OPENERS = (
    "<!--", "<!-- a -->", "<nowiki>", "<nowiki/>", "<pre>", "<ref>", "<ref name=a>b", "<ref", "<math>", "<poem>",
    "<table>", "<td>", "</td>", "<div>", "<ul>", "<li>", "<h2>", "<h2>a", "</h2>", "<b", "<", ">", "<br>", "[[", "[[a|",
    "[[a", "]]", "[http://a.example ", "[http://", "http://a&amp;", "[", "{{", "{{a|", "{{a\n|", "}}", "{{{", "{|\n",
    "\n{|", "\n|}", "\n|-", "\n|", "}}\n|", "{{a}}\n|}\n", "\n!", "''", "'''", "\n''", "&", "&#", "&#0", "&amp", "__",
    "__TOC", "__TOC__", "_", "-{", "}-", "\n*", "\n;", "\n;:", "\n=", "=", "\n==a", "\n ", " ", "\n", "\n----", "%",
    "[[%41", "[[a%41|", "<a [[", "<b [[", "<b title='[[a]]'>", "<syntaxhighlight>", "</syntaxhighlight>", "<sup>",
    "<sup>1", "(", "({{x}}", "{{a}}\n|-", "\n* {{a}}\n|-", "\n{{a}}\n|-\nx",
)  # fmt: skip


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("language", ["en", "sr"])
def test_ten_thousand_openers_come_to_an_end(opener: str, language: str) -> None:
    """Anything quadratic would take minutes here."""
    for page in (opener * 10_000, opener * 10_000 + "x\n" * 10_000, "a" + opener * 10_000 + ">]]}}\n|}"):
        text(page, language)
