"""Reading a model file, and the published facts of LLaMA's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import ModelError
from llama_data.tokenizer.model_file import PieceType, parse_model, read_model
from llama_data.tokenizer.train import LLAMA_SETTINGS

SIZES = {"vocab_size", "input_sentence_size"}


def test_llama_settings_are_those_of_its_proto(oracle_models: Path) -> None:
    facts = read_model(str(oracle_models / "llama-tokenizer.model"))
    assert facts.kind == "bpe"
    assert (facts.trainer["vocab_size"], facts.trainer["input_sentence_size"]) == (32000, 200_000_000)
    assert facts.trainer["train_extremely_large_corpus"] is False
    assert facts.trainer["required_chars"] == ""
    assert facts.trainer["character_coverage"] == pytest.approx(0.99995, abs=1e-8)
    assert facts.normalizer["name"] == "identity"
    ours = {name: value for name, value in LLAMA_SETTINGS.items() if name in facts.trainer and name != "model_type"}
    theirs = {name: facts.trainer[name] for name in ours}
    assert theirs == pytest.approx(ours, abs=1e-8)
    for name in ("add_dummy_prefix", "remove_extra_whitespaces"):
        assert facts.normalizer[name] == LLAMA_SETTINGS[name]


def test_a_model_trained_here_differs_from_llamas_proto_in_sizes_only(
    models: dict[str, Path], oracle_models: Path
) -> None:
    theirs = read_model(str(oracle_models / "llama-tokenizer.model"))
    ours = read_model(str(models["llama"]))
    differing = {name for name, value in theirs.trainer.items() if ours.trainer[name] != value}
    assert differing <= SIZES | {"num_threads"}
    assert ours.normalizer == theirs.normalizer


def test_pieces_and_their_types(models: dict[str, Path]) -> None:
    facts = read_model(str(models["llama"]))
    assert [piece.text for piece in facts.pieces[:3]] == ["<unk>", "<s>", "</s>"]
    assert [piece.type for piece in facts.pieces[:3]] == [PieceType.UNKNOWN, PieceType.CONTROL, PieceType.CONTROL]
    assert [piece.text for piece in facts.pieces[3:259]] == [f"<0x{value:02X}>" for value in range(256)]
    assert {piece.type for piece in facts.pieces[3:259]} == {PieceType.BYTE}
    assert read_model(str(models["no_bytes"])).trainer["byte_fallback"] is False
    assert len(read_model(str(models["nfkc"])).normalizer["precompiled_charsmap"]) > 1000


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x0a\xff\x01", b"PK\x03\x04 zip", bytes(100)])
def test_other_bytes_are_no_model(data: bytes) -> None:
    with pytest.raises(ModelError, match="where it came from: not a SentencePiece model"):
        parse_model(data, "where it came from")


def test_a_damaged_model_is_refused_or_read(models: dict[str, Path]) -> None:
    draw = random.Random(3)
    whole = models["llama"].read_bytes()
    refused = 0
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(draw.choice([1, 1, 4])):
            at = draw.randrange(len(data)) if draw.random() < 0.5 else len(data) - 1 - draw.randrange(300)
            data[at] = draw.choice([0, 0xFF, draw.randrange(256), data[at] ^ (1 << draw.randrange(8))])
        try:
            facts = parse_model(bytes(data))
        except ModelError:
            refused += 1
        else:
            assert all(isinstance(facts.trainer[name], int) for name in ("model_type", "bos_id", "byte_fallback"))
            assert isinstance(facts.normalizer["precompiled_charsmap"], bytes)
    assert 50 < refused < 450


@pytest.mark.parametrize(
    "fields",
    [
        b"\x12\x05" + b"\x1a\x03abc",  # model_type as bytes
        b"\x12\x03" + b"\xe8\x02\x01"[:3] + b"",  # unk_piece as a number
        b"\x12\x0c" + b"\x18" + b"\xff" * 10 + b"\x01",  # a number of more than 64 bits
        b"\x0a\x09\x0a\x02zz\x15\x00\x00\xc0\x7f",  # a piece whose score is no number
    ],
)
def test_fields_of_the_wrong_kind_are_refused(fields: bytes) -> None:
    piece = b"\x0a\x03\x0a\x01a"
    assert parse_model(piece).pieces[0].text == "a"
    with pytest.raises(ModelError, match="not a SentencePiece model"):
        parse_model(piece + fields)
