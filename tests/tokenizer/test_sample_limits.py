"""The text for a tokenizer at its limits: bytes and lines of a domain, and the longest line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import JsonlWriter
from llama_data.tokenizer import sample
from llama_data.tokenizer.sample import Counts, Lowest, Sample, collect, line_keys, split_lines
from llama_data.tokenizer.train import TokenizerSettings, budgets, predicted_memory, train_jobs


@pytest.mark.parametrize(
    ("line", "parts", "at_space", "in_word"),
    [
        ("123456789", ["123456789"], 0, 0),
        ("1234567890", ["1234567890"], 0, 0),
        ("1234567890a", ["1234567890", "a"], 0, 1),
        ("123456789 a", ["123456789", " a"], 1, 0),
        ("1234567890 a", ["1234567890", " a"], 1, 0),
        ("1 34567890 a", ["1 34567890", " a"], 1, 0),
        ("1 345678901", ["1", " 345678901"], 1, 0),
        (" 23456789012", [" 234567890", "12"], 0, 1),
        ("12345678é", ["12345678é"], 0, 0),
        ("123456789é", ["123456789", "é"], 0, 1),
        ("1234567中0", ["1234567中", "0"], 0, 1),
        ("12345678中", ["12345678", "中"], 0, 1),
    ],
)
def test_a_line_of_the_longest_size_stays_whole_and_one_byte_more_is_cut(
    monkeypatch: pytest.MonkeyPatch, line: str, parts: list[str], at_space: int, in_word: int
) -> None:
    monkeypatch.setattr(sample, "MAX_LINE_BYTES", 10)
    counts = Counts()
    assert split_lines(line, counts) == [part.encode() for part in parts]
    assert (counts.lines, counts.cut_at_whitespace, counts.cut_in_word) == (1, at_space, in_word)


def lowest(max_bytes: int, max_lines: int, sizes: list[int]) -> list[int]:
    found = Lowest(max_bytes, max_lines)
    for key, size in enumerate(sizes):
        found.add(np.array([key], np.uint64), [b"x" * size])
    found.trim()
    assert found.size == sum(map(len, found.lines))
    return [len(line) for line in found.lines]


def test_lines_are_taken_while_they_fit_exactly() -> None:
    sizes = [4, 3, 3, 5]
    assert lowest(10, 99, sizes) == [4, 3, 3]
    assert lowest(9, 99, sizes) == [4, 3]
    assert lowest(11, 99, sizes) == [4, 3, 3]
    assert lowest(15, 99, sizes) == sizes
    assert lowest(14, 99, sizes) == [4, 3, 3]
    assert lowest(99, 3, sizes) == [4, 3, 3]
    assert lowest(99, 4, sizes) == lowest(99, 5, sizes) == sizes
    assert lowest(3, 99, sizes) == []
    assert lowest(99, 99, []) == []


def test_the_lowest_keys_stay_in_whatever_order_they_come() -> None:
    keys = line_keys(1, "a document", 400)
    order = np.argsort(keys)
    for chunk in (1, 7, 400):
        found = Lowest(10**6, 30)
        for at in range(0, 400, chunk):
            found.add(keys[at : at + chunk], [b"%d" % number for number in range(at, min(400, at + chunk))])
            # Twice of what is asked for is held at most, and the chunk.
            assert len(found.lines) <= 60 + chunk
        found.trim()
        assert found.lines == [b"%d" % number for number in order[:30]]


def test_keys_follow_from_seed_and_document() -> None:
    first = line_keys(1, "a", 50)
    assert np.array_equal(line_keys(1, "a", 20), first[:20])
    assert len(set(first.tolist())) == 50
    for other in (line_keys(2, "a", 50), line_keys(1, "b", 50)):
        assert not set(other.tolist()) & set(first.tolist())
    assert abs(float(np.mean(line_keys(3, "many", 20_000) < np.uint64(2**62))) - 0.25) < 0.02


def test_a_domain_gives_its_share_of_bytes_and_lines_whatever_the_weights_sum_to() -> None:
    settings = TokenizerSettings(sample_bytes=1000, input_sentence_size=100)
    expected = {"web": (750, 75), "books": (250, 25)}
    for scale in (1, 0.25, 8):
        assert budgets({"web": 0.75 * scale, "books": 0.25 * scale, "none": 0.0}, settings) == expected
    assert budgets({"web": 1.0, "books": 1e-9}, settings)["books"] == (1, 1)


def test_memory_is_predicted_from_text_and_lines() -> None:
    def bytes_for(size: int, lines: int) -> int:
        return predicted_memory(TokenizerSettings(sample_bytes=size, input_sentence_size=lines))

    assert bytes_for(2_000, 1_000) - bytes_for(1_000, 1_000) == 10 * 1_000
    assert bytes_for(9_000, 2_000) - bytes_for(9_000, 1_000) == 150 * 1_000
    # There are no more lines than bytes.
    assert bytes_for(1_000, 9_000) == bytes_for(1_000, 1_000)
    assert 400e6 < bytes_for(1, 1) < 450e6


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    """Documents of two domains, three files each."""
    context = RunContext(input=str(tmp_path), output=str(tmp_path), seed=4)
    for domain in ("web", "books"):
        for number in range(3):
            with JsonlWriter(f"{context.documents(domain)}/{number:05d}.jsonl.zst") as writer:
                for place in range(20):
                    text = f"{domain} {number} {place}\nsecond line {place}"
                    writer.write({"id": f"{domain}/{number}/{place}", "text": text, "metadata": {}})
    return context


def test_jobs_do_not_depend_on_the_order_of_the_weights(run: RunContext) -> None:
    settings = TokenizerSettings()
    found = [
        train_jobs(run, weights=weights, settings=settings)
        for weights in ({"web": 0.5, "books": 0.25, "c4": 0.0}, {"c4": 0.0, "books": 0.25, "web": 0.5})
    ]
    assert found[0][0].steps[0].groups == found[1][0].steps[0].groups
    assert [domain for domain, _ in found[0][0].steps[0].groups] == ["books", "web"]


@pytest.mark.parametrize(("limit", "tasks"), [(1, 6), (1 << 30, 2)])
def test_files_are_grouped_up_to_the_size_of_a_task_and_never_across_domains(
    run: RunContext, limit: int, tasks: int
) -> None:
    settings = TokenizerSettings(max_task_bytes=limit, sample_bytes=600, input_sentence_size=1000)
    first = train_jobs(run, weights={"web": 1, "books": 1}, settings=settings)[0]
    assert first.tasks == tasks
    step = first.steps[0]
    assert isinstance(step, Sample)
    assert all({split.path.split("/")[-2] for split in group} == {domain} for domain, group in step.groups)
    for rank in range(first.tasks):
        assert list(step.run(None, rank, first.tasks)) == []
    lines, counts = collect(step.work, [domain for domain, _ in step.groups], step.budgets)
    assert {domain: count.documents for domain, count in counts.items()} == {"web": 60, "books": 60}
    assert {domain: count.lines for domain, count in counts.items()} == {"web": 120, "books": 120}
    for part in lines.values():
        assert 280 < sum(map(len, part)) <= 300


def test_a_group_of_files_is_as_large_as_a_task_may_be(run: RunContext) -> None:
    sizes = [path.stat().st_size for path in sorted(Path(run.documents("web")).iterdir())]
    for limit, tasks in ((sum(sizes), 1), (sum(sizes) - 1, 2), (sum(sizes[:2]), 2), (min(sizes) - 1, 3)):
        settings = TokenizerSettings(max_task_bytes=limit)
        assert train_jobs(run, weights={"web": 1}, settings=settings)[0].tasks == tasks
