"""Exports, read back by each format's rules (and by its own reader where one is installed)."""

from __future__ import annotations

import io
import itertools
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import sentencepiece

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.tokenizer.train import LLAMA_SETTINGS
from llama_data.train_handoff.export import export_run, export_shards
from llama_data.train_handoff.pack import PackSettings, tokenize_jobs
from llama_data.train_handoff.shards.file import Shard
from llama_data.train_handoff.shards.view import view_row


def read_megatron(prefix: Path) -> list[list[int]]:
    """Documents of an indexed dataset, by the layout of Megatron-LM's indexed_dataset.py."""
    index = prefix.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code = struct.unpack_from("<QB", index, 9)
    assert version == 1
    dtype = {8: np.dtype("<u2"), 4: np.dtype("<i4")}[code]
    sequences, documents = struct.unpack_from("<QQ", index, 18)
    lengths = np.frombuffer(index, "<i4", sequences, 34)
    pointers = np.frombuffer(index, "<i8", sequences, 34 + 4 * sequences)
    bounds = np.frombuffer(index, "<i8", documents, 34 + 12 * sequences)
    assert len(index) == 34 + 12 * sequences + 8 * documents
    assert bounds.tolist() == list(range(sequences + 1))
    data = prefix.with_suffix(".bin").read_bytes()
    assert len(data) == int(lengths.sum()) * dtype.itemsize
    return [
        np.frombuffer(data, dtype, length, pointer).tolist() for length, pointer in zip(lengths, pointers, strict=True)
    ]


@pytest.fixture
def shards(tmp_path: Path, make_shard) -> list[str]:
    for number in range(2):
        make_shard(tmp_path / "tokens" / "web" / f"{number:05d}.parquet", 9000 if number else 30, seed=number)
    return [str(tmp_path / "tokens" / "web" / f"{number:05d}.parquet") for number in range(2)]


def streams(paths: list[str]) -> list[list[int]]:
    result = []
    for path in paths:
        shard = Shard(path)
        rows = np.concatenate([shard.group(number) for number in range(shard.groups)])
        result.append([*rows[:, :-1].reshape(-1).tolist(), int(rows[-1, -1])])
    return result


def test_megatron_documents(tmp_path: Path, shards: list[str]) -> None:
    files = export_shards(shards, str(tmp_path / "out" / "web"), "megatron")
    assert [Path(name).name for name in files] == ["web.bin", "web.idx"]
    expected = []
    for tokens in streams(shards):
        cuts = sorted({0, *(at for at, id in enumerate(tokens) if id == 1), len(tokens)})
        expected += [tokens[a:b] for a, b in itertools.pairwise(cuts)]
    assert read_megatron(tmp_path / "out" / "web") == expected


@pytest.mark.parametrize(("bos_id", "eos_id"), [(1, 2), (2, 1), (None, 2), (None, 1), (1, None), (7, 3)])
def test_megatron_documents_whatever_stands_around_them(
    tmp_path: Path, make_shard, monkeypatch: pytest.MonkeyPatch, bos_id: int | None, eos_id: int | None
) -> None:
    # Many groups of rows, so that documents end where a group does.
    monkeypatch.setattr("llama_data.train_handoff.shards.file.GROUP_ROWS", 2)
    paths = [tmp_path / "web" / f"{number}.parquet" for number in range(3)]
    for number, path in enumerate(paths):
        make_shard(path, 200, seed=number, bos_id=bos_id, eos_id=eos_id)
    assert Shard(str(paths[0])).groups == 100
    export_shards([str(path) for path in paths], str(tmp_path / "web"), "megatron")
    expected: list[list[int]] = []
    at_seams = 0
    for stream in streams([str(path) for path in paths]):
        expected.append([])
        for place, id in enumerate(stream):
            begins = id == bos_id if bos_id is not None else place > 0 and stream[place - 1] == eos_id
            if begins and expected[-1]:
                expected.append([])
                at_seams += place % 16 == 0
            expected[-1].append(id)
    assert at_seams > 3
    assert read_megatron(tmp_path / "web") == expected


def swapped_model(lines: list[bytes]) -> bytes:
    """A tokenizer whose BOS is 2 and whose EOS is 1."""
    made = io.BytesIO()
    given = {**LLAMA_SETTINGS, "vocab_size": 500, "bos_id": 2, "eos_id": 1, "minloglevel": 2}
    sentence = iter([line.decode() for line in lines])
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=sentence, model_writer=made, **given)
    return made.getvalue()


@pytest.mark.parametrize(("bos", "eos"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_documents_of_a_run_are_those_of_its_export(
    tmp_path: Path,
    tokenizer: Path,
    words: list[str],
    bos: bool,
    eos: bool,
    swapped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llama_data.train_handoff.shards.file.GROUP_ROWS", 3)
    model = tokenizer
    if swapped:
        model = tmp_path / "tokenizer.model"
        lines = [" ".join(words[at : at + 12]).encode() for at in range(0, 480, 12)]
        model.write_bytes(swapped_model(lines))
    run = RunContext(input="", output=str(tmp_path))
    texts = [" ".join(words[at : at + at % 9]) for at in range(300)]
    with JsonlWriter(f"{run.documents('web')}/00000.jsonl.zst") as writer:
        for number, text in enumerate(texts):
            writer.write({"id": str(number), "text": text, "metadata": {}})
    settings = PackSettings(seq_len=16, bos=bos, eos=eos, validation=0)
    for job in tokenize_jobs("web", run, tokenizer=str(model), settings=settings):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    encoder = FastEncoder(str(model))
    assert (encoder.bos_id, encoder.eos_id) == ((2, 1) if swapped else (1, 2))
    paths = sorted(str(path) for path in (tmp_path / "tokens" / "web").glob("*.parquet"))
    footer = Shard(paths[0]).footer
    assert (footer.bos_id, footer.eos_id) == (encoder.bos_id if bos else None, encoder.eos_id if eos else None)
    export_shards(paths, str(tmp_path / "web"), "megatron")
    documents = read_megatron(tmp_path / "web")
    around = ([encoder.bos_id] if bos else []), ([encoder.eos_id] if eos else [])
    whole = [[*around[0], *encoder.encode(text).tolist(), *around[1]] for text in texts]
    assert len(documents) > 200
    if len(paths) == 1:
        # The tail that fills no row is dropped, maybe in the middle of a document.
        assert documents[:-1] == whole[: len(documents) - 1]
        assert whole[len(documents) - 1][: len(documents[-1])] == documents[-1]


def test_megatron_for_a_large_vocabulary_is_int32(tmp_path: Path, make_shard) -> None:
    make_shard(tmp_path / "web" / "0.parquet", 20, vocab_size=100_000)
    export_shards([str(tmp_path / "web" / "0.parquet")], str(tmp_path / "web"), "megatron")
    assert list(itertools.chain(*read_megatron(tmp_path / "web"))) == streams([str(tmp_path / "web" / "0.parquet")])[0]


@pytest.mark.filterwarnings("ignore")
def test_megatrons_own_reader(tmp_path: Path, shards: list[str]) -> None:
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    export_shards(shards, str(tmp_path / "web"), "megatron")
    dataset = indexed.IndexedDataset(str(tmp_path / "web"))
    assert [dataset[number].tolist() for number in range(len(dataset))] == read_megatron(tmp_path / "web")


def test_nanogpt_bin_is_the_stream(tmp_path: Path, shards: list[str]) -> None:
    export_shards(shards, str(tmp_path / "train"), "bin")
    assert np.memmap(tmp_path / "train.bin", dtype=np.uint16, mode="r").tolist() == list(
        itertools.chain(*streams(shards))
    )


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_lists(tmp_path: Path, shards: list[str]) -> None:
    export_shards(shards, str(tmp_path / "web"), "hf")
    rows = [Shard(path)[index].tolist() for path in shards for index in range(Shard(path).rows)]
    table = pq.read_table(tmp_path / "web.parquet")
    assert table.column("input_ids").to_pylist() == rows
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "web.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded[9029]["input_ids"] == rows[9029]
    assert loaded[0]["domain"] == "web"


@pytest.fixture
def run(tmp_path: Path, make_shard) -> Path:
    from llama_data.train_handoff.mix.jobs import mix_jobs
    from llama_data.train_handoff.mix.plan import plan_mix

    tokens = tmp_path / "tokens"
    for domain in ("web", "books"):
        make_shard(tokens / domain / "00000.parquet", 60)
    make_shard(tokens / "books" / "validation" / "00000.parquet", 5, split="validation", domain="books")
    plan = plan_mix(
        str(tokens), weights={"web": 0.5, "books": 0.5}, present=["web", "books"], rows_per_shard=20, tokens=400
    )
    for job in mix_jobs(plan, tokens_folder=str(tokens), output=str(tmp_path / "mix")):
        for rank in range(job.tasks):
            for step in job.steps:
                list(step.run(None, rank, job.tasks))
    return tmp_path


def test_a_run_is_exported_in_training_order(run: Path) -> None:
    names = [Path(path).name for path in export_run(str(run), str(run / "out"), "megatron")]
    assert names == ["mix.bin", "mix.idx", "validation-books.bin", "validation-books.idx"]
    rows = [
        Shard(str(path))[index]
        for path in sorted((run / "mix").glob("*.parquet"))
        for index in range(Shard(str(path)).rows)
    ]
    assert read_megatron(run / "out" / "mix") == [row[:-1].tolist() for row in rows]
    export_run(str(run), str(run / "out"), "hf")
    table = pq.read_table(run / "out" / "mix.parquet")
    assert table.column("input_ids").to_pylist() == [row.tolist() for row in rows]
    assert sorted(table.column("domain").unique().to_pylist()) == ["books", "web"]


def test_without_a_mix_each_domain_is_exported(run: Path) -> None:
    (run / "mix" / "mix.json").unlink()
    names = [Path(path).name for path in export_run(str(run), str(run / "out"), "bin")]
    assert names == ["books.bin", "validation-books.bin", "web.bin"]
    with pytest.raises(InputError, match="neither a finished mix nor token shards"):
        export_run(str(run / "nowhere"), str(run / "out"), "bin")


def test_a_row_can_be_viewed(run: Path, tokenizer: Path) -> None:
    shard = Shard(str(run / "mix" / "00000.parquet"))
    view = view_row(shard, 4, str(tokenizer))
    assert view.origin is not None
    assert view.origin.startswith(f"{view.domain}/00000.parquet row ")
    assert sum(part.tokens for part in view.passages) == 9
    assert [part.start for part in view.passages if part.begins] == np.flatnonzero(shard[4] == 1).tolist()
    assert f"domain {view.domain}" in str(view)
    with pytest.raises(InputError, match="it has rows 0 to 19"):
        view_row(shard, 20, str(tokenizer))
