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
        self._unknown = self.processor.unk_id()
        size = self.processor.get_piece_size()
        self._pieces = [self.processor.id_to_piece(id).encode("utf-8", "surrogatepass") for id in range(size)]

    def encode(self, text: bytes) -> tuple[bytes, int]:
        """The pieces of a text joined by single spaces, and how many there are."""
        line = text.decode("utf-8", "replace")
        ids = self.processor.encode_as_ids(line)
        if self._unknown not in ids:
            return b" ".join(map(self._pieces.__getitem__, ids)), len(ids)
        # An unknown piece is what stands in the text, which the language model may know.
        pieces = self.processor.encode_as_pieces(line)
        return " ".join(pieces).encode(), len(pieces)
