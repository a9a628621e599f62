"""Parser functions and the evaluator of expressions, fact by fact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.wikipedia.templates.expressions import MAX_CHARS, ExpressionError, evaluate
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Some Title/Part", language=language).text


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("", ""),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("2 ^ 3 ^ 2", "64"),
        ("7 / 2", "3.5"),
        ("7 div 2", "3.5"),
        ("-7 mod 3", "-1"),
        ("7.9 mod 3.9", "1"),
        ("5.5 fmod 2", "1.5"),
        ("10 - 4 - 3", "3"),
        ("1 = 1.0", "1"),
        ("1 <> 1", "0"),
        ("2 >= 3 or 1", "1"),
        ("2 < 3 and not 0", "1"),
        ("0.1 + 0.2", "0.3"),
        ("1/3", "0.33333333333333"),
        ("2.5 round 0", "3"),
        ("-2.5 round 0", "-3"),
        ("1.005 round 2", "1.01"),
        ("1234 round -2", "1200"),
        ("1e3", "1000"),
        ("2 * 10^25", "2.0E+25"),
        ("1/8^9", "7.4505805969238E-9"),
        ("trunc -3.7", "-3"),
        ("floor -3.2 ", "-4"),
        ("ceil 3.2", "4"),
        ("abs -4", "4"),
        ("sqrt 16", "4"),
        ("pi round 4", "3.1416"),
        ("−5 + 3", "-2"),  # noqa: RUF001 - the minus sign
        ("3 &lt; 4", "1"),
    ],
)
def test_expressions_have_mediawikis_values(expression: str, expected: str) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    "wrong", ["1 +", "* 2", "(1", "1)", "1 2", "a", "1/0", "5 mod 0", "__import__", "9^9^9^9", "ln 0", "1;2", "(" * 100]
)
def test_what_is_no_expression_is_an_error(wrong: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(wrong)


def test_long_expressions_are_refused() -> None:
    assert evaluate("1" + " " * (MAX_CHARS - 1)) == "1"
    with pytest.raises(ExpressionError):
        evaluate("1" + "+" * MAX_CHARS)


@given(st.text(alphabet="0123456789.+-*/^()= eroundmi<>", max_size=60))
def test_any_text_has_a_value_or_is_an_error(expression: str) -> None:
    try:
        value = evaluate(expression)
    except ExpressionError:
        return
    assert value == "" or float(value.replace("INF", "inf")) is not None


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{#if: x | yes | no}} {{#if:  | yes | no}} {{#if:<ref>n</ref>|a|b}}", "yes no b"),
        ("{{#ifeq: 01 | 1 | same | other}} {{#ifeq:a|A|same|other}}", "same other"),
        ("{{#ifeq:||empty|full}}", "empty"),
        ("{{#switch: b | a = 1 | b = 2 | 3}} {{#switch: c | a = 1 | 3}}", "2 3"),
        ("{{#switch: a | a | b = both | #default = none}} {{#switch: x | a = 1 | #default = none}}", "both none"),
        ("{{#switch: x | #default = d | x = found}} {{#switch: 1.0 | 1 = number}}", "found number"),
        ("x{{#switch: q | a = 1}}y", "xy"),
        ("{{#iferror: {{#expr: 1 + }} | wrong | right }} {{#iferror: {{#expr: 1}} | wrong }}", "wrong 1"),
        ("{{#ifexpr: 1 > 2 | more | less}} {{#ifexist: Page | there | not}}", "less there"),
        ("{{#expr: 6 * 7}}{{lc:ABC}}{{ucfirst:abc}}{{lcfirst:ABC}}", "42abcAbcaBC"),
        ("{{padleft:7|3|0}} {{padright:ab|5|xy}} {{padleft:abc|2}}", "007 abxyx abc"),
        ("{{#titleparts: a/b/c | 1 | 2}} {{#titleparts:a/b/c|2}} {{#titleparts:a/b/c||-1}}", "b a/b c"),
        ("{{PAGENAME}}; {{SUBPAGENAME}}; {{BASEPAGENAME}}; x{{NAMESPACE}}y", "Some Title/Part; Part; Some Title; xy"),
        ("{{plural:1|page|pages}} {{plural:2|page|pages}}", "page pages"),
        ("{{urlencode:a b&c}} {{urlencode:a b|WIKI}}", "a+b%26c a_b"),
        ("{{formatnum:1234|R}} {{formatnum:1234}}", "1234 1,234"),
        ("x{{#tag:ref|note}}y {{#tag:b|bold}}", "xy bold"),
        ("{{DEFAULTSORT:Sort}}shown", "shown"),
        ("{{#invoke:If empty|main||b}} {{#invoke:Check for unknown parameters|check|a}}end", "b end"),
        ("{{#if:{{#if:a}}|x|{{#if:b|nested}}}}", "nested"),
        ("{{#ifexist:|there|not}} {{#ifeq:a&b|a&amp;b|same|other}}", "not same"),
        (
            "{{#len:four}} {{#sub:abcd|1|2}} {{#replace:a-b|-|+}} {{#explode:a/b/c|/|-1}} {{#urldecode:a%20b}}",
            "4 bc a+b c a b",
        ),
        ("{{subst:#if:a|b}} {{safesubst:lc:AB}}", "b ab"),
    ],
)
def test_functions_on_a_page(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_replacing_does_not_multiply_without_end() -> None:
    text = "a" * 100
    for _ in range(6):
        text = "{{#replace:" + text + "|a|" + "a" * 100 + "}}"
    assert len(clean("x " + text).text) < 1 << 17


@pytest.mark.parametrize("wikitext", ["a {{#invoke:Convert|x|1}} b", "a {{#time:Y}} b", "a {{#property:P1}} b"])
def test_what_needs_a_wiki_is_unknown_by_name(wikitext: str) -> None:
    cleaned = clean(wikitext)
    assert cleaned.text == "a b"
    assert cleaned.lost_names == {wikitext[4:].partition(":")[0] + ":": 1}
