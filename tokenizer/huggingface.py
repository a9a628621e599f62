"""Hugging Face's files for a SentencePiece BPE model, built from the model itself; no conversion script is involved."""

from __future__ import annotations

from typing import Any

import orjson

from llama_data.pipeline.core.errors import ModelError
from llama_data.tokenizer.bpe.tables import SPACE
from llama_data.tokenizer.model_file import ModelFacts, PieceType


def merges(facts: ModelFacts) -> list[list[str]]:
    """Every pair of pieces that makes a piece, in the order in which SentencePiece prefers them."""
    scores = {piece.text: piece.score for piece in facts.pieces if piece.type == PieceType.NORMAL}
    ids = {piece.text: id for id, piece in enumerate(facts.pieces)}
    found = []
    for text, score in scores.items():
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in scores and right in scores:
                found.append((-score, ids[left], ids[right], left, right))
    found.sort()
    return [[left, right] for *_, left, right in found]


def huggingface_files(facts: ModelFacts) -> dict[str, bytes]:
    """tokenizer.json, tokenizer_config.json and special_tokens_map.json of the model, by file name.

    Raises:
        ModelError: the model has a normaliser or flags that the files could not express exactly.
    """
    trainer, normalizer = facts.trainer, facts.normalizer
    plain = not normalizer["precompiled_charsmap"] and not normalizer["remove_extra_whitespaces"]
    usual = normalizer["escape_whitespaces"] and not trainer["treat_whitespace_as_suffix"]
    if not (facts.kind == "bpe" and plain and usual and trainer["byte_fallback"]):
        raise ModelError(
            "Hugging Face files can be written for BPE models with byte fallback, the identity normaliser and escaped "
            f"whitespace kept as it is; this one is {facts.kind} with {normalizer['name'] or 'no'} normaliser"
        )
    ids = {name: facts.special_id(name) for name in ("unk", "bos", "eos")}
    special = {name: facts.pieces[id].text for name, id in ids.items() if id >= 0}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": "bos" in special,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": text for name, text in special.items()},
    }
    tokens = {f"{name}_token": text for name, text in special.items()}
    return {
        "tokenizer.json": orjson.dumps(_tokenizer_json(facts, special)),
        "tokenizer_config.json": orjson.dumps(config, option=orjson.OPT_INDENT_2),
        "special_tokens_map.json": orjson.dumps(tokens, option=orjson.OPT_INDENT_2),
    }


def _tokenizer_json(facts: ModelFacts, special: dict[str, str]) -> dict[str, Any]:
    prepend = [{"type": "Prepend", "prepend": SPACE}] if facts.normalizer["add_dummy_prefix"] else []
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if facts.normalizer["add_dummy_prefix"] else []
    bos = special.get("bos")
    bos_id = facts.special_id("bos")
    single: list[dict[str, Any]] = [{"Sequence": {"id": "A", "type_id": 0}}]
    pair = [*single, {"Sequence": {"id": "B", "type_id": 1}}]
    if bos is not None:
        pair = [_special(bos, 0), single[0], _special(bos, 1), pair[1]]
        single = [_special(bos, 0), *single]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": facts.special_id(name),
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for name, text in special.items()
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [*prepend, {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}],
        },
        "pre_tokenizer": None,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": pair,
            "special_tokens": {} if bos is None else {bos: {"id": bos, "ids": [bos_id], "tokens": [bos]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                *strip,
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": special.get("unk"),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece.text: id for id, piece in enumerate(facts.pieces)},
            "merges": merges(facts),
        },
    }


def _special(token: str, type_id: int) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": type_id}}
