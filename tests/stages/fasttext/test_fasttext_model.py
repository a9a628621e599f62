"""Our fastText evaluation gives the labels and scores of fastText's own ``predict``."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pytest
from fasttext_writer import write_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import ModelError
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.shared.wet import WetRecord, read_wet

GIVEN_UP = 1e-5
"""Under this fastText says nothing of a label; which side of it a score falls on is a matter of rounding."""
WORDS = ["</s>", "the", "of", "Straße", "ein", "über", "naïve", "日本", "a", "ab", "longwordlongword"]
LABELS = ["__label__en", "__label__de", "__label__ja", "__label__fr", "__label__it"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, FastTextModel]]:
    """Models of every loss, with and without n-grams of characters and of words: fastText's and ours."""
    folder = tmp_path_factory.mktemp("fasttext")
    made = []
    for number, loss in enumerate(("hs", "softmax", "ova", "ns")):
        for minn, maxn, words, runs in ((0, 0, WORDS, 1), (2, 4, WORDS, 1), (1, 3, WORDS[1:], 2), (0, 0, WORDS[1:], 3)):
            path = folder / f"{loss}-{maxn}-{runs}.bin"
            write_model(
                path, words=words, labels=LABELS, dim=7, loss=loss, minn=minn, maxn=maxn, seed=number, word_ngrams=runs
            )
            made.append((fasttext.load_model(str(path)), FastTextModel.load(str(path))))
    return made


def assert_same(theirs: Any, ours: FastTextModel, texts: list[str], tolerance: float = 1e-5) -> None:
    for text, found in zip(texts, ours.predict([text.encode() for text in texts]), strict=True):
        labels, scores = theirs.predict(text)
        expected = labels[0].removeprefix("__label__") if labels else None
        assert found.label == expected, text
        if expected is not None:
            assert found.score == pytest.approx(float(scores[0]), abs=tolerance)
    lines = [text.encode() for text in texts]
    all_scores = {label: ours.scores(lines, label).tolist() for label in ours.labels}
    for number, text in enumerate(texts):
        labels, scores = theirs.predict(text, k=-1)
        expected = dict(zip(labels, scores, strict=True))
        for label, found in all_scores.items():
            known = float(expected.get(f"__label__{label}", 0))
            assert max(found[number], GIVEN_UP) == pytest.approx(max(known, GIVEN_UP), abs=tolerance), text


words = st.one_of(
    st.sampled_from(
        [*WORDS, "__label__en", "__label__xx", "</s>", "<", ">", "\u0301", "e\u0301", "\U0001f600", "x" * 300]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12),
)
spaces = st.sampled_from([" ", "  ", "\t", "\r", "\x0b", "\x0c", "\0", "\xa0", "\u2003"])
texts = st.lists(st.tuples(words, spaces), max_size=25).map(lambda parts: "".join(a + b for a, b in parts))


@given(st.lists(texts, min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_labels_and_scores_are_fasttexts_on_any_text(pairs: list[tuple[Any, FastTextModel]], lines: list[str]) -> None:
    for theirs, ours in pairs:
        assert_same(theirs, ours, lines)


def test_a_small_table_of_words_changes_nothing(pairs: list[tuple[Any, FastTextModel]]) -> None:
    rng = random.Random(3)
    lines = [" ".join("".join(rng.choices("abcdeäöü", k=rng.randint(1, 9))) for _ in range(40)) for _ in range(200)]
    for theirs, ours in pairs:
        small = FastTextModel(ours.file, cache_bytes=20_000)
        assert_same(theirs, small, lines)
        if ours.file.maxn:
            assert small.table.evictions > 0


def test_a_score_is_the_same_to_the_bit_whatever_was_read_before(pairs: list[tuple[Any, FastTextModel]]) -> None:
    rng = random.Random(4)
    words = ["".join(rng.choices("abcdeäöü", k=rng.randint(1, 9))) for _ in range(400)]
    texts = [" ".join(rng.choices(words, k=50)).encode() for _ in range(60)]
    for _, ours in pairs:
        alone = [FastTextModel(ours.file).predict([text])[0] for text in texts]
        used = FastTextModel(ours.file)
        used.predict([" ".join(words[::3]).encode()])
        assert used.predict(texts) == alone


def test_language_identification_is_fasttexts_on_a_corpus(corpus: Path, oracle_models: Path) -> None:
    path = sorted((corpus / "cc").glob("*.wet.gz"))[-1]
    lines = [page.body.decode().replace("\n", "") for page in read_wet(str(path)) if isinstance(page, WetRecord)]
    model = str(oracle_models / "lid.176.ftz")
    assert len(lines) > 300
    assert_same(fasttext.load_model(model), FastTextModel.load(model), lines)


def test_a_quantised_classifier_scores_as_fasttexts(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    vocabulary = [f"w{n}" for n in range(600)]
    write_model(path, words=vocabulary, labels=LABELS[:2], dim=16, minn=3, maxn=5, bucket=500)
    model = fasttext.load_model(str(path))
    model.quantize(qnorm=True, cutoff=0)
    model.save_model(str(tmp_path / "small.ftz"))
    rng = random.Random(1)
    lines = [" ".join(rng.choices([*vocabulary, "unknown", "words"], k=30)) for _ in range(50)]
    assert_same(
        fasttext.load_model(str(tmp_path / "small.ftz")), FastTextModel.load(str(tmp_path / "small.ftz")), lines
    )


@pytest.mark.parametrize("damage", ["cut", "other", "absent"])
def test_a_file_that_is_no_usable_model_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.bin"
    write_model(path, words=WORDS, labels=LABELS)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "other":
        path.write_bytes(b"PK" + bytes(200))
    elif damage == "absent":
        path.unlink()
    with pytest.raises(ModelError, match=r"model\.bin"):
        FastTextModel.load(str(path))


def test_scores_are_numbers_of_the_caller(pairs: list[tuple[Any, FastTextModel]]) -> None:
    found = pairs[0][1].predict([b"the"])[0]
    assert isinstance(found.score, float)
    assert not isinstance(found.score, np.floating)
