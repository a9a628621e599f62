"""Files of books: encodings, archives, limits, damage."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.books.encoding import decode

TEXT = "“Déjà vu,” said he—and left.\n"


def zipped(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (TEXT.encode(), TEXT, "utf-8"),
        (TEXT.encode("utf-8-sig"), TEXT, "utf-8-sig"),
        (TEXT.encode("utf-16"), TEXT, "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), TEXT, "utf-16"),
        (TEXT.encode("cp1252"), TEXT, "cp1252"),
        ("Déjà vu".encode("latin-1"), "Déjà vu", "latin-1"),
        (b"plain\r\nlines\rhere\n", "plain\nlines\nhere\n", "utf-8"),
        (TEXT.encode() * 3 + b"caf\xe9 \x93x\x94", TEXT * 3 + "café “x”", "utf-8+cp1252"),
        (b"\xef\xbb\xbfcaf\xe9", "café", "utf-8+cp1252"),
        (b"\x81\x8d \x93x\x94", "\x81\x8d “x”", "cp1252"),
        (
            b"Character set encoding: ISO-8859-2\n\n\xb3\xf3d\xbc",
            "Character set encoding: ISO-8859-2\n\nłódź",
            "iso8859-2",
        ),
        (b"Character set encoding: ISO Latin-1\n\xe9", "Character set encoding: ISO Latin-1\né", "iso8859-1"),
        (b"Character set encoding: ISO-8859-1\n\x93\xe9", "Character set encoding: ISO-8859-1\n“é", "cp1252"),
        (b"Character set encoding: Klingon\n\xe9", "Character set encoding: Klingon\né", "latin-1"),
        ("Ærø Übung \u0153".encode(), "Ærø Übung \u0153", "utf-8"),
        (b"", "", "utf-8"),
    ],
)
def test_decode(data: bytes, text: str, encoding: str) -> None:
    assert decode(data) == (text, encoding)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PNG\0\1\2", Reason.wrong_format),
        (b"\xff\xfea", Reason.invalid_encoding),
        (b"\xff\xfe\x00\xd8", Reason.invalid_encoding),
    ],
)
def test_what_is_no_text_is_refused(data: bytes, reason: Reason) -> None:
    with pytest.raises(RecordError) as caught:
        decode(data)
    assert caught.value.reason is reason


ACCENTS = "“Où est le café?” said the girl—naïve, très âgée.\rL\u2019été, où le père dîna; «c\u2019était là».\r" * 3


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        (ACCENTS, "mac_roman", "mac_roman"),
        (ACCENTS.replace("“", '"').replace("”", '"').replace("\u2019", "'").replace("—", "--"), "cp850", "cp850"),
        (ACCENTS, "cp1252", "cp1252"),
        (ACCENTS.translate(dict.fromkeys(map(ord, "“”\u2019—"), "'")), "latin-1", "latin-1"),
        ("“Yes,” he said—“no.” It\u2019s late. " * 3, "mac_roman", "mac_roman"),
        ("“Yes,” he said—“no.” It\u2019s late. " * 3, "cp1252", "cp1252"),
        ("Größe über Äpfel, Öl und Übermut; ÄÖÜ. " * 3, "latin-1", "latin-1"),
        ("Größe über Äpfel, Öl und Übermut. " * 3, "cp850", "cp850"),
        ("Łódź i żółw, gęś. " * 9, "iso8859-2", "latin-1"),  # not told: what is said of such files is in the header
        (ACCENTS, "utf-16-le", "utf-16-le"),
        (ACCENTS, "utf-16-be", "utf-16-be"),
    ],
)
def test_encodings_that_a_file_does_not_name(text: str, encoding: str, found: str) -> None:
    expected = text.encode(encoding).decode(found).replace("\r", "\n")
    assert decode(text.encode(encoding)) == (expected, found)


def test_few_high_bytes_name_no_old_encoding() -> None:
    for count, encoding in ((4, "cp1252"), (5, "cp850")):
        assert decode(("caf\xe9 " * count).encode("cp850"))[1] == encoding


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("ISO-8859-1", "iso8859-1"),
        ("ISO 8859_15", "iso8859-15"),
        ("ISO-Latin-1", "iso8859-1"),
        ("Latin1", "iso8859-1"),
        ("CP-1252", "cp1252"),
        ("Windows Code-Page 1252", "cp1252"),
        ("Windows-1251", "cp1251"),
        ("Codepage 437", "cp437"),
        ("MacRoman", "mac-roman"),
        ("Mac Roman", "mac-roman"),
        ("Big5", "big5"),
        ("KOI8-R", "koi8-r"),
        ("Latin-4", "iso8859-4"),
        ("ISO Latin-2", "iso8859-2"),
    ],
)
def test_names_that_headers_give(name: str, encoding: str) -> None:
    assert decode(f"Character set encoding: {name}\r\n".encode() + b"\xa4\x40 ")[1] == encoding


@pytest.mark.parametrize("name", ["ASCII", "ISO-646-US (US-ASCII)", "Unicode UTF-8", "UTF-9", "none"])
def test_names_that_say_nothing(name: str) -> None:
    assert decode(f"Character set encoding: {name}\n".encode() + b"caf\xe9")[1] == "latin-1"


@pytest.mark.parametrize("end", [b"\x1a", b"\x1a\0\0\0", b"\0" * 100, b"\x1a\x1a\r\n\r\n"])
def test_what_dos_leaves_behind_the_last_line_goes(end: bytes) -> None:
    assert decode(b"The end.\r\n" + end) == ("The end.\n", "utf-8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("brother-in\xadlaw", "brother-in\xadlaw"),
        ("he said -\xad and went", "he said -- and went"),
        ("a long\xad\r\nish line", "a long-\nish line"),
        ("pages 3\xad4", "pages 3-4"),
    ],
)
def test_soft_hyphens_typed_for_hyphens(text: str, expected: str) -> None:
    for encoding in ("latin-1", "utf-8"):
        assert decode(text.encode(encoding))[0] == expected
    assert decode((text + " ").encode("latin-1") * 9)[0] == (expected + " ") * 9


@given(st.binary(max_size=200).filter(lambda data: b"\0" not in data and data[:2] not in (b"\xff\xfe", b"\xfe\xff")))
def test_any_bytes_without_nul_are_text(data: bytes) -> None:
    text, _ = decode(data)
    assert "\r" not in text


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0\ufeff\xad\x1a")))
def test_utf8_is_read_exactly(text: str) -> None:
    assert decode(text.encode()) == (text, "utf-8")


def test_every_kind_of_file(run_stage: Any, prose: Any) -> None:
    files = {
        "a.txt": prose("a", 100),
        "sub/b.txt.gz": gzip.compress(prose("b", 100).encode()),
        "c.zip": zipped({"c.txt": prose("c", 100).encode(), "c.htm": b"<p>", "img/x.png": b"\0"}),
        "d.zip": zipped({"two.TXT": prose("d", 100).encode(), "one.txt": prose("e", 100).encode()}),
        "e.pdf": "no input",
    }
    out = run_stage(files)
    assert out.kept() == ["a.txt", "c.zip#c.txt", "d.zip#one.txt", "d.zip#two.TXT", "sub/b.txt.gz"]
    assert {doc["metadata"]["source"] for doc in out.documents} == set(out.kept())
    assert len(out.ledger) == 5


def test_damaged_and_hostile_files_cost_themselves_only(run_stage: Any, prose: Any) -> None:
    bomb = bytes(3 << 20)
    packed = gzip.compress(prose("x", 5000).encode())
    damaged = bytearray(zipped({"m.txt": prose("m", 2000).encode(), "n.txt": prose("n", 2000).encode()}))
    damaged[3000] ^= 0xFF
    files = {
        "good.txt": prose("good", 100),
        "cut.txt.gz": packed[: len(packed) // 2],
        "not.txt.gz": b"not gzip",
        "not.zip": b"not a zip",
        "none.zip": zipped({"a.htm": b"<p>"}),
        "bomb.txt.gz": gzip.compress(bomb),
        "bomb.zip": zipped({"bomb.txt": bomb}),
        "many.zip": zipped({f"{number}.txt": b"x" for number in range(30)}),
        "damaged.zip": bytes(damaged),
        "long.txt": "word " * 500_000,
        "binary.txt": b"\x7fELF\0\0\0",
        "empty.txt": b"",
        "spaces.txt": b" \n\n ",
        "up.zip": zipped({"../../up.txt": prose("up", 50).encode()}),
    }
    out = run_stage(files, max_book_bytes=2_000_000, max_ratio=50, max_members=20)
    assert out.outcomes() == {
        "good.txt": ("kept", None),
        "cut.txt.gz#0": ("failed", "truncated_file"),
        "not.txt.gz#0": ("failed", "damaged_archive"),
        "not.zip#0": ("failed", "damaged_archive"),
        "none.zip": ("rejected", "no_text_file"),
        "bomb.txt.gz#0": ("failed", "unsafe_archive"),
        "bomb.zip#bomb.txt": ("failed", "unsafe_archive"),
        "many.zip#0": ("failed", "unsafe_archive"),
        "damaged.zip#m.txt": ("failed", "damaged_archive"),
        "damaged.zip#n.txt": ("kept", None),
        "long.txt#0": ("failed", "too_long"),
        "binary.txt#0": ("failed", "wrong_format"),
        "empty.txt": ("rejected", "empty_text"),
        "spaces.txt": ("rejected", "empty_text"),
        "up.zip#../../up.txt": ("kept", None),
    }


def test_texts_without_words_do_not_repeat_each_other(run_stage: Any) -> None:
    out = run_stage({"a.txt": "* * *", "b.txt": "---", "c.txt": "one two", "d.txt": "One, two!"})
    assert out.kept() == ["a.txt", "b.txt", "d.txt"]
    assert out.duplicates() == {"c.txt": "d.txt"}


def test_titles_come_from_the_header(run_stage: Any, prose: Any) -> None:
    text = "Title: A Book\n\nAuthor: Someone\n\n[eBook #42]\n\n*** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n\n"
    out = run_stage({"42.txt": text + prose("x", 50)})
    metadata = out.documents[0]["metadata"]
    assert (metadata["title"], metadata["author"], metadata["gutenberg_id"]) == ("A Book", "Someone", 42)
    assert (metadata["stripped"], metadata["encoding"]) == ("opening", "utf-8")
    assert out.ledger[0]["chars_in"] == len(text) + len(prose("x", 50))


@pytest.mark.parametrize("inner", ["<!DOCTYPE html>\n<html><body>", '<?xml version="1.0"?>\n<html>'])
def test_a_page_in_gutenbergs_frame_is_no_text(run_stage: Any, prose: Any, inner: str) -> None:
    text = f"*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n{inner}{prose('x', 100)}"
    assert run_stage({"a.txt": text, "b.txt": prose("b", 50)}).outcomes()["a.txt"] == ("failed", "wrong_format")


def test_twins_of_a_book_in_other_encodings_are_one_book(run_stage: Any) -> None:
    text = "\n".join(f"Le café numéro {number} était fermé, où l\u2019été finit." for number in range(300))
    files = {
        "1-0.txt": text.encode(),
        "1-8.txt": text.encode("cp1252"),
        "1-mac.txt": text.replace("\n", "\r").encode("mac_roman"),
        "1-16.txt": text.encode("utf-16"),
    }
    out = run_stage(files)
    assert len(out.kept()) == 1
    assert len(out.duplicates()) == 3
