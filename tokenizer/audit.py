"""How well a tokenizer fits the text: bytes a token by domain and language, pieces of a text, round trips."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_data.tokenizer.bpe.encode import FastEncoder


@dataclass
class Compression:
    """Text of one domain and language: documents, UTF-8 bytes, tokens, and documents that decode to other text."""

    domain: str
    language: str
    documents: int = 0
    bytes: int = 0
    tokens: int = 0
    changed: int = 0

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes a token; 0 without tokens."""
        return self.bytes / self.tokens if self.tokens else 0.0


def compression(encoder: FastEncoder, documents: Iterable[dict[str, Any]], *, check: bool = True) -> list[Compression]:
    """Measure documents (as they stand in documents/*.jsonl.zst), by domain and language; the largest first.

    ``check`` also decodes every document and counts those that come back changed (SentencePiece reads U+2581 as a
    space).
    """
    found: dict[tuple[str, str], Compression] = {}
    for document in documents:
        metadata = document["metadata"]
        key = (metadata["domain"], metadata.get("language") or "-")
        row = found.setdefault(key, Compression(*key))
        text = document["text"]
        ids = encoder.encode(text)
        row.documents += 1
        row.bytes += len(text.encode())
        row.tokens += len(ids)
        row.changed += check and not round_trips(encoder, text)
    return sorted(found.values(), key=lambda row: (-row.bytes, row.domain, row.language))


def table(rows: Sequence[Compression]) -> str:
    """The measurements for a terminal."""
    lines = [
        f"{'domain':<16}{'language':<10}{'documents':>10}{'bytes':>16}{'tokens':>14}{'bytes/token':>13}{'changed':>9}"
    ]
    lines += [
        f"{row.domain:<16}{row.language:<10}{row.documents:>10,}{row.bytes:>16,}{row.tokens:>14,}"
        f"{row.bytes_per_token:>13.3f}{row.changed:>9,}"
        for row in rows
    ]
    return "\n".join(lines)


def pieces(encoder: FastEncoder, text: str) -> list[tuple[str, int]]:
    """The pieces that a text becomes, with their ids."""
    return [(str(encoder.oracle.IdToPiece(int(id))), int(id)) for id in encoder.encode(text)]


def round_trips(encoder: FastEncoder, text: str) -> bool:
    """True when decoding the ids of a text gives the same text."""
    return bool(encoder.oracle.decode([int(id) for id in encoder.encode(text)]) == text)
