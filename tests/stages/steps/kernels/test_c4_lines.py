"""The line kernel does what the rules in plain Python do, on any Unicode; and the rules' own golden lines."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from plain_c4 import plain_clean

from llama_data.stages.shared.wet import WetRecord, read_wet
from llama_data.stages.steps.kernels.c4_constants import PRESETS, Line, LineRules
from llama_data.stages.steps.kernels.c4_lines import clean_page
from llama_data.stages.steps.kernels.c4_phrases import PHRASES

TFDS = PRESETS["tfds"]
SPACES = "".join(char for char in map(chr, range(0x110000)) if char.isspace())
BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

pieces = st.one_of(
    st.sampled_from([phrase for phrase, _ in PHRASES]),
    st.sampled_from(
        ["LOREM IPSUM", "JavaScript", "Coo\u212aies", "coo\u212aie policy", "use coo\u212aies", "cookİe policy"]
    ),
    st.sampled_from(
        ["[12]", "[]", "[edit]", "[citation needed]", "[\u0661\u06f2]", "[1\u00b2]", "[x]", "[", "]", "[[1]", "[12"]
    ),
    st.sampled_from(["...", ".", "?", "!", '"', "'", "\u2026", "{", "}", "\u201d", "\u212a", "\u0130", "\u03a3"]),
    st.sampled_from(list(SPACES + BREAKS)),
    st.sampled_from(
        ["\r\n", "\n\n", " ", " ", " ", "\0", "e\u0301", "\u200b", "\ufeff", "\U0001d7d8", "\U0001f600", "\x7f"]
    ),
    st.sampled_from(["the", "word", "a", "is", "of", "tence", "x" * 30, "\u4e2d" * 9, "\u00e9" * 40]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
pages = st.lists(pieces, max_size=60).map("".join)
ruleses = st.builds(
    LineRules,
    max_word=st.sampled_from([None, 0, 1, 8, 39, 1000]),
    min_words=st.integers(0, 6),
    count_words_first=st.booleans(),
    end_marks=st.sampled_from(['.?!"', ".?!\"'", "", "]."]),
    drop_ellipsis=st.booleans(),
    remove_citations=st.booleans(),
    javascript=st.sampled_from(["line", "page"]),
    drop_policy=st.booleans(),
    everywhere=st.booleans(),
)


def same(text: str, rules: LineRules) -> None:
    fatal, codes, kept = plain_clean(text, rules)
    cleaned = clean_page(text, rules)
    assert (int(cleaned.fatal), cleaned.codes.tolist()) == (fatal, codes)
    if fatal == 0:
        assert (cleaned.text, cleaned.kept) == ("\n".join(kept).strip(), len(kept))


@given(pages, ruleses)
@settings(max_examples=600, deadline=None)
@example("One two three four five coo\u212aies.", TFDS)
@example("We use coo\u212aies on this site, yes.", TFDS)
@example("\u2028\u2029\x85 a b c d e.\u3000\x1f", TFDS)
def test_the_kernel_agrees_with_the_rules_on_generated_pages(text: str, rules: LineRules) -> None:
    same(text, rules)


@given(st.lists(pieces, max_size=14).map(" ".join), st.integers(0, 17))
@settings(max_examples=400, deadline=None)
def test_the_kernel_agrees_wherever_a_line_begins(text: str, shift: int) -> None:
    same("x" * shift + "\n" + text + ".\n" + text, LineRules(min_words=1))


@pytest.mark.parametrize("word", [999, 1000, 1001])
@pytest.mark.parametrize("char", ["x", "\u00e9", "\u4e2d", "\U0001f600"])
def test_words_are_measured_in_characters(word: int, char: str) -> None:
    text = f"one two three four {char * word}."
    same(text, TFDS)
    assert clean_page(text, TFDS).codes.tolist() == [int(Line.kept if word < 1000 else Line.long_word)]


def test_a_huge_page_and_a_huge_line() -> None:
    for text in (
        "a" * 3_000_000,
        "word " * 500_000 + ".",
        "A line of five words.\n" * 60_000,
        "\n" * 400_000,
        "\0" * 9999,
    ):
        same(text, TFDS)


def test_every_space_and_line_break_of_unicode() -> None:
    for char in SPACES + "\u200b\u180e\ufeff":
        same(f"{char}one{char}two three four five.{char}{char}six seven eight nine ten{char}.", TFDS)


def test_every_decimal_digit_makes_a_citation_and_no_other_number() -> None:
    for char in map(chr, range(0x110000)):
        if unicodedata.category(char) in ("Nd", "No", "Nl"):
            text = f"one two three four five [{char}]."
            assert clean_page(text, TFDS).text == re.sub(r"\[\d*\]", "", text)


def test_no_character_but_kelvin_has_an_ascii_lower_case() -> None:
    # What the phrase search takes for granted. The dotted capital I becomes i and a combining dot.
    odd = [char for char in map(chr, range(128, 0x110000)) if any(low < "\x80" for low in char.lower())]
    assert odd == ["\u0130", "\u212a"]
    assert all(not phrase.endswith("i") for phrase, _ in PHRASES)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("One two three four [12].", Line.kept),
        ("See [12].", Line.few_words),
        ("He said so and then...", Line.no_end_mark),
        ("He said it with 'a quote'", Line.no_end_mark),
        ('He said it with "a quote"', Line.kept),
        ("One two three four.", Line.few_words),
        ("One two three four five.", Line.kept),
        ("One two three four five", Line.no_end_mark),
        ("Please enable JavaScript in your browser.", Line.javascript),
        ("Read our Privacy Policy before you go.", Line.policy),
        ("This is some Lorem ipsum dolor text.", Line.lorem_ipsum),
        ("A function has { in its body.", Line.brace),
        ("JavaScript has { in its function body.", Line.javascript),
        ("{ no end mark here at all", Line.no_end_mark),
        ("{ few words.", Line.few_words),
        ("A sentence with its mark after. [3]", Line.no_end_mark),
        ("A sentence with its mark after.[3]", Line.kept),
        ("", Line.no_end_mark),
    ],
)
def test_what_becomes_of_a_line(line: str, code: Line) -> None:
    assert Line(clean_page(line, TFDS).codes.tolist()[0] if line else Line.no_end_mark) is code
    assert [Line(found) for found in plain_clean(line + "\n", TFDS)[1]] == [code]


def test_citations_are_cut_out_of_the_line() -> None:
    text = "Rome[1] was[edit] not built[citation needed] in[] a day[note]."
    assert clean_page(text, TFDS).text == "Rome was not built in a day[note]."


def test_presets_differ_where_the_systems_do() -> None:
    quote = "He said it 'so'"
    assert clean_page(quote, PRESETS["datatrove"]).codes.tolist() == [Line.kept]
    assert clean_page("See now [12].", PRESETS["datatrove"]).codes.tolist() == [Line.kept]
    assert clean_page("Wait for it...", PRESETS["dolma"]).codes.tolist() == [Line.kept]
    assert clean_page("no mark {", PRESETS["dolma"]).fatal is Line.brace
    assert clean_page("about javascript", PRESETS["dolma"]).fatal is Line.javascript_page


def test_a_lone_surrogate_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        clean_page("a\ud800b", TFDS)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_kernel_agrees_with_the_rules_on_every_line_of_the_corpus(corpus: Path, preset: str) -> None:
    paths = sorted((corpus / "cc").glob("*.wet.gz"))
    for path in paths if preset == "tfds" else paths[-1:]:
        for page in read_wet(str(path)):
            assert isinstance(page, WetRecord)
            same(page.body.decode(), PRESETS[preset])
