"""Gutenberg's own text around a book, in all its generations; and texts that only look like it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.stages.books.gutenberg import LONGEST, strip_gutenberg

BODY = (
    "CHAPTER I\n\nCall me Ishmael.  Some years ago--never mind how long\nprecisely--having little money.\n\n\nTHE END"
)
NEW_HEADER = """The Project Gutenberg EBook of Moby Dick; or The Whale, by Herman Melville

This eBook is for the use of anyone anywhere at no cost and with
almost no restrictions whatsoever.

Title: Moby Dick; or
       The Whale

Author: Herman Melville

Release Date: June, 2001 [EBook #2701]
Language: English

"""
LICENCE = "\n\nUpdated editions will replace the previous one.\n\n" + "Section 1. General Terms of Use\n\n" * 50
SMALL_PRINT = """*****Project Gutenberg Etext of Moby Dick, by Herman Melville****

Copyright laws are changing all over the world.

**Welcome To The World of Free Plain Vanilla Electronic Texts**

***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***
Why is this "Small Print!" statement here?  You know: lawyers.
*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*

"""
END = "*** END OF THIS PROJECT GUTENBERG EBOOK MOBY DICK ***"

CASES = {
    "1991 small print": (
        SMALL_PRINT + BODY + "\n\n\nEnd of The Project Gutenberg Etext of Moby Dick\n",
        "small_print_end+closing",
    ),
    "2002 small print": (
        "Moby Dick\n\nEtext #2701\n\n*END THE SMALL PRINT! FOR PUBLIC DOMAIN EBOOKS*Ver.02/11/02*END*\n\n"
        + BODY
        + "\n\n",
        "small_print_end",
    ),
    "2003 markers": (
        NEW_HEADER
        + "*** START OF THE PROJECT GUTENBERG EBOOK, MOBY DICK ***\n\n\n\n\n"
        + BODY
        + "\n\n"
        + END
        + LICENCE,
        "opening+closing",
    ),
    "end line before the marker": (
        NEW_HEADER
        + "***START OF THIS PROJECT GUTENBERG EBOOK MOBY DICK***\n\n"
        + BODY
        + "\n\n\nEnd of Project Gutenberg's Moby Dick, by Herman Melville\n\n"
        + END
        + LICENCE,
        "opening+closing",
    ),
    "marker over two lines": (
        NEW_HEADER
        + "*** START OF THE PROJECT GUTENBERG EBOOK MOBY DICK; OR\nTHE WHALE ***\n\n"
        + BODY
        + "\n\n"
        + END
        + LICENCE,
        "opening+closing",
    ),
    "full licence without an end marker": (
        NEW_HEADER
        + "*** START OF THE PROJECT GUTENBERG EBOOK 2701 ***\n"
        + BODY
        + "\n\n*** START: FULL LICENSE ***\n"
        + LICENCE,
        "opening+closing",
    ),
    "small print after the book": (
        NEW_HEADER
        + "*** START OF THE PROJECT GUTENBERG EBOOK MOBY DICK ***\n"
        + BODY
        + "\n\nEnd of the Project Gutenberg EBook of Moby Dick\n\n"
        + SMALL_PRINT,
        "opening+closing",
    ),
    "small print before the opening": (
        SMALL_PRINT + "*** START OF THE PROJECT GUTENBERG EBOOK MOBY DICK ***\n\n" + BODY + "\n" + END + LICENCE,
        "opening+small_print_end+closing",
    ),
    "credits": (
        NEW_HEADER
        + "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n\nProduced by Jane Doe and the Online Distributed\n"
        + "Proofreading Team at https://www.pgdp.net (This file was\nproduced from images.)\n\n\n\n"
        + BODY
        + "\n\n"
        + END,
        "opening+credits+closing",
    ),
    "several credits and a note": (
        "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nE-text prepared by Jane Doe\n\n\n"
        + "Note: Project Gutenberg also has an HTML version of this\n      file. See 2701-h.htm\n\n\n"
        + "[Transcriber's Note: Spelling is as it was.\n\nErrors are listed.]\n\n\n\n"
        + BODY
        + "\n"
        + END,
        "opening+credits+closing",
    ),
    "note under a heading of its own": (
        "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nTRANSCRIBER'S NOTES\n\nOne change.\n\nAnother.\n\n\n\n"
        + BODY,
        "opening+credits",
    ),
    "header stripped, footer left": (
        BODY + "\n\n\nEnd of the Project Gutenberg EBook of X\n\n" + END + LICENCE,
        "closing",
    ),
    "header without a marker": ("The Project Gutenberg Etext of Moby Dick\n\nTitle: X\n\n" + BODY, "phrases"),
    "final note": (BODY + "\n\n\n\n-------\n\nTranscriber's Notes:\n\nWords were changed.\n", "note"),
    "final note in brackets": (BODY + "\n\n\n[Transcriber's note: one word changed.]\n\n", "note"),
    "German": (
        NEW_HEADER
        + "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n"
        + BODY
        + "\n\nEnde dieses Projekt Gutenberg Etextes X\n",
        "opening+closing",
    ),
    "no Gutenberg": (BODY, "none"),
}


@pytest.mark.parametrize(("text", "method"), CASES.values(), ids=CASES.keys())
def test_the_book_remains(text: str, method: str) -> None:
    found = strip_gutenberg(text)
    assert found.text == BODY
    assert found.method == method


def test_the_header_names_the_book() -> None:
    found = strip_gutenberg(CASES["2003 markers"][0])
    assert (found.title, found.author, found.number) == ("Moby Dick; or The Whale", "Herman Melville", 2701)


def test_several_books_in_one_file() -> None:
    one = NEW_HEADER + "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n" + BODY + "\n\n" + END + LICENCE
    other = one.replace("Ishmael", "Ahab")
    assert strip_gutenberg(one + "\n" + other).text == BODY + "\n\n\n" + BODY.replace("Ishmael", "Ahab")


def test_old_books_in_one_file() -> None:
    story = BODY + "\n\n" + "More of the story follows here.\n" * 100 + "Done."
    one = SMALL_PRINT + story + "\n\nEnd of The Project Gutenberg Etext of X\n\n"
    assert strip_gutenberg(one + one).text == story + "\n\n\n" + story


@pytest.mark.parametrize(
    "text",
    [
        "A page about Project Gutenberg.\nIts books end with a line like the next.\n" + "Prose. " * 9000 + "\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n" + "And here the page goes on. " * 3000,
        "Prose. " * 9000 + "\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n" + "It goes on.",
    ],
    ids=["closing", "opening"],
)
def test_a_mark_that_would_remove_too_much_is_not_believed(text: str) -> None:
    found = strip_gutenberg(text)
    assert len(found.text) > len(text) - 200
    assert found.method == "none"


def test_a_file_that_would_become_empty_is_kept_whole() -> None:
    text = "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n" + END + "\n\nThe licence text."
    assert strip_gutenberg(text) == (text, "kept_whole", None, None, None)


@pytest.mark.parametrize(
    "text",
    [
        BODY + "\n\n\n[Transcriber's note: a figure stood here.]\n\n" + "The story goes on after it.\n" * 20,
        "Produced by the heat of the sun, the vapours rose.\nThey rose all day. " + "More. " * 9000 + "\n" * 3 + "End.",
        "End of the matter.\n\nThe end of Project Mercury came late.",
        "Transcribers know this.\n\n" + BODY,
    ],
    ids=["note in the text", "a sentence", "an end", "transcribers"],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert strip_gutenberg(text).text == text.rstrip()


def test_lines_stay_as_they_are() -> None:
    text = "   centred\n\n\n\n  A line that ends with spaces   \nand one\tmore\n\x0c\nNext page."
    assert strip_gutenberg(text).text == text


@given(
    st.lists(
        st.sampled_from([*[case[0] for case in CASES.values()], BODY, END, LICENCE, NEW_HEADER, "\n\n\n"]), max_size=6
    )
)
def test_any_mixture_is_shortened_and_never_fails(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    found = strip_gutenberg(text)
    assert len(found.text) <= len(text)
    assert not found.text.startswith("\n")


def test_a_body_longer_than_any_header_is_never_lost() -> None:
    chance = random.Random(0)
    words = " ".join(chance.choice(["the", "whale", "sea", "ship\n"]) for _ in range(LONGEST))
    for case, _ in CASES.values():
        text = case.replace("Call me Ishmael.", words)
        assert len(strip_gutenberg(text).text) >= len(words)


NEWS = (
    "The Project Gutenberg Weekly Newsletter for the first of June\n\n"
    "Subject: eBook #15,000 is here!\nFrom: A. Volunteer <volunteer@example.org>\n\n"
    "Project Gutenberg has posted its eBook #15,000, and the readers of gutenberg.org chose it.\n\n"
    "Nobody at Project Gutenberg thought in 1971 that there would be so many.\n\n" + BODY
)


@pytest.mark.parametrize("text", [NEWS, NEWS[NEWS.index("Subject") :], NEWS[NEWS.index("Nobody") :]])
def test_a_text_about_gutenberg_stays_whole(text: str) -> None:
    assert strip_gutenberg(text) == (text, "none", None, None, None)
    assert (
        strip_gutenberg(NEW_HEADER + "*** START OF THE PROJECT GUTENBERG EBOOK NEWS ***\n\n" + NEWS + "\n\n" + END).text
        == NEWS
    )


@pytest.mark.parametrize(
    "line",
    [
        "Project Gutenberg's Moby Dick, by Herman Melville",
        "**The Project Gutenberg Etext of Moby Dick**",
        "Project Gutenberg Etext of Moby Dick",
        "The whale, a Project Gutenberg eBook at no cost and with almost no restrictions\nwhatsoever.",
        "June, 2001 [Etext #2701]",
    ],
)
def test_a_header_without_a_mark(line: str) -> None:
    found = strip_gutenberg(f"{line}\n\nTitle: Moby Dick\n\n{BODY}")
    assert (found.text, found.method, found.title) == (BODY, "phrases", "Moby Dick")
