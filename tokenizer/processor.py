"""Loads a SentencePiece model into SentencePiece, once all that its C++ code takes on trust is checked.

What that is (sentencepiece 0.2): the places that the normaliser's double array names are read without a look at its
size; the tries over pieces are built by a recursion as deep as a piece is long; byte pieces are taken by their names.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import read_bytes
from llama_data.tokenizer.model_file import ModelFacts, PieceType, parse_model

_BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")
# Bytes of a piece: SentencePiece's own default is 16 characters.
_MAX_PIECE = 4096
_MAX_SCORE = 1e30
_LEAF = np.uint32(1 << 8)
_VALUE = np.uint32(0x7FFFFFFF)


def load_processor(path: str) -> tuple[Any, ModelFacts, bytes]:
    """SentencePiece's processor of a model file, what the file says, and its bytes.

    Raises:
        InputError: there is no such file.
        ModelError: it is not a SentencePiece model, or a damaged one.
    """
    import sentencepiece

    data = read_bytes(path)
    facts = checked_facts(data, path)
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"{path}: SentencePiece does not load it: {_one_line(error)}; get it again") from None
    if processor.vocab_size() != len(facts.pieces):
        raise _damaged(path, f"{len(facts.pieces):,} pieces, of which SentencePiece finds {processor.vocab_size():,}")
    return processor, facts, data


def checked_facts(data: bytes, where: str) -> ModelFacts:
    """What a model file says, once it may be given to SentencePiece.

    Raises:
        ModelError: it is not a SentencePiece model, or a damaged one.
    """
    facts = parse_model(data, where)
    if facts.kind == "unknown":
        raise _damaged(where, f"a type of number {facts.trainer['model_type']}")
    for number, piece in enumerate(facts.pieces):
        if not piece.text or "\0" in piece.text or len(piece.text.encode()) > _MAX_PIECE:
            raise _damaged(where, f"piece {number}, which is empty, has a NUL or is longer than {_MAX_PIECE} bytes")
        if not abs(piece.score) <= _MAX_SCORE:
            raise _damaged(where, f"piece {number} with a score of {piece.score}")
        if piece.type == PieceType.BYTE and not _BYTE_PIECE.fullmatch(piece.text):
            raise _damaged(where, f"piece {number}, which stands for a byte that its name does not give")
    if sum(piece.type == PieceType.UNKNOWN for piece in facts.pieces) != 1:
        raise _damaged(where, "not exactly one piece for unknown text")
    for rules in (facts.normalizer, facts.denormalizer):
        found = _fault_of_rules(rules["precompiled_charsmap"])
        if found is not None:
            raise _damaged(where, found)
    return facts


def _fault_of_rules(charsmap: bytes) -> str | None:
    """Why a normaliser's rules would lead outside their array: every node that can be reached is looked at."""
    if not charsmap:
        return None
    size = int.from_bytes(charsmap[:4], "little")
    forms = charsmap[4 + size :]
    if len(charsmap) <= 4 or size == 0 or size % 4 or 4 + size >= len(charsmap):
        return f"rules of the normaliser of {size:,} bytes in {len(charsmap):,}"
    if not forms.endswith(b"\0"):
        return "rules of the normaliser whose last text does not end"
    units = np.frombuffer(charsmap[4 : 4 + size], "<u4")
    known = np.zeros(units.size, bool)
    known[0] = True
    nodes: NDArray[np.int64] = np.zeros(1, np.int64)
    labels = np.arange(1, 256, dtype=np.int64)
    while nodes.size:
        inner = units[nodes]
        # Children by a byte stand at the node's place, xor its offset, xor the byte: in one block of 256.
        offsets = (inner >> np.uint32(10)) << ((inner & np.uint32(1 << 9)) >> np.uint32(6))
        bases = (nodes ^ offsets).astype(np.int64)
        if bool(((bases | 255) >= units.size).any()):
            return "rules of the normaliser that lead outside their table"
        values = units[bases[(inner & _LEAF) != 0]] & _VALUE
        if bool((values >= len(forms)).any()):
            return "rules of the normaliser that write a text that is not there"
        children = bases[:, None] ^ labels[None, :]
        reached = np.unique(children[(units[children] & np.uint32(0x800000FF)) == labels[None, :]])
        nodes = reached[~known[reached]]
        known[nodes] = True
    return None


def _damaged(where: str, found: str) -> ModelError:
    return ModelError(f"{where}: the SentencePiece model is damaged: it has {found}; get it again")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
