"""Rows of Posts.xml: wherever the file is cut, whatever stands before or between them, each is found once."""

from __future__ import annotations

import io
import itertools
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.stackexchange import posts as module
from llama_data.stages.stackexchange.posts import Row, parse_row, post_of, scan_rows


def scan(data: bytes, start: int = 0, end: int | None = None) -> list[Row]:
    stream = io.BytesIO(data)
    stream.seek(start)
    return list(scan_rows(stream, start, end))


def row_of(text: str | bytes) -> Row:
    return Row(0, text if isinstance(text, bytes) else text.encode(), True)


def refusal(text: str | bytes) -> RecordError:
    with pytest.raises(RecordError) as caught:
        post_of(parse_row(row_of(text)))
    return caught.value


def test_rows_stand_at_their_byte_offsets(dump: Any) -> None:
    data = dump.posts(dump.question(1, title="été"), dump.answer(2, 1))
    rows = scan(data)
    assert [data[row.offset : row.offset + 5] for row in rows] == [b"<row "] * 2
    assert [parse_row(row)["Id"] for row in rows] == ["1", "2"]
    assert all(row.whole for row in rows)


def test_a_doctype_before_the_posts_stops_nothing(dump: Any) -> None:
    data = dump.posts(dump.question(1), dump.question(2), head='<!DOCTYPE posts SYSTEM "posts.dtd">')
    assert [parse_row(row)["Id"] for row in scan(data)] == ["1", "2"]


def test_an_entity_that_would_expand_costs_its_row_only(dump: Any) -> None:
    bomb = '<!DOCTYPE posts [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    data = dump.posts('<row Id="1" PostTypeId="1" Title="&b;" />', dump.question(2), head=bomb)
    first, second = scan(data)
    with pytest.raises(RecordError) as caught:
        parse_row(first)
    assert caught.value.reason is Reason.invalid_xml
    assert parse_row(second)["Id"] == "2"


@given(
    bodies=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40), min_size=1, max_size=8
    ),
    cuts=st.lists(st.integers(0, 600), max_size=5),
    block=st.integers(6, 70),
)
def test_any_cutting_yields_every_row_once(bodies: list[str], cuts: list[int], block: int) -> None:
    lines = [f"<row Id='{number}' Body={quoteattr(body)} />" for number, body in enumerate(bodies)]
    data = ("<posts>\n  " + "\n".join(lines) + "</posts>").encode()
    before, module.BLOCK = module.BLOCK, block
    try:
        edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
        pieces = [scan(data, start, end) for start, end in itertools.pairwise(edges)]
    finally:
        module.BLOCK = before
    assert [row for piece in pieces for row in piece] == scan(data)
    assert len(scan(data)) == len(bodies)


def test_a_bare_less_than_costs_its_row_and_not_the_next(dump: Any) -> None:
    data = dump.posts('<row Id="1" Body="a < b" />', dump.question(2))
    first, second = scan(data)
    assert refusal(first.data).reason is Reason.invalid_xml
    assert post_of(parse_row(second))["id"] == 2


@pytest.mark.parametrize("tail", [b' Body="half of', b""])
def test_a_file_that_ends_inside_a_row_says_where(dump: Any, tail: bytes) -> None:
    sound = dump.posts(dump.question(1)).replace(b"</posts>\n", b"")
    rows = scan(sound + b'<row Id="2"' + tail)
    assert [row.whole for row in rows] == [True, False]
    with pytest.raises(RecordError, match=str(len(sound))) as caught:
        parse_row(rows[1])
    assert caught.value.reason is Reason.truncated_file


def test_a_missing_closing_tag_loses_nothing(dump: Any) -> None:
    data = dump.posts(dump.question(1), dump.question(2)).replace(b"</posts>\n", b"")
    assert [parse_row(row)["Id"] for row in scan(data)] == ["1", "2"]


def test_a_row_without_end_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch, dump: Any) -> None:
    monkeypatch.setattr(module, "MAX_ROW", 1000)
    monkeypatch.setattr(module, "BLOCK", 100)
    rows = scan(b'<row Id="1" Body="' + b"x" * 5000 + b'" /><row Id="2" />')
    assert [(len(row.data) <= 1000, row.whole) for row in rows] == [(True, False), (True, True)]
    with pytest.raises(RecordError, match="more than 1000 bytes") as caught:
        parse_row(rows[0])
    assert caught.value.reason is Reason.too_complex


def test_characters_that_xml_forbids_are_left_out() -> None:
    parsed = parse_row(row_of('<row Id="1" Body="a&#x1F;b&#0;c\x0bd&#x10;e&#10;f&#x41;" />'))
    assert parsed["Body"] == "abcde\nfA"


def test_bytes_that_are_not_utf8_name_their_place() -> None:
    error = refusal(b'<row Id="1" Body="caf\xe9" />')
    assert (error.reason, error.detail[:7]) == (Reason.invalid_encoding, "byte 21")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('<row PostTypeId="1" Title="t" />', Reason.missing_field),
        ('<row Id="1" PostTypeId="1" />', Reason.missing_field),
        ('<row Id="1" PostTypeId="2" />', Reason.missing_field),
        ('<row Id="x" PostTypeId="1" Title="t" />', Reason.damaged_record),
        ('<row Id="1" PostTypeId="1" Title="t" Score="" />', Reason.damaged_record),
        ('<row Id="1" PostTypeId="1" Title="t" Score="9999999999999999999" />', Reason.damaged_record),
        ('<row Id="1" PostTypeId="1" Title="t" Score="1_000" />', Reason.damaged_record),
        ('<row Id="1" PostTypeId="1" Title="t" Score="٣" />', Reason.damaged_record),
        ('<row Id="1" Id="2" PostTypeId="1" Title="t" />', Reason.invalid_xml),
    ],
)
def test_a_row_that_lacks_what_it_must_have_is_refused(row: str, reason: Reason) -> None:
    assert refusal(row).reason is reason


@pytest.mark.parametrize("tags", ["<a-b><c#>", "|a-b|c#|", "a-b c#".replace(" ", "|")])
def test_tags_of_both_generations_are_read(tags: str, dump: Any) -> None:
    (row,) = scan(dump.question(1, Tags=tags).encode())
    assert post_of(parse_row(row))["tags"] == ["a-b", "c#"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ('<row Id="1" PostTypeId="1" Title="t" />', "question"),
        ('<row Id="1" PostTypeId="2" ParentId="9" />', "answer"),
        ('<row Id="1" PostTypeId="5" Title="a wiki" />', "other"),
        ('<row Id="1" ParentId="9" />', "answer"),
        ('<row Id="1" Title="t" />', "question"),
        ('<row Id="1" />', "other"),
    ],
)
def test_the_kind_of_a_post(row: str, kind: str) -> None:
    assert post_of(parse_row(row_of(row)))["kind"] == kind


@given(st.binary(max_size=400))
def test_no_bytes_do_worse_than_a_refusal(data: bytes) -> None:
    for row in scan(b"<row " + data):
        try:
            post_of(parse_row(row))
        except RecordError:
            continue
