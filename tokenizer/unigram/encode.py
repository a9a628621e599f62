"""Pieces of a SentencePiece model, as bytes for KenLM, paying once for each distinct word.

Models whose words cannot be looked at one by one (``model.refusal``) are left to SentencePiece itself;
``PieceEncoder.fallback`` then says why. So are single lines with a space of SentencePiece's own, U+2581, that the
normaliser does not replace.
"""

from __future__ import annotations

import numpy as np
import sentencepiece

from llama_data.pipeline.kernels.memory import padded
from llama_data.pipeline.kernels.word_table import WordTable
from llama_data.tokenizer.processor import load_processor
from llama_data.tokenizer.unigram.lines import encode_line
from llama_data.tokenizer.unigram.model import build_model, refusal
from llama_data.tokenizer.unigram.words import DONE, LATTICE_FULL, NOT_UTF8, OUT_FULL, TABLE_FULL, make_lattice

CACHE_BYTES = 128 << 20
# Versions that round as words.py does. Older ones compare sums in float64 and let them grow without end: with
# any other a line goes whole to SentencePiece where rounding decides.
KNOWN_ROUNDING = ("0.2.3",)
_WORD_BYTES = 4096


class PieceEncoder:
    """Cuts normalised text into the pieces of a SentencePiece model, as its ``encode_as_pieces`` does.

    ``fallback`` is None, or why this model is left to SentencePiece itself. ``looked_again``: how many known words
    needed their path anew, for the rounding of what stood before them. Not thread-safe: it owns a table of words.

    Raises:
        ModelError: the file is not a SentencePiece model.
    """

    def __init__(self, path: str, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.processor, facts, _ = load_processor(path)
        self.fallback = refusal(facts)
        self.rounding = sentencepiece.__version__ in KNOWN_ROUNDING
        self.looked_again = 0
        if self.fallback is None:
            self._model = build_model(facts)
            self._lattice = make_lattice(_WORD_BYTES)
            self.table = WordTable(max_bytes=cache_bytes, numbers=8)

    def encode(self, text: bytes) -> tuple[bytes, int]:
        """The pieces of a text joined by single spaces, and how many there are."""
        if self.fallback is not None:
            return self._encode_whole(text)
        data = padded(text)
        out = np.empty(4 * len(text) + 256, np.uint8)
        state, before, lattice = np.zeros(4, np.int64), np.zeros(1, np.float32), self._lattice
        while True:
            code = encode_line(
                data, len(text), self._model, self.table.arrays, lattice, self.rounding, out, state, before
            )
            if code == DONE:
                break
            if code == TABLE_FULL:
                self.table.make_room()
            elif code == OUT_FULL:
                out = np.concatenate([out, np.empty(out.size, np.uint8)])
            elif code == LATTICE_FULL:
                lattice = make_lattice(4 * lattice.form.size)
            elif code == NOT_UTF8:
                return self.encode(text.decode("utf-8", "replace").encode())
            else:
                return self._encode_whole(text)
        self.looked_again += int(state[3])
        return out[: max(int(state[1]) - 1, 0)].tobytes(), int(state[2])

    def _encode_whole(self, text: bytes) -> tuple[bytes, int]:
        pieces = self.processor.encode_as_pieces(text.decode("utf-8", "replace"))
        return " ".join(pieces).encode(), len(pieces)
