"""The reader of users' own sources: every row is a document or a failed one, whatever the format, damage and tasks."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
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

from llama_data.pipeline.core.document import Document, Outcome, verdict
from llama_data.pipeline.core.files import Split, list_inputs
from llama_data.pipeline.core.ledger import row as ledger_row
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.custom.fields import Fields, SplitBy
from llama_data.stages.custom.reader import RESERVED, SourceReader, make_tasks

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
ROWS = [{"body": f"text {n}", "id": f"i{n % 3}", "url": f"http://x/{n}", "kind": "ab"[n % 2]} for n in range(20)]


def jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def array(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=3)
    return sink.getvalue()


def arrow(new: Any) -> Callable[[list[dict[str, Any]]], bytes]:
    def make(rows: list[dict[str, Any]]) -> bytes:
        sink = io.BytesIO()
        table = pa.Table.from_pylist(rows)
        with new(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
        return sink.getvalue()

    return make


def separated(delimiter: str) -> Callable[[list[dict[str, Any]]], bytes]:
    def make(rows: list[dict[str, Any]]) -> bytes:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue().encode()

    return make


TEXTS = {".jsonl": jsonl, ".json": array, ".csv": separated(","), ".tsv": separated("\t")}
TABLES = {".parquet": parquet, ".arrow": arrow(ipc.new_file), ".stream.arrow": arrow(ipc.new_stream)}
CASES = [(kind + packed, make, packed) for kind, make in TEXTS.items() for packed in COMPRESS]
CASES += [(kind, make, "") for kind, make in TABLES.items()]


def read(root: Path, tasks: list[list[Split]] | None = None, **settings: Any) -> list[Document]:
    reader = source(tasks or [list_inputs(str(root), ["**/*"])], **settings)
    return [doc for rank in range(len(reader.tasks)) for doc in reader.run(None, rank, len(reader.tasks))]


def source(tasks: list[list[Split]], **settings: Any) -> SourceReader:
    given_ = {"domain": "d", "format": "auto", "fields": Fields(text="body"), "where": {}, "split": None}
    reader = SourceReader(**{"tasks": tasks, "language": None, "license": None, **given_, **settings})
    reader.accountable = True
    return reader


def reasons(docs: list[Document]) -> list[str | None]:
    return [None if (found := verdict(doc)) is None else str(found.reason) for doc in docs]


def put(root: Path, name: str, data: bytes) -> Path:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize(("name", "make", "packed"), CASES, ids=[name for name, _, _ in CASES])
@pytest.mark.parametrize("wrong_name", [False, True])
def test_every_format_gives_the_same_documents(
    tmp_path: Path, name: str, make: Any, packed: str, wrong_name: bool
) -> None:
    name = f"a{name}"
    if wrong_name:
        # Compressed where the name does not say so, and the other way round; tables are known by their content alone.
        name = name.removesuffix(packed) if packed else f"{name}.gz" if make in TEXTS.values() else "a.jsonl"
    put(tmp_path, name, COMPRESS[packed](make(ROWS)))
    fields = Fields(text="body", id="id", url="url", keep=("kind",))
    docs = read(tmp_path, fields=fields, language="en", license="CC BY 4.0")
    assert reasons(docs) == [None] * 20
    assert [(doc.id, doc.text, doc.metadata) for doc in docs] == [
        (
            f"d/i{n % 3}@{name}#{n + 1}",
            f"text {n}",
            {
                "domain": "d",
                "source": f"{name}#{n + 1}",
                "source_id": f"i{n % 3}",
                "url": f"http://x/{n}",
                "language": "en",
                "license": "CC BY 4.0",
                "kind": "ab"[n % 2],
            },
        )
        for n in range(20)
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jsonl", "json"), ("a.json", "json"), ("a.csv", "csv"), ("a.parquet", "parquet")]
)
def test_rows_are_those_of_the_library_of_hugging_face(tmp_path: Path, name: str, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    texts = ["plain", "two\nlines", 'a "quote", a comma', "Ünïcödé 𝄞", " spaces ", "tab\t"]
    rows = [{"body": text, "id": f"i{n}"} for n, text in enumerate(texts)]
    data = {**TEXTS, **TABLES}[f".{name.split('.')[1]}"](rows)
    put(tmp_path / "in", name, data)
    cache = str(tmp_path / "cache")
    theirs = datasets.load_dataset(kind, data_files=str(tmp_path / "in" / name), cache_dir=cache, split="train")
    assert [doc.text for doc in read(tmp_path / "in")] == theirs["body"][:] == texts


def test_a_text_file_is_a_document(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", b"\xef\xbb\xbfone\ntwo")
    put(tmp_path, "b.TXT.gz", gzip.compress(b'{"json": "is text here"}'))
    put(tmp_path, "c.txt", b"ab\xff")
    put(tmp_path, "d.txt", b"")
    docs = read(tmp_path, fields=Fields())
    assert [(doc.id, doc.text) for doc in docs[:2]] == [
        ("d/a.txt#1", "one\ntwo"),
        ("d/b.TXT.gz#1", '{"json": "is text here"}'),
    ]
    assert reasons(docs) == [None, None, "invalid_encoding", "truncated_file"]


def test_ids_are_unique_where_those_of_the_source_repeat(tmp_path: Path) -> None:
    for name, id in (("a", "x"), ("b", "x"), ("a@a#1", "x"), ("c", "x@a"), ("e", "x%40a"), ("f", 7)):
        put(tmp_path, f"{name}.jsonl", jsonl([{"body": "t", "id": id}] * 2))
    docs = read(tmp_path, fields=Fields(text="body", id="id"))
    assert len({doc.id for doc in docs}) == len(docs) == 12
    assert {doc.metadata["source_id"] for doc in docs} == {"x", "x@a", "x%40a", "7"}
    assert "d/x%40a@c.jsonl#1" in {doc.id for doc in docs}


@pytest.mark.parametrize("value", [None, "", True, 1.5, ["x"], {}])
def test_a_row_without_its_id_fails(tmp_path: Path, value: Any) -> None:
    put(tmp_path, "a.jsonl", jsonl([{"body": "t", "id": value}, {"body": "t"}, {"body": "t", "id": "x"}]))
    docs = read(tmp_path, fields=Fields(text="body", id="id"))
    assert reasons(docs) == ["missing_field", "missing_field", None]
    assert [doc.id for doc in docs[:2]] == ["d/a.jsonl#1", "d/a.jsonl#2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"body": null}', "missing_field"),
        (b'{"body": 5}', "missing_field"),
        (b"{}", "missing_field"),
        (b'{"body": ""}', "empty_text"),
        (b'{"body": "x", "n": NaN}', "invalid_json"),
        (b'{"body": "\\ud800"}', "invalid_json"),
        (b'{"body": "\xff"}', "invalid_json"),
        (b'{"body": "x"', "invalid_json"),
        (b'\xef\xbb\xbf{"body": "x"}', "invalid_json"),
        (b"[1]", "invalid_json"),
        (b"[" * 5000, "invalid_json"),
    ],
)
def test_a_bad_line_costs_itself(tmp_path: Path, line: bytes, reason: str) -> None:
    put(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"body": "a"}\n' + line + b'\n{"body": "b"}')
    docs = read(tmp_path)
    assert reasons(docs) == [None, reason, None]
    found = verdict(docs[1])
    assert found is not None
    assert docs[1].id == "d/a.jsonl#2"
    assert reason == "empty_text" or found.detail.startswith("row 2: ")


WRONG = [
    ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid x", "auto", "wrong_format"),
    ("a.parquet", b"PAR1\x15 and no end", "auto", "damaged_archive"),
    ("a.arrow", b"neither", "auto", "wrong_format"),
    ("a.jsonl", parquet(ROWS), "jsonl", "wrong_format"),
    ("a.jsonl", jsonl(ROWS), "parquet", "wrong_format"),
    ("a.jsonl", jsonl(ROWS), "arrow", "wrong_format"),
    ("a.parquet.gz", gzip.compress(parquet(ROWS)), "auto", "wrong_format"),
    ("a.jsonl.gz", b"\0\0" + gzip.compress(jsonl(ROWS)), "auto", "damaged_archive"),
    ("unknown", b"what is it", "auto", "wrong_format"),
    ("a.jsonl.zst", b"", "auto", "truncated_file"),
]


@pytest.mark.parametrize(("name", "data", "format", "reason"), WRONG, ids=[f"{n}-{f}" for n, _, f, _ in WRONG])
def test_a_file_that_is_something_else_is_one_failed_row(
    tmp_path: Path, name: str, data: bytes, format: str, reason: str
) -> None:
    docs = read(put(tmp_path, name, data), format=format)
    assert reasons(docs) == [reason]


def test_json_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("a", "a.parquet", "a.data", "part-00000.gz"):
        put(tmp_path, name, jsonl(ROWS[:2]))
    assert reasons(read(tmp_path)) == [None] * 8


def test_rows_that_are_not_chosen_are_rejected_whatever_is_wrong_with_them(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"body": "a", "meta": {"set": "Books3"}, "n": 1},
        {"body": None, "meta": {"set": "Other"}, "n": 1},
        {"body": "c", "meta": {"set": ["x", "Books3"]}, "n": "1"},
        {"body": "d", "meta": {"set": "Books3"}, "n": 2},
        {"body": "e", "n": 1},
        {"body": "f", "meta": {"set": "Books3"}, "n": True},
    ]
    put(tmp_path, "a.jsonl", jsonl(rows))
    docs = read(tmp_path, where={"meta.set": ("Books3", "y"), "n": ("1", "true")})
    assert reasons(docs) == [None, "row_not_chosen", None, "row_not_chosen", "row_not_chosen", None]
    found = verdict(docs[3])
    assert found is not None
    assert (found.outcome, found.step, docs[3].text) == (Outcome.rejected, "read_source", "d")


def test_a_source_is_split_into_domains(tmp_path: Path) -> None:
    rows = [
        {"body": "t", "id": str(n), "meta": {"set": name}} for n, name in enumerate(["Books3", "Github", "?", True])
    ]
    put(tmp_path, "a.jsonl", jsonl(rows))
    split = SplitBy(field="meta.set", into={"books": ("Books3", "Gutenberg (PG-19)"), "code": ("Github", "true")})
    docs = read(tmp_path, split=split, fields=Fields(text="body", id="id"))
    assert [doc.metadata["domain"] for doc in docs] == ["books", "code", "d", "code"]
    assert [doc.id for doc in docs] == ["books/0@a.jsonl#1", "code/1@a.jsonl#2", "d/a.jsonl#3", "code/3@a.jsonl#4"]
    assert reasons(docs) == [None, None, "row_not_chosen", None]


def test_kept_fields_keep_their_names_but_for_those_that_have_a_meaning(tmp_path: Path) -> None:
    row = {"body": "t", "source": "s", "language_score": "high", "meta": {"a": [1, None]}, "author": "x", "none": None}
    put(tmp_path, "a.jsonl", jsonl([row]))
    keep = ("source", "language_score", "meta.a", "author", "none", "absent")
    [doc] = read(tmp_path, fields=Fields(text="body", keep=keep))
    assert doc.metadata == {
        "domain": "d",
        "source": "a.jsonl#1",
        "row.source": "s",
        "row.language_score": "high",
        "meta.a": [1, None],
        "author": "x",
    }
    assert ledger_row(doc)[13] is None


def test_kept_values_are_written_as_json(tmp_path: Path) -> None:
    table = pa.table(
        {
            "body": ["t"],
            "t": pa.array([1_700_000_000], pa.timestamp("s", "UTC")),
            "d": pa.array([Decimal("5.00")], pa.decimal128(20, 2)),
            "b": [b"\xff"],
            "f": [float("nan")],
            "m": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    [doc] = read(tmp_path, fields=Fields(text="body", keep=("t", "d", "b", "f", "m")))
    assert orjson.loads(orjson.dumps(doc.metadata)) == {
        "domain": "d",
        "source": "a.parquet#1",
        "t": "2023-11-14T22:13:20+00:00",
        "d": "5.00",
        "b": "ff",
        "m": [["k", 1]],
    }


@pytest.mark.parametrize("size", [1, 100, 700, 5000, 10**9])
def test_tasks_do_not_change_the_documents(tmp_path: Path, size: int) -> None:
    for kind, make in {**TEXTS, **TABLES}.items():
        for number in range(2):
            put(tmp_path, f"{number}/a{kind}", make(ROWS))
    # A file that is not what its name says is read once, though it is cut as a parquet file.
    put(tmp_path, "b.parquet", jsonl(ROWS))
    put(tmp_path, "c.parquet", b"PAR1 is all")
    splits = list_inputs(str(tmp_path), ["**/*"])
    tasks = make_tasks(splits, size)
    whole, cut = ([(doc.id, doc.text, verdict(doc)) for doc in read(tmp_path, given_)] for given_ in (None, tasks))
    assert cut == whole
    # Any number of workers' ranks covers every task once.
    reader = source(tasks)
    for world in (1, 3, len(tasks) + 2):
        shared = [split for rank in range(world) for split in reader.task_splits(rank, world)]
        assert sorted(shared, key=repr) == sorted((split for task in tasks for split in task), key=repr)


@pytest.mark.parametrize(
    ("limit", "sizes"), [(8, [[4], [5], [20], [1, 1]]), (9, [[4, 5], [20], [1, 1]]), (10, [[4, 5], [20], [1, 1]])]
)
def test_small_files_share_a_task(limit: int, sizes: list[list[int]]) -> None:
    splits = [Split(path=str(n), name=f"{n}.jsonl", size=size) for n, size in enumerate([4, 5, 20, 1, 1])]
    assert [[split.size for split in task] for task in make_tasks(splits, limit)] == sizes


@pytest.mark.parametrize(("size", "pieces"), [(99, 1), (100, 1), (101, 2), (200, 2), (201, 3), (0, 1)])
def test_a_large_parquet_file_is_cut(size: int, pieces: int) -> None:
    tasks = make_tasks([Split(path="a", name="a.parquet", size=size)], 100)
    found = [split for task in tasks for split in task]
    assert len(found) == pieces
    assert sum(split.size for split in found) == size
    assert (found[0].start, found[-1].end) == (0, None)
    assert all(before.end == after.start for before, after in pairwise(found))


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "body": st.none() | st.text(max_size=5) | st.integers(),
                "id": st.none() | st.text(max_size=3),
                "x": st.none() | st.sampled_from(["a", "b", "", 1, True, ["a"]]),
            }
        ),
        max_size=12,
    )
)
def test_every_row_is_a_document(tmp_path_factory: Any, rows: list[dict[str, Any]]) -> None:
    root = tmp_path_factory.mktemp("rows")
    for row in rows:
        if isinstance(row["body"], int):
            row["body"] %= 1000
    put(root, "a.jsonl", jsonl(rows) or b"\n")
    split = SplitBy(field="x", into={"one": ("a",), "two": ("1", "true")})
    docs = read(root, split=split, fields=Fields(text="body", id="id", keep=("x",)))
    assert len(docs) == len(rows) == len({doc.id for doc in docs})
    for row, doc, reason in zip(rows, docs, reasons(docs), strict=True):
        if row["x"] not in ("a", 1, True, ["a"]):
            assert reason == str(Reason.row_not_chosen)
        elif not isinstance(row["body"], str) or not row["id"]:
            assert reason == str(Reason.missing_field)
        else:
            assert (reason, doc.text) == (None if row["body"] else "empty_text", row["body"])


def test_every_column_that_a_step_writes_is_a_name_of_ours() -> None:
    from llama_data.stages.custom.jobs import COLUMNS
    from llama_data.stages.steps import line_dedup, perplexity

    written = {*COLUMNS, *line_dedup.COLUMNS, *perplexity.COLUMNS, "duplicate_of"}
    assert written <= RESERVED
