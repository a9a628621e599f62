"""Credits and notes of those who made a file, and sentences of books that begin like them."""

from __future__ import annotations

import pytest

from llama_data.stages.books.gutenberg import strip_gutenberg
from llama_data.stages.books.production import is_credit

RAIN = "It rained on the harbour, and the gulls sat still upon the ropes. "
STORY = "\n\n".join(RAIN * 5 for _ in range(20)).rstrip()
OPENING = "*** START OF THE PROJECT GUTENBERG EBOOK RAIN ***\n\n\n\n"
CLOSING = "\n\n\n*** END OF THE PROJECT GUTENBERG EBOOK RAIN ***\n"

CREDITS = [
    "Produced by Jane Doe",
    "Produced by MFR, ellinora and the Online Distributed\nProofreading Team at http://www.pgdp.net (This file was\n"
    "produced from images generously made available by The\nInternet Archive)",
    "Produced by: Jane; John Doe; J. R. Roe",
    "Produced by Jane Doe and her class",
    "E-text prepared by Jane Doe",
    "E-text prepared by Jane Doe and the Project Gutenberg Online Distributed\nProofreading Team (https://www.pgdp.net)",
    "This etext was prepared by Jane Doe, San Jose, California",
    "This eBook was produced by Jane Doe.",
    "This Project Gutenberg Etext was prepared by Jane Doe.",
    "Etext scanned by Jane Doe of Nowhere, Texas",
    "Scanned and proofread by Jane Doe",
    "Scanned, proofed and typed by Jane Doe.  HTML version by John Roe.",
    "Transcribed from the 1892 Chapman and Hall edition by Jane Doe, email\njdoe1@example.org",
    "Transcribed by Jane Doe",
    "Jane Doe, John Roe and the Online Distributed Proofreading Team.",
    "Jane Doe\njdoe@example.net",
    "Digitized by Jane Doe",
    "This text was prepared for Project Gutenberg by Jane Doe and\nJohn Roe.",
    "(This file was produced from images generously made available by the\nBiblioth\xe8que nationale de France at "
    "http://gallica.bnf.fr)",
    "Produit par Jeanne Dupont",
    "Credits: Jane Doe and the Online Distributed Proofreading Team at https://www.pgdp.net",
]
SENTENCES = [
    "Prepared by Mrs. Cook, the dinner was late.",
    "Produced by Nature in one of her idle hours, the island had no harbour.",
    "Produced by the heat of the sun, the vapours rose.",
    "Created by God, and marred by men, the valley lay before us.",
    "Scanned by a hundred eyes, the letter passed from hand to hand.",
    "Typed by his own clumsy fingers, the confession ran to nine pages.",
    "This book was written in prison, and I make no excuse for its faults.",
    "This text was prepared by my grandfather for a sermon that he never gave.",
    "Transcribed from the old parish register, the names filled three sheets of paper.",
    "Thanks to the storm, nobody came to the wedding.",
    "Edited by sorrow, her memories had grown short.",
    "In 2000 Charles Franks began what became Distributed Proofreaders, and a hundred of us came to his door.",
    "The Internet Archive stood in a church whose pews were full of clay statues.",
    "Edited by John Morley",
    "Compiled by Jane Doe, M.A.",
    "Prepared for the Use of Schools",
    "Contributed by the Rev. John Roe",
    "This volume was edited by Jane Doe.",
    "Proofread by candlelight, the paper went to press at four.",
]
NOTES = [
    "[Transcriber's Note: Spelling is as in the original.]",
    "[Transcriber's Note: A letter with a macron is shown as [=e].]",
    "Transcriber's Note: Obvious typographical errors have been corrected.",
    "TRANSCRIBER'S NOTES\n\nHyphenation has been kept as printed.\n\nItalics are shown _so_.",
    "Transcriber\u2019s note:\n\n      Page numbers are enclosed by braces.",
    "PREPARER'S NOTE\n\n     This text was prepared from the edition of 1905.",
    "Redactor's Note: This version was published in 1877.",
    "Ebook Editor's Note\n\nThe pages of the original were not numbered.",
    "Notes du transcripteur\n\nL'orthographe de l'original est conserv\xe9e, les erreurs sont corrig\xe9es.",
    "Anmerkungen zur Transkription\n\nDer Text wurde nach der Orthographie des Originals wiedergegeben, gesperrt _so_.",
    "+-----------------------------+\n|                             |\n| Transcriber's Note:         |\n"
    "|                             |\n"
    "| Inconsistent hyphenation in |\n| the original was preserved. |\n+-----------------------------+",
    "Notes on this etext:\n\nIt is a combination of two etexts, and errors of both were corrected.",
    "+----+\n| Typographical errors corrected in text: |\n|    |\n| Page 9: crows amended to crowns |\n+----+",
    "Au lecteur.\n\nLe texte en italiques dans l'original est indiqu\xe9 comme _italiques_.",
    "[This e-text includes characters that require UTF-8 file encoding.]",
]


@pytest.mark.parametrize("credit", CREDITS)
def test_credits_go(credit: str) -> None:
    assert is_credit(credit)
    assert strip_gutenberg(OPENING + credit + "\n\n\n\n" + STORY + CLOSING).text == STORY
    assert strip_gutenberg(OPENING + "Produced by A. B.\n\n\n" + credit + "\n\n\n\n" + STORY + CLOSING).text == STORY


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentences_that_begin_like_credits_stay(sentence: str) -> None:
    assert not is_credit(sentence)
    for text in (f"{sentence}\n\n{STORY}", f"{sentence} {STORY}", f"{STORY}\n\n{sentence}"):
        assert strip_gutenberg(OPENING + text + CLOSING).text == text
        assert strip_gutenberg(text).text == text


def test_without_a_frame_a_credit_needs_an_address_or_a_project() -> None:
    assert strip_gutenberg("Produced by Jane Doe\n\n" + STORY).text.startswith("Produced")
    assert strip_gutenberg("Produced by Jane Doe at https://www.pgdp.net\n\n" + STORY).text == STORY


def test_a_credit_is_short() -> None:
    assert is_credit("Produced by Jane Doe" + ",\nJane Doe" * 23)
    assert not is_credit("Produced by Jane Doe" + ",\nJane Doe" * 25)


def test_strange_words_decide() -> None:
    assert is_credit("Produced by the late Jane Doe from a file by John Roe of London")
    assert not is_credit("Produced by the late queen Jane Doe from a file by John Roe of London")


@pytest.mark.parametrize("note", NOTES)
def test_notes_at_the_beginning_go(note: str) -> None:
    assert strip_gutenberg(f"{OPENING}{note}\n\n\n\n{STORY}{CLOSING}").text == STORY


@pytest.mark.parametrize("note", NOTES)
def test_notes_behind_the_title_go(note: str) -> None:
    found = strip_gutenberg(f"{OPENING}RAIN\n\nby A. N. Other\n\n\n\n{note}\n\n\n\n{STORY}{CLOSING}").text
    assert found == f"RAIN\n\nby A. N. Other\n\n\n{STORY}"


def test_a_note_of_several_paragraphs_ends_where_the_book_begins() -> None:
    note = (
        "Transcriber's Note: The original spelling is kept.\n\nPunctuation errors were corrected without notice.\n\n"
        "Italics of the printed edition are shown _so_.\n\n"
    )
    assert strip_gutenberg(OPENING + note + STORY + CLOSING).text == STORY
    letter = "The letter lay upon the page of his book, and he read it twice before he went out.\n\n"
    assert strip_gutenberg(OPENING + note + letter + STORY + CLOSING).text == letter + STORY


@pytest.mark.parametrize("rule", ["\n\n\n", "\n\n       *       *       *\n\n", "\n\n--------------\n\n"])
@pytest.mark.parametrize("note", NOTES[:-1])
def test_notes_at_the_end_go(note: str, rule: str) -> None:
    assert strip_gutenberg(f"{OPENING}{STORY}{rule}{note}{CLOSING}").text == STORY


@pytest.mark.parametrize("note", [note for note in NOTES[:-1] if note.startswith("[")])
def test_brackets_say_where_a_note_at_the_end_ends(note: str) -> None:
    assert strip_gutenberg(f"{OPENING}{STORY}\n\n{note}{CLOSING}").text == STORY
    joined = f"{STORY}\n{note}"
    assert strip_gutenberg(OPENING + joined + CLOSING).text == joined


@pytest.mark.parametrize(
    "text",
    [
        f"{STORY}\n\n[Transcriber's Note: a picture of the original is missing here.]\n\n{STORY}",
        f"TRANSCRIBER'S NOTE\n\nI was young when I came to Ghent, and hungry, and wrote a fair hand.\n\n\n{STORY}",
        f"{STORY}\n\n\n\nTRANSCRIBER'S NOTE\n\nMy master never forgave me. He sat there and wept.\n\n{RAIN * 9}End.",
        f"EDITOR'S NOTE\n\nThe text of this edition follows the original of 1850.\n\n\n{STORY}",
    ],
    ids=["in the middle", "a story's title", "a last story's title", "the book's own editor"],
)
def test_what_is_no_note_of_the_file_stays(text: str) -> None:
    assert strip_gutenberg(OPENING + text + CLOSING).text == text


def test_many_notes_and_credits_are_read_in_one_pass() -> None:
    many = "Transcriber's Note: one error was corrected.\n\nProduced by Jane Doe\n\n" * 3_000
    assert strip_gutenberg(OPENING + many + STORY + CLOSING).text == STORY
    assert strip_gutenberg(OPENING + STORY + "\n\n" + "Produced by Jane Doe\n\n" * 3_000 + CLOSING).text == STORY
