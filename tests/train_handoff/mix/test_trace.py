"""Training rows to documents and back, against a search through everything that was written."""

from __future__ import annotations

import itertools
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from llama_data.pipeline.core.errors import InputError
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.train_handoff.mix.order import Assignment, epoch_keys, integer_weights, permute, unpermute
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.mix.trace import Part, Trace, rows_with, tokens_beside
from llama_data.train_handoff.shards import documents as index_file
from llama_data.train_handoff.shards.checked import stated_value
from llama_data.train_handoff.shards.documents import DocumentIndex, IndexWriter, Names, id_hash, index_path
from llama_data.train_handoff.shards.file import Footer, Shard
from llama_data.train_handoff.shards.verify import verify_folder

SEQ_LEN = 16  # of the traced runs


@pytest.fixture(scope="module", params=["traced", "traced_shuffled"])
def made(request: pytest.FixtureRequest) -> Path:
    """RUN with tokens of two domains, documents in order or shuffled, and a mix of them."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def texts(traced_texts: dict[str, list[str]]) -> dict[str, list[str]]:
    return traced_texts


@pytest.fixture(scope="module")
def parts(made: Path) -> list[Part]:
    mixture = Mixture(str(made / "mix"))
    return list(Trace(mixture, str(made / "tokens")).parts(range(len(mixture))))


def test_a_row_is_its_documents_one_after_the_other(
    made: Path, parts: list[Part], tokenizer: Path, texts: dict[str, list[str]]
) -> None:
    oracle = FastEncoder(str(tokenizer)).oracle
    mixture = Mixture(str(made / "mix"))
    seen = set()
    for row, found in itertools.groupby(parts, lambda part: part.row):
        at = 0
        for part in found:
            whole = [1, *oracle.encode(texts[part.domain][int(part.id.partition("/")[2])]), 2]
            ids = mixture[row][part.offset : part.offset + part.tokens].tolist()
            assert part.offset == at
            at += part.tokens
            where = next(i for i in range(len(whole)) if whole[i : i + len(ids)] == ids)
            assert part.begins == (ids[0] == 1)
            assert part.ends == (ids[-1] == 2)
            assert part.begins == (where == 0)
            assert part.source == f"{part.domain}.gz#{int(part.id.partition('/')[2]) * 100}"
            seen.add(part.id)
        assert at == SEQ_LEN + 1
        shard = Shard(str(made / "mix" / f"{row // 64:05d}.parquet"))
        assert (part.shard, part.shard_row) == (f"{row // 64:05d}.parquet", row % 64)
        for column, value in (
            ("domain", part.domain), ("origin_shard", part.origin_shard), ("origin_row", part.origin_row),
        ):  # fmt: skip
            assert shard.column(column)[row % 64].as_py() == value
    assert len(seen) > 100


def test_each_drawing_of_a_row_has_its_epoch(parts: list[Part]) -> None:
    rows: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for part in parts:
        entry = rows.setdefault((part.origin_shard, part.origin_row), [])
        if (part.row, part.epoch) not in entry:
            entry.append((part.row, part.epoch))
    assert {len(found) for (shard, _), found in rows.items() if shard.startswith("books")} == {2, 3}
    for found in rows.values():
        assert [epoch for _, epoch in found] == list(range(1, len(found) + 1))


def test_a_document_leads_to_the_rows_that_hold_it(made: Path, parts: list[Part], texts: dict[str, list[str]]) -> None:
    trace = Trace(Mixture(str(made / "mix")), str(made / "tokens"))
    found: dict[str, set[tuple[int, int]]] = {}
    for domain in trace.plan.domains:
        for source in domain.sources:
            index = trace.index(source)
            for id in (f"{domain.name}/{number}" for number in range(len(texts[domain.name]))):
                for document in index.find(id):
                    rows = rows_with(document, SEQ_LEN, source.rows)
                    found[id] = {(drawn.row, drawn.epoch) for row in rows for drawn in trace.drawn(source, row)}
    wanted: dict[str, set[tuple[int, int]]] = {}
    for part in parts:
        wanted.setdefault(part.id, set()).add((part.row, part.epoch))
    assert {id: rows for id, rows in found.items() if rows} == wanted


def test_every_document_stands_in_one_index_and_held_out_ones_apart(made: Path, texts: dict[str, list[str]]) -> None:
    for domain, count in (("books", len(texts["books"])), ("arxiv", len(texts["arxiv"]))):
        folder = made / "tokens" / domain
        train, held = (
            [str(path) for path in sorted(below.glob("*.parquet"))] for below in (folder, folder / "validation")
        )
        ids = []
        for path in [*train, *held]:
            index, footer = DocumentIndex(path), Shard(path).footer
            documents = list(index.between(0, index.footer.tokens))
            assert index.footer.documents == footer.documents == len(documents)
            assert index.footer.tokens == footer.tokens + footer.dropped_tokens
            ids += [document.id for document in documents]
        assert sorted(ids) == sorted(f"{domain}/{number}" for number in range(count))
        assert bool(held) == (domain == "books")
        assert verify_folder(str(folder)) == []


@pytest.mark.parametrize("group", [1, 3, 8, 200])
def test_an_index_answers_alike_whatever_its_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setattr(index_file, "GROUP_DOCUMENTS", group)
    chooser = random.Random(1)
    lengths = np.array([chooser.randint(1, 40) for _ in range(100)])
    names = Names([f"x/{number // 2 * 7}" for number in range(100)], [None if n % 3 else f"s#{n}" for n in range(100)])
    footer = Footer(
        kind="domain", split="train", domain="x", seq_len=8, vocab_size=9, tokenizer_sha256="", bos_id=1, eos_id=2,
        content_sha256="ab",
    )  # fmt: skip
    for step in (1, 7, 100):  # the same bytes however the documents arrive
        writer = IndexWriter(index_path(str(tmp_path / f"{step}.parquet")))
        for at in range(0, 100, step):
            writer.add(index_file.cut(names, range(at, min(at + step, 100))), lengths[at : at + step])
        writer.write(footer)
    files = [(tmp_path / "documents" / f"{step}.parquet").read_bytes() for step in (1, 7, 100)]
    assert files[0] == files[1] == files[2]
    index = DocumentIndex(str(tmp_path / "7.parquet"), "ab")
    starts = [0, *np.cumsum(lengths).tolist()]
    for first, size in itertools.product(range(0, starts[-1] + 3, 5), (1, 9, 200)):
        found = [document.start for document in index.between(first, first + size)]
        wanted = [a for a, b in itertools.pairwise(starts) if a < first + size and b > first]
        assert found == wanted
    for number in range(0, 100, 2):
        assert [(d.start, d.source) for d in index.find(f"x/{number // 2 * 7}")] == [
            (starts[number + i], names.sources[number + i]) for i in range(2)
        ]
    assert index.find("x/1") == []


def test_an_id_whose_hash_another_has_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_file, "id_hash", lambda id: id_hash(id) % 3)
    footer = Footer(
        kind="domain", split="train", domain="x", seq_len=8, vocab_size=9, tokenizer_sha256="", bos_id=1, eos_id=2
    )
    writer = IndexWriter(index_path(str(tmp_path / "a.parquet")))
    writer.add(Names([f"x/{n}" for n in range(20)], [None] * 20), np.ones(20, np.int64))
    writer.write(footer)
    index = DocumentIndex(str(tmp_path / "a.parquet"))
    assert [[d.start for d in index.find(f"x/{n}")] for n in range(21)] == [[n] for n in range(20)] + [[]]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 1000])
def test_the_order_can_be_turned_round(n: int) -> None:
    keys = epoch_keys(3, "books", 1)
    whole = np.arange(n)
    assert np.array_equal(unpermute(permute(whole, n, keys), n, keys), whole)


@pytest.mark.parametrize("weights", [["1"], ["0.5", "0.5"], ["0.67", "0.15", "0.18"], ["0.999", "0.001"]])
@pytest.mark.parametrize("every", [1, 7, 64])
def test_a_drawn_row_is_found_in_the_order(weights: list[str], every: int) -> None:
    whole = integer_weights(weights)
    assignment = Assignment.plan(whole, 2500, every)
    domains, within = assignment.rows(0, 2500)
    for row in range(0, 2500, 13):
        assert assignment.row_of(int(domains[row]), int(within[row])) == row


def test_what_cannot_be_traced_is_said(made: Path, tmp_path: Path) -> None:
    mixture = Mixture(str(made / "mix"))
    assert tokens_beside(str(made / "mix")) == tokens_beside(str(made / "mix" / "other")) == str(made / "tokens")
    with pytest.raises(InputError, match="no such folder; the token shards"):
        tokens_beside(str(tmp_path / "mix"))
    trace = Trace(mixture, str(made / "tokens"))
    with pytest.raises(InputError, match=rf"the mix has rows 0 to {len(mixture) - 1:,}"):
        list(trace.parts(range(len(mixture) - 1, len(mixture) + 1)))
    with pytest.raises(InputError, match="made before shards had an index"):
        list(Trace(mixture, str(tmp_path)).parts(range(1)))
    source = trace.plan.domains[0].sources[0]
    with pytest.raises(InputError, match="index of other rows"):
        DocumentIndex(str(made / "tokens" / source.name), "0" * 64)
    changed = Mixture(str(made / "mix"))
    changed.record["seed"] += 1
    with pytest.raises(InputError, match="do not give its fingerprint"):
        Trace(changed, str(made / "tokens"))


def _rewrite(path: str, **changes: list[object]) -> None:
    """Write an index again with other columns, and a check value that fits."""
    table = index_file.read_index(path)
    columns = {name: changes.get(name, table.column(name).to_pylist()) for name in ("id", "source", "tokens")}
    metadata = DocumentIndex(path.replace("/documents/", "/")).footer
    writer = IndexWriter(path)
    writer.add(Names(columns["id"], columns["source"]), np.array(columns["tokens"]))  # type: ignore[arg-type]
    footer = Footer(
        kind="domain", split="train", domain="x", seq_len=8, vocab_size=9, tokenizer_sha256="", bos_id=1, eos_id=2,
        content_sha256=metadata.shard_sha256,
    )  # fmt: skip
    writer.write(footer)


def test_verify_finds_what_is_wrong_with_an_index(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "arxiv"
    shutil.copytree(made / "tokens" / "arxiv", folder)
    path = folder / "documents" / "00000.parquet"
    whole, listed = path.read_bytes(), (folder / "tokens.json").read_text()

    def problems() -> list[str]:
        return [problem.what for problem in verify_folder(str(folder))]

    assert problems() == []
    monkeypatch.chdir(tmp_path)
    assert verify_folder("arxiv") == []
    path.unlink()
    assert problems() == ["missing: it is listed but not there"]
    for at in (10, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert len(problems()) == 1
    path.write_bytes(whole)
    (path.parent / "00001.parquet").write_bytes(whole)
    assert problems() == ["surplus: it is the index of no shard that is listed"]
    (path.parent / "00001.parquet").unlink()

    table = index_file.read_index(str(path))
    ids, tokens = table.column("id").to_pylist(), table.column("tokens").to_pylist()
    moved = [tokens[0] + 1, tokens[1] - 1, *tokens[2:]]
    for changes, what in (
        ({"tokens": moved}, "do not begin where"),
        ({"tokens": [*tokens[:-1], tokens[-1] + 1]}, "documents of"),
        ({"id": ["other", *ids[1:]]}, "those that were listed"),
    ):
        path.write_bytes(whole)
        _rewrite(str(path), **changes)  # type: ignore[arg-type]
        if "listed" not in what:
            value = stated_value(str(path))
            (folder / "tokens.json").write_text(listed.replace(str(stated_value_of(whole)), str(value)))
        assert any(what in problem for problem in problems()), what
        (folder / "tokens.json").write_text(listed)
    monkeypatch.setattr(index_file, "id_hash", lambda id: 7)
    path.write_bytes(whole)
    _rewrite(str(path))
    (folder / "tokens.json").write_text(listed.replace(str(stated_value_of(whole)), str(stated_value(str(path)))))
    assert problems() == ["its hashes are not those of its ids"]


def stated_value_of(content: bytes) -> str:
    at = content.index(b"llama_data.crc32:") + len(b"llama_data.crc32:")
    return content[at : at + 8].decode()
