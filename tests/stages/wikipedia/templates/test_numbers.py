"""Numbers are read by each wiki's signs and shown with them; no digit is ever added, lost or moved."""
# ruff: noqa: RUF001 - the minus sign is not a hyphen, and spaces are of many kinds

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates.numbers import (
    amount,
    apart,
    format_number,
    formatnum,
    fraction_name,
    read_local,
    read_machine,
    read_written,
    superscript,
    write,
)

_SPACED = ("bg", "cs", "es", "fr", "hu", "it", "pl", "pt", "ru", "sv", "uk")
_DOTTED = ("ca", "da", "de", "hr", "nl", "ro", "sl", "sr")
_FOUR_TOGETHER = ("bg", "es", "it", "pl", "pt", "ru", "uk")


def machine(text: str, language: str) -> str | None:
    number = read_written(text, language)
    return number.machine if number else None


# -- each wiki's signs


def test_every_language_is_one_of_the_three_kinds() -> None:
    assert sorted((*_SPACED, *_DOTTED, "en")) == sorted(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_groups_and_decimal_sign_are_those_of_the_wiki(language: str) -> None:
    expected = {
        **dict.fromkeys(_SPACED, "9 876 543,25"),
        **dict.fromkeys(_DOTTED, "9.876.543,25"),
        "en": "9,876,543.25",
    }
    assert format_number("9876543.25", language) == expected[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_some_wikis_keep_four_digits_together(language: str) -> None:
    separator = "," if language == "en" else "." if language in _DOTTED else " "
    assert format_number("999", language) == "999"
    assert format_number("1000", language) == ("1000" if language in _FOUR_TOGETHER else f"1{separator}000")
    assert format_number("10000", language) == f"10{separator}000"


def test_a_language_that_cldr_does_not_have_is_shown_as_in_english() -> None:
    assert format_number("1234.5", "simple") == format_number("1234.5", "no such wiki") == "1,234.5"


# -- reading


@pytest.mark.parametrize(
    ("language", "written", "value"),
    [
        ("fr", "3743,31", "3743.31"),
        ("fr", "26,2", "26.2"),
        ("fr", "1,234", "1.234"),
        ("fr", "1.234", "1.234"),  # no group is set off by a dot in French
        ("ru", "1.234", "1.234"),
        ("fr", "1 234 567,8", "1234567.8"),
        ("fr", "1\u202f234,5", "1234.5"),
        ("fr", "1&nbsp;234&thinsp;567", "1234567"),
        ("fr", "3,141 592 65", "3.14159265"),
        ("fr", "−5,5", "-5.5"),
        ("fr", "&minus;5", "-5"),
        ("fr", "1,5e6", "1.5e6"),
        ("de", "115,4", "115.4"),
        ("de", "1.234,5", "1234.5"),
        ("de", "1.234.567", "1234567"),
        ("de", "0.234", "0.234"),
        ("de", "12.34", "12.34"),
        ("de", "1234.567", "1234.567"),
        ("nl", "1,234.5", "1234.5"),  # both signs: copied from the English wiki
        ("ro", "1,234,567", "1234567"),
        ("en", "1,234", "1234"),
        ("en", "1,234,567.5", "1234567.5"),
        ("en", "1 234", "1234"),
        ("en", ".5", ".5"),
        ("en", "+3", "+3"),
        ("en", "1.5e-6", "1.5e-6"),
    ],
)
def test_what_people_write(language: str, written: str, value: str) -> None:
    assert machine(written, language) == value


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("de", "1.234"),  # a fraction, or a thousand
        ("es", "12.345"),
        ("it", "−273.144"),
        ("en", "1,5"),
        ("en", "1,00,000"),
        ("en", "1,2345"),
        ("en", "1.234.567"),
        ("fr", "1,2,3"),
        ("fr", "12 34"),
        ("fr", "1234 567"),
        ("de", "1.23.456"),
        ("de", "1.234,5.6"),
        ("en", "1'234"),
        ("fr", "1’234"),
        ("en", "5."),
        ("en", ""),
        ("en", "-"),
        ("en", "."),
        ("fr", ","),
        ("en", "e5"),
        ("en", "12abc"),
        ("en", "٣٤"),
    ],
)
def test_what_cannot_be_understood_is_shown_as_it_is_written(language: str, written: str) -> None:
    assert read_written(written, language) is None
    assert amount(written, language, machine=False) == written


def test_a_lone_dot_before_three_digits_is_decimal_where_the_template_takes_machine_numbers() -> None:
    assert format_number("1.234", "de") == "1,234"
    assert amount("−273.144", "es") == "−273,144"
    assert amount("1.234", "de", machine=False) == "1.234"


@pytest.mark.parametrize(
    ("language", "written", "shown"),
    [
        ("fr", "10-20", "10–20"),
        ("fr", "1000 – 2500,5", "1 000–2 500,5"),
        ("de", "1200±50", "1.200±50"),
        ("fr", "21×29,7", "21 × 29,7"),
        ("fr", "-10–-5", "−10 – −5"),
        ("en", "2014-05-06", "2014-05-06"),
        ("fr", "10–x", "10–x"),
    ],
)
def test_two_numbers_with_a_sign_between_them(language: str, written: str, shown: str) -> None:
    assert amount(written, language) == shown


# -- formatnum


@pytest.mark.parametrize(
    ("language", "text", "option", "shown"),
    [
        ("en", "1234567.5", "", "1,234,567.5"),
        ("fr", "1234,5", "", "1 234,5"),
        ("fr", "1234567,12345", "", "1 234 567,12345"),
        ("de", "-1234.5", "", "−1.234,5"),
        ("en", "about 12345 of 67890", "", "about 12,345 of 67,890"),
        ("en", "1990-2000", "", "1,990-2,000"),
        ("en", "1,00,000", "", "1,00,000"),
        ("fr", "1,234,56", "", "1,234,56"),
        ("en", "n/a", "", "n/a"),
        ("en", "", "", ""),
        ("en", "0012", "", "0012"),
        ("en", "1e-7", "", "1×10⁻⁷"),
        ("de", "1.234,5", "R", "1234.5"),
        ("de", "1.234", "R", "1234"),
        ("fr", "1 234,5", "R", "1234.5"),
        ("fr", "12,5", "brut", "12.5"),
        ("en", "1,234.5", "R", "1234.5"),
        ("en", "−5", "R", "-5"),
        ("en", "some", "R", "some"),
        ("en", "12345.5", "NOSEP", "12345.5"),
        ("fr", "12345", "SANSSEP", "12345"),
    ],
)
def test_formatnum_as_mediawiki_has_it(language: str, text: str, option: str, shown: str) -> None:
    assert formatnum(text, option, language) == shown


def test_formatnum_keeps_its_hands_off_texts_that_are_set_aside() -> None:
    mark = "\x011234\x02"
    assert formatnum(f"5678{mark}9012", "", "en") == f"5,678{mark}9,012"


# -- powers


@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("18", "¹⁸"),
        ("-3", "⁻³"),
        ("−3", "⁻³"),
        ("3.5", "^3.5"),
        ("−x", "^−x"),
        ("n+1", "^(n+1)"),
        ("n + 1", "^(n + 1)"),
        ("(n+1)", "^(n+1)"),
        ("", ""),
        ("\x03", ""),
    ],
)
def test_only_whole_numbers_are_raised(text: str, raised: str) -> None:
    assert superscript(text) == raised


def test_a_fraction_stands_apart_from_a_digit_before_it() -> None:
    assert apart("4", "1⁄2") == " 1⁄2"
    assert apart("4", "1/2") == " 1/2"
    assert apart("a", "1⁄2") == apart("", "1⁄2") == "1⁄2"
    assert apart("4", "×10⁵") == "×10⁵"


def test_templates_named_by_a_fraction() -> None:
    assert fraction_name("3/4") == "3⁄4"
    assert fraction_name("a/4") == fraction_name("2014/15/16") == fraction_name("1234/4") == ""


# -- properties

_DIGITS = st.text("0123456789", min_size=1, max_size=15)
_MACHINE = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}{'.' + fraction if fraction else ''}",
    st.sampled_from(["", "-", "+"]),
    _DIGITS,
    st.one_of(st.just(""), _DIGITS),
)


def digits(text: str) -> str:
    return "".join(re.findall("[0-9]", text))


@given(st.sampled_from(LANGUAGES), _MACHINE)
def test_a_shown_number_read_again_is_the_same(language: str, text: str) -> None:
    number = read_machine(text)
    assert number is not None
    assert number.machine == text
    assert read_local(write(number, language), language) == number._replace(sign=number.sign.replace("-", "−"))


@given(st.sampled_from(LANGUAGES), st.text("0123456789.,-−+ \u00a0\u202f'eE", max_size=20))
def test_all_digits_are_shown_in_their_order(language: str, text: str) -> None:
    raised = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
    for shown in (format_number(text, language), amount(text, language), amount(text, language, machine=False)):
        assert digits(shown.replace("×10", "").translate(raised)) == digits(text)
    shown = formatnum(text, "", language)
    assert digits(shown.replace("×10", "").translate(raised)) == digits(text)


@given(st.sampled_from(LANGUAGES), st.text("abc &;.,'-", max_size=20))
def test_text_without_digits_stays(language: str, text: str) -> None:
    assert format_number(text, language) == amount(text, language) == formatnum(text, "", language) == text.strip()


@given(st.sampled_from(LANGUAGES), st.text("0123456789., ", max_size=12))
def test_what_was_shown_is_never_another_number(language: str, text: str) -> None:
    number = read_written(text, language)
    if number is not None:
        assert read_local(amount(text, language, machine=False), language) == number
