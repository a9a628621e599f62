"""Reads what we need of a SentencePiece model file (its protocol buffer, sentencepiece_model.proto), by own code."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import read_bytes


class PieceType(IntEnum):
    """Types of a piece, as the proto numbers them."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


BPE = 2
MAX_PIECES = 1 << 21
"""Beyond what anybody trains: each becomes an object here."""
_NAMES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}

# Field number: (name, kind, default of the proto)
_TRAINER: dict[int, tuple[str, str, Any]] = {
    3: ("model_type", "int", 1),
    4: ("vocab_size", "int", 8000),
    7: ("input_format", "text", ""),
    10: ("character_coverage", "float", 0.9995),
    11: ("input_sentence_size", "int", 0),
    14: ("seed_sentencepiece_size", "int", 1000000),
    15: ("shrinking_factor", "float", 0.75),
    16: ("num_threads", "int", 16),
    17: ("num_sub_iterations", "int", 2),
    18: ("max_sentence_length", "int", 4192),
    19: ("shuffle_input_sentence", "bool", True),
    20: ("max_sentencepiece_length", "int", 16),
    21: ("split_by_unicode_script", "bool", True),
    22: ("split_by_whitespace", "bool", True),
    23: ("split_by_number", "bool", True),
    24: ("treat_whitespace_as_suffix", "bool", False),
    25: ("split_digits", "bool", False),
    26: ("allow_whitespace_only_pieces", "bool", False),
    33: ("hard_vocab_limit", "bool", True),
    34: ("use_all_vocab", "bool", False),
    35: ("byte_fallback", "bool", False),
    36: ("required_chars", "text", ""),
    40: ("unk_id", "int", 0),
    41: ("bos_id", "int", 1),
    42: ("eos_id", "int", 2),
    43: ("pad_id", "int", -1),
    44: ("unk_surface", "text", " \u2047 "),
    45: ("unk_piece", "text", "<unk>"),
    46: ("bos_piece", "text", "<s>"),
    47: ("eos_piece", "text", "</s>"),
    48: ("pad_piece", "text", "<pad>"),
    49: ("train_extremely_large_corpus", "bool", False),
}
_NORMALIZER: dict[int, tuple[str, str, Any]] = {
    1: ("name", "text", ""),
    2: ("precompiled_charsmap", "bytes", b""),
    3: ("add_dummy_prefix", "bool", True),
    4: ("remove_extra_whitespaces", "bool", True),
    5: ("escape_whitespaces", "bool", True),
}


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary."""

    text: str
    score: float
    type: PieceType


@dataclass(frozen=True)
class ModelFacts:
    """A model's pieces and settings, by the names of the proto; absent fields have the proto's defaults."""

    pieces: list[Piece] = field(repr=False)
    trainer: dict[str, Any]
    normalizer: dict[str, Any]
    denormalizer: dict[str, Any] = field(default_factory=lambda: _spec(b"", _NORMALIZER))

    @property
    def kind(self) -> str:
        """unigram, bpe, word or char."""
        return _NAMES.get(self.trainer["model_type"], "unknown")

    def special_id(self, name: str) -> int:
        """Id of ``unk``, ``bos``, ``eos`` or ``pad``, by the piece's name as for SentencePiece; -1: there is none."""
        text, kind = self.trainer[f"{name}_piece"], PieceType.UNKNOWN if name == "unk" else PieceType.CONTROL
        pieces = enumerate(self.pieces)
        return next((id for id, piece in pieces if piece.text == text and piece.type == kind), -1)


_SCORE = struct.Struct("<f")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                if value >> 64:
                    raise ValueError(f"a number of more than 64 bits before byte {at}")
                return value

    while at < len(data):
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == 0:
            yield number, varint()
            continue
        size = varint() if wire == 2 else {1: 8, 5: 4}.get(wire, -1)
        if size < 0 or at + size > len(data):
            raise ValueError(f"wire type {wire} at byte {at}")
        yield number, data[at : at + size]
        at += size


def _spec(data: bytes, names: dict[int, tuple[str, str, Any]]) -> dict[str, Any]:
    result = {name: default for name, _, default in names.values()}
    for number, value in _fields(data):
        if number not in names:
            continue
        name, kind, _ = names[number]
        found: Any
        if isinstance(value, bytes) != (kind in ("float", "text", "bytes")):
            raise ValueError(f"the setting {name} is no {kind}")
        if isinstance(value, bytes):
            found = {"float": lambda v: struct.unpack("<f", v)[0], "text": bytes.decode}.get(kind, bytes)(value)
        else:
            found = bool(value) if kind == "bool" else value - (1 << 64) if value >> 63 else value
        result[name] = found
    return result


def _piece(data: bytes) -> Piece:
    # As SentencePiece writes nearly all: a text of less than 128 bytes, a score, and nothing else.
    if len(data) > 6 and data[0] == 0x0A and data[1] < 128 and len(data) == data[1] + 7 and data[-5] == 0x15:
        [score] = _SCORE.unpack_from(data, len(data) - 4)
        if not math.isnan(score):
            return Piece(data[2:-5].decode(), score, PieceType.NORMAL)
    return _piece_by_field(data)


def _piece_by_field(data: bytes) -> Piece:
    text, score, kind = "", 0.0, PieceType.NORMAL
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode()
        elif number == 2 and isinstance(value, bytes):
            score = struct.unpack("<f", value)[0]
            if math.isnan(score):
                raise ValueError("a piece whose score is no number")
        elif number == 3 and isinstance(value, int):
            kind = PieceType(value)
    return Piece(text, score, kind)


def parse_model(data: bytes, where: str = "model") -> ModelFacts:
    """Parse the bytes of a model file. Raises ModelError when they are not one."""
    pieces, trainer, normalizer, denormalizer = [], b"", b"", b""
    try:
        for number, value in _fields(data):
            if isinstance(value, bytes):
                if number == 1:
                    pieces.append(_piece(value))
                    if len(pieces) > MAX_PIECES:
                        raise ValueError(f"more than {MAX_PIECES:,} pieces")
                elif number == 2:
                    trainer += value
                elif number == 3:
                    normalizer += value
                elif number == 5:
                    denormalizer += value
        specs = _spec(trainer, _TRAINER), _spec(normalizer, _NORMALIZER), _spec(denormalizer, _NORMALIZER)
        facts = ModelFacts(pieces, *specs)
    except (IndexError, ValueError, struct.error) as error:
        raise ModelError(f"{where}: not a SentencePiece model: {error}") from None
    if not pieces:
        raise ModelError(f"{where}: not a SentencePiece model: it has no pieces")
    return facts


def read_model(path: str) -> ModelFacts:
    """Read and parse a model file. Raises InputError when there is none, ModelError when it is not a model."""
    return parse_model(read_bytes(path), path)
