"""Superscripts and subscripts in plain text: no digit joins the number it stands at."""
# ruff: noqa: RUF001

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.shared.scripts import lowered, raised

RAISED = [
    ("10", "5", "⁵"),
    ("10", "−5", "⁻⁵"),
    ("10", "3.5", "^3.5"),
    ("10", "-3,5", "^-3,5"),
    ("2", "n", "ⁿ"),
    ("2", "k", "^k"),
    ("2", "nk", "^nk"),
    ("e", "−x", "^−x"),
    ("e", "x + 1", "^(x + 1)"),
    ("5", "1/2", "^(1/2)"),
    ("2", "3m", "^(3m)"),
    ("10", "10²", "^(10²)"),
    ("x", "y²", "^(y²)"),
    ("f", "(k)", "^(k)"),
    ("x", "*", "*"),
    ("SO₄", "2−", "²⁻"),
    ("Na", "+", "⁺"),
    ("1", "st", "st"),
    ("22", "nd", "nd"),
    ("n", "th", "th"),
    ("1", "ère", "ère"),
    ("XX", "e", "e"),
    ("5", "й", "й"),
    ("M", "me", "me"),
    ("M", "lle", "lle"),
    ("n", "o", "o"),
    ("Java", "TM", "™"),
    ("The Answer", "(TM)", "™"),
    ("x", "R", "^R"),
    ("90", "o", "º"),
    ("90", "°", "°"),
    ("word", "[1]", "[1]"),
    ("1999", "note 3", "[note 3]"),
    ("network", "Werbos", "[Werbos]"),
    ("future data.", "source", "[source]"),
    ("sin", "−1", "⁻¹"),
    ("sin", "k", "^k"),
    ("A", "max", "^max"),
    ("(a + b)", "max", "^max"),
    (" ", "235", "²³⁵"),
    ("", "99m", "99m"),
    ("10 ", "3.5", "^3.5"),
    ("(", "d", "d"),
    ("10", "3.5,", "^3.5,"),
    ("1", "er.", "er."),
    ("x", "", ""),
]


@pytest.mark.parametrize(("before", "text", "expected"), RAISED)
def test_raised(before: str, text: str, expected: str) -> None:
    assert raised(text, before) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("fr", "e", "e"),
        ("en", "e", "^e"),
        ("es", "a", "a"),
        ("en", "a", "^a"),
        ("ca", "n", "n"),
        ("en", "n", "ⁿ"),
        ("ca", "r", "r"),
    ],
)
def test_which_letter_ends_an_ordinal_depends_on_the_language(language: str, text: str, expected: str) -> None:
    assert raised(text, "2", language=language) == expected
    assert raised(text, "2.", language=language) == expected


@pytest.mark.parametrize(
    ("before", "text", "expected"), [("el 3.", "er", "er"), ("n.", "o", "o"), ("end.", "b", "^b"), (".", "a", "^a")]
)
def test_the_point_of_an_abbreviation_may_stand_before_its_ending(before: str, text: str, expected: str) -> None:
    assert raised(text, before, language="es") == expected


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("H", "2", "₂"),
        ("20", "16", "₁₆"),
        ("x", "i", "_i"),
        ("K", "a1", "_a1"),
        ("x", "i+1", "_(i+1)"),
        ("x", "n,m", "_(n,m)"),
        ("a", "max", "_max"),
        ("O", "(l)", "(l)"),
        ("", "92", "₉₂"),
        (" ", "edited", "edited"),
        ("x", "see below", " see below"),
        ("CO", "2,)", "₂,)"),
        ("x", "(i)", "(i)"),
        ("x", "", ""),
    ],
)
def test_lowered(before: str, text: str, expected: str) -> None:
    assert lowered(text, before) == expected


def test_a_caret_where_no_characters_are_raised() -> None:
    assert raised("6", "10", style="caret") == "^6"
    assert raised("th", "19", style="caret") == "th"
    assert raised("14", "", style="caret") == "14"


@given(st.text("0123456789.,/+-−–()nxketh ", min_size=1, max_size=8), st.sampled_from(["unicode", "caret"]))
def test_no_digit_follows_a_number_directly(text: str, style: str) -> None:
    for written in (raised(text, "10", style=style), lowered(text, "10")):  # type: ignore[arg-type]
        assert not re.match(r"[.,]*[0-9]", written), written
