"""Small tokenizers with different settings, trained once a session."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from llama_data.tokenizer.train import LLAMA_SETTINGS

SYLLABLES = ["ba", "co", "di", "fu", "ge", "ha", "ki", "lo", "mu", "ne", "pi", "ro", "sa", "te", "vu"]
OTHER = [
    "Ärger über Öl",
    "тихий дом и сад",
    "中文没有空格",
    "日本語のテキスト",
    "שלום עולם",
    "مرحبا بالعالم",
    "e\u0301te\u0301",
]


def sample_lines(count: int = 1500) -> list[str]:
    """Lines of made-up words, some source code and some of other scripts; always the same."""
    chooser = random.Random(7)
    words = ["".join(chooser.choices(SYLLABLES, k=chooser.randint(1, 4))) for _ in range(300)]
    lines = []
    for number in range(count):
        if number % 5 == 0:
            lines.append(
                "    " * (number % 4) + f"if {chooser.choice(words)} == {number}:  # {chooser.choice(words)}()"
            )
        elif number % 7 == 0:
            lines.append(" ".join(chooser.choices(OTHER, k=3)))
        else:
            lines.append(" ".join(chooser.choices(words, k=12)).capitalize() + chooser.choice(".!?,;"))
    return lines


def train_bytes(**changes: Any) -> bytes:
    """A model with LLaMA's settings, changed as given."""
    model = io.BytesIO()
    settings = {**LLAMA_SETTINGS, "vocab_size": 600, "num_threads": 2, "minloglevel": 2, **changes}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sample_lines()), model_writer=model, **settings)
    return model.getvalue()


VARIANTS: dict[str, dict[str, Any]] = {
    "llama": {},
    "no_bytes": {"byte_fallback": False, "character_coverage": 0.98, "vocab_size": 400},
    "no_prefix": {"add_dummy_prefix": False},
    "nfkc": {"normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True},
    "collapse": {"remove_extra_whitespaces": True},
    "suffix": {"treat_whitespace_as_suffix": True, "allow_whitespace_only_pieces": False},
    "across_words": {"split_by_whitespace": False},
    "across_scripts": {"split_by_unicode_script": False, "split_digits": False, "split_by_number": False},
    "unigram": {"model_type": "unigram"},
    "user_defined": {"user_defined_symbols": ["<tool>", "ba co"]},
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files by the name of their variant."""
    folder = tmp_path_factory.mktemp("models")
    for name, changes in VARIANTS.items():
        (folder / f"{name}.model").write_bytes(train_bytes(**changes))
    return {name: folder / f"{name}.model" for name in VARIANTS}
