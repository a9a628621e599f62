"""The fast encoder gives SentencePiece's ids: any text, any BPE model; and says when it leaves the work to it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.tokenizer.bpe.encode import FastEncoder
from llama_data.tokenizer.bpe.kernels import SMALL

FAST = ["llama", "no_bytes", "no_prefix", "nfkc", "collapse", "suffix", "across_words", "across_scripts"]
NASTY = [
    "",
    " ",
    "   ",
    "\n",
    "\r\n\r\n\t",
    "a",
    " a",
    "a ",
    "  lead and trail  ",
    "\x00",
    "a\x00b\x7f\x1b",
    "<s>",
    "</s> <unk> <0x41>",
    "\u2581",
    "a\u2581b \u2581 c\u2581",
    "\u2581\u2581  \u2581",
    "1234 12 \uff11\uff12 ۱۲۳",
    "e\u0301 é \u0301",
    "\U0001f600\U0001f468\u200d\U0001f469 \U0010ffff",
    "\ufeffbom \ufffd",
    "中文没有空格的句子中文",
    "שלום عالم हिन्दी ไทย",
    "\ue000\ue001\ue000 x \ue002",
    "x" * 5000,
    "ab" * 3000,
    " " * 3000,
    "bacodi" * 500 + "\ue000" * 100,
    "\t" * 300 + "if x:\n" * 10,
]
PARTS = st.sampled_from(
    ["ba", "co", " ", "  ", "\u2581", "\n", "di.", "é", "e\u0301", "中", "\ue000", "0", "12", "<s>", "\x00", "if"]
)
TEXT = st.one_of(st.text(max_size=300), st.lists(PARTS, max_size=120).map("".join))


@pytest.fixture(scope="session")
def encoders(models: dict[str, Path]) -> dict[str, FastEncoder]:
    return {name: FastEncoder(str(path)) for name, path in models.items()}


@pytest.mark.parametrize("name", FAST)
def test_nasty_text_has_the_ids_of_sentencepiece(encoders: dict[str, FastEncoder], name: str) -> None:
    encoder = encoders[name]
    assert encoder.fallback is None
    for text in NASTY:
        for _ in range(2):
            assert encoder.encode(text).tolist() == encoder.oracle.encode(text), repr(text[:50])


@settings(deadline=None, max_examples=150)
@given(text=TEXT, name=st.sampled_from(FAST))
def test_any_text_has_the_ids_of_sentencepiece(encoders: dict[str, FastEncoder], text: str, name: str) -> None:
    assert encoders[name].encode(text).tolist() == encoders[name].oracle.encode(text)


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(TEXT, max_size=8), bos=st.booleans(), eos=st.booleans())
def test_documents_get_their_marks_and_ends(
    encoders: dict[str, FastEncoder], texts: list[str], bos: bool, eos: bool
) -> None:
    for name in ("llama", "unigram", "no_bytes"):
        encoder = encoders[name]
        ids, ends = encoder.encode_documents(texts, bos=bos, eos=eos)
        expected = [[1] * bos + encoder.oracle.encode(text) + [2] * eos for text in texts]
        assert [part.tolist() for part in np.split(ids, ends)][:-1] == expected
        assert ends[-1:].tolist() == [len(ids)] * bool(texts)


@pytest.mark.parametrize(("name", "why"), [("unigram", "unigram"), ("user_defined", "user-defined")])
def test_models_without_the_boundary_argument_are_left_to_sentencepiece(
    encoders: dict[str, FastEncoder], name: str, why: str
) -> None:
    encoder = encoders[name]
    assert why in (encoder.fallback or "")
    for text in [*NASTY, "ba co <tool>di"]:
        assert encoder.encode(text).tolist() == encoder.oracle.encode(text)


def test_a_model_that_fails_the_check_at_load_time_is_left_to_sentencepiece(
    models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_data.tokenizer.bpe.tables.pair_slots", lambda keys, size: np.zeros_like(keys))
    encoder = FastEncoder(str(models["llama"]))
    assert "differ" in (encoder.fallback or "")
    assert encoder.encode("bacodi").tolist() == encoder.oracle.encode("bacodi")


def test_a_table_too_small_for_the_text_changes_nothing(models: dict[str, Path]) -> None:
    encoder = FastEncoder(str(models["llama"]), max_table_bytes=8192)
    text = " ".join(f"word{number}ba coco{number % 97}" for number in range(3000))
    assert encoder.encode(text).tolist() == encoder.oracle.encode(text)
    assert encoder.table.evictions > 0
    assert encoder.table.nbytes <= 8192


def test_one_very_long_word(encoders: dict[str, FastEncoder]) -> None:
    encoder = encoders["llama"]
    for word in ("baco" * 100_000, "b" * 300_000, "ab\u4e2dx" * 50_000):
        assert encoder.encode(word).tolist() == encoder.oracle.encode(word)


def test_around_the_length_where_the_merge_loop_changes(encoders: dict[str, FastEncoder]) -> None:
    encoder = encoders["across_words"]
    for length in range(SMALL - 3, SMALL + 4):
        for unit in ("b", "ba", "ba co di", "if"):
            text = (unit * length)[:length]
            assert encoder.encode(text).tolist() == encoder.oracle.encode(text)


def test_a_lone_surrogate_has_no_bytes_and_is_refused(encoders: dict[str, FastEncoder]) -> None:
    for name in ("llama", "unigram"):
        with pytest.raises(UnicodeEncodeError):
            encoders[name].encode("a\ud800b")


def test_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(b"\xff\xff not a model")
    with pytest.raises(ModelError, match="not a SentencePiece model"):
        FastEncoder(str(tmp_path / "x.model"))
    with pytest.raises(InputError, match="no such file"):
        FastEncoder(str(tmp_path / "absent.model"))


@pytest.fixture(scope="session")
def llama(oracle_models: Path) -> FastEncoder:
    return FastEncoder(str(oracle_models / "llama-tokenizer.model"))


def test_golden_15_llama_ids(llama: FastEncoder) -> None:
    assert (llama.facts.trainer["unk_id"], llama.bos_id, llama.eos_id, llama.vocab_size) == (0, 1, 2, 32000)
    assert llama.encode("Hello").tolist() == [15043]
    assert llama.encode(" Hello").tolist() == [29871, 15043]
    assert llama.encode("  Hello").tolist() == [259, 15043]
    assert llama.encode("a\nb").tolist() == [263, 13, 29890]
    assert [llama.oracle.IdToPiece(int(id)) for id in llama.encode("1234")] == ["\u2581", "1", "2", "3", "4"]
    assert llama.encode_documents(["x"], bos=True, eos=True)[0].tolist() == [1, 921, 2]
    for text in ("\t\ttab", "a    b", "\n\n", "\U0001f600", "NUL \x00.", "\uff11\uff12", "e\u0301 \u00e9", " lead"):
        assert llama.oracle.decode(llama.encode(text).tolist()) == text
    for text in NASTY:
        assert llama.encode(text).tolist() == llama.oracle.encode(text)


def test_a_slice_of_the_corpus_has_the_ids_of_sentencepiece(
    llama: FastEncoder, encoders: dict[str, FastEncoder], corpus: Path
) -> None:
    udhr = [path.read_text("utf-8", "replace") for path in sorted(corpus.glob("lang/udhr/*"))[::8] if path.is_file()]
    books = [
        gzip.decompress(path.read_bytes()).decode("utf-8", "replace") for path in sorted(corpus.glob("books/*.gz"))
    ]
    texts = [*udhr, *(book[:60_000] for book in books[::4])]
    assert sum(map(len, texts)) > 500_000
    for text in texts:
        assert np.array_equal(llama.encode(text), llama.oracle.encode(text))
        assert np.array_equal(encoders["no_bytes"].encode(text), encoders["no_bytes"].oracle.encode(text))
