"""Pieces of a SentencePiece model, as bytes for KenLM."""

from __future__ import annotations

import sentencepiece

from llama_data.pipeline.core.errors import ModelError


class PieceEncoder:
    """Cuts normalised text into the pieces of a SentencePiece model."""

    def __init__(self, path: str) -> None:
        try:
            self.processor = sentencepiece.SentencePieceProcessor(model_file=path)
        except (OSError, RuntimeError) as error:
            raise ModelError(f"{path}: not a SentencePiece model that can be read: {error}") from None

    def encode(self, text: bytes) -> tuple[bytes, int]:
        """The pieces of a text joined by single spaces, and how many there are."""
        pieces = self.processor.encode_as_pieces(text.decode("utf-8", "replace"))
        return " ".join(pieces).encode(), len(pieces)
