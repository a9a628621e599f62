"""Pieces for the language model are SentencePiece's own, whatever stands in the text and in the model."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import ModelError
from llama_data.stages.shared.wet import WetRecord, read_wet
from llama_data.stages.steps.kernels.lm_text import normalise_bytes
from llama_data.tokenizer.unigram.encode import CACHE_BYTES, PieceEncoder

Train = Callable[..., PieceEncoder]

SPACES = [*" \t\n\r\x85\u00a0\u200b\u2028\u2581\u3000", "  ", "   ", "\u2581\u2581"]
MARKS = [*"\u00ad\u0301\u0308\u0327\u0345\u064b\u1161\u200d\u3099\ufe0f"]
CHARS = [*"\x00\x01\x7f\u00a8\u00bd\u00e9\u0385\u1e9b\u212b\uac00\ufb01\ufdfa\uff21\ufffd\ue000\U0010ffff"]
OTHERS = ["日本", "語", "ガ", "привет", "\U0001f600", "\U0001f468\u200d\U0001f469"]
WORDS = ["the", "words", "sea", "line", "under", "th", "x", "Z", "7", ",", "...", "<s>", "<unk>", "<0x41>", "a" * 300]
texts = st.lists(st.sampled_from(SPACES + MARKS + CHARS + OTHERS + WORDS) | st.text(max_size=3), max_size=25)
trained = settings(max_examples=300)


def varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def model_bytes(pieces: Mapping[str, float], *, trainer: bytes = b"", normalizer: bytes = b"") -> bytes:
    """A unigram model file with these pieces and scores, whose normaliser has no rules."""
    entries = [field(1, b"<unk>") + field(2, 0.0) + field(3, 2)]
    entries += [field(1, text.encode()) + field(2, score) for text, score in pieces.items()]
    return b"".join([*(field(1, entry) for entry in entries), field(2, field(3, 1) + trainer), field(3, normalizer)])


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    def build(text: str = "", **options: object) -> PieceEncoder:
        folder = tmp_path_factory.mktemp("pieces")
        lines = [f"the words of line {n} are these and those, under the sea of {n * 7} lines, été" for n in range(300)]
        (folder / "lines.txt").write_text(text or "\n".join(lines))
        sentencepiece.SentencePieceTrainer.train(
            **{
                "input": str(folder / "lines.txt"),
                "model_prefix": str(folder / "en"),
                "vocab_size": 70,
                "hard_vocab_limit": False,
                "minloglevel": 2,
                **options,
            }
        )
        return PieceEncoder(str(folder / "en.model"))

    return build


@pytest.fixture(scope="module")
def encoder(train: Train) -> PieceEncoder:
    return train()


@pytest.fixture(scope="module")
def identity(train: Train) -> PieceEncoder:
    return train(normalization_rule_name="identity")


@pytest.fixture(scope="module")
def folded(train: Train) -> PieceEncoder:
    return train(normalization_rule_name="nmt_nfkc_cf")


@pytest.fixture
def crafted(tmp_path: Path) -> Callable[..., PieceEncoder]:
    def build(pieces: Mapping[str, float], *, cache_bytes: int = CACHE_BYTES, **parts: bytes) -> PieceEncoder:
        path = tmp_path / "crafted.model"
        path.write_bytes(model_bytes(pieces, **parts))
        return PieceEncoder(str(path), cache_bytes=cache_bytes)

    return build


def same(encoder: PieceEncoder, text: str) -> bool:
    pieces = encoder.processor.encode_as_pieces(text)
    return encoder.encode(text.encode()) == (" ".join(pieces).encode(), len(pieces))


@trained
@given(texts.map("".join))
@example("")
@example(" ")
@example("\u200b")
@example("the 日本 sea")
@example("\u00a0 the\u00a0 \u200bsea \u00a0")
@example("a\u2581")
def test_pieces_are_sentencepieces(encoder: PieceEncoder, text: str) -> None:
    assert encoder.fallback is None
    assert same(encoder, text)


@trained
@given(texts.map("".join))
@example("a\u2581 b")
@example("\u2581")
def test_pieces_without_rules(identity: PieceEncoder, text: str) -> None:
    assert identity.fallback is None
    assert same(identity, text)


@trained
@given(texts.map("".join))
def test_pieces_with_case_folding(folded: PieceEncoder, text: str) -> None:
    assert folded.fallback is None
    assert same(folded, text)


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b" ", b"the ", b"\xe2\x96", b"\xed\xa0\x80"]), max_size=9))
def test_what_is_not_utf8_is_replaced(encoder: PieceEncoder, parts: list[bytes]) -> None:
    text = b"".join(parts)
    pieces = encoder.processor.encode_as_pieces(text.decode("utf-8", "replace"))
    assert encoder.encode(text) == (" ".join(pieces).encode(), len(pieces))


def test_long_words_and_lines(encoder: PieceEncoder, identity: PieceEncoder) -> None:
    chooser = random.Random(5)
    letters = "thewordsofline, \u00e9\u0301\ufdfa日本\u00a0\U0001f600"
    for size in (255, 256, 257, 4000, 4096, 20_000, 70_000):
        assert same(encoder, "".join(chooser.choices(letters, k=size)))
        assert same(encoder, "".join(chooser.choices(letters.replace(" ", ""), k=size)))
        assert same(identity, "".join(chooser.choices(letters, k=size)))
        assert same(encoder, "\ufdfa" * size)


letters = "abc\u00e9"
models = st.dictionaries(
    st.tuples(st.sampled_from(["", "\u2581"]), st.text(letters, min_size=1, max_size=4)).map("".join),
    st.sampled_from([-1.0, -2.0, -2.1, -4.1, -4.2, -6.3, -8.4]) | st.floats(-12, 0, width=32),
    min_size=4,
    max_size=30,
)
lines = st.lists(st.text(letters + "d", min_size=1, max_size=12), min_size=1, max_size=60).map(" ".join)


@settings(max_examples=400)
@given(models, st.lists(lines, min_size=1, max_size=4), st.sampled_from([1.0, 40.0, 3000.0, 60_000.0]))
def test_any_unigram_model(
    tmp_path_factory: pytest.TempPathFactory, pieces: dict[str, float], lines: list[str], scale: float
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.model"
    scaled = {text: single(scale * score) for text, score in pieces.items()}
    path.write_bytes(model_bytes({**scaled, "\u2581": -3.0 * scale}))
    encoder = PieceEncoder(str(path))
    assert encoder.fallback is None
    for line in lines * 2:
        assert same(encoder, line)
    encoder.rounding = False
    for line in lines:
        assert same(encoder, line)


def single(number: float) -> float:
    """The nearest float32."""
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def near_ties() -> dict[str, float]:
    """Two ways through "abc" whose sums are equal but for the rounding, and words to stand before it."""
    ab, c, a = single(-5.1234567), single(-2.7654321), single(-4.4444444)
    ways = {"\u2581ab": ab, "c": c, "\u2581a": a, "bc": single(ab + c - a)}
    others = dict.fromkeys("abdxy", -30.0)
    return {**ways, **others, "\u2581": -9.0, "\u2581x": single(-7.7777777), "\u2581y": single(-0.3333333)}


def test_rounding_of_what_stands_before_decides_near_ties(crafted: Callable[..., PieceEncoder]) -> None:
    encoder = crafted(near_ties())
    chooser = random.Random(2)
    line = " ".join(chooser.choices(["abc", "x", "y"], k=5000))
    found = encoder.processor.encode_as_pieces(line)
    assert min(found.count("\u2581ab"), found.count("\u2581a")) > 100  # both ways are taken, so the test can fail
    assert same(encoder, line)
    assert encoder.looked_again > 1000


def test_errors_that_add_up(crafted: Callable[..., PieceEncoder]) -> None:
    chars = "abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNO"
    ulp = 2.0**-7  # of sums from 65,536 to 131,072
    # After the "x" the pieces of one way are rounded towards 0 and those of the other away from it: the worse one wins.
    worse = {"\u2581a": 0.49, **{chars[k : k + 2]: 0.49 for k in range(1, 39, 2)}}
    better = {"\u2581ab": 0.51, **{chars[k : k + 2]: 0.51 for k in range(2, 40, 2)}}
    pieces = {text: single(-1 - part * ulp) for text, part in {**worse, **better}.items()}
    encoder = crafted({**pieces, "O": single(-10 * ulp), "\u2581": -100.0, "\u2581x": -100.0})
    line = f"{chars} {'x ' * 700}{chars}"
    found = encoder.processor.encode_as_pieces(line)
    assert (found[0], found[720]) == ("\u2581ab", "\u2581a")
    assert same(encoder, line)


def test_versions_whose_rounding_is_not_known(
    crafted: Callable[..., PieceEncoder], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = crafted(near_ties())
    encoder.rounding = False
    monkeypatch.setattr(encoder, "_encode_whole", lambda text: (b"whole", 0))
    assert encoder.encode(b"x y abc") == (b"whole", 0)
    assert same(encoder, "x y x")


def test_sums_that_sentencepiece_begins_anew(crafted: Callable[..., PieceEncoder]) -> None:
    encoder = crafted({text: single(100 * score) for text, score in near_ties().items()})
    chooser = random.Random(3)
    words = ["abc", "abcd" * 9, "x", "y", "abcc\u00e9", "dddd"]
    line = " ".join(chooser.choices(words, k=3000))  # the sum passes -100,000 hundreds of times
    assert same(encoder, line)
    assert same(encoder, line)


@pytest.mark.parametrize("scale", [1, 1000, 30_000])
def test_long_lines_with_many_ties(crafted: Callable[..., PieceEncoder], scale: int) -> None:
    chooser = random.Random(scale)
    for _ in range(12):
        scores = [-12 * chooser.random() for _ in range(4)]
        texts = ("".join(chooser.choices("abc", k=chooser.randint(1, 5))) for _ in range(40))
        pieces = {chooser.choice(["", "\u2581"]) + text: single(scale * chooser.choice(scores)) for text in texts}
        for text in list(pieces):
            for cut in range(1, len(text)):
                if text[:cut] in pieces and text[cut:] in pieces:
                    both = pieces[text[:cut]] + pieces[text[cut:]]
                    pieces[text] = single(both * (1 + chooser.choice([-1, 0, 1]) * 2.0**-23))
        encoder = crafted({**pieces, "\u2581": -5.0 * scale})
        words = ["".join(chooser.choices("abcd", [9, 9, 9, 1], k=chooser.randint(1, 70))) for _ in range(40)]
        assert same(encoder, " ".join(chooser.choices(words, k=1000)))


def test_clear_words_are_not_looked_at_again(encoder: PieceEncoder) -> None:
    encoder.encode(b"the words of the sea")
    before = encoder.looked_again
    encoder.encode(b"the words of the sea")
    assert encoder.looked_again == before


def test_the_cache_is_bounded(crafted: Callable[..., PieceEncoder]) -> None:
    bound = 1 << 18
    encoder = crafted(near_ties(), cache_bytes=bound)
    chooser = random.Random(4)
    for _ in range(20):
        words = ("".join(chooser.choices("abcdxy\u00e9", k=chooser.randint(1, 40))) for _ in range(500))
        assert same(encoder, " ".join(words))
        assert encoder.table.nbytes <= bound
    assert encoder.table.evictions > 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"model_type": "bpe"}, "not a unigram model"),
        ({"user_defined_symbols": "sea"}, "user-defined"),
        ({"byte_fallback": True, "vocab_size": 400}, "falls back to bytes"),
        ({"treat_whitespace_as_suffix": True}, "at the end of words"),
        ({"remove_extra_whitespaces": False}, "does not add a space"),
        ({"add_dummy_prefix": False}, "does not add a space"),
    ],
)
def test_other_models_are_left_to_sentencepiece(train: Train, options: dict[str, object], reason: str) -> None:
    encoder = train(**options)
    assert reason in str(encoder.fallback)
    for text in ("", "the words of the sea", "  the  sea\u2581 日本 é", "thesea the sea"):
        assert same(encoder, text)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("61 20 62\t63", "rules with spaces"),
        ("20 308\t63", "rules with spaces"),
        ("40\t20 20", "spaces that do not come from spaces"),
        ("40\t2581", "spaces that do not come from spaces"),
        ("40\t20 61 20", None),
        ("40\t", None),
        ("61 62\t62 61", None),
    ],
)
def test_rules_across_spaces(train: Train, tmp_path: Path, rule: str, reason: str | None) -> None:
    (tmp_path / "rules.tsv").write_text(rule + "\n")
    encoder = train(normalization_rule_tsv=str(tmp_path / "rules.tsv"))
    assert (reason in str(encoder.fallback)) if reason else encoder.fallback is None
    for text in ("a b", "@", "@ @", "the@ sea", "the @sea", "a@b @@ c@", " \u0308a b ab abab", "@ a", "sea@"):
        assert same(encoder, text)


def test_models_whose_words_depend_on_each_other(crafted: Callable[..., PieceEncoder]) -> None:
    known = {"\u2581": -1.0, "a": -2.0, "b": -2.0}
    assert crafted(known).fallback is None
    for pieces, parts, reason in (
        ({**known, "a\u2581b": -1.0}, {}, "a space after its first character"),
        ({"\u2581a": -1.0, "b": -1.0}, {}, "no piece for a space"),
        ({**known, "b": 1.0}, {}, "above 0"),
        (known, {"normalizer": field(5, 0)}, "escape"),
    ):
        encoder = crafted(pieces, **parts)
        assert reason in str(encoder.fallback)
        for text in ("a b", "ba a b", "c"):
            assert same(encoder, text)


def test_no_model_at_all(tmp_path: Path) -> None:
    path = tmp_path / "en.model"
    for content in (b"", b"no model"):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"en\.model: not a SentencePiece model"):
            PieceEncoder(str(path))


def test_pages_of_the_corpus(corpus: Path, train: Train) -> None:
    paths = sorted((corpus / "cc").glob("*.wet.gz"))[:2]
    pages = [page for path in paths for page in read_wet(str(path)) if isinstance(page, WetRecord)][:400]
    lines = [normalise_bytes(page.body) for page in pages]
    sample = "\n".join(line[:2000].decode("utf-8", "ignore") for line in lines[::4])
    encoder = train(sample, vocab_size=2000)
    assert encoder.fallback is None
    for page, line in zip(pages, lines, strict=True):
        assert same(encoder, line.decode("utf-8", "replace"))
        assert same(encoder, page.body.decode("utf-8", "replace"))
    assert encoder.looked_again > 0
