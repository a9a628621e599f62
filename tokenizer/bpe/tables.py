"""What the fast encoder derives from a BPE model when it is loaded: symbols, merges, and where text can be cut.

A merge only ever makes a piece of the vocabulary. So two adjacent characters that stand side by side inside no piece
are never merged across, and text may be cut between them: the parts encode to the same ids as the whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN
from llama_data.tokenizer.model_file import ModelFacts, PieceType

SPACE = "\u2581"
GLUE_BITS = 21
"""The hashed set of pairs of characters has 2 ** GLUE_BITS bits: a quarter of a MiB, which stays in the cache."""
SYMBOL_BITS = 21
MAX_SYMBOLS = 1 << SYMBOL_BITS
# An entry of the table of pairs is left | right | merged, the last with a bit more, which keeps EMPTY_PAIR apart from
# all of them.
MERGED_BITS = SYMBOL_BITS + 1
EMPTY_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)
# Factors of the hash of a pair of characters, of 32 bits: the golden ratio's, and an odd one to mix what it moved up.
GLUE_FACTORS = (0x9E3779B1, 0x85EBCA6B)
WORD32 = 0xFFFFFFFF


class Rules(NamedTuple):
    """What the kernels read of a model.

    ``ascii_glue[a * 128 + b]``: 1 when a and b stand side by side in a piece. ``glue``: the same for all characters,
    as a hashed bit set (a false yes only makes a chunk longer). ``symbol_of``: symbol of each code point, -1 when it
    is in no piece. ``pairs``: hash table of left | right | merged symbol. ``ranks``: merge order of a symbol, lower
    first. ``byte_ids``: id of each byte's piece. ``vocabulary``: number of pieces; symbols from there on are
    characters without a piece. ``unknown``: id of unknown characters. ``byte_fallback``: these are written as bytes.
    ``space``: code point that a space stands for. ``pair_shift``: 64 - log2 of the size of ``pairs``.
    """

    ascii_glue: NDArray[np.uint8]
    glue: NDArray[np.uint8]
    symbol_of: NDArray[np.int32]
    pairs: NDArray[np.uint64]
    ranks: NDArray[np.int32]
    byte_ids: NDArray[np.int32]
    vocabulary: int
    unknown: int
    byte_fallback: bool
    space: int
    pair_shift: int


def refusal(facts: ModelFacts) -> str | None:
    """Why text must not be cut for this model (then SentencePiece itself is used), or None when it may be."""
    if facts.kind != "bpe":
        return f"it is a {facts.kind} model, not BPE"
    kinds = {piece.type for piece in facts.pieces}
    if PieceType.USER_DEFINED in kinds:
        return "it has user-defined pieces, which are matched before any merge"
    if PieceType.UNUSED in kinds:
        return "it has unused pieces, which are split again after merging"
    texts = [piece.text for piece in facts.pieces if piece.type == PieceType.NORMAL]
    if len(set(texts)) != len(texts) or not all(texts):
        return "it has an empty piece or the same piece twice"
    if facts.trainer["byte_fallback"] and len(byte_pieces(facts)) != 256:
        return "it falls back to bytes but lacks some of the 256 byte pieces"
    if len(texts) + len(set("".join(texts))) + len(facts.pieces) >= MAX_SYMBOLS:
        return f"it has more than {MAX_SYMBOLS:,} symbols"
    return None


def byte_pieces(facts: ModelFacts) -> dict[int, int]:
    """Id of the piece of each byte value."""
    pieces = enumerate(facts.pieces)
    return {int(piece.text[3:5], 16): id for id, piece in pieces if piece.type == PieceType.BYTE}


def build_rules(facts: ModelFacts) -> Rules:
    """Derive the kernels' arrays; the model must have passed ``refusal``."""
    normal = {piece.text: id for id, piece in enumerate(facts.pieces) if piece.type == PieceType.NORMAL}
    symbols = dict(normal)
    for char in dict.fromkeys("".join(normal)):
        symbols.setdefault(char, len(facts.pieces) + len(symbols) - len(normal))
    symbol_of = np.full(0x110000, -1, np.int32)
    for text, symbol in symbols.items():
        if len(text) == 1:
            symbol_of[ord(text)] = symbol
    space = SPACE if facts.normalizer["escape_whitespaces"] else " "
    byte_ids = np.full(256, -1, np.int32)
    for value, id in byte_pieces(facts).items():
        byte_ids[value] = id
    unknown = next((id for id, piece in enumerate(facts.pieces) if piece.type == PieceType.UNKNOWN), 0)
    pairs = _pairs(normal, symbols)
    ascii_glue, glue = _glue(normal, space)
    return Rules(
        ascii_glue=ascii_glue,
        glue=glue,
        symbol_of=symbol_of,
        pairs=pairs,
        ranks=_ranks(facts),
        byte_ids=byte_ids,
        vocabulary=len(facts.pieces),
        unknown=unknown,
        byte_fallback=bool(facts.trainer["byte_fallback"]),
        space=ord(space),
        pair_shift=64 - _log2(pairs.size),
    )


def _glue(normal: dict[str, int], space: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pairs = {text[i : i + 2] for text in normal for i in range(len(text) - 1)}
    glue = np.zeros((1 << GLUE_BITS) // 8, np.uint8)
    ascii_glue = np.zeros(128 * 128, np.uint8)
    for first, second in ((pair[0], pair[1]) for pair in pairs):
        bit = glue_bit(ord(first), ord(second))
        glue[bit >> 3] |= 1 << (bit & 7)
        # A space of the text stands for the escaped space in a piece.
        a, b = (32 if char == space else ord(char) for char in (first, second))
        if a < 128 and b < 128 and (space == " " or " " not in (first, second)):
            ascii_glue[a * 128 + b] = 1
    return ascii_glue, glue


def glue_bit(first: int, second: int) -> int:
    """Place in the hashed bit set of a pair of code points."""
    mixed = (first * GLUE_FACTORS[0] + second) & WORD32
    return (mixed * GLUE_FACTORS[1] & WORD32) >> (32 - GLUE_BITS)


def _ranks(facts: ModelFacts) -> NDArray[np.int32]:
    scores = np.array([piece.score for piece in facts.pieces], np.float64)
    _, order = np.unique(-scores, return_inverse=True)
    return order.astype(np.int32)


def _pairs(normal: dict[str, int], symbols: dict[str, int]) -> NDArray[np.uint64]:
    lefts: list[int] = []
    rights: list[int] = []
    merges: list[int] = []
    get = symbols.get
    for text, merged in normal.items():
        for cut in range(1, len(text)):
            left = get(text[:cut])
            if left is not None and (right := get(text[cut:])) is not None:
                lefts.append(left)
                rights.append(right)
                merges.append(merged)
    # Three fifths full at most, so that a search is short.
    size = 1 << max(4, (len(merges) * 5 // 3).bit_length())
    keys: NDArray[np.uint64] = np.array(lefts, np.uint64) << np.uint64(SYMBOL_BITS) | np.array(rights, np.uint64)
    values: NDArray[np.uint64] = keys << np.uint64(MERGED_BITS) | np.array(merges, np.uint64)
    return _placed(values, pair_slots(keys, size), size)


def _placed(values: NDArray[np.uint64], slots: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """A table with each value in the first free slot from its own on; all of them a slot at a time.

    Whatever moves on has found its slot taken, so a search that ends at an empty slot misses nothing.
    """
    table = np.full(size, EMPTY_PAIR, np.uint64)
    while len(values):
        free = np.flatnonzero(table[slots] == EMPTY_PAIR)
        placed = free[np.unique(slots[free], return_index=True)[1]]
        table[slots[placed]] = values[placed]
        values, slots = np.delete(values, placed), np.delete(slots, placed)
        slots = (slots + np.uint64(1)) & np.uint64(size - 1)
    return table


def pair_slots(keys: NDArray[np.uint64], size: int) -> NDArray[np.uint64]:
    """First slots to look at for pairs of symbols: the high bits of a product that wraps."""
    found: NDArray[np.uint64] = (keys * np.uint64(GOLDEN)) >> np.uint64(64 - _log2(size))
    return found


def _log2(size: int) -> int:
    """Of a power of two."""
    return size.bit_length() - 1
