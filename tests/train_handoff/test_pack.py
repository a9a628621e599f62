"""Documents to rows: every token is accounted for, whatever the tasks and workers."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest

from llama_data.pipeline.core.errors import InputError, ModelError, RecipeError
from llama_data.pipeline.core.files import Split, group_splits
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.train_handoff.pack import Packer, PackSettings, document_key, read_texts, tokenize_jobs
from llama_data.train_handoff.shards.documents import Names
from llama_data.train_handoff.shards.file import Footer, Shard, ShardWriter


@pytest.fixture
def documents(words: list[str]) -> list[tuple[str, str]]:
    chooser = random.Random(1)
    texts = [" ".join(chooser.choices(words, k=chooser.randint(0, 60))) for _ in range(150)]
    texts[7], texts[8] = "", "literal <s> and </s>, 中文, NUL \x00"
    return [(f"web/{number}", text) for number, text in enumerate(texts)]


def write_run(folder: Path, documents: list[tuple[str, str]], files: int, *, seed: int = 0) -> RunContext:
    run = RunContext(input=str(folder), output=str(folder), seed=seed)
    size = -(-len(documents) // files)
    for number in range(files):
        with JsonlWriter(f"{run.documents('web')}/{number:05d}.jsonl.zst") as writer:
            for id, text in documents[number * size : (number + 1) * size]:
                writer.write({"id": id, "text": text, "metadata": {"domain": "web", "source": id}})
    return run


def tokenize(run: RunContext, tokenizer: Path, *, backwards: bool = False, **settings: object) -> Path:
    chosen = PackSettings(**{"seq_len": 16, "validation": 0.0, **settings})  # type: ignore[arg-type]
    for job in tokenize_jobs("web", run, tokenizer=str(tokenizer), settings=chosen):
        ranks = range(job.tasks)
        for rank in reversed(ranks) if backwards else ranks:
            for step in job.steps:
                assert list(step.run(None, rank, job.tasks)) == []
    return Path(run.output) / "tokens" / "web"


def stream_of(shard: Shard) -> list[int]:
    """The tokens in the rows of a domain shard, overlaps once; checks that rows overlap by one."""
    rows = np.concatenate([shard.group(number) for number in range(shard.groups)])
    assert np.array_equal(rows[1:, 0], rows[:-1, -1])
    return [*rows[:, :-1].reshape(-1).tolist(), int(rows[-1, -1])]


@pytest.mark.parametrize(("bos", "eos"), [(True, True), (True, False), (False, True)])
def test_rows_are_the_documents_one_after_the_other(
    tmp_path: Path, tokenizer: Path, documents: list[tuple[str, str]], bos: bool, eos: bool
) -> None:
    folder = tokenize(write_run(tmp_path, documents, 1), tokenizer, bos=bos, eos=eos)
    oracle = FastEncoder(str(tokenizer)).oracle
    expected, begins = [], []
    for _, text in documents:
        begins.append(len(expected))
        expected += [1] * bos + oracle.encode(text) + [2] * eos
    shard = Shard(str(folder / "00000.parquet"))
    found = stream_of(shard)
    assert found == expected[: len(found)]
    footer = shard.footer
    assert footer.tokens == len(found) == shard.rows * 16 + 1
    assert footer.tokens + footer.dropped_tokens == len(expected)
    assert 0 <= footer.dropped_tokens < 16
    assert (footer.documents, footer.bos_id, footer.eos_id) == (150, 1 if bos else None, 2 if eos else None)
    starts = shard.column("doc_starts").to_pylist()
    for row, places in enumerate(starts):
        # A place at the very end of a row is also the first of the next.
        last = row * 16 + (17 if bos else 16)
        assert [row * 16 + place for place in places] == [
            at for at in begins if row * 16 + (not bos and row > 0) <= at < last or (not bos and row > 0 and at == last)
        ]


@pytest.mark.parametrize("shuffle", [False, True])
def test_no_token_is_lost_over_tasks_and_splits(
    tmp_path: Path, tokenizer: Path, documents: list[tuple[str, str]], shuffle: bool
) -> None:
    run = write_run(tmp_path, documents, 4)
    folder = tokenize(run, tokenizer, validation=0.2, shuffle=shuffle, max_task_bytes=1)
    shards = [Shard(str(path)) for below in ("", "validation") for path in sorted((folder / below).glob("*.parquet"))]
    assert len(shards) == 8
    oracle = FastEncoder(str(tokenizer)).oracle
    total = sum(len(oracle.encode(text)) + 2 for _, text in documents)
    assert sum(shard.footer.tokens + shard.footer.dropped_tokens for shard in shards) == total
    held = [id for id, _ in documents if document_key(0, id)[1] < 0.2 * 2**64]
    assert 10 < len(held) < 60
    validation = [shard.footer for shard in shards if shard.footer.split == "validation"]
    assert sum(footer.documents for footer in validation) == len(held)
    assert sum(shard.footer.documents for shard in shards) == 150
    assert not (tmp_path / "work" / "web" / "shuffle").exists()


def test_the_same_bytes_for_any_order_of_tasks(
    tmp_path: Path, tokenizer: Path, documents: list[tuple[str, str]]
) -> None:
    for shuffle in (False, True):
        found = []
        for name in ("one", "two"):
            run = write_run(tmp_path / f"{name}{shuffle}", documents, 3)
            settings = {"validation": 0.1, "shuffle": shuffle, "max_task_bytes": 1}
            folder = tokenize(run, tokenizer, backwards=name == "two", **settings)
            found.append(
                {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            )
        assert found[0] == found[1]
        assert len(found[0]) == 13  # three training and three held-out shards, their indexes, tokens.json


def documents_of(folder: Path) -> list[tuple[int, ...]]:
    result = []
    for path in sorted(folder.glob("*.parquet")):
        tokens = stream_of(Shard(str(path)))
        cuts = [at for at, id in enumerate(tokens) if id == 1]
        result += [tuple(tokens[a:b]) for a, b in itertools.pairwise(cuts)]
    return result


def test_a_shuffle_keeps_the_documents_and_changes_their_order_by_the_seed(
    tmp_path: Path, tokenizer: Path, documents: list[tuple[str, str]]
) -> None:
    plain = documents_of(tokenize(write_run(tmp_path / "a", documents, 3), tokenizer, max_task_bytes=1))
    orders = []
    for seed in (0, 1):
        run = write_run(tmp_path / f"b{seed}", documents, 3, seed=seed)
        orders.append(documents_of(tokenize(run, tokenizer, shuffle=True, max_task_bytes=1)))
    for order in orders:
        assert len(set(order) & set(plain)) >= len(set(plain)) - 6
        assert order != plain
    assert orders[0] != orders[1]
    whole = documents_of(tokenize(write_run(tmp_path / "c", documents, 1), tokenizer, shuffle=True))
    places = [plain.index(document) for document in whole if document in plain]
    assert abs(np.corrcoef(places, np.arange(len(places)))[0, 1]) < 0.35


def test_a_packer_gives_the_same_rows_however_the_tokens_arrive(tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(3, 90, 70_000).astype(np.uint16)
    found = []
    for name, size in (("a", 70_000), ("b", 1), ("c", 977)):
        footer = Footer(
            kind="domain", split="train", domain="x", seq_len=4, vocab_size=99, tokenizer_sha256="", bos_id=1, eos_id=2
        )
        with ShardWriter(str(tmp_path / name), footer) as writer:
            packer = Packer(writer)
            for at in range(0, len(tokens), size):
                part = tokens[at : at + size]
                packer.add(part, Names([], []), np.array([], np.int64))
            packer.finish()
        found.append((tmp_path / name).read_bytes())
    assert found[0] == found[1] == found[2]
    assert stream_of(Shard(str(tmp_path / "a"))) == tokens[:69_997].tolist()


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8, 9, 10])
def test_the_tail_is_dropped_and_counted(tmp_path: Path, count: int) -> None:
    footer = Footer(
        kind="domain", split="train", domain="x", seq_len=4, vocab_size=99, tokenizer_sha256="", bos_id=1, eos_id=2
    )
    with ShardWriter(str(tmp_path / "x"), footer) as writer:
        packer = Packer(writer)
        packer.add(np.arange(count, dtype=np.uint16), Names(["x/1"], [None]), np.array([count]))
        packer.finish()
    found = Shard(str(tmp_path / "x")).footer
    rows = max(count - 1, 0) // 4
    assert (found.rows, found.tokens) == (rows, rows * 4 + 1 if rows else 0)
    assert found.tokens + found.dropped_tokens == count


def test_files_are_grouped_by_size_in_order() -> None:
    splits = [Split(path=name, name=name, size=size) for name, size in zip("abcde", (5, 4, 3, 20, 1), strict=True)]
    groups = [[split.name for split in group] for group in group_splits(splits, 10)]
    assert groups == [["a", "b"], ["c"], ["d"], ["e"]]


def test_what_cannot_be_done_is_said(tmp_path: Path, tokenizer: Path, documents: list[tuple[str, str]]) -> None:
    run = write_run(tmp_path, documents, 1)
    with pytest.raises(RecipeError, match="bos and eos are both off"):
        tokenize(run, tokenizer, bos=False, eos=False)
    with pytest.raises(InputError, match="documents/books"):
        tokenize_jobs("books", run, tokenizer=str(tokenizer), settings=PackSettings())
    path = tmp_path / "documents" / "web" / "00000.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"00000\.jsonl\.zst: (cut short|the compressed stream is damaged)"):
        tokenize(run, tokenizer)
    (tmp_path / "x.jsonl").write_bytes(b'{"id": "a", "text": "b"}\n{"id": "c"}\n')
    with pytest.raises(InputError, match=r"x\.jsonl: line 2: not a document"):
        list(read_texts(str(tmp_path / "x.jsonl")))


def test_a_tokenizer_without_bos_is_refused(tmp_path: Path, words: list[str], documents: list[tuple[str, str]]) -> None:
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(words)] * 3),
        model_writer=model,
        vocab_size=60,
        model_type="bpe",
        bos_id=-1,
        minloglevel=2,
        hard_vocab_limit=False,
    )
    path = tmp_path / "no-bos.model"
    path.write_bytes(model.getvalue())
    run = write_run(tmp_path, documents, 1)
    with pytest.raises(ModelError, match="no BOS piece"):
        tokenize(run, path)
    assert tokenize(run, path, bos=False).joinpath("00000.parquet").exists()
