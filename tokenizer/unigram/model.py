"""What the piece encoder takes from a unigram SentencePiece model: its pieces as a trie, and its normaliser's rules.

Sources: sentencepiece_model.proto for the fields; unigram_model.cc ``EncodeOptimized`` and normalizer.cc for what they
mean; darts-clone for the double array in which the normaliser's rules are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from llama_data.pipeline.kernels.hashing import GOLDEN
from llama_data.pipeline.kernels.memory import address, load_word_at
from llama_data.tokenizer.model_file import ModelFacts, PieceType

SPACE = "\u2581"
NO_PIECE = np.float32(1)
_UNKNOWN_PENALTY = np.float32(10)
_MAX_NODES = 1 << 24


class UnigramModel(NamedTuple):
    """The arrays that the kernels read.

    ``trie``: hash table of (node << 8 | byte) << 32 | child, 0 where empty; node 0 is the root. ``scores``: of the
    piece that ends at a node, NO_PIECE where none does. ``unknown``: score of a character without a piece.
    ``rules``: double array of the normaliser's rules, empty without any. ``forms``: what they write, each up to a NUL.
    ``longest``: bytes of the longest of these.
    """

    trie: NDArray[np.uint64]
    scores: NDArray[np.float32]
    unknown: np.float32
    rules: NDArray[np.uint32]
    forms: NDArray[np.uint8]
    longest: int


def refusal(facts: ModelFacts) -> str | None:
    """Why words of this model must not be looked at one by one, or None when they may be.

    A word is a space and what follows up to the next one. It may be when no piece has a space after its first
    character, so that every path through the lattice goes through every beginning of a word, and when no rule of the
    normaliser looks across a space.
    """
    if facts.kind != "unigram":
        return "it is not a unigram model"
    types = {piece.type for piece in facts.pieces}
    if PieceType.USER_DEFINED in types:
        return "it has user-defined pieces, which are matched before any rule"
    if PieceType.BYTE in types or facts.trainer["byte_fallback"]:
        return "it falls back to bytes"
    if facts.trainer["treat_whitespace_as_suffix"]:
        return "it has its spaces at the end of words"
    rules = ("add_dummy_prefix", "remove_extra_whitespaces", "escape_whitespaces")
    if not all(facts.normalizer[name] for name in rules):
        return "it does not add a space in front, remove extra spaces or escape them"
    normal = [piece for piece in facts.pieces if piece.type == PieceType.NORMAL]
    if any(SPACE in piece.text[1:] for piece in normal):
        return "it has a piece with a space after its first character"
    if not any(piece.text == SPACE for piece in normal):
        return "it has no piece for a space alone"
    if any(piece.score > 0 for piece in normal):
        return "it has scores above 0, which are no logarithms of probabilities"
    if sum(len(piece.text.encode()) for piece in normal) >= _MAX_NODES:
        return f"its pieces have {_MAX_NODES:,} bytes or more"
    return _refusal_of_rules(facts.normalizer["precompiled_charsmap"])


def _refusal_of_rules(charsmap: bytes) -> str | None:
    if not charsmap:
        return None
    rules, forms = _double_array(charsmap)
    if SPACE.encode() in forms or b"  " in forms or not forms.endswith(b"\0"):
        return "its normaliser writes spaces that do not come from spaces"
    # A node's child by a byte stands at the node's own place, xor its offset, xor the byte; leaves have the top bit.
    places = np.arange(rules.size, dtype=np.uint32)
    children = places ^ _offsets(rules) ^ np.uint32(32)
    inner = (rules >> np.uint32(31) == 0) & (children < rules.size)
    if np.any(rules[children[inner]] & np.uint32(0x800000FF) == 32):
        return "its normaliser has rules with spaces"
    return None


def _double_array(charsmap: bytes) -> tuple[NDArray[np.uint32], bytes]:
    size = int.from_bytes(charsmap[:4], "little")
    return np.frombuffer(charsmap[4 : 4 + size], np.uint32), charsmap[4 + size :]


def _offsets(rules: NDArray[np.uint32]) -> NDArray[np.uint32]:
    shift = (rules & np.uint32(1 << 9)) >> np.uint32(6)
    return (rules >> np.uint32(10)) << shift


def build_model(facts: ModelFacts) -> UnigramModel:
    """Derive the kernels' arrays; the model must have passed ``refusal``."""
    normal = [piece for piece in facts.pieces if piece.type == PieceType.NORMAL]
    texts = [piece.text.encode() for piece in normal]
    text = np.array(bytearray(b"".join(texts)))
    ends = np.cumsum([len(piece) for piece in texts])
    piece_scores = np.array([piece.score for piece in normal], np.float32)
    # A first time to count the nodes: pieces share their beginnings.
    trie, scores = _empty_trie(text.size + 1)
    trie, scores = _empty_trie(_fill(text, ends, piece_scores, trie, scores))
    _fill(text, ends, piece_scores, trie, scores)
    charsmap = facts.normalizer["precompiled_charsmap"]
    rules, forms = _double_array(charsmap) if charsmap else (np.empty(0, np.uint32), b"\0")
    return UnigramModel(
        trie=trie,
        scores=scores,
        unknown=piece_scores.min() - _UNKNOWN_PENALTY,
        rules=rules.copy(),
        forms=np.array(bytearray(forms)),
        longest=max(map(len, forms.split(b"\0"))),
    )


def _empty_trie(nodes: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    return np.zeros(1 << max(8, (2 * nodes).bit_length()), np.uint64), np.full(nodes, NO_PIECE, np.float32)


@njit(cache=True, nogil=True)
def _trie_key(node, byte):  # type: ignore[no-untyped-def]
    return (np.uint64(node) << np.uint64(8)) | np.uint64(byte)


@njit(cache=True, nogil=True)
def _trie_home(key, mask):  # type: ignore[no-untyped-def]
    """The entry at which the search for a key begins: the upper bits of a product are the well mixed ones."""
    return ((key * GOLDEN) >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def trie_child(trie, mask, node, byte):  # type: ignore[no-untyped-def]
    """The child of a node by a byte, or -1. ``trie`` is the address of the table, ``mask`` its size less one."""
    key = _trie_key(node, byte)
    at = _trie_home(key, mask)
    while True:
        entry = load_word_at(trie + 8 * np.int64(at))
        if entry == np.uint64(0):
            return np.int64(-1)
        if entry >> np.uint64(32) == key:
            return np.int64(entry & np.uint64(0xFFFFFFFF))
        at = (at + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def _fill(text, ends, scores, trie, node_scores):  # type: ignore[no-untyped-def]
    """Put the pieces ``text[ends[i - 1]:ends[i]]`` into an empty trie; returns its number of nodes."""
    nodes, at = 1, 0
    mask = np.uint64(trie.size - 1)
    for piece in range(ends.size):
        node = np.int64(0)
        while at < ends[piece]:
            child = trie_child(address(trie), mask, node, text[at])
            if child < 0:
                child = nodes
                nodes += 1
                key = _trie_key(node, text[at])
                slot = _trie_home(key, mask)
                while trie[slot] != np.uint64(0):
                    slot = (slot + np.uint64(1)) & mask
                trie[slot] = (key << np.uint64(32)) | np.uint64(child)
            node = child
            at += 1
        node_scores[node] = scores[piece]
    return nodes
