"""The kernels that strip and count a page's lines do what plain Python does, on any bytes."""

from __future__ import annotations

import contextlib

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.stages.commoncrawl.lines import find_lines, page_text

awkward = st.sampled_from([
    *(b"", b" ", b"\n", b"\r", b"\r\n", b"\t", b"\x00", b"\x1c", b"\x85", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\xa8"),
    *(b"\xe3\x80\x80", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f\x98"),
    *("é".encode(), "日本".encode(), "\U0001f600".encode(), b"plain words and more", b"x" * 30, b"\xf0\x80\x80\x80"),
])  # fmt: skip
pages = st.lists(st.one_of(awkward, st.binary(max_size=12), st.text(max_size=12).map(str.encode)), max_size=20).map(
    b"".join
)


def plain(body: bytes, skip: int) -> str:
    """Lines are stripped of whole characters; what is no UTF-8 is replaced after that."""
    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    kept = [line.decode("utf-8", "surrogateescape").strip().encode("utf-8", "surrogateescape") for line in lines[skip:]]
    return b"\n".join(kept).decode("utf-8", "replace")


def is_utf8(data: bytes) -> bool:
    with contextlib.suppress(UnicodeDecodeError):
        return bool(data.decode()) or True
    return False


@given(st.lists(pages, max_size=5), st.integers(0, 12))
@example([b"t\nok \xff\xc2\x85", b"", b"t", b"t\n"], 0)
def test_pages_are_stripped_and_counted_as_in_plain_python(bodies: list[bytes], minimum: int) -> None:
    ends = np.cumsum([len(body) for body in bodies], dtype=np.int64)
    bounds = np.array([ends - [len(body) for body in bodies], ends], np.int64).T.copy()
    data = b"".join(bodies) + bytes(8)
    for skip, title in enumerate(("keep", "drop")):
        texts, characters, tails = find_lines(data, bounds, title, minimum)
        for page, body in enumerate(bodies):
            utf8, expected = texts.utf8(page), plain(body, skip)
            assert characters[page] == (len(expected) if is_utf8(utf8) else -1)
            if characters[page] < 0 or len(expected) + tails[page] >= minimum:
                assert utf8.decode("utf-8", "replace") == expected
                assert texts.offsets[page + 1] - texts.offsets[page] == expected.count("\n") + 1
            else:
                assert texts.offsets[page + 1] == texts.offsets[page]


def test_every_character_is_counted_as_one() -> None:
    text = "".join(chr(point) for point in range(0x20, 0x110000) if not 0xD800 <= point < 0xE000 and point != 0x85)
    assert page_text(b"title\n" + text.encode()) == text.strip()


def test_every_character_is_stripped_as_str_strip_does() -> None:
    chars = [chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000 and chr(point) not in "\r\n"]
    lines = [text for char in chars for text in (f"{char}x{char}", char)]
    assert page_text("\n".join(["title", *lines]).encode()).split("\n") == [line.strip() for line in lines]
