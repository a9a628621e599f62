"""What stands in the place of a template that nothing knows."""
# ruff: noqa: RUF001 - a dash between years

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return (
        clean(f"before {wikitext} after", language=language).text.removeprefix("before ").removesuffix("after").strip()
    )


@pytest.mark.parametrize(
    "argument",
    [
        "word", "two words", "Straße", "слово", "文字", "a 1", "20th", "10 km", "''Title''", "[[Link|label]]", "Dr. No",
        "x.y", "Wort-Wort", "Fe", "IV.", "ABCD", "Ace",
    ],
)  # fmt: skip
def test_an_argument_that_is_text_is_shown(argument: str) -> None:
    shown = {"''Title''": "Title", "[[Link|label]]": "label"}.get(argument, argument)
    assert text(f"{{{{odd one|{argument}}}}}") == shown


@pytest.mark.parametrize(
    "argument",
    [
        "", "12", "1,5", "1999–2003", "+", "http://a.example/b", "//a.example", "www.a.example", "mailto:a@b.example",
        "a@b.example", "Photo of it.jpg", "Sound.ogg", "#ff0000", "ff0000", "20px", "90%", "1.5em", "x200px",
        "100x200px", "color: red;", "text-align:left; width:3em;", "de", "pt-BR", "FRA", "US", "left", "yes", "red",
    ],
)  # fmt: skip
def test_what_says_how_or_where_is_not(argument: str) -> None:
    assert text(f"{{{{odd one|{argument}}}}}") == ""


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("{{odd one|de|Wort}}", "Wort"),
        ("{{odd one|90%|#fff|word}}", "word"),
        ("{{odd one|90%|#fff|left|word}}", ""),
        ("{{odd one|12|word}}", ""),
        ("{{odd one|800|km}}", ""),
        ("{{odd one|125000|km}}", ""),
        ("{{odd one|facade}}", "facade"),
        ("{{odd one|http://a.example|word}}", ""),
        ("{{odd one|word|more}}", "word"),
        ("{{odd one|word|a=1}}", "word"),
        ("{{odd one|word|a=1|b=2}}", ""),
        ("{{odd one|a=1}}", ""),
        ("{{odd one|line\nline}}", ""),
        ("{{odd one}}", ""),
        ("{{odd one|{{odd two|inner}}}}", "inner"),
        ("{{odd infobox|word}}", ""),
        ("{{Who needed this|word}}", ""),
        ("{{флаг страны|word}}", ""),
    ],
)
def test_places_and_names_decide_what_is_shown(call: str, expected: str) -> None:
    assert text(call) == expected


def test_nothing_is_guessed_where_no_sentence_is() -> None:
    assert clean("* {{odd one|word}}\n* kept").text == "- kept"
    assert clean("{{odd one|word}}\nkept").text == "kept"
    assert clean("* see {{odd one|word}}").text == "- see word"


def test_unknown_templates_are_counted_by_title() -> None:
    cleaned = clean("a {{odd one|x y}} b {{Odd_one |12}} c {{template:other}} d {{cite web|x}} e {{nowrap|f}}")
    assert cleaned.unknown_names == {"Odd one": 2, "Other": 1}
    assert {name for name, count in cleaned.lost_names.items() if count} == {"Odd one", "Other"}
    assert cleaned.lost_names["Odd one"] == 1
    assert cleaned.unknown_templates == 3
