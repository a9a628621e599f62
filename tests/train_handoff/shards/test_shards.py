"""The shard: its layout in the file, its footer, and that other programs open it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zlib
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.shards.file import (
    Footer,
    Shard,
    ShardWriter,
    document_starts,
    neighbours,
    open_shards,
    read_footer,
    token_dtype,
)


def test_rows_are_read_as_they_were_written_over_several_row_groups(tmp_path: Path, make_shard) -> None:
    rows = make_shard(tmp_path / "web" / "0.parquet", 20_000)
    shard = Shard(str(tmp_path / "web" / "0.parquet"))
    assert (len(shard), shard.groups) == (20_000, 3)
    for index in (0, 1, 8191, 8192, 16_383, 16_384, 19_999):
        assert np.array_equal(shard[index], rows[index])
    assert np.array_equal(np.concatenate([shard.group(number) for number in range(3)]), rows)
    picked = np.array([19_999, 5, 8192, 5])
    assert np.array_equal(shard.take(picked), rows[picked])
    for index in (-1, 20_000):
        with pytest.raises(IndexError):
            shard[index]
        with pytest.raises(IndexError):
            shard.take(np.array([0, index]))


def test_a_row_is_an_address_in_the_file(tmp_path: Path, make_shard) -> None:
    """What docs/formats.md promises to a reader in another language."""
    path = tmp_path / "web" / "0.parquet"
    rows = make_shard(path, 9000)
    data = path.read_bytes()
    metadata = pq.read_metadata(path)
    done = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        column = group.column(0)
        assert (column.compression, set(column.encodings)) == ("UNCOMPRESSED", {"PLAIN", "RLE"})
        body = column.data_page_offset + column.total_compressed_size - group.num_rows * 18
        found = np.frombuffer(data, "<u2", group.num_rows * 9, body).reshape(-1, 9)
        assert np.array_equal(found, rows[done : done + group.num_rows])
        done += group.num_rows
    assert done == 9000
    schema = metadata.schema.column(0)
    assert (schema.physical_type, schema.max_definition_level, schema.max_repetition_level) == (
        "FIXED_LEN_BYTE_ARRAY",
        0,
        0,
    )


def test_the_check_value_is_the_crc_of_the_file_with_zeros_in_its_place(tmp_path: Path, make_shard) -> None:
    path = tmp_path / "web" / "0.parquet"
    make_shard(path, 10)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"llama_data.crc32:") + len(b"llama_data.crc32:")
    stated, data[at : at + 8] = bytes(data[at : at + 8]), b"0" * 8
    assert int(stated, 16) == zlib.crc32(data)


def test_the_footer_says_what_is_in_the_shard(tmp_path: Path, make_shard) -> None:
    rows = make_shard(tmp_path / "web" / "0.parquet", 100)
    footer = read_footer(str(tmp_path / "web" / "0.parquet"))
    assert (footer.rows, footer.tokens, footer.dtype, footer.domain) == (100, 801, "uint16", "web")
    assert footer.content_sha256 == hashlib.sha256(rows.tobytes()).hexdigest()


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(500, "uint16"), (65535, "uint16"), (65536, "uint32"), (128000, "uint32")]
)
def test_ids_are_16_bit_below_65536_pieces(tmp_path: Path, make_shard, vocab_size: int, dtype: str) -> None:
    rows = make_shard(tmp_path / "web" / "0.parquet", 20, vocab_size=vocab_size)
    shard = Shard(str(tmp_path / "web" / "0.parquet"))
    assert shard.footer.dtype == dtype == token_dtype(vocab_size).name
    assert shard[3].dtype == np.dtype(dtype)
    assert np.array_equal(shard[3], rows[3])


def test_a_row_larger_than_a_row_group_is_a_group_of_its_own(tmp_path: Path, make_shard) -> None:
    rows = make_shard(tmp_path / "web" / "0.parquet", 3, seq_len=9_000_000)
    shard = Shard(str(tmp_path / "web" / "0.parquet"))
    assert shard.groups == 3
    assert np.array_equal(shard[2], rows[2])


def test_an_empty_shard_can_be_opened(tmp_path: Path, make_shard) -> None:
    make_shard(tmp_path / "web" / "0.parquet", 0)
    shard = Shard(str(tmp_path / "web" / "0.parquet"))
    assert (len(shard), shard.footer.tokens) == (0, 0)
    assert len(shard.take(np.empty(0, np.int64))) == 0


def test_nothing_appears_under_the_name_when_writing_fails(tmp_path: Path) -> None:
    footer = Footer(
        kind="domain", split="train", domain="x", seq_len=4, vocab_size=9, tokenizer_sha256="", bos_id=1, eos_id=2
    )

    def interrupted() -> None:
        with ShardWriter(str(tmp_path / "0.parquet"), footer) as writer:
            writer.write(np.ones((3, 5), np.uint16))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_remote_shard_is_read_without_a_memory_map(tmp_path: Path, make_shard) -> None:
    rows = make_shard(tmp_path / "web" / "0.parquet", 9000)
    memory = fsspec.filesystem("memory")
    memory.pipe("/shards/0.parquet", (tmp_path / "web" / "0.parquet").read_bytes())
    shard = Shard("memory://shards/0.parquet")
    for index in (0, 8999, 8191, 8192):
        assert np.array_equal(shard[index], rows[index])
    picked = np.array([8500, 3, 3])
    assert np.array_equal(shard.take(picked), rows[picked])
    every = np.random.default_rng(0).permutation(9000)
    assert np.array_equal(shard.take(every), rows[every])
    with ShardWriter("memory://shards/1.parquet", shard.footer) as writer:
        writer.write(rows)
    assert memory.cat_file("/shards/1.parquet") == memory.cat_file("/shards/0.parquet")


def starts_reference(rows: np.ndarray, footer: Footer, opens: list[bool]) -> list[list[int]]:
    result = []
    for row, opened in zip(rows.tolist(), opens, strict=True):
        if footer.bos_id is not None:
            result.append([place for place, id in enumerate(row) if id == footer.bos_id])
        else:
            after = [place + 1 for place, id in enumerate(row[:-1]) if id == footer.eos_id]
            result.append([0] * opened + after)
    return result


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), max_size=12),
    bos=st.booleans(),
    data=st.data(),
)
def test_document_starts(rows: list[list[int]], bos: bool, data: st.DataObject) -> None:
    footer = Footer(
        kind="domain",
        split="train",
        domain="x",
        seq_len=4,
        vocab_size=9,
        tokenizer_sha256="",
        bos_id=1 if bos else None,
        eos_id=2,
    )
    opens = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    array = np.array(rows, np.uint16).reshape(-1, 5)
    found = document_starts(array, footer, np.array(opens, np.bool_)).to_pylist()
    assert found == starts_reference(array, footer, opens)


def test_shards_that_do_not_belong_together_are_named(tmp_path: Path, make_shard) -> None:
    make_shard(tmp_path / "a" / "0.parquet", 3)
    make_shard(tmp_path / "a" / "1.parquet", 3, tokenizer_sha256="cd" * 32)
    with pytest.raises(InputError, match=r"1\.parquet: tokenizer_sha256 is cdcd.*0\.parquet has abab"):
        open_shards([str(tmp_path / "a" / name) for name in ("0.parquet", "1.parquet")])
    with pytest.raises(InputError, match="no token shards"):
        open_shards([])


def test_other_files_are_refused_with_what_is_wrong(tmp_path: Path, make_shard) -> None:
    (tmp_path / "text.parquet").write_bytes(b"no parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    make_shard(tmp_path / "web" / "0.parquet", 10)
    table = pq.read_table(tmp_path / "web" / "0.parquet")
    pq.write_table(
        table.replace_schema_metadata(pq.read_metadata(tmp_path / "web" / "0.parquet").metadata),
        tmp_path / "re.parquet",
    )
    for name, what in (("text", "not a readable parquet"), ("other", "not a token shard"), ("re", "rewritten")):
        with pytest.raises(InputError, match=what):
            Shard(str(tmp_path / f"{name}.parquet"))
    with pytest.raises(InputError, match="no such file"):
        Shard(str(tmp_path / "absent.parquet"))


def test_what_the_trainer_imports_stays_light() -> None:
    code = (
        "import sys, llama_data.train_handoff.shards.file\n"
        "import llama_data.train_handoff.mix.plan, llama_data.train_handoff.mix.order\n"
        "print([m for m in ('torch', 'datatrove', 'sentencepiece', 'fasttext', 'kenlm') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def rows_of(tmp_path: Path, make_shard):
    return str(tmp_path / "web" / "0.parquet"), make_shard(tmp_path / "web" / "0.parquet", 50)


def test_duckdb_opens_a_shard(rows_of) -> None:
    duckdb = pytest.importorskip("duckdb")
    path, rows = rows_of
    found = duckdb.sql(f"select tokens, doc_starts from '{path}'").fetchall()
    assert np.array_equal(np.array([np.frombuffer(tokens, "<u2") for tokens, _ in found]), rows)
    assert found[3][1] == np.flatnonzero(rows[3] == 1).tolist()


def test_polars_opens_a_shard(rows_of) -> None:
    polars = pytest.importorskip("polars")
    path, rows = rows_of
    frame = polars.read_parquet(path)
    assert np.array_equal(np.array([np.frombuffer(tokens, "<u2") for tokens in frame["tokens"]]), rows)


def test_pandas_opens_a_shard(rows_of) -> None:
    pandas = pytest.importorskip("pandas")
    path, rows = rows_of
    frame = pandas.read_parquet(path)
    assert np.array_equal(np.array([np.frombuffer(tokens, "<u2") for tokens in frame["tokens"]]), rows)


@pytest.mark.filterwarnings("ignore")
def test_datasets_opens_a_shard(rows_of, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    path, rows = rows_of
    loaded = datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path / "cache"))
    assert np.array_equal(np.array([np.frombuffer(row["tokens"], "<u2") for row in loaded]), rows)


@pytest.mark.parametrize("gap", [0, 7, 8, 9, 1000])
@pytest.mark.parametrize("most", [10, 25, 64, 10_000])
def test_rows_near_each_other_are_one_request(gap: int, most: int) -> None:
    begins = np.array([0, 10, 20, 38, 39, 39, 57, 100, 500, 508, 520, 9000], np.int64)
    groups = list(neighbours(begins, 10, gap, most))
    assert [int(n) for group in groups for span in group for n in span] == list(range(len(begins)))
    for group in groups:
        for span in group:
            assert all(np.diff(begins[span]) - 10 <= gap)
            assert begins[span[-1]] - begins[span[0]] < most
        held = sum(int(begins[span[-1]] - begins[span[0]]) + 10 for span in group)
        assert len(group) == 1 or held <= most
    lengths = [len(span) for group in groups for span in group]
    if (gap, most) == (8, 10_000):
        assert lengths == [7, 1, 3, 1]
    if (gap, most) == (7, 10_000):
        assert lengths == [3, 3, 1, 1, 3, 1]
    assert list(neighbours(begins[:0], 10, gap, most)) == []
