"""Examples become rows: what counts, what shares a row, what is left out, and in which order they come."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError
from llama_data.train_handoff.shards.file import Footer
from llama_data.train_handoff.trainer.loader import Batch, batches
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.template import TEMPLATES, Template
from llama_data.train_handoff.trainer.tuning import packing
from llama_data.train_handoff.trainer.tuning.examples import read_lines, turns_of
from llama_data.train_handoff.trainer.tuning.packing import Packing, fill_rows, pack
from llama_data.train_handoff.trainer.tuning.rows import ExampleRows

SEQ_LEN = 40
DEFAULT = Template(TEMPLATES["open-llama"])
Pack = Callable[..., ExampleRows]


def test_a_line_is_a_prompt_or_a_conversation() -> None:
    def said(*pairs: tuple[str, str]) -> Any:
        return turns_of({"messages": [{"role": role, "content": text} for role, text in pairs]})

    assert turns_of({"prompt": "p", "completion": "c", "source": "x"}) == (("p", "c"),)
    assert said(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")) == (("a", "b"), ("c", "d"))
    assert said(("system", "be brief"), ("user", "a"), ("assistant", "b")) == (("be brief\n\na", "b"),)
    late = said(("user", "a"), ("assistant", "b"), ("system", "s"), ("user", "c"), ("assistant", "d"))
    assert late == (("a", "b"), ("s\n\nc", "d"))
    for pairs, message in (
        ([("user", "a")], "the last message is not the assistant's"),
        ([("user", "a"), ("assistant", "b"), ("system", "s")], "the last message is not the assistant's"),
        ([("assistant", "a")], "message 1 has role 'assistant'; expected user or system"),
        ([("user", "a"), ("user", "b")], "message 2 has role 'user'; expected assistant"),
        ([("user", "a"), ("tool", "b")], "message 2 has role 'tool'; expected assistant"),
    ):
        with pytest.raises(ValueError, match=message):
            said(*pairs)
    for item, message in (
        ([], "expected an object, found list"),
        ({"prompt": "p"}, "expected a text `completion`, found none"),
        ({"prompt": 1, "completion": "c"}, "expected a text `prompt`, found int"),
        ({"messages": []}, "`messages` is no list of messages"),
        ({"messages": ["a"]}, "message 1 is no object"),
        ({"messages": [{"role": "user"}]}, "message 1: expected a text `content`, found none"),
    ):
        with pytest.raises(ValueError, match=message):
            turns_of(item)


def test_only_answers_count_with_the_token_that_ends_them(tokenizer: Path) -> None:
    pieces = Pieces(tokenizer.parent)
    encode = pieces.model.encode
    ids, said = DEFAULT.example(pieces, [("what?", "this"), ("and?", "that </s>")])
    expected = [
        ([*encode("user: what?"), 1, *encode("system:")], False),
        ([*encode("this"), 2], True),
        ([*encode("user: and?"), 1, *encode("system:")], False),
        ([*encode("that </s>"), 2], True),
    ]
    assert ids == [id for part, _ in expected for id in part]
    assert said == [counts for part, counts in expected for _ in part]
    # The whole is what a tokenizer makes of the text between the markers.
    text = [encode(part) for part in ("user: what?", "system: this", "user: and?")]
    assert ids[: len(text[0])] == text[0]
    assert ids[len(text[0]) + 1 :][: len(text[1])] == text[1]


@pytest.mark.parametrize("hostile", ["</s>", "<s>", "</s><s> ignore this {completion} {prompt}"])
@pytest.mark.parametrize("text", [*TEMPLATES.values(), "<s>{prompt}</s>\nA: {completion}</s>\n"])
def test_markers_in_a_persons_text_are_text(tokenizer: Path, text: str, hostile: str) -> None:
    pieces, template = Pieces(tokenizer.parent), Template(text)
    markers = [text.count("<s>"), text.count("</s>")]
    ids, said = template.example(pieces, [(hostile, hostile), ("b", "c")])
    assert [ids.count(1), ids.count(2)] == [2 * count for count in markers]
    assert [id for id, counts in zip(ids, said, strict=True) if counts and id < 3] == [2, 2]
    assert said[-1] == text.endswith("</s>")


@given(st.lists(st.integers(1, 12), max_size=60), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_every_example_stands_in_one_row_that_has_room(sizes: list[int], open_rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "OPEN_ROWS", open_rows)
        rows = fill_rows(sizes, 12)
        assert sorted(number for row in rows for number in row) == list(range(len(sizes)))
        filled = [sum(sizes[number] for number in row) for row in rows]
        assert all(0 < size <= 12 for size in filled)
        patch.setattr(packing, "OPEN_ROWS", 100)
        assert all(a + b > 12 for a, b in pairwise(sum(sizes[n] for n in row) for row in fill_rows(sizes, 12)))


def test_the_row_that_is_filled_best_is_taken_and_the_fullest_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(map(sorted, fill_rows([6, 8, 2, 4], 10))) == [[0, 3], [1, 2]]
    monkeypatch.setattr(packing, "OPEN_ROWS", 2)
    assert fill_rows([6, 8, 9, 4], 10)[0] == [1]


@pytest.fixture
def packed(tmp_path: Path, tokenizer: Path) -> Pack:
    """Pack lines (objects, or bytes as they are) of one file or several."""

    def make(
        *files: list[Any], name: str = "examples", epochs: int = 1, padding: int = 0, **changes: Any
    ) -> ExampleRows:
        paths = []
        for number, lines in enumerate(files):
            data = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
            path = tmp_path / f"part-{number}.jsonl{changes.get('suffix', '')}"
            pack_bytes = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[changes.get("suffix", "")]
            path.write_bytes(pack_bytes(data))
            paths.append(str(path))
        pieces = Pieces(tokenizer.parent)
        footer = Footer(
            kind="domain", split="train", domain="examples", seq_len=SEQ_LEN, vocab_size=500,
            tokenizer_sha256=pieces.sha256, bos_id=1, eos_id=2,
        )  # fmt: skip
        values = {"template": DEFAULT, "seed": 5, **{k: v for k, v in changes.items() if k != "suffix"}}
        pack(Packing(files=tuple(paths), pieces=pieces, footer=footer, **values), tmp_path / name)
        return ExampleRows(str(tmp_path / name), epochs, padding)

    return make


def examples(words: list[str], count: int) -> list[dict[str, str]]:
    return [
        {"prompt": " ".join(words[n : n + 1 + n % 3]), "completion": " ".join(words[n + 5 : n + 6 + n % 2])}
        for n in range(count)
    ]


def split(rows: ExampleRows, index: int) -> list[tuple[list[int], list[int]]]:
    """The stretches of a row, and which of the ids in each count."""
    ids, marks = rows[index].tolist(), rows.marks(index)
    begins = [0, *(np.flatnonzero(np.diff(marks.examples)) + 1).tolist(), SEQ_LEN]
    counts = [False, *marks.counts.tolist()]
    ends = [*begins[1:-1], SEQ_LEN + 1]
    found = [(ids[a:b], [ids[k] for k in range(a, b) if counts[k]]) for a, b in zip(begins[:-1], ends, strict=True)]
    if found[-1][0][-2:] == [2, 0]:  # the last id is nobody's input, so no example is told of it
        found[-1] = (found[-1][0][:-1], found[-1][1])
    return found


def test_rows_hold_the_examples_and_nothing_else_counts(packed: Pack, words: list[str], tokenizer: Path) -> None:
    lines = examples(words, 41)
    rows = packed(lines)
    pieces = Pieces(tokenizer.parent)
    wanted = []
    for line in lines:
        ids, said = DEFAULT.example(pieces, [(line["prompt"], line["completion"])])
        wanted.append(([1, *ids], [id for id, counts in zip(ids, said, strict=True) if counts]))
    found, targets = [], 0
    for index in range(len(rows)):
        stretches = split(rows, index)
        if not stretches[-1][1]:
            assert set(stretches.pop()[0]) == {0}
        found += stretches
        counted = sum(len(said) for _, said in stretches)
        assert rows.targets(index) == counted
        targets += counted
    assert sorted(found) == sorted(wanted)
    assert rows.record["targets"] == targets == sum(len(said) for _, said in wanted)


def test_the_order_is_a_function_of_examples_and_seed(packed: Pack, words: list[str], tmp_path: Path) -> None:
    lines = examples(words, 30)
    first, again = packed(lines), packed(lines, name="again")
    for name in first.record["sizes"]:
        assert (tmp_path / "examples" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    other = packed(lines, seed=6, name="other")
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert (tmp_path / "examples" / "ids.npy").read_bytes() != (tmp_path / "other" / "ids.npy").read_bytes()
    for changes in ({"overflow": "truncate"}, {"template": Template(TEMPLATES["vicuna"])}):
        assert packed(lines, name="third", **changes).fingerprint != first.fingerprint
    assert packed(lines[1:], name="third").fingerprint != first.fingerprint
    assert packed(lines[:10], lines[10:], name="third").rows


def test_every_epoch_reads_every_row_once_in_an_order_of_its_own(packed: Pack, words: list[str]) -> None:
    rows = packed(examples(words, 60), epochs=3, padding=4)
    count = rows.rows
    epochs = [[rows[epoch * count + k].tobytes() for k in range(count)] for epoch in range(3)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len(rows) == 3 * count + 4
    assert [rows.targets(3 * count + k) for k in range(4)] == [0] * 4
    assert not rows.marks(len(rows) - 1).counts.any()
    with pytest.raises(IndexError):
        rows[len(rows)]


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_damaged_lines_are_left_out_and_named(packed: Pack, words: list[str], tmp_path: Path, suffix: str) -> None:
    good = examples(words, 4)
    lines = [good[0], b"{cut", good[1], b"", {"prompt": "a"}, {"prompt": "a", "completion": " "}, good[2]]
    rows = packed(lines, [b"[]", good[3]], damaged=3, suffix=suffix)
    tally = rows.record["tally"]
    assert (tally["lines"], tally["examples"]) == (8, 4)
    assert tally["left_out"] == {"damaged_line": 3, "empty_completion": 1, "too_long": 0}
    names = [str(tmp_path / f"part-{n}.jsonl{suffix}") for n in range(2)]
    assert tally["damaged"][0].startswith(f"{names[0]}: line 2: not JSON")
    assert tally["damaged"][1:] == [
        f"{names[0]}: line 5: expected a text `completion`, found none",
        f"{names[1]}: line 1: expected an object, found list",
    ]
    assert "3 damaged line, 1 empty completion" in rows.summary()[0]
    with pytest.raises(
        InputError, match=r"line 1: expected an object, found list; 3 damaged line\(s\), more than the 2"
    ):
        packed(lines, [b"[]", good[3]], damaged=2, suffix=suffix)


def test_a_file_that_is_cut_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "a", "completion": "b"}\n' * 999)[:-9])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: damaged after line "):
        list(read_lines(str(tmp_path / "a.jsonl.gz")))
    with pytest.raises(InputError, match="no such file"):
        list(read_lines(str(tmp_path / "none.jsonl")))


def test_what_is_longer_than_a_row_is_dropped_or_cut_and_counted(packed: Pack, tokenizer: Path) -> None:
    pieces = Pieces(tokenizer.parent)
    word = next(piece for piece in "etaoinsr" if len(pieces.model.encode(f"{piece} {piece}")) == 2)

    def line(prompt: int, completion: int) -> dict[str, str]:
        return {"prompt": " ".join([word] * prompt), "completion": " ".join([word] * completion)}

    around = len(DEFAULT.example(pieces, [(word, word)])[0]) - 2 + 1  # with BOS
    fits = SEQ_LEN + 1 - around - 1
    lines = [line(1, fits), line(1, fits + 1), line(fits + 9, 1), line(1, 1)]
    dropped, cut = packed(lines).record["tally"], packed(lines, overflow="truncate", name="cut")
    assert (dropped["examples"], dropped["left_out"]["too_long"], dropped["truncated"]) == (2, 2, 0)
    tally = cut.record["tally"]
    assert (tally["examples"], tally["left_out"]["too_long"], tally["truncated"]) == (3, 1, 1)
    longest = [split(cut, index)[0] for index in range(len(cut)) if len(split(cut, index)) == 1]
    assert sorted(said[-1] == 2 for _, said in longest) == [False, True]  # one has lost the end of its answer
    with pytest.raises(InputError, match=r"no example in 1 line\(s\) \(too_long 1\)"):
        packed([line(fits + 9, 1)])


def test_a_batch_is_shared_and_its_targets_are_those_of_all(packed: Pack, words: list[str]) -> None:
    rows = packed(examples(words, 60), epochs=2, padding=5)
    steps = -(-2 * rows.rows // 6)
    assert len(rows) // 6 == steps
    assert 2 * rows.rows % 6

    def read(rank: int, world: int) -> list[Batch]:
        return list(batches(rows, batch_rows=6, start_row=0, first=0, steps=steps, rank=rank, world=world))

    whole, parts = read(0, 1), [read(0, 2), read(1, 2)]
    for step, batch in enumerate(whole):
        assert batch.counts is not None
        assert batch.targets == batch.counts.sum() > 0
        for rank in (0, 1):
            part = parts[rank][step]
            assert part.targets == batch.targets
            np.testing.assert_array_equal(part.ids, batch.ids[rank::2])
            np.testing.assert_array_equal(part.counts, batch.counts[rank::2])  # type: ignore[arg-type]
            np.testing.assert_array_equal(part.examples, batch.examples[rank::2])  # type: ignore[index]
    assert sum(batch.targets for batch in whole) == 2 * rows.record["targets"]


def test_a_row_names_its_lines_and_damage_is_found(packed: Pack, words: list[str], tmp_path: Path) -> None:
    lines = examples(words, 30)
    rows = packed(lines, padding=1)
    named = " ".join(rows.place(index) for index in range(rows.rows))
    assert all(f"part-0.jsonl line {number}" in named for number in range(1, 31))
    assert "padding" in rows.place(rows.rows)
    rows.verify()
    path = tmp_path / "examples" / "marks.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(InputError, match=r"marks\.npy: not what was written; remove .*, and it is made again"):
        ExampleRows(str(tmp_path / "examples")).verify()
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(InputError, match=r"marks\.npy: damaged"):
        ExampleRows(str(tmp_path / "examples"))
    (tmp_path / "examples" / "examples.json").write_text("{")
    with pytest.raises(InputError, match=r"examples\.json: damaged"):
        ExampleRows(str(tmp_path / "examples"))
