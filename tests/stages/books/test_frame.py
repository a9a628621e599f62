"""Marks of Gutenberg and its daughters: what is around one decides whether it is believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.books import frame
from llama_data.stages.books.frame import find_bodies, find_marks
from llama_data.stages.books.gutenberg import strip_gutenberg

PROSE = "The ferry came late that morning, and nobody on the pier could say why. "
STORY = "\n\n".join(f"{number}. {PROSE * 4}".rstrip() for number in range(12))
OPENING = "*** START OF THE PROJECT GUTENBERG EBOOK THE FERRY ***\n\n\n"
CLOSING = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK THE FERRY ***\n\n"
LICENCE = (
    "Updated editions will replace the previous one.\n\n"
    + "Redistributing Project Gutenberg electronic works is subject to the trademark license.\n\n" * 90
)
SMALL_PRINT = (
    "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN EBOOKS**START***\n"
    + 'Why is this "Small Print!" statement here? You know: lawyers.\n\n' * 60
    + "*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*\n"
)
AUSTRALIA = """
Project Gutenberg Australia

Title: The Ferry
Author: A. N. Other
* A Project Gutenberg of Australia eBook *
eBook No.:  0000001.txt
Language:   English
Date first posted: May 2003
Date most recently updated: May 2003

Project Gutenberg of Australia eBooks are created from printed editions
which are in the public domain in Australia.

To contact Project Gutenberg of Australia go to http://gutenberg.net.au


Title:      The Ferry
Author:     A. N. Other




"""
AUSTRALIA_2002 = """Project Gutenberg Australia

Title: The Ferry
Author: A. N. Other
* A Project Gutenberg of Australia eBook *
eBook No.: 0000001.txt
Date first posted: May 2002

This eBook was produced by: Jane Doe

Project Gutenberg of Australia eBooks are created from printed editions
which are in the public domain in Australia.

Copyright laws are changing all over the world. Be sure to check the
laws of your country.

This eBook is made available at no cost and with almost no restrictions
whatsoever, under the terms of its licence.

-----------------------------------------------------------------

"""
CANADA = """* A Project Gutenberg Canada Ebook *

This ebook is made available at no cost and with very few restrictions.

If the book is under copyright in your country, do not download this file.

Title: The Ferry
Author: Other, A. N. (1870-1940)
Date of first publication: 1920
Date first posted: 1 June 2009
Project Gutenberg Canada ebook #99999

This ebook was produced by: A Volunteer, woodie4
& the Online Distributed Proofreading Canada Team
at http://www.pgdpcanada.net



"""
FADED = CANADA.replace("Project Gutenberg Canada Ebook *", "Distributed Proofreaders Canada eBook *").replace(
    "Project Gutenberg Canada ebook #", "Faded Page eBook #"
)

END_LINES = [
    "End of Project Gutenberg's The Ferry, by A. N. Other",
    "End of the Project Gutenberg EBook of The Ferry, by A. N. Other",
    "End of The Project Gutenberg Etext of The Ferry",
    "End of this Project Gutenberg Etext of The Ferry",
    "The End of the Project Gutenberg Etext of The Ferry",
    "End of this Etext of The Ferry",
    "***END OF THE PROJECT GUTENBERG EBOOK THE FERRY***",
    "*** END OF THIS PROJECT GUTENBERG EBOOK THE FERRY ***",
    "*** END OF THE COPYRIGHTED PROJECT GUTENBERG EBOOK THE FERRY ***",
    "*** START: FULL LICENSE ***",
    "Ende dieses Projekt Gutenberg Etextes The Ferry",
    "Ende dieses Project Gutenberg Etextes",
    "Ende von The Ferry, ein Project Gutenberg EBook",
    "Fin de Project Gutenberg's Le Bac, par X",
    "Fin du Projet Gutenberg EBook de Le Bac",
    "Fin del Proyecto Gutenberg de El Barco",
    "Fine dell'Etext Project Gutenberg di Il Traghetto",
    "Fim do Project Gutenberg EBook de O Barco",
    "Einde van het Project Gutenberg EBook van Het Veer",
    "Slutet p\xe5 Project Gutenberg EBook F\xe4rjan",
    "Project Gutenbergin Lautta loppuu",
    "End of the Project Gutenberg EBook of The Ferry, by\n" + "A. N. Other and " * 40 + "Somebody Else",
]


@pytest.mark.parametrize("line", END_LINES)
@pytest.mark.parametrize("after", ["", "\n\n" + LICENCE, CLOSING + LICENCE, "\n\n" + SMALL_PRINT, "\n\n\x1a"])
def test_an_end_line_ends_a_book_when_nothing_or_end_matter_follows(line: str, after: str) -> None:
    assert strip_gutenberg(OPENING + STORY + "\n\n\n" + line + after).text == STORY


@pytest.mark.parametrize("line", [line for line in END_LINES if "FULL" not in line and "\n" not in line])
def test_an_end_line_of_a_part_ends_no_book_and_goes_alone(line: str) -> None:
    text = OPENING + STORY + "\n\n" + line + "\n\n\nPART TWO\n\n" + STORY + CLOSING + LICENCE
    found = strip_gutenberg(text).text
    assert found.count(STORY) == 2
    assert line not in found or "utenberg" not in line.lower()


@pytest.mark.parametrize("parts", [2, 3, 30])
def test_each_part_of_a_book_stays(parts: int) -> None:
    part = f"PART\n\n{PROSE * 8}\n\nEnd of Project Gutenberg's The Ferry, Part, by A. N. Other\n\n\n"
    assert strip_gutenberg(OPENING + part * parts + CLOSING + LICENCE).text.count(PROSE * 7) == parts


def test_what_may_stand_between_an_end_line_and_the_licence() -> None:
    for letters, kept in ((frame._AFTER_MARK, False), (frame._AFTER_MARK + 1, True)):
        text = OPENING + STORY + "\n\nEnd of Project Gutenberg's The Ferry\n\n" + "x" * letters + CLOSING + LICENCE
        assert ("x" * letters in strip_gutenberg(text).text) is kept


@pytest.mark.parametrize("header", ["", "A ROAD\n\nby Somebody\n\n", OPENING])
def test_small_print_at_the_end(header: str) -> None:
    found = strip_gutenberg(header + STORY + "\n\n" + SMALL_PRINT)
    assert found.text.endswith(STORY)
    assert "small_print" in found.method.split("+")
    assert "small_print_end" not in found.method.split("+")


def test_a_short_story_before_its_small_print_is_no_header() -> None:
    story = PROSE * 20
    assert len(story) < frame._HEADER_RUN
    assert strip_gutenberg(OPENING + story + "\n\n" + SMALL_PRINT).text == story.strip()
    assert strip_gutenberg(story + "\n\n" + SMALL_PRINT).text == story.strip()


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        (AUSTRALIA, "\n\n\nThis site is full of FREE ebooks - Project Gutenberg Australia\n"),
        (AUSTRALIA, "\n\n\nProject Gutenberg Australia\n"),
        (AUSTRALIA_2002, "\n\n\nProject Gutenberg Australia\n"),
        (CANADA, "\n\n\n[End of The Ferry, by A. N. Other]\n"),
        (FADED, "\n\n\n[The end of _The Ferry_ by A. N. Other]\n"),
        (
            FADED,
            "\n\n\n\nTRANSCRIBER NOTES\n\nPrinter errors have been fixed.\n\n[The end of _The Ferry_ by A. N. Other]",
        ),
    ],
    ids=[
        "australia",
        "australia's name",
        "australia without an address",
        "canada",
        "faded page",
        "faded page with a note",
    ],
)
def test_frames_of_other_countries(head: str, tail: str) -> None:
    found = strip_gutenberg(head + STORY + "\n\n\nTHE END" + tail)
    assert found.text == STORY + "\n\n\nTHE END"
    assert found.title == "The Ferry"


def test_early_headers() -> None:
    early = (
        "**The Project Gutenberg Etext of The Ferry, by A. N. Other**\n#2 in our series\n\n"
        "Copyright laws are changing all over the world, be sure to check\nyour own before posting these files!!\n\n"
        "**Welcome To The World of Free Plain Vanilla Electronic Texts**\n\n" + SMALL_PRINT + "\n\n\n"
        "[Portions of this header are copyright (C) 2001 by Michael S. Hart\nand may be reprinted only when these "
        "Etexts are free of all fees.]\n\n\nThis etext was produced by A. Volunteer <volunteer@example.org>\n\n\n\n"
    )
    assert strip_gutenberg(early + STORY + "\n\nEnd of The Project Gutenberg Etext of The Ferry\n").text == STORY


def test_a_book_may_quote_a_header_and_an_end() -> None:
    quote = f"{PROSE * 10}\n\nIts header ends with this line:\n\n{OPENING}and its text with that one:{CLOSING}"
    text = f"{quote}{STORY}"
    assert strip_gutenberg(text).text.count(STORY) == 1
    assert PROSE * 9 in strip_gutenberg(text).text
    framed = strip_gutenberg(OPENING + text + CLOSING + LICENCE).text
    assert PROSE * 9 in framed
    assert STORY in framed
    assert "trademark" not in framed


def test_text_before_a_mark_is_no_header() -> None:
    for letters, believed in ((frame._BEFORE_HEADER, True), (frame._BEFORE_HEADER + 1, False)):
        assert ("opening" in strip_gutenberg("x" * letters + "\n\n" + OPENING + STORY).method) is believed


def test_credits_of_each_book_in_a_file_go() -> None:
    one = OPENING + "Produced by Jane Doe\n\n\n\n" + STORY + CLOSING + LICENCE
    assert strip_gutenberg(one * 3).text == "\n\n\n".join([STORY] * 3)


def test_marks_are_found_around_gutenbergs_name_and_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "LONGEST", 300)
    gap = PROSE * 40 + "\n"
    text = f"{SMALL_PRINT}{gap}{OPENING}*END THE SMALL PRINT\n{gap}a line\n{gap}*END THE SMALL PRINT"
    assert [mark.kind for mark in find_marks(text)] == [
        "small_print",
        "opening",
        "small_print_end",
        "small_print_end",
    ]


@pytest.mark.parametrize("letter", ["\u0130", "\u1e9e", "\U0001f600"])
def test_letters_that_change_their_length_move_no_mark(letter: str) -> None:
    assert strip_gutenberg(letter * 50 + "\n" + OPENING + letter * 50 + STORY + CLOSING).text == letter * 50 + STORY


@given(
    st.lists(
        st.sampled_from([OPENING, CLOSING, LICENCE, SMALL_PRINT, STORY, AUSTRALIA, FADED, "\n", *END_LINES]), max_size=9
    )
)
def test_pieces_come_from_the_text_in_order(pieces: list[str]) -> None:
    text = "\n\n".join(pieces)
    position = 0
    for piece in find_bodies(text).pieces:
        for line in filter(str.strip, piece.split("\n")):
            position = text.index(line, position)


def test_ten_thousand_marks_are_read_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    plain = frame._read
    monkeypatch.setattr(frame, "_read", lambda text, begin, end: read.append(end - begin) or plain(text, begin, end))
    for line in (
        "End of Project Gutenberg's The Ferry\n\n",
        CLOSING,
        OPENING,
        PROSE + "\n\nEnd of Project Gutenberg's X\n\n",
    ):
        read.clear()
        text = OPENING + STORY + "\n\n" + line * 2_000
        assert STORY in strip_gutenberg(text).text
        assert sum(read) <= len(text)


def test_ten_thousand_end_lines_go() -> None:
    assert strip_gutenberg(OPENING + STORY + "\n\n" + "End of Project Gutenberg's The Ferry\n" * 10_000).text == STORY
