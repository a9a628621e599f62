"""Bytes a token by domain and language, pieces, round trips."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.tokenizer.audit import compression, pieces, round_trips, table
from llama_data.tokenizer.bpe.encode import FastEncoder


@pytest.fixture(scope="module")
def encoder(models: dict[str, Path]) -> FastEncoder:
    return FastEncoder(str(models["llama"]))


def test_compression_by_domain_and_language(encoder: FastEncoder) -> None:
    documents = [
        {"text": "baco dife", "metadata": {"domain": "web", "language": "en"}},
        {"text": "é", "metadata": {"domain": "web", "language": "fr"}},
        {"text": "co di", "metadata": {"domain": "web", "language": "en"}},
        {"text": "a\u2581b", "metadata": {"domain": "code"}},
    ]
    rows = {(row.domain, row.language): row for row in compression(encoder, documents)}
    english = rows["web", "en"]
    assert (english.documents, english.bytes) == (2, 14)
    assert english.tokens == len(encoder.oracle.encode("baco dife")) + len(encoder.oracle.encode("co di"))
    assert english.bytes_per_token == english.bytes / english.tokens
    assert rows["web", "fr"].bytes == 2
    assert (rows["code", "-"].changed, english.changed) == (1, 0)
    assert "web" in table(list(rows.values()))


def test_pieces_of_a_text(encoder: FastEncoder) -> None:
    found = pieces(encoder, "co\n1")
    assert [id for _, id in found] == encoder.oracle.encode("co\n1")
    assert [text for text, _ in found][-2:] == ["<0x0A>", "1"]


def test_round_trips(encoder: FastEncoder) -> None:
    assert all(round_trips(encoder, text) for text in ("", " a", "a  b\t\n", "\x00\U0001f600", "e\u0301é"))
    assert not round_trips(encoder, "\u2581")
