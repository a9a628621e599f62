"""Rows of parquet, Arrow, CSV, text and JSON arrays: what is written is read back, and damage costs its rows."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc

from llama_data.pipeline.core import files
from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.shared import csv_rows as csv_module
from llama_data.stages.shared import json_array_rows as array_module
from llama_data.stages.shared import parquet_rows as parquet_module
from llama_data.stages.shared import text_rows as text_module
from llama_data.stages.shared.arrow_rows import arrow_rows
from llama_data.stages.shared.csv_rows import csv_rows
from llama_data.stages.shared.json_array_rows import json_array_rows
from llama_data.stages.shared.parquet_pages import DICTIONARY, pages_of
from llama_data.stages.shared.parquet_rows import parquet_rows
from llama_data.stages.shared.text_rows import text_rows

COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
FORMATS = pytest.mark.parametrize("suffix", list(COMPRESS))
VALUES = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(max_size=20),
        "n": st.none() | st.integers(-(2**63), 2**63 - 1),
        "meta": st.none() | st.fixed_dictionaries({"a": st.none() | st.text(max_size=5)}),
        "tags": st.none() | st.lists(st.text(max_size=3), max_size=3),
    }
)
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("n", pa.int64()),
        ("meta", pa.struct([("a", pa.string())])),
        ("tags", pa.list_(pa.string())),
    ]
)


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def reasons(found: list[tuple[int, Any]]) -> list[tuple[int, Reason]]:
    return [(number, row.reason) for number, row in found if isinstance(row, RecordError)]


def sound(found: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    return [(number, row) for number, row in found if not isinstance(row, RecordError)]


@given(st.lists(VALUES, max_size=200), st.sampled_from([1, 3, 64, 1000]))
def test_tables_are_read_back(tmp_path_factory: Any, rows: list[dict[str, Any]], group: int) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = pa.Table.from_pylist(rows, SCHEMA)
    pq.write_table(table, folder / "a.parquet", row_group_size=group)
    for name, new in (("file", ipc.new_file), ("stream", ipc.new_stream)):
        with new(str(folder / name), SCHEMA) as writer:
            writer.write_table(table, max_chunksize=group)
    expected = list(enumerate(rows, 1))
    assert list(parquet_rows(str(folder / "a.parquet"))) == expected
    assert list(arrow_rows(str(folder / "file"))) == expected
    assert list(arrow_rows(str(folder / "stream"))) == expected
    chosen = [(number, {"meta": row["meta"]}) for number, row in expected]
    assert list(parquet_rows(str(folder / "a.parquet"), ["meta.a", "absent"])) == chosen
    assert list(arrow_rows(str(folder / "file"), ["meta.a", "absent"])) == chosen


@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8),
            min_size=2,
            max_size=2,
        ),
        max_size=20,
    )
)
def test_csv_is_read_back(tmp_path_factory: Any, rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([["a", "b"], *rows])
    path = write(tmp_path_factory.mktemp("rows") / "a.csv", stream.getvalue().encode())
    assert list(csv_rows(path)) == [(n, {"a": a, "b": b}) for n, (a, b) in enumerate(rows, 1)]


@given(st.lists(VALUES, max_size=20), st.sampled_from([0, 1, 2]), st.integers(1, 60))
def test_json_arrays_are_read_back_over_every_seam(
    tmp_path_factory: Any, rows: list[dict[str, Any]], indent: int, step: int
) -> None:
    data = orjson.dumps(rows, option=orjson.OPT_INDENT_2 if indent else 0)
    path = write(tmp_path_factory.mktemp("rows") / "a.json", data)
    with pytest.MonkeyPatch.context() as patch:
        pieces = [data[i : i + step] for i in range(0, len(data), step)]
        patch.setattr(array_module, "read_pieces", lambda path, compression: iter(pieces))
        assert list(json_array_rows(path)) == list(enumerate(rows, 1))


@FORMATS
def test_compressed_files_are_read(tmp_path: Path, suffix: str) -> None:
    def packed(name: str, data: bytes) -> str:
        return write(tmp_path / f"{name}{suffix}", COMPRESS[suffix](data))

    assert list(csv_rows(packed("a.csv", b'\xef\xbb\xbfa,b\n1,"x\ny"\n'))) == [(1, {"a": "1", "b": "x\ny"})]
    assert list(csv_rows(packed("a.tsv", b"a\tb\r\n1\t2\r\n"), "\t")) == [(1, {"a": "1", "b": "2"})]
    assert list(text_rows(packed("a.txt", b"\xef\xbb\xbfone\ntwo"))) == [(1, {"text": "one\ntwo"})]
    assert list(json_array_rows(packed("a.json", b' [{"a": 1}, {"a": 2}]\n'))) == [(1, {"a": 1}), (2, {"a": 2})]


def test_an_element_that_is_whole_before_the_damage_is_given(tmp_path: Path) -> None:
    streams = [b'[{"a": "' + b"x" * 1000, b'"}, {"a": "y"}, ']
    data = b"".join(map(gzip.compress, streams)) + gzip.compress(b"more")[:-9]
    found = list(json_array_rows(write(tmp_path / "a.json.gz", data)))
    assert sound(found) == [(1, {"a": "x" * 1000}), (2, {"a": "y"})]
    assert reasons(found) == [(3, Reason.truncated_file)]


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".bz2", ".xz"])
def test_a_stream_that_is_cut_is_an_error_after_the_rows_before_it(tmp_path: Path, suffix: str) -> None:
    for read, first, rest in (
        (csv_rows, b"a\n1\n", b"2\n"),
        (json_array_rows, b'[{"a": "1"},', b'{"a": "2"}]'),
    ):
        data = COMPRESS[suffix](first) + COMPRESS[suffix](rest)[:-9]
        found = list(read(write(tmp_path / f"a{suffix}", data)))
        assert found[0] == (1, {"a": "1"})
        assert found[-1][1].reason is Reason.truncated_file  # type: ignore[union-attr]
    [(number, row)] = text_rows(write(tmp_path / f"t{suffix}", COMPRESS[suffix](b"text")[:-9]))
    assert isinstance(row, RecordError)
    assert (number, row.reason) == (1, Reason.truncated_file)


def test_a_row_group_that_cannot_be_read_costs_each_of_its_rows(tmp_path: Path) -> None:
    rows = [{"text": f"{n} " + "abc " * 200, "n": n} for n in range(400)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=100, compression="zstd", use_dictionary=False)
    column = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    end = column.data_page_offset + column.total_compressed_size
    data[end - 60 : end - 30] = bytes(30)
    found = list(parquet_rows(write(path, bytes(data))))
    assert [number for number, _ in found] == list(range(1, 401))
    assert reasons(found) == [(number, Reason.damaged_record) for number in range(101, 201)]
    assert [row for _, row in sound(found)] == rows[:100] + rows[200:]
    # Rows without the damaged column are sound.
    assert not reasons(list(parquet_rows(str(path), ["n"])))


@pytest.mark.parametrize("read", [parquet_rows, arrow_rows])
@pytest.mark.parametrize("kept", [0, 1, 7, 8, 200, -9])
def test_a_table_that_is_cut_or_no_table_is_one_error(tmp_path: Path, read: Any, kept: int) -> None:
    table = pa.table({"a": ["x" * 50] * 50})
    sink = io.BytesIO()
    if read is parquet_rows:
        pq.write_table(table, sink)
    else:
        with ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    found = list(read(write(tmp_path / "a", sink.getvalue()[:kept])))
    assert len(reasons(found)) == len(found) == 1


def test_text_that_is_no_utf8_costs_its_row(tmp_path: Path) -> None:
    texts = [f"text {n}".encode() for n in range(200)]
    texts[70], texts[199] = b"\xff\xfe", b"ab\xe4"
    binary = pa.array(texts, pa.binary())
    bad = pa.Array.from_buffers(pa.string(), len(texts), binary.buffers())
    table = pa.table({"a": bad})
    pq.write_table(table, tmp_path / "a.parquet")
    with ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    data = b"a\n" + b"\n".join(texts) + b"\n"
    for found in (
        list(parquet_rows(str(tmp_path / "a.parquet"))),
        list(arrow_rows(str(tmp_path / "a.arrow"))),
        list(csv_rows(write(tmp_path / "a.csv", data))),
    ):
        assert reasons(found) == [(71, Reason.invalid_encoding), (200, Reason.invalid_encoding)]
        assert sound(found) == [(n + 1, {"a": f"text {n}"}) for n in range(199) if n != 70]


def test_a_batch_of_a_stream_that_is_cut_ends_it(tmp_path: Path) -> None:
    table = pa.table({"a": [str(n) for n in range(100)]})
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    found = list(arrow_rows(write(tmp_path / "a.arrow", sink.getvalue()[: len(sink.getvalue()) // 2])))
    assert sound(found)[:10] == [(n + 1, {"a": str(n)}) for n in range(10)]
    assert [reason for _, reason in reasons(found)] == [Reason.damaged_record]
    assert found[-1][0] == len(found)


def test_offsets_that_lead_out_of_a_batch_are_not_followed(tmp_path: Path) -> None:
    table = pa.table({"a": ["one", "two", "three"]})
    sink = io.BytesIO()
    with ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 3, 6, 11))
    assert data.count(offsets) == 1
    broken = data.replace(offsets, b"".join(n.to_bytes(4, "little") for n in (0, 3, 1 << 30, 11)))
    found = list(arrow_rows(write(tmp_path / "a.arrow", broken)))
    assert found[0] == (1, {"a": "one"})
    assert [number for number, _ in reasons(found)] == [2, 3]


def test_a_dictionary_is_not_unfolded_in_memory(tmp_path: Path) -> None:
    """Twenty thousand rows of a megabyte each, out of a file of some hundred bytes."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 1_000_000]))
    table = pa.table({"a": values})
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "a.parquet", compression="zstd")
    with ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    for rows, limit in (
        (parquet_rows(str(tmp_path / "a.parquet")), 200 << 20),
        (arrow_rows(str(tmp_path / "a.arrow")), 20 << 20),
    ):
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        for number, row in rows:
            assert isinstance(row, dict)
            if number == 300:
                break
        peak = tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes() - before
        tracemalloc.stop()
        assert number == 300
        assert peak < limit


def test_a_dictionary_that_is_read_as_plain_text_makes_small_batches(tmp_path: Path) -> None:
    table = pa.table({"a": ["x" * 1000] * 5000, "b": [str(n) for n in range(5000)]})
    pq.write_table(table, tmp_path / "a.parquet", compression="none")
    group = pq.read_metadata(tmp_path / "a.parquet").row_group(0)
    with (tmp_path / "a.parquet").open("rb") as stream, pytest.MonkeyPatch.context() as patch:
        assert parquet_module._batch_rows(stream, group, ["a"]) == parquet_module.BATCH_ROWS
        patch.setattr(parquet_module, "BATCH_BYTES", 10_000)
        assert parquet_module._batch_rows(stream, group, ["a"]) == 9  # the value and its length
        patch.setattr(parquet_module, "BATCH_BYTES", 1)
        assert parquet_module._batch_rows(stream, group, ["a"]) == 1


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_say_their_sizes(tmp_path: Path, version: str) -> None:
    table = pa.table({"a": [f"{n} " + "x" * 5000 for n in range(500)], "l": [[str(n % 3)] * 3 for n in range(500)]})
    path = tmp_path / "a.parquet"
    pq.write_table(table, path, data_page_version=version, data_page_size=100_000, use_dictionary=["l.list.element"])
    group = pq.read_metadata(path).row_group(0)
    with path.open("rb") as stream:
        for number in range(2):
            pages = list(pages_of(stream, group.column(number)))
            stored = group.column(number).total_uncompressed_size
            assert 0.8 * stored < sum(page.size for page in pages) < stored
            assert [page.kind for page in pages].count(DICTIONARY) == number


def test_a_page_over_the_limit_costs_the_rows_of_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, pa.schema({"a": pa.string()}), use_dictionary=False) as writer:
        for size in (5, 10, 5):
            writer.write_table(pa.table({"a": ["x" * size] * 10}))
    largest = 10 * (4 + 10) + 6  # each value with its length, behind the definition levels
    for limit, failed in ((largest, 0), (largest - 1, 10)):
        monkeypatch.setattr(parquet_module, "MAX_PAGE", limit)
        rows = [row for _, row in parquet_rows(str(path))]
        assert [isinstance(row, RecordError) for row in rows] == [False] * 10 + [failed > 0] * 10 + [False] * 10


def test_pieces_of_a_parquet_file_hold_each_row_once(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [str(n) for n in range(100)]}), path, row_group_size=7)
    size = path.stat().st_size
    whole = list(parquet_rows(str(path)))
    for step in (1, 50, 333, size - 1, size, size + 1) if size < 9000 else (333,):
        starts = list(range(0, size, step))
        pieces = [list(parquet_rows(str(path), None, a, a + step if a + step < size else None)) for a in starts[:400]]
        if len(starts) <= 400:
            assert [row for piece in pieces for row in piece] == whole
    broken = write(tmp_path / "b.parquet", path.read_bytes()[:-5])
    assert len(list(parquet_rows(broken, None, 0, 10))) == 1
    assert list(parquet_rows(broken, None, 10, None)) == []


def test_nanoseconds_end_at_microseconds(tmp_path: Path) -> None:
    table = pa.table({"t": pa.array([1_700_000_000_000_000_123], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "a.parquet")
    [(_, row)] = parquet_rows(str(tmp_path / "a.parquet"))
    assert isinstance(row, dict)
    assert row["t"].isoformat() == "2023-11-14T22:13:20"


CSV_DAMAGE = [
    (b"a,b\n1\n2,3\n", [(1, Reason.damaged_record)], [(2, {"a": "2", "b": "3"})]),
    (b"a,b\n1,2,3\n2,3\n", [(1, Reason.damaged_record)], [(2, {"a": "2", "b": "3"})]),
    (b'a,b\n"1"x,2\n2,3\n', [(1, Reason.damaged_record)], [(2, {"a": "2", "b": "3"})]),
    (b'a,b\n1,2\n"2,3\n4,5\n', [(2, Reason.damaged_record)], [(1, {"a": "1", "b": "2"})]),
    (b"a,b\n\n1,2\n\n\n2,3", [], [(1, {"a": "1", "b": "2"}), (2, {"a": "2", "b": "3"})]),
    (b"a,a\n1,2\n", [(0, Reason.wrong_format)], []),
    (b"a,\xff\n1,2\n", [(0, Reason.invalid_encoding)], []),
    (b"a,b\n", [], []),
    (b"", [], []),
]


@pytest.mark.parametrize(("data", "lost", "kept"), CSV_DAMAGE)
def test_a_broken_csv_row_costs_itself(tmp_path: Path, data: bytes, lost: Any, kept: Any) -> None:
    found = list(csv_rows(write(tmp_path / "a.csv", data)))
    assert reasons(found) == lost
    assert sound(found) == kept


ARRAY_DAMAGE = [
    (b'[{"a": 1}, {"a": NaN}, {"a": 2}]', [(2, Reason.invalid_json)], [(1, {"a": 1}), (3, {"a": 2})]),
    (b'[{"a": 1}, 7, {"a": 2}]', [(2, Reason.invalid_json)], [(1, {"a": 1}), (3, {"a": 2})]),
    (b'[{"a": 1}, "{[", {"a": 2}]', [(2, Reason.invalid_json)], [(1, {"a": 1}), (3, {"a": 2})]),
    (b'[{"a": 1},', [(2, Reason.truncated_file)], [(1, {"a": 1})]),
    (b'[{"a": 1}, {"a": "x', [(2, Reason.truncated_file)], [(1, {"a": 1})]),
    (b'[{"a": "}]\\"{"}]', [], [(1, {"a": '}]"{'})]),
    (b'[{"a": [{"b": 1}]}]', [], [(1, {"a": [{"b": 1}]})]),
    (b'\xef\xbb\xbf[{"a": 1}]\n[{"a": 2}]', [], [(1, {"a": 1}), (2, {"a": 2})]),
    (b"[]", [], []),
]


@pytest.mark.parametrize(("data", "lost", "kept"), ARRAY_DAMAGE)
def test_a_broken_element_costs_itself(tmp_path: Path, data: bytes, lost: Any, kept: Any) -> None:
    found = list(json_array_rows(write(tmp_path / "a.json", data)))
    assert reasons(found) == lost
    assert sound(found) == kept


@pytest.mark.parametrize(("size", "over"), [(99, False), (100, False), (101, True)])
def test_limits_hold_at_their_edge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, over: bool) -> None:
    for module in (csv_module, text_module):
        monkeypatch.setattr(module, "MAX_LINE", 100)
    [(_, row)] = text_rows(write(tmp_path / "a.txt", b"x" * size))
    assert isinstance(row, RecordError) is over
    found = list(csv_rows(write(tmp_path / "a.csv", b"a\n1\n" + b"x" * size + b"\n2\n")))
    assert [number for number, _ in found] == [1, 2, 3]
    assert reasons(found) == ([(2, Reason.too_complex)] if over else [])


def test_an_element_without_end_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(array_module, "MAX_LINE", 3 << 20)
    found = list(json_array_rows(write(tmp_path / "a.json", b'[{"a": 1}, {"a": "' + b"x" * (9 << 20) + b'"}]')))
    assert found[0] == (1, {"a": 1})
    assert reasons(found) == [(2, Reason.too_complex)]


def test_a_store_that_does_not_answer_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "the connection is lost")

    for module in (parquet_module, files):
        monkeypatch.setattr(module, "open_binary", lambda path: Failing(b"PAR1" * 100))
    for read in (parquet_rows, csv_rows, json_array_rows, text_rows):
        with pytest.raises(OSError, match="connection is lost"):
            list(read("a"))


@pytest.mark.parametrize(("size", "whole"), [(760, True), (990, True), (1200, False)])
def test_an_element_that_waits_is_not_over_the_limit(monkeypatch: pytest.MonkeyPatch, size: int, whole: bool) -> None:
    """Elements are looked for when as much is there again: what was read meanwhile is not one element."""
    data = orjson.dumps([{"a": "x" * (size - 8)}, *({"a": n} for n in range(100))])
    monkeypatch.setattr(array_module, "MAX_LINE", 1000)
    cuts = [data[:5], *(data[at : at + 50] for at in range(5, len(data), 50))]
    monkeypatch.setattr(array_module, "read_pieces", lambda path, compression: iter(cuts))
    found = list(json_array_rows("x"))
    assert reasons(found) == ([] if whole else [(1, Reason.too_complex)])
    assert len(found) == (101 if whole else 1)


@pytest.mark.parametrize("fields", [None, ["text"], ["other"]])
def test_a_column_that_is_there_twice_is_an_error(tmp_path: Path, fields: list[str] | None) -> None:
    columns = [pa.array(["a", "b"]), pa.array(["c", "d"]), pa.array(["e", "f"])]
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "text", "other"]), path)
    found = list(parquet_rows(str(path), fields))
    if fields == ["other"]:
        assert found == [(1, {"other": "e"}), (2, {"other": "f"})]
    else:
        assert reasons(found) == [(1, Reason.wrong_format)]
        assert list(parquet_rows(str(path), fields, 1)) == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [None, ["text"], ["other"]])
def test_a_column_of_an_arrow_file_that_is_there_twice_is_an_error(
    tmp_path: Path, fields: list[str] | None, stream: bool
) -> None:
    columns = [pa.array(["a", "b"]), pa.array(["c", "d"]), pa.array(["e", "f"])]
    table = pa.Table.from_arrays(columns, names=["text", "text", "other"])
    path = str(tmp_path / "twice.arrow")
    with (ipc.new_stream if stream else ipc.new_file)(path, table.schema) as writer:
        writer.write_table(table)
    found = list(arrow_rows(path, fields))
    if fields == ["other"]:
        assert found == [(1, {"other": "e"}), (2, {"other": "f"})]
    else:
        assert reasons(found) == [(1, Reason.wrong_format)]
