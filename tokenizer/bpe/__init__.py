"""Byte-pair encoding with SentencePiece's own ids, one merge loop a distinct chunk of text."""
