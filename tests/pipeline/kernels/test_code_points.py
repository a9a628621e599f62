"""Tables over all characters are what one call a character says."""

from __future__ import annotations

import unicodedata

import pytest

from llama_data.pipeline.kernels.code_points import (
    BETWEEN,
    LIMIT,
    changed_by,
    characters,
    forms_of,
    utf8_words,
    without_letters,
)


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_all_characters_are_there_surrogates_too() -> None:
    assert characters() == "".join(map(chr, range(LIMIT)))
    assert characters(300) == "".join(map(chr, range(300)))


@pytest.mark.parametrize("form", [str.lower, decomposed])
def test_what_changes_alone_is_found(form) -> None:  # type: ignore[no-untyped-def]
    chars = characters()
    assert changed_by(form, chars) == [char for char in chars if form(char) != char]


def test_a_run_that_changes_only_together_has_none_that_changes_alone() -> None:
    # Two marks in the wrong order: the run's normal form differs, but no character's does.
    run = "a\u0301\u0323"
    assert decomposed(run) != run
    assert changed_by(decomposed, run) == []


def test_forms_are_those_of_characters_that_stand_alone() -> None:
    chars = [char for char in characters(0x3000) if char not in (BETWEEN, "\u03a3")]
    assert forms_of(chars, decomposed) == [decomposed(char) for char in chars]
    assert forms_of(chars, str.lower) == [char.lower() for char in chars]
    assert forms_of([], str.lower) == []


def test_nothing_happens_to_the_character_between() -> None:
    assert unicodedata.category(BETWEEN) == "Co"
    assert unicodedata.combining(BETWEEN) == 0
    assert BETWEEN.lower() == decomposed(BETWEEN) == BETWEEN
    assert not BETWEEN.isspace()


def test_what_is_left_without_letters_and_digits() -> None:
    chars = characters()
    assert without_letters(chars) == "".join(char for char in chars if not char.isalnum())


def test_utf8_is_that_of_str_encode() -> None:
    words, sizes = utf8_words(LIMIT)
    for point, (word, size) in enumerate(zip(words.tolist(), sizes.tolist(), strict=True)):
        data = chr(point).encode("utf-8", "surrogatepass")
        assert (word, size) == (int.from_bytes(data, "little"), len(data))
