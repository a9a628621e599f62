"""The mapped index of evaluation texts says what plain dicts of word tuples say."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError
from llama_data.stages.steps import overlap_index
from llama_data.stages.steps.evaluations import Item
from llama_data.stages.steps.kernels.word_runs import normal_words
from llama_data.stages.steps.overlap_index import OverlapIndex, write_index

text = st.lists(st.sampled_from(["a", "B!", "c", "dé", "--", "ab"]), max_size=9).map(" ".join)
items = st.lists(
    st.builds(
        Item,
        st.sampled_from(["t", "u"]),
        st.sampled_from(["1", "2", ""]),
        st.lists(text, max_size=3).map(tuple),
        st.lists(st.tuples(text, text), max_size=1).map(tuple),
    ),
    min_size=1,
    max_size=8,
)
Run = tuple[str, ...]


def plain(given: list[Item], n: int) -> dict[tuple[str, str], set[Run]]:
    """The runs of every item; what lies across two texts has words of both."""
    found: dict[tuple[str, str], set[Run]] = {}
    for item in given:
        runs = found.setdefault((item.task, item.name), set())
        for words in map(normal_words, item.texts):
            runs |= {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}
        for before, after in item.across:
            one, two = normal_words(before), normal_words(after)
            both = [*one, *two]
            firsts = range(max(0, len(one) - n + 1), len(one))
            runs |= {tuple(both[at : at + n]) for at in firsts if at + n <= len(both)}
    return found


@given(items, text, st.integers(1, 3), st.sampled_from([1, 12, 1 << 22]))
def test_items_of_runs_are_those_of_plain_sets(given: list[Item], searched: str, n: int, batch: int) -> None:
    expected = plain(given, n)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap_index, "BATCH", batch)
        if not any(expected.values()):
            with pytest.raises(InputError, match=f"none of {len(expected)} evaluation items has {n} words in a row"):
                write_index(folder, n, "llama_data", given)
            return
        assert write_index(folder, n, "llama_data", given) == len(expected)
        index = OverlapIndex(folder)
        known = [index.item(number) for number in range(len(index.items))]
        assert [(item.task, item.name) for item in known] == list(expected)
        assert [item.runs for item in known] == [len(runs) for runs in expected.values()]
        assert index.count_runs() == len(set().union(*expected.values()))
        words = normal_words(searched)
        runs = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        owners = [{item for item, some in expected.items() if run in some} for run in runs]
        found = index.find([b"", searched.encode()])
        assert [{tuple(known[item][:2]) for item in index.items_of(run)} for run in found["run"].tolist()] == [
            some for some in owners if some
        ]
        assert [normal_words(searched.encode()[hit["begin"] : hit["end"]].decode()) for hit in found] == [
            [*run] for run, some in zip(runs, owners, strict=True) if some
        ]
        assert (found["text"] == 1).all()
        most = {len(some) for some in owners}
        for limit in most | {0}:
            many = index.runs_of_many(limit)
            assert set(found["run"][[len(some) > limit for some in owners if some]]) <= set(many.tolist())
            gone = index.runs_that_count(many)
            left = [
                sum(sum(run in some for some in expected.values()) <= limit for run in item)
                for item in expected.values()
            ]
            assert gone.tolist() == left


def test_words_that_only_begin_alike_are_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = overlap_index.all_runs
    monkeypatch.setattr(
        overlap_index, "all_runs", lambda texts, n: every(texts, n)._replace(numbers=np.zeros(1, np.int64))
    )
    monkeypatch.setattr(
        overlap_index, "find_runs", lambda texts, n, keys, made: every(texts, n)._replace(numbers=np.zeros(1, np.int64))
    )
    write_index(str(tmp_path), 2, "llama_data", [Item("t", "1", ("a bc",))])
    found = OverlapIndex(str(tmp_path)).find
    assert (len(found([b"a bc"])), len(found([b"a b"])), len(found([b"a bcd"])), len(found([b"aa bc"]))) == (1, 0, 0, 0)


def test_what_all_processes_map_is_small(tmp_path: Path) -> None:
    """Tables of 13 words: under 40 bytes a run, whose words have six letters."""
    chance = np.random.default_rng(1)
    given = [Item("t", str(number), (" ".join(f"{word:06x}" for word in chance.integers(0, 1 << 24, 60)),))
             for number in range(200)]  # fmt: skip
    write_index(str(tmp_path), 13, "llama_data", given)
    index = OverlapIndex(str(tmp_path))
    assert index.entries == 200 * 48
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 40 * index.entries
    assert not any(table.flags.writeable for table in index.tables.values())
