"""JSON that is unusual or wrong costs its row at most; its neighbours are kept. So does text in UTF-16 and UTF-32."""

from __future__ import annotations

import codecs
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.c4.reader import C4Reader
from llama_data.stages.custom.formats import rows_of
from llama_data.stages.github.reader import GithubReader
from llama_data.stages.shared import json_array_rows as json_array_module
from llama_data.stages.shared import utf8
from llama_data.stages.shared.csv_rows import csv_rows
from llama_data.stages.shared.json_array_rows import json_array_rows
from llama_data.stages.shared.json_rows import json_rows
from llama_data.stages.shared.text_rows import text_rows

DEEP = 1024
# An object, and what it is read as; None: its row fails.
OBJECTS: list[tuple[bytes, dict[str, Any] | None]] = [
    (b'{"a": NaN}', None),
    (b'{"a": Infinity}', None),
    (b'{"a": -Infinity}', None),
    (b'{"a": 1e400}', None),
    (b'{"a": "\\ud800"}', None),
    (b'{"a": "\\udc00\\ud800"}', None),
    (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    (b'{"a": "\xed\xa0\x80"}', None),
    (b'{"a": "\xff"}', None),
    (b'{"a": "x\x00y"}', None),
    (b'{"a": "x\\u0000y"}', {"a": "x\0y"}),
    (b'{"a": "x\ty"}', None),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b'{"a": 18446744073709551615}', {"a": 2**64 - 1}),
    (b'{"a": -9223372036854775808}', {"a": -(2**63)}),
    (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
    (b'{"a": ' + b"[" * (DEEP - 2) + b"]" * (DEEP - 2) + b"}", {"a": json.loads("[" * 900 + "]" * 900)}),
    (b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}", None),
    (b'{"a": ' + b'{"b":' * 50_000 + b"1" + b"}" * 50_000 + b"}", None),
    (b"{'a': 1}", None),
    (b'{"a": 1,}', None),
    (b'{"a": 01}', None),
    (b'{"a" 1}', None),
    (b'{"": ""}', {"": ""}),
    (b'{"a": "\xe2\x80\xa8\xc2\x85"}', {"a": "\u2028\x85"}),
]


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def kinds(found: list[tuple[int, dict[str, Any] | RecordError]]) -> list[Any]:
    return [row.reason if isinstance(row, RecordError) else row for _, row in found]


@pytest.mark.parametrize(("data", "expected"), OBJECTS)
def test_an_object_costs_its_row_at_most(tmp_path: Path, data: bytes, expected: dict[str, Any] | None) -> None:
    lines = list(json_rows(write(tmp_path / "a.jsonl", b'{"n": 1}\n' + data + b'\n{"n": 2}\n')))
    elements = list(json_array_rows(write(tmp_path / "a.json", b'[{"n": 1},\n' + data + b',\n{"n": 2}]')))
    for found in (lines, elements):
        assert [number for number, _ in found] == [1, 2, 3]
        first, middle, last = kinds(found)
        assert (first, last) == ({"n": 1}, {"n": 2})
        if expected is None:
            assert middle == Reason.invalid_json
        elif len(data) < 1000:
            assert middle == expected
        else:
            assert isinstance(middle, dict)


ENCODINGS = ["utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
BOMS = {
    "utf-8-sig": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}
ROWS = [{"text": "naïve 漢字 \U0001f600 " * 5, "path": f"{number}.py", "url": "http://x"} for number in range(50)]
LINES = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_json_in_other_encodings_is_read(tmp_path: Path, encoding: str, marked: bool, packed: bool) -> None:
    def put(name: str, text: str) -> Split:
        data = (BOMS[encoding] if marked else b"") + text.encode(encoding)
        path = tmp_path / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)
        return Split(path=str(path), name=path.name, size=path.stat().st_size)

    lines, array = put("a.jsonl", LINES), put("a.json", json.dumps(ROWS, ensure_ascii=False))
    for split in (lines, array):
        assert kinds(list(rows_of(split, "auto", []))) == ROWS
        assert kinds(list(rows_of(split, "jsonl", []))) == ROWS
    assert [doc.text for doc in C4Reader(splits=[lines]).read(lines)] == [row["text"] for row in ROWS]
    assert [doc.metadata["path"] for doc in GithubReader(splits=[lines], domain="g").read(lines)] == [
        row["path"] for row in ROWS
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_and_texts_with_a_mark_are_read(tmp_path: Path, encoding: str) -> None:
    table = BOMS[encoding] + 'a,b\n1,"ü\n漢"\n2,\U0001f600\n'.encode(encoding)
    rows = kinds(list(csv_rows(write(tmp_path / "a.csv", table))))
    assert rows == [{"a": "1", "b": "ü\n漢"}, {"a": "2", "b": "\U0001f600"}]
    text = BOMS[encoding] + "ein Text\n漢字".encode(encoding)
    assert kinds(list(text_rows(write(tmp_path / "a.txt", text)))) == [{"text": "ein Text\n漢字"}]


@pytest.mark.parametrize("encoding", ENCODINGS[1:])
def test_what_cannot_be_decoded_costs_its_row(tmp_path: Path, encoding: str) -> None:
    wide = 4 if "32" in encoding else 2
    alone = (0xD800).to_bytes(wide, "little" if encoding.endswith("le") else "big")
    lines = [b'{"n": 1}', b'{"n": "@"}', b'{"n": 2}']
    data = b"\n".join(lines).decode().encode(encoding).replace("@".encode(encoding), alone)
    assert kinds(list(json_rows(write(tmp_path / "a.jsonl", data)))) == [{"n": 1}, Reason.invalid_json, {"n": 2}]
    # The last character is cut.
    cut = "{}\n{}".encode(encoding)[:-1]
    assert kinds(list(json_rows(write(tmp_path / "b.jsonl", cut)))) == [{}, Reason.invalid_json]
    text = BOMS[encoding] + "a@b".encode(encoding).replace("@".encode(encoding), alone)
    assert kinds(list(text_rows(write(tmp_path / "a.txt", text)))) == [Reason.invalid_encoding]


@pytest.mark.parametrize("encoding", ["utf-8", *ENCODINGS])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_any_cutting_into_pieces_gives_the_same(encoding: str, size: int) -> None:
    text = "{} ä漢\U0001f600\n" * 3
    data = BOMS.get(encoding, b"") + text.encode(encoding)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(utf8.utf8_pieces(pieces, json=True)).decode() == text


def test_what_stands_before_damage_is_given() -> None:
    def pieces() -> Any:
        yield b"{}\n"
        raise EOFError("cut")

    given = utf8.utf8_pieces(pieces())
    assert next(given) == b"{}\n"
    with pytest.raises(EOFError):
        next(given)


@pytest.mark.parametrize("head", [b"", b"{", b"{}", b"\xff", b"\xfe\xff", b"\0", b"ab\0\0", b"{\0}\0"])
def test_short_files_are_read(head: bytes) -> None:
    out = b"".join(utf8.utf8_pieces([head], json=True))
    assert out == {b"\xfe\xff": b"", b"{\0}\0": b"{}"}.get(head, head)


@pytest.mark.parametrize(
    "broken",
    [
        b'{"a": 1',
        b'{"a": {"b": 1}',
        b'{"a": [1, 2}',
        b'{"a": [}',
        b'{"a"',
        b"{",
        b'{"a": 1]',
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_an_element_that_is_not_closed_costs_itself(tmp_path: Path, broken: bytes, size: int) -> None:
    around = [{"n": 1, "deep": {"a": [{"b": {}}, [], {}]}}, {"n": 2}, {"n": 3, "deep": {"c": []}}]
    parts = [json.dumps(around[0], indent=0).encode(), broken, *(json.dumps(one).encode() for one in around[1:])]
    data = b"[" + b",\n".join(parts) + b"]"
    scanner = json_array_module._Scanner()
    found = [row for at in range(0, len(data), size) for row in scanner.feed(data[at : at + size])]
    found += scanner.close()
    if b"1]" in broken:
        # The bracket of the array that was not opened in it ends the whole array; what follows is read all the same.
        found = found[: len(around) + 1]
    assert [row for row in found if isinstance(row, dict)] == around
    assert [row.reason for row in found if isinstance(row, RecordError)] == [Reason.invalid_json]
