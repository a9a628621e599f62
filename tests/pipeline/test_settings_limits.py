"""The least and the greatest value that each setting takes, and the next one that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.core.files import list_inputs
from llama_data.pipeline.recipe import load_recipe
from llama_data.stages.steps.kernels.c4_constants import PRESETS


@pytest.mark.parametrize(
    ("key", "taken", "refused"),
    [
        ("seed", [0, 1], [-1]),
        ("rejected_sample", [0.0, 1.0], [-0.001, 1.001]),
        ("failure_limit", [0.0, 1.0], [-0.001, 1.001]),
        ("executor.workers", [1], [0]),
        ("executor.slurm.cpus_per_task", [1], [0]),
        ("executor.slurm.mem_per_cpu_gb", [1], [0]),
        ("executor.slurm.max_array_size", [1], [0]),
        ("executor.ray.cpus_per_task", [1], [0]),
        ("executor.ray.mem_per_cpu_gb", [0.5], [0]),
        ("mix.tokens", [1, "1K"], [0, "0K"]),
        ("mix.max_epochs", [0.01, None], [0]),
        ("mix.rows_per_shard", [1], [0]),
        ("tokenizer.vocab_size", [300], [299]),
        ("tokenizer.input_sentence_size", [1], [0]),
        ("tokenizer.sample_bytes", [1], [0]),
        ("tokenizer.max_task_bytes", [1], [0]),
        ("domains.commoncrawl.min_characters", [0, 1, None], [-1]),
        ("domains.commoncrawl.language_threshold", [0.0, 1.0], [-0.01, 1.01]),
        ("domains.commoncrawl.reference_threshold", [0.0, 1.0], [-0.01, 1.01]),
        ("domains.commoncrawl.max_task_bytes", [1], [0]),
        ("domains.c4.max_characters", [0, 1, None], [-1]),
        ("domains.c4.min_language_score", [0, 1], [-0.01, 1.01]),
        ("domains.github.max_line", [0, 1, None], [-1]),
        ("domains.github.max_average_line", [0, 0.1, None], [-1]),
        ("domains.github.min_alnum_share", [0, 1, None], [-0.01, 1.01]),
        ("domains.books.max_overlap", [0.01, 0.99, None], [0, 1]),
        ("domains.books.shingle_words", [1, 50], [0, 51]),
        ("domains.books.max_book_bytes", [1], [0]),
        ("domains.books.max_members", [0, 1, None], [-1]),
        ("domains.books.max_ratio", [0, 1, None], [-1]),
    ],
)
def test_a_setting_is_taken_up_to_its_limits(key: str, taken: list[Any], refused: list[Any]) -> None:
    def load(value: Any) -> None:
        base = {"executor.slurm": {"partition": "p"}} if "slurm" in key else {}
        load_recipe("llama", {**base, key: value})

    for value in taken:
        load(value)
    for value in refused:
        with pytest.raises(RecipeError, match=key):
            load(value)


def test_the_constants_of_the_papers_are_the_defaults() -> None:
    domains = load_recipe("llama").domains
    assert domains.commoncrawl is not None
    cc = domains.commoncrawl
    assert (cc.min_characters, cc.language_threshold, cc.reference_threshold) == (300, 0.5, 0.5)
    assert cc.max_task_bytes == 256 << 20
    assert (cc.dedup_group, cc.copies, cc.languages, cc.title) == ("50/1600", "none", ("en",), "drop")
    assert domains.github is not None
    hub = domains.github
    assert (hub.max_line, hub.max_average_line, hub.min_alnum_share) == (1000, 100.0, 0.25)
    assert hub.licences == ("apache", "bsd", "mit")
    assert domains.books is not None
    assert (domains.books.measure, domains.books.max_overlap, domains.books.shingle_words) == ("containment", 0.9, 5)
    assert domains.c4 is not None
    assert (domains.c4.max_characters, PRESETS[domains.c4.rules].min_words, PRESETS[domains.c4.rules].max_word) == (
        190_000,
        5,
        1000,
    )


def test_a_recipe_beside_the_caller_is_found_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "base.yaml").write_text("extends: llama\nname: base\nseed: 9\n")
    (tmp_path / "below" / "mine.yaml").write_text("extends: ./base.yaml\nname: mine\n")
    absolute = tmp_path / "other.yaml"
    absolute.write_text(f"extends: {tmp_path / 'below' / 'mine.yaml'}\nname: other\n")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("below/mine.yaml").seed == 9
    assert load_recipe("other.yaml").seed == 9


def test_a_flag_below_a_key_without_a_value_makes_the_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: llama\nname: mine\nexecutor:\n")
    assert load_recipe(str(path), {"executor.workers": 3}).executor.workers == 3


def test_a_file_that_is_not_cut_is_its_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    [split] = list_inputs(str(tmp_path), ["*.txt"])
    assert (split.start, split.end, split.size) == (0, None, 4)
