"""Templates by the wiki's own definitions."""

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.templates import expander
from llama_data.stages.wikipedia.templates.definitions import MAX_BODY, from_pages, record_of
from llama_data.stages.wikipedia.wikitext import MAX_DEPTH, Cleaned, clean

# Pages of the Template namespace, written for these tests.
PAGES = {
    "Same": "{{{1}}}",
    "Both": "{{{1}}}-{{{2}}}",
    "Named": "<{{{name|none}}}>".replace("<", "(").replace(">", ")"),
    "Either": "[{{{1|{{{2|deep}}}}}}]",
    "Or empty": "[{{{1|}}}]",
    "Temperature": "{{{1}}}&nbsp;°C<noinclude>{{Documentation}}</noinclude>",
    "Tmp": "#REDIRECT [[Template:Temperature]]",
    "Degrees": "#redirect [[Template:Tmp]]",
    "Round 1": "#REDIRECT [[Template:Round 2]]",
    "Round 2": "#REDIRECT [[Template:Round 1]]",
    "Unbreakable": "#REDIRECT [[Template:Nowrap]]",
    "Outer": "<{{Same|{{{1}}}}}>".replace("<", "«").replace(">", "»"),
    "Bold": "'''{{{1}}}'''",
    "Century": "{{#switch:{{{1}}}|1=first|2=second|{{{1}}}th}} century",
    "Plus": "{{#expr:{{{1}}}+{{{2|1}}}}}",
    "Target": "[[{{{1}}}|{{{2|{{{1}}}}}}]]",
    "Loop": "a{{Loop}}b",
    "Ping": "{{Pong}}",
    "Pong": "{{Ping}}",
    "Lua": "{{#invoke:Date|main}}",
    "Maybe Lua": "{{#if:{{{1|}}}|{{{1}}}|{{#invoke:Date|main}}}}",
    "Info panel": '{| class="infobox"\n| {{{1}}}\n|}',
    "Panel": '<div class="navbox">{{{1}}}</div>',
    "Noted": "{{{1}}}<ref>source</ref><sup class='noprint'>[why?]</sup>",
    "Keyed": '<span style="display:none">key</span>{{{1}}}',
    "Wish": "This page is about {{{x|something}}} and wants help.",
    "Pair": "{{{1}}}{{=}}{{{2}}}{{!}}",
    "Literal": "<nowiki>{{Same|x}}</nowiki> {{{1}}}",
    "Raw": "{{#if:{{{1|}}}|given|missing}}",
    "Twice": "{{{1}}}{{{1}}}",
    "Calls": "{{{{{1}}}|x}}",
    "Items": "* {{{1}}}\n* {{{2}}}",
    "Uses unknown": "before {{Nobody knows|9}} after",
    "Only": "no<onlyinclude>{{{1}}}</onlyinclude>no",
    "Category": "[[Category:{{{1}}}]]",
    "Table start": "{|\n|-",
    "Table end": "|}",
    "Years since": "{{#expr:{{CURRENTYEAR}}-{{{1}}}}}",
    "Sum": "{{#expr:{{{1}}}+1}}",
    "Sum or word": "{{#iferror:{{#expr:{{{1}}}+1}}|no number}}",
    "Cells": "{{#if:{{{1|}}}|<table class='x'><tr><td>}}{{{1}}}{{#if:{{{1|}}}|</td></tr></table>}}",
    "Opened": "{{#if:{{{1|}}}|<table>}}<tr><td>{{{1}}}</td></tr>",
}
DEFINITIONS = from_pages(PAGES)


def cleaned(wikitext: str, language: str = "en") -> Cleaned:
    return clean(wikitext, title="Title", language=language, definitions=DEFINITIONS)


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("It was {{Temperature|40}} today", "It was 40 °C today"),
        ("It was {{tmp|40}} and {{Degrees|3}} today", "It was 40 °C and 3 °C today"),
        ("x {{Template:Same|a}} {{ same | b}} {{Same_|c}} {{subst:Same|d}}", "x a b c d"),
        ("x {{Both|a| b }}. {{Both|2=b|1= a }}", "x a- b . a-b"),
        ("x {{Both|a|1=c|2=d}}", "x c-d"),
        ("x {{Named| name = a }} {{Named}} {{Named|name=}}", "x (a) (none) ()"),
        ("x {{Either|1}} {{Either|2=b}} {{Either}} {{Either|}} {{Or empty}}", "x [1] [b] [deep] [] []"),
        ("x {{Same}} y", "x y"),
        ("x {{Outer|''a''}} {{Bold|b}}", "x «a» b"),
        ("the {{Century|1}} and {{Century|19}}", "the first century and 19th century"),
        ("x {{Plus|2|3}} {{Plus|2}}", "x 5 3"),
        ("x {{Target|Paris}} {{Target|Paris|the city}}", "x Paris the city"),
        ("x {{Same|1=a=b}} {{Same|<nowiki>a=b</nowiki>}}", "x a=b a=b"),
        ("x {{Same|{{Same|{{Same|y}}}}}}", "x y"),
        ("x {{Unbreakable|10 km}} y", "x 10 km y"),
        ("x {{Noted|word}}, y", "x word, y"),
        ("x {{Keyed|word}} y", "x word y"),
        ("x {{Pair|a|b}} y", "x a=b| y"),
        ("x {{Literal|a}} y", "x {{Same|x}} a y"),
        ("x {{Raw}} {{Raw|}} {{Raw| }} {{Raw|a}}", "x missing missing missing given"),
        ("x {{Calls|Same}} y", "x x y"),
        ("list: {{Items|a|b}}", "list:\n\n- a\n- b"),
        ("x {{Only|a}} y", "x a y"),
        ("x {{Maybe Lua|a}} y", "x a y"),
        ("x {{Bold|{{nowrap|a}}}} {{Same|{{nowrap|a}}}} y", "x a a y"),
        ("{{Same|text of a paragraph}}", "text of a paragraph"),
        ("x {{Same#part|a}} {{Same|a&amp;b}}", "x a a&b"),
        ("x {{nowrap|built in}}", "x built in"),
        ("x {{Sum|2}} {{Sum or word|a}}", "x 3 no number"),
    ],
)
def test_a_definition_is_expanded_as_mediawiki_does(wikitext: str, expected: str) -> None:
    assert cleaned(wikitext).text == expected


@pytest.mark.parametrize(
    "wikitext",
    [
        "a {{Info panel|x}} b",
        "a {{Panel|x}} b",
        "a {{Category|x}} b",
        "a {{Table start}} b",
        "a {{Table end}} b",
        "a {{Cells|x}} b",
        "a {{Opened|x}} b",
    ],
)
def test_boxes_and_the_like_show_nothing_and_are_known(wikitext: str) -> None:
    assert cleaned(wikitext)[:2] == ("a b", 0)


def test_a_standing_notice_on_a_line_of_its_own_is_no_text() -> None:
    assert cleaned("{{Wish}}\nText.").text == "Text."
    assert cleaned("So: {{Wish}}").text == "So: This page is about something and wants help."
    assert cleaned("{{Wish|x=mills}}\n\nText.").text == "This page is about mills and wants help.\n\nText."


def test_what_stands_around_a_loop_is_shown() -> None:
    assert cleaned("x {{Loop}} y")[:2] == ("x ab y", 1)


@pytest.mark.parametrize("name", ["Ping", "Round 1", "Lua", "Maybe Lua", "Years since", "Sum"])
def test_loops_and_modules_leave_a_template_unknown(name: str) -> None:
    assert cleaned(f"a {{{{{name}}}}} b")[:2] == ("a b", 1)
    assert cleaned(f"a {{{{{name}}}}} b").lost_names == {name: 1}


def test_the_same_template_may_stand_in_its_own_argument() -> None:
    assert cleaned("x {{Outer|{{Outer|a}}}}").text == "x ««a»»"


def test_unknown_templates_within_definitions_are_named() -> None:
    found = cleaned("x {{Uses unknown}} y")
    assert found.text == "x before after y"
    assert found.unknown_names == {"Nobody knows": 1}
    assert found.lost_names == {"Nobody knows": 1}
    assert cleaned("{{Uses unknown}}\nx").unknown_names == {}


def test_doubling_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "{{Twice|" * 12 + "ab" + "}}" * 12
    assert len(cleaned(f"x {bomb}").text) == len("x ") + 2 * 2**12
    monkeypatch.setattr(expander, "MAX_OUTPUT", 10_000)
    assert len(cleaned(f"x {bomb}").text) < 10_000


def test_a_page_looks_at_a_limited_number_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expander, "MAX_NODES", 20)
    assert cleaned("x {{Temperature|1}} y")[:2] == ("x 1 °C y", 0)
    assert cleaned("x " + "{{Temperature|1}} " * 20).unknown_templates > 0


def test_definitions_may_be_nested_to_a_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {f"D{n}": f"{{{{D{n + 1}|{{{{{{1}}}}}}}}}}" for n in range(100)} | {"D100": "{{{1}}}"}
    known = from_pages(pages)
    assert clean("x {{D90|a}} y", definitions=known)[:2] == ("x a y", 0)
    assert clean("x {{D0|word}} y", definitions=known).unknown_templates == 1


def test_the_deepest_page_over_the_deepest_definitions_does_not_overflow() -> None:
    pages = {f"D{n}": f"{{{{#if:1|{{{{D{n + 1}|{{{{{{1}}}}}}}}}}}}}}" for n in range(60)} | {"D60": "{{{1}}}"}
    known = from_pages(pages)
    deep = MAX_DEPTH - 1
    assert clean("x " + "{{D40|" * deep + "word" + "}}" * deep, definitions=known).text.startswith("x")


@pytest.mark.parametrize(
    ("title", "page", "record"),
    [
        ("A", "#REDIRECT [[Template:b c]]", "RB c"),
        ("A", "#WEITERLEITUNG [[Vorlage:B]]", "RB"),
        ("A", "text<noinclude>doc</noinclude>", "Ttext"),
        ("A", "<noinclude>doc</noinclude>", "N"),
        ("A", "{{Navbox|x}}", "N"),
        ("A", "<!-- note -->{| class=x\n|}", "N"),
        ("A", "{{#invoke:Convert|convert}}", None),
        ("A", "{{ {{{|safesubst:}}}#invoke:Convert|convert}}", None),
        ("A", "{{{{{♥|safesubst:}}}#invoke:Convert|convert}}", None),
        ("A", "{{<includeonly>safesubst:</includeonly>#invoke:Convert|convert}}", None),
        ("A", "{{#invoke:If empty|main|{{{1}}}}}", "T{{#invoke:If empty|main|{{{1}}}}}"),
        ("A/doc", "text", None),
        ("A/Testcases", "text", None),
        ("A/B", "text", "Ttext"),
        ("A", "x" * MAX_BODY, "T" + "x" * MAX_BODY),
        ("A", "x" * (MAX_BODY + 1), None),
    ],
)
def test_what_is_stored_of_a_template_page(title: str, page: str, record: str | None) -> None:
    assert record_of(title, page) == record


HOSTILE = {
    "wide": "{{Twice|" * 30 + "x" + "}}" * 30,
    "long": "{{Both|a|b}} " * 20_000,
    "deep": "{{Same|" * 20_000 + "}}" * 20_000,
    "arguments": "{{Same" + "|a=b" * 50_000 + "}}",
    "switch": "{{#switch:z" + "|a=b" * 50_000 + "}}",
    "spans": "{{Same|1=" + "<span style='display:none'>" * 30_000 + "}} x",
    "names of arguments": "{{odd|" * 39 + "a" + "=x}}" * 39,
    "heads": "{{x" * 39 + "{{lc:a:b}}" + "}}" * 39,
    "positions": "{{#explode:a/b|/|" * 39 + "1" + "}}" * 39,
    "arguments of definitions": "{{Items|" * 39 + "a" + "=x|b}}" * 39,
    "words of a long call": "{{Same|" + "a b " * 50_000 + "".join(f"|{n}.x" for n in range(20_000)) + "}}",
    "loops": "{{Loop}} " * 20_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_calls_come_to_an_end(name: str) -> None:
    """At these lengths anything quadratic would run for minutes and stop the suite."""
    assert len(cleaned("x " + HOSTILE[name]).text) <= expander.MAX_OUTPUT
    assert len(cleaned(HOSTILE[name]).text) <= expander.MAX_OUTPUT
