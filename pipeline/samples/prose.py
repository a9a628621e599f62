"""Book and paper samples: Gutenberg-like texts and an arXiv source archive."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from llama_data.pipeline.samples.sheets import EPOCH, TEXTS, gzipped, write

SECOND_EDITION = (
    ("with forty houses, a church and", "with forty-two houses, a church and"),
    ("She sat down upon an upturned basket.", "She sat down on an upturned basket."),
    ("In January there was fog for nine days.", "In January there was fog for ten days."),
)
"""The only differences between the two editions of one story."""

PDF = (
    b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    b"2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
    b"3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>\nendobj\n"
    b"trailer\n<< /Root 1 0 R >>\n%%EOF\n"
)
PAPER_FILES = (
    "macros.sty",
    "main.tex",
    "refs.bib",
    "sections/experiment.tex",
    "sections/introduction.tex",
    "sections/rules.tex",
)


def story(name: str) -> str:
    """The bare text of one of the books, without header and footer."""
    return (TEXTS / "books" / f"{name}.txt").read_text(encoding="utf-8")


def second_edition(text: str) -> str:
    """The same story with a few words changed."""
    for old, new in SECOND_EDITION:
        text = text.replace(old, new)
    return text


def book(title: str, number: int, text: str) -> bytes:
    """A book with a header before and a footer after the marker lines that Gutenberg's files have."""
    header = (
        f"This is the sample eBook of {title}, which was written for llama-data.\n"
        f"It may be copied, changed and given away under the Apache License 2.0.\n\n"
        f"Title: {title}\nAuthor: The llama-data authors\nRelease date: January 1, 2024 [eBook #{number}]\n"
        f"Language: English\nCharacter set encoding: UTF-8\n\n"
    )
    footer = (
        "Copies of this text should keep this notice, which stands outside the work itself.\n"
        "The notice is here in order to be taken off again by whoever prepares the text for training.\n"
    )
    marker = f"THE PROJECT GUTENBERG EBOOK {title.upper()} ***"
    return f"{header}*** START OF {marker}\n\n\n{text}\n\n*** END OF {marker}\n\n{footer}".encode()


def _zipped(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo(name, date_time=(2024, 1, 1, 0, 0, 0))
        member.compress_type = zipfile.ZIP_DEFLATED
        member.external_attr = 0o644 << 16
        archive.writestr(member, data)
    return buffer.getvalue()


def build_books(folder: Path) -> None:
    """Four different books as .txt, .zip and .txt.gz, and a second edition of the first."""
    island = story("the_cartographer_of_low_water")
    clocks = book("The Night School for Clocks", 9002, story("the_night_school_for_clocks"))
    lists = book("On the Keeping of Lists", 9003, story("on_the_keeping_of_lists"))
    weather = book("A Field Guide to Small Weather", 9005, story("a_field_guide_to_small_weather"))
    title = "The Cartographer of Low Water"
    write(folder / "9001_the_cartographer_of_low_water.txt", book(title, 9001, island))
    write(folder / "9002-0.zip", _zipped("9002-0.txt", clocks))
    write(folder / "9003_on_the_keeping_of_lists.txt.gz", gzipped(lists))
    write(folder / "9005_a_field_guide_to_small_weather.txt", weather)
    write(
        folder / "9004_the_cartographer_of_low_water_second_edition.txt",
        book(title, 9004, second_edition(island)),
    )


def _tarred(members: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), EPOCH, 0o644
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def build_arxiv(folder: Path) -> None:
    """One source archive: a paper of many files, one of a single file, one in latin-1, one PDF only."""
    papers = TEXTS / "arxiv"
    many = _tarred([(name, (papers / "mixing" / name).read_bytes()) for name in PAPER_FILES])
    single = (papers / "queue" / "queue.tex").read_bytes()
    latin = (papers / "recurrence" / "recurrence.tex").read_text(encoding="utf-8").encode("latin-1")
    members = [
        ("2401/2401.00001.gz", gzipped(many)),
        ("2401/2401.00002.gz", gzipped(single)),
        ("2401/2401.00003.gz", gzipped(latin)),
        ("2401/2401.00004.pdf", PDF),
    ]
    write(folder / "arXiv_src_2401_001.tar", _tarred(members))
