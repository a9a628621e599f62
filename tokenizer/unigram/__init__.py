"""Unigram encoding into SentencePiece's own pieces, one lattice a distinct word."""
