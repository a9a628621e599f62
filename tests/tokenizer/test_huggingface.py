"""Hugging Face's loaders give SentencePiece's ids from the files that we write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import ModelError
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.tokenizer.huggingface import huggingface_files
from llama_data.tokenizer.model_file import read_model

TEXTS = [
    "Hello world",
    "  two  spaces and\ttabs\n\nlines  ",
    "if x == 12:\n        return [34]\n",
    "Ärger über Öl. тихий дом и сад. 中文没有空格. 日本語. שלום עולם. مرحبا. हिन्दी ไทย e\u0301 é",
    "\U0001f600 \U0001f468\u200d\U0001f469 \ue000",
    "",
    " ",
    "a\x00b",
    "1234567890" * 5,
]


@pytest.fixture(scope="session", params=["trained here", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FastEncoder]:
    if request.param == "llama":
        path = request.getfixturevalue("oracle_models") / "llama-tokenizer.model"
    else:
        path = request.getfixturevalue("models")["llama"]
    target = tmp_path_factory.mktemp("hf")
    for name, content in huggingface_files(read_model(str(path))).items():
        (target / name).write_bytes(content)
    return target, FastEncoder(str(path))


@pytest.mark.filterwarnings("ignore")
def test_auto_tokenizer_gives_the_same_ids_with_bos(folder: tuple[Path, FastEncoder]) -> None:
    transformers = pytest.importorskip("transformers")
    target, encoder = folder
    for loader in (transformers.AutoTokenizer, transformers.PreTrainedTokenizerFast):
        tokenizer = loader.from_pretrained(str(target))
        assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (1, 2, 0)
        for text in TEXTS:
            expected = encoder.oracle.encode(text)
            if text:
                assert tokenizer(text)["input_ids"] == [1, *expected], text
            assert tokenizer(text, add_special_tokens=False)["input_ids"] == expected, text
            assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_tokenizers_alone_reads_the_file(folder: tuple[Path, FastEncoder]) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    target, encoder = folder
    tokenizer = tokenizers.Tokenizer.from_file(str(target / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == encoder.vocab_size
    for text in TEXTS:
        assert tokenizer.encode(text, add_special_tokens=False).ids == encoder.oracle.encode(text)


def test_special_tokens_are_listed(folder: tuple[Path, FastEncoder]) -> None:
    special = json.loads((folder[0] / "special_tokens_map.json").read_bytes())
    assert special == {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}


def test_special_ids_are_those_of_the_model(models: dict[str, Path]) -> None:
    facts = read_model(str(models["llama"]))
    unk, bos, eos, *rest = facts.pieces
    # What SentencePiece goes by is the piece's name; the numbers in the settings may say something else.
    other = replace(facts, pieces=[unk, eos, bos, *rest])
    assert [other.special_id(name) for name in ("unk", "bos", "eos", "pad")] == [0, 2, 1, -1]
    made = json.loads(huggingface_files(other)["tokenizer.json"])
    assert {token["content"]: token["id"] for token in made["added_tokens"]} == {"<unk>": 0, "<s>": 2, "</s>": 1}
    assert made["post_processor"]["special_tokens"]["<s>"]["ids"] == [2]
    without = replace(facts, trainer={**facts.trainer, "bos_piece": "<none>"})
    files = huggingface_files(without)
    assert json.loads(files["tokenizer_config.json"])["add_bos_token"] is False
    assert "bos_token" not in json.loads(files["special_tokens_map.json"])


@pytest.mark.parametrize("name", ["no_bytes", "nfkc", "collapse", "suffix", "unigram"])
def test_what_the_files_cannot_say_is_refused(models: dict[str, Path], name: str) -> None:
    with pytest.raises(ModelError, match="Hugging Face files can be written for"):
        huggingface_files(read_model(str(models[name])))
