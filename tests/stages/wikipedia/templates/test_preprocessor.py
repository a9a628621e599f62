"""Template pages to trees: what a call shows of a page, and which braces belong together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.wikipedia.templates.preprocessor import Kept, Parameter, TreeCall, TreePart, parse, transcluded


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("a<noinclude>doc</noinclude>b", "ab"),
        ("a<noinclude>doc", "a"),
        ("<noinclude>x<noinclude>y</noinclude>z</noinclude>a", "a"),
        ("<includeonly>a</includeonly>b", "ab"),
        ("out<onlyinclude>in</onlyinclude>out<onlyinclude> too</onlyinclude>", "in too"),
        ("<onlyinclude>a<noinclude>b</noinclude></onlyinclude>", "a"),
        ("a</noinclude>b", "ab"),
        ("a<NOINCLUDE>x</NoInclude >b", "ab"),
        ("a<noinclude />b", "ab"),
        ("a<!-- <noinclude> -->b", "a<!-- <noinclude> -->b"),
        ("<nowiki><noinclude></nowiki>b", "<nowiki><noinclude></nowiki>b"),
        ("<nowiki><noinclude>c</noinclude>b", "<nowiki>b"),
        ("no tags", "no tags"),
    ],
)
def test_a_call_shows_the_included_part_of_a_page(page: str, expected: str) -> None:
    assert transcluded(page) == expected


def call(head: str, *parts: TreePart) -> TreeCall:
    return TreeCall((head,), parts)


def value(*nodes: object) -> TreePart:
    return TreePart(None, nodes)  # type: ignore[arg-type]


ONE = Parameter(("1",), None)


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        ("plain = text | with marks", ("plain = text | with marks",)),
        ("{{{1}}}", (ONE,)),
        ("{{{a|}}}", (Parameter(("a",), ()),)),
        ("{{{a|b=c|unused}}}", (Parameter(("a",), ("b", "=", "c")),)),
        ("{{t|x|n=v=w}}", (call("t", value("x"), TreePart(("n",), ("v=w",))),)),
        ("{{t|{{{1}}}}}", (call("t", value(ONE)),)),
        ("{{{{{1}}}}}", (TreeCall((ONE,), ()),)),
        ("{{{{t}}}}", ("{", Parameter(("t",), None), "}")),
        ("{{{{{{1}}}}}}", (Parameter((ONE,), None),)),
        ("{{{t}}", ("{", call("t"))),
        ("{{t|[[a|b]]}}", (call("t", value("[[a|b]]")),)),
        ("{{t|[[a}}", ("{{t|[[a}}",)),
        ("[[a|{{t}}]]", ("[[a|", call("t"), "]]")),
        ("a}}b", ("a}}b",)),
        ("{{t|a=b|c", ("{{t|a=b|c",)),
        ("{{t|=x}}", (call("t", TreePart((), ("x",))),)),
        ("x<nowiki>{{t}}</nowiki>", ("x", Kept("{{t}}"))),
        ("x<!-- {{t}} -->y", ("xy",)),
    ],
)
def test_braces_are_matched_as_mediawiki_does(body: str, tree: tuple[object, ...]) -> None:
    assert parse(body) == tree


def flat(nodes: object) -> str:
    """The text of a tree, written out again."""
    if isinstance(nodes, str):
        return nodes
    if isinstance(nodes, Parameter):
        return "{{{" + flat(nodes.name) + ("" if nodes.default is None else "|" + flat(nodes.default)) + "}}}"
    if isinstance(nodes, TreeCall):
        parts = [("" if p.name is None else flat(p.name) + "=") + flat(p.value) for p in nodes.parts]
        return "{{" + "|".join([flat(nodes.head), *parts]) + "}}"
    assert isinstance(nodes, tuple)
    return "".join(flat(node) for node in nodes)


@given(
    st.lists(st.sampled_from(["{{", "}}", "{{{", "}}}", "{", "}", "[[", "]]", "|", "=", "a", " ", "\n"]), max_size=30)
)
def test_nothing_is_lost_but_the_third_part_of_a_parameter(pieces: list[str]) -> None:
    text = "".join(pieces)
    written = flat(parse(text))
    assert flat(parse(written)) == written
    if "|" not in text:
        assert written == text


@pytest.mark.parametrize(
    "text", ["{{" * 100_000, "{{a|" * 50_000 + "}}" * 50_000, "[[{{" * 50_000, "}}" * 100_000, "{" * 200_000]
)
def test_hostile_bodies_are_parsed_in_linear_time(text: str) -> None:
    """At these lengths anything quadratic would run for minutes and stop the suite."""
    assert parse(text)
