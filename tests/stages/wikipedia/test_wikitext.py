"""Wikitext to running text, fact by fact."""
# ruff: noqa: RUF001 - dashes and fractions

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.wikipedia.brackets import match_brackets
from llama_data.stages.wikipedia.wikitext import MAX_DEPTH, clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("'''Bold''' and ''italic'' and '''''both'''''", "Bold and italic and both"),
        ("''Iliad'''s hero", "Iliad's hero"),
        ("the ''Iliad'''s '''hero''' and ''more''", "the Iliad's hero and more"),
        ("[[Berlin]] and [[Paris|the city]] and [[cat]]s", "Berlin and the city and cats"),
        ("[[Berlin#History|]] x", "Berlin x"),
        ("[[:Category:Cats]] and [[:de:Katze|Katze]]", "Category:Cats and Katze"),
        ("a[[File:x.jpg|thumb|with [[link]] and {{lang|de|x}}]]b", "ab"),
        ("x [[Category:Cats|Sort]]", "x"),
        ("[[Datei:x.jpg|mini]]x[[Kategorie:y]]z[[ru:Кот]]", "xz"),
        ("[[Файл:x.jpg|мини|текст]]x[[Категория:y]]", "x"),
        ("see [http://a.org the site] and [http://b.org] now", "see the site and now"),
        ("before<!-- a\n\nb -->after", "beforeafter"),
        ("a\n<!-- alone -->\nb", "a b"),
        ("word<ref>note {{cite web|url=x}}</ref>, next<ref name=a />.", "word, next."),
        ("word<ref>unclosed note\n\nnext", "word\n\nnext"),
        ("word<ref name=a>one<ref name=b>two</ref> end", "word end"),
        ('x<ref name="a>b">n</ref>y', "xy"),
        ("E = <math>mc^2</math>.", "E = $mc^2$."),
        ("10<sup>6</sup> and H<sub>2</sub>O and 1<sup>st</sup>", "10⁶ and H₂O and 1st"),
        ("10<sup>6 m, 10<sup>-3</sub> m, x<sub>i", "10^6 m, 10^-3 m, x_i"),
        ("<nowiki>[[not a link]] ''x''</nowiki>", "[[not a link]] ''x''"),
        ("AT&amp;T &ndash; 5&nbsp;km &lt;b&gt;", "AT&T – 5 km <b>"),
        ("__NOTOC__\ntext __NOEDITSECTION__", "text"),
        ("one<br>two<br />three", "one\ntwo\nthree"),
        ("<div class=x>in</div><span>side</span>", "in\n\nside"),
        ("a<gallery>\nFile:x.jpg|y\n</gallery>b", "ab"),
        ("a\n{|\n| cell\n{|\n| inner\n|}\n|}\nb", "a\n\nb"),
        ("a\n<table><tr><td>cell</td></tr></table>\nb", "a\n\nb"),
        ("{{Infobox person\n| name = {{small|x}}\n| born = 1900\n}}\nText.", "Text."),
        ("soft\nwrapped\n\nparagraph", "soft wrapped\n\nparagraph"),
        ("* one\n* two\n** three\n# a\n# b\n: indented\n; term", "- one\n- two\n  - three\n1. a\n2. b\nindented\nterm"),
        ("{{#if: x | yes | no}}{{#if: | yes | no}}", "yesno"),
        ("{{PAGENAME}} is {{lc:LOW}} {{uc:up}} {{ucfirst:first}}", "Title is low UP First"),
        ("{{{1|default}}} and {{{name}}}.", "default and."),
        ("<includeonly>hidden</includeonly>shown<noinclude> too</noinclude>", "shown too"),
        ("<poem>\nline one\nline two\n</poem>", "line one\nline two"),
        ("<syntaxhighlight lang=c>\nint x[2] = {{1}};\n  y;\n</syntaxhighlight>", "int x[2] = {{1}};\n  y;"),
    ],
)
def test_markup_is_resolved(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("Ayn Rand ({{unknown}}; born Alisa, {{unknown}}; {{unknown}} – 1982)", "Ayn Rand (born Alisa – 1982)"),
        ("Albedo ({{unknown}}) or", "Albedo or"),
        ("x ({{unknown}}, {{unknown}}) y", "x y"),
        ("x (a, {{unknown}}) y", "x (a) y"),
        ("x ({{unknown}}, b) y", "x (b) y"),
        ("x (a; {{unknown}}; b) y", "x (a; b) y"),
        ("x (a, {{unknown}}; {{unknown}} – b) y", "x (a – b) y"),
        ("one,{{unknown}} two {{unknown}}", "one, two"),
        ("x {{unknown}}, y {{unknown}}. Z", "x, y. Z"),
        ("call f() or g( x ) as written", "call f() or g( x ) as written"),
        ("* {{cite book|title=x}}; also published\n* kept", "- kept"),
    ],
)
def test_punctuation_around_a_gap_is_mended_and_other_text_left_alone(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_unclosed_markup_costs_its_line_only() -> None:
    assert text("before {{unclosed|x\n\nafter [[open and\n\n[[closed]] end") == "before\n\nafter open and\n\nclosed end"
    assert text("a\n{|\n| never closed\n\n== Next ==\nstill here") == "a\n\nNext\nstill here"
    assert text("a cite web |url=x |title=y}} b") == "a b"


def test_unknown_templates_inside_lines_are_counted() -> None:
    assert clean("a {{nobody knows}} b").unknown_templates == 1
    assert clean("{{Some navigation box}}\na {{cite web|x}} {{lang|de|b}}").unknown_templates == 0


def test_nesting_beyond_the_limit_is_dropped_and_counted() -> None:
    deep = "{{small|" * (MAX_DEPTH + 5) + "x" + "}}" * (MAX_DEPTH + 5)
    cleaned = clean(f"a {deep} b")
    assert cleaned.text == "a b"
    assert cleaned.too_deep == 1
    shallow = "{{small|" * (MAX_DEPTH - 1) + "x" + "}}" * (MAX_DEPTH - 1)
    assert clean(f"a {shallow} b")[:3] == ("a x b", 0, 0)


def test_brackets_match_across_unclosed_ones() -> None:
    assert match_brackets("{{a [[b}} c]]") == {0: 9}
    assert match_brackets("[[a {{b]] c}}") == {4: 13}
    assert match_brackets("[[a [[b]] c") == {4: 9}


HOSTILE = {
    "open templates": "{{" * 100_000,
    "nested templates": "{{a|" * 50_000 + "}}" * 50_000,
    "links": "[[a|" * 50_000 + "]]" * 50_000,
    "notes": "<ref>" * 100_000,
    "quoted attributes": "<ref " + '"a"a' * 50_000,
    "apostrophes": "a''b '''" * 50_000,
    "tables": "{|\n" * 50_000,
    "gaps": "({{x}}, " * 30_000,
    "gaps and commas": ", {{x}}" * 30_000 + "!",
    "spaces": "{{x}}" + " " * 200_000 + "(",
    "superscript": "<sup>" + " " * 200_000,
    "line break": "<" + " " * 200_000 + "br",
    "address": "[http://" + "a" * 200_000,
    "conversion": "{{convert|" + "1|to|" * 50_000 + "}}",
    "digits": "{{as of|2014|" + "1" * 5000 + "}}{{birth date|" + "9" * 5000 + "}}{{formatnum:" + "1" * 5000 + "}}",
    "parameters": "{{{a|" * 50_000 + "}}}" * 50_000,
    "headings": "=" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_comes_to_an_end(name: str) -> None:
    """At these lengths anything quadratic would run for minutes and stop the suite."""
    assert len(clean(HOSTILE[name]).text) <= 2 * len(HOSTILE[name])


_TOKENS = (
    "{{ }} [[ ]] | = '' ''' <ref> </ref> <ref/> {| |} <!-- --> ( ) , ; word lang|de| convert|5|km * <nowiki> </nowiki>"
    " <br> File: {{{ <h2> </h2> <ul> <li> </ul> <table> </table> <td> <pre> </pre> <poem> </poem> <b> <x> -{ }- "
    " __TOC__ [http://a.example %01 %02 &#1; &lt; &#10; |- ! # : ; 1 0"
)
PIECES = st.sampled_from([*_TOKENS.split(), "\n", " ", "== H =="])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=40).map("".join))
def test_any_text_is_cleaned_without_an_error_and_leaves_no_marks_of_ours(wikitext: str) -> None:
    cleaned = text(wikitext)
    assert not set(cleaned) & set("\x01\x02\x03\x04\x05")
    assert cleaned == cleaned.strip()
    assert "\n\n\n" not in cleaned or "<" in wikitext


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="abc .", min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_plain_paragraphs_pass_unchanged(paragraphs: list[str]) -> None:
    lines = [" ".join(paragraph.split()) for paragraph in paragraphs]
    assert text("\n\n".join(lines)) == "\n\n".join(lines)
