"""Pieces for the language model are SentencePiece's own, unknown characters too."""

from __future__ import annotations

import pytest
import sentencepiece
from hypothesis import example, given
from hypothesis import strategies as st

from llama_data.stages.shared.pieces import PieceEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> PieceEncoder:
    folder = tmp_path_factory.mktemp("pieces")
    lines = [f"the words of line {n} are these and those, under the sea of {n * 7} lines" for n in range(300)]
    (folder / "lines.txt").write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "lines.txt"),
        model_prefix=str(folder / "en"),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return PieceEncoder(str(folder / "en.model"))


texts = st.lists(
    st.sampled_from(["the", " ", "words", "é", "日本", "x", ",", "\u2581", "\x00", "  ", "ﬁ"]), max_size=20
)


@given(texts.map("".join))
@example("")
@example("the 日本 sea")
def test_pieces_are_sentencepieces(encoder: PieceEncoder, text: str) -> None:
    pieces = encoder.processor.encode_as_pieces(text)
    assert encoder.encode(text.encode()) == (" ".join(pieces).encode(), len(pieces))
