"""The n-gram estimator against lmplz's output and against a plain transcription of the formulas."""

from __future__ import annotations

import io
import itertools
import logging
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.models.kneser_ney import FALLBACK, KneserNey, read_sentences

GOLDEN = Path(__file__).parent / "golden"
Entries = list[tuple[str, float, float]]


def parse(arpa: bytes) -> list[Entries]:
    """(n-gram, log10 probability, log10 backoff) of each order, in the order of the file."""
    orders: list[Entries] = []
    for line in arpa.decode().splitlines():
        if line.startswith("\\") and line.endswith("-grams:"):
            orders.append([])
        elif orders and "\t" in line:
            fields = line.split("\t")
            orders[-1].append((fields[1], float(fields[0]), float(fields[2]) if len(fields) == 3 else 0.0))
    return orders


def estimate(lines: list[bytes], order: int, prune: tuple[int, ...] = (0,)) -> list[Entries]:
    stream = io.BytesIO()
    KneserNey(order=order, prune=prune).fit(read_sentences(lines)).write_arpa(stream)
    return parse(stream.getvalue())


@pytest.mark.parametrize(
    ("arpa", "text", "order", "prune"),
    [
        ("order3.arpa", "sentences.txt", 3, (0,)),
        ("order4-prune-0-0-1.arpa", "sentences.txt", 4, (0, 0, 1)),
        ("few.arpa", "few.txt", 3, (0,)),
    ],
)
def test_agrees_with_lmplz(arpa: str, text: str, order: int, prune: tuple[int, ...]) -> None:
    ours = estimate((GOLDEN / text).read_bytes().splitlines(), order, prune)
    theirs = parse((GOLDEN / arpa).read_bytes())
    assert len(ours) == len(theirs) == order
    for our, their in zip(ours, theirs, strict=True):
        assert [entry[0] for entry in our] == [entry[0] for entry in their]
        for (_, p, b), (_, q, c) in zip(our, their, strict=True):
            assert p == pytest.approx(q, abs=2e-6)
            assert b == pytest.approx(c, abs=2e-6)


def test_header_counts_what_follows() -> None:
    stream = io.BytesIO()
    lines = (GOLDEN / "sentences.txt").read_bytes().splitlines()
    sizes = KneserNey(order=3, prune=(0, 0, 1)).fit(read_sentences(lines)).write_arpa(stream, digits=3)
    text = stream.getvalue()
    assert text.startswith(b"\\data\\\n" + b"".join(b"ngram %d=%d\n" % (n + 1, sizes[n]) for n in range(3)))
    assert text.endswith(b"\n\\end\\\n")
    assert [len(order) for order in parse(text)] == sizes


def plain_model(lines: list[list[str]], order: int, prune: list[int]) -> dict[tuple[str, ...], float]:
    """Probabilities of all kept n-grams by the formulas, with dictionaries. Needs prune[0] == 0."""
    full: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(order + 1)]
    for words in lines:
        padded = ["<s>", *words, "</s>"]
        for end in range(1, len(padded)):
            for n in range(1, min(order, end + 1) + 1):
                full[n][tuple(padded[end - n + 1 : end + 1])] += 1
    adjusted = [Counter(counts) for counts in full]
    for n in range(1, order):
        left = Counter(gram[1:] for gram in full[n + 1])
        for gram in full[n]:
            if gram[0] != "<s>":
                adjusted[n][gram] = left[gram]
    ids: dict[str, int] = {"<s>": 1, "</s>": 2}
    for word in itertools.chain.from_iterable(lines):
        ids.setdefault(word, len(ids) + 1)
    highest = [max(full[n], key=lambda gram: [ids[word] for word in reversed(gram)]) for n in range(1, order + 1)]
    vocabulary = {gram[0] for gram in full[1]} | {"<unk>"}
    probability: dict[tuple[str, ...], float] = {}
    for n in range(1, order + 1):
        # lmplz counts the last n-gram of an order fully as long as it ends with the last one of the order below.
        counts = dict(adjusted[n])
        if all(highest[k][1:] == highest[k - 1] for k in range(1, n)):
            counts[highest[n - 1]] = full[n][highest[n - 1]]
        discount = plain_discounts(list(counts.values()))
        kept = {gram for gram in full[n] if n == 1 or full[n][gram] > prune[n - 1]}
        for gram in kept | ({("<unk>",)} if n == 1 else set()):
            group = [other for other in full[n] if other[:-1] == gram[:-1]]
            total = sum(adjusted[n][other] for other in group)
            spare = sum(
                discount[min(adjusted[n][other], 3)] if other in kept else adjusted[n][other] for other in group
            )
            own = (adjusted[n][gram] - discount[min(adjusted[n][gram], 3)]) / total if gram in full[n] else 0.0
            below = probability[gram[1:]] if n > 1 else 1 / len(vocabulary)
            probability[gram] = own + spare / total * below
    return probability


def plain_discounts(counts: list[int]) -> list[float]:
    n = [counts.count(value) for value in range(5)]
    if n[1] and n[2] and n[3]:
        y = n[1] / (n[1] + 2 * n[2])
        found = [0.0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))]
        if all(0 <= found[j] <= j for j in (1, 2, 3)):
            return found
    return [0.0, *FALLBACK]


SENTENCES = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(SENTENCES, st.sampled_from([(2, [0, 0]), (3, [0, 0, 0]), (3, [0, 0, 1]), (4, [0, 1, 1, 2])]))
def test_equals_the_plain_formulas(lines: list[list[str]], shape: tuple[int, list[int]]) -> None:
    assume(any(lines))
    order, prune = shape
    expected = plain_model(lines, order, prune)
    found = estimate([" ".join(line).encode() for line in lines], order, tuple(prune))
    ours = {tuple(gram.split()): 10**p for gram, p, _ in itertools.chain.from_iterable(found)}
    ours.pop(("<s>",))
    assert ours.keys() == expected.keys()
    for gram, value in expected.items():
        assert ours[gram] == pytest.approx(value, rel=2e-5), gram


def test_probabilities_of_a_context_sum_to_one(tmp_path: Path) -> None:
    kenlm = pytest.importorskip("kenlm")
    lines = (GOLDEN / "sentences.txt").read_bytes().splitlines()
    model = KneserNey(order=3, prune=(0, 0, 1)).fit(read_sentences(lines))
    path = tmp_path / "model.arpa"
    with open(path, "wb") as stream:
        model.write_arpa(stream)
    loaded = kenlm.Model(str(path))
    words = [word.decode() for word in model.words if word != b"<s>"]
    for context in ("<s>", "the", "of", "a"):
        before = kenlm.State()
        loaded.BeginSentenceWrite(before)
        after = kenlm.State()
        if context != "<s>":
            loaded.BaseScore(before, context, after)
            before = after
        total = sum(10 ** loaded.BaseScore(before, word, kenlm.State()) for word in words)
        assert total == pytest.approx(1.0, abs=1e-4)


def test_says_when_discounts_fall_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        KneserNey(order=2).fit(read_sentences([b"a b", b"a c"]))
    assert "too few counts for its discounts" in caplog.text


@pytest.mark.parametrize("line", [b"a <s> b", b"<unk>", b"a </s>"])
def test_refuses_words_with_a_special_meaning(line: bytes) -> None:
    with pytest.raises(InputError, match="sentence 2 holds one of"):
        read_sentences([b"a", line])


def test_refuses_no_text() -> None:
    with pytest.raises(InputError, match="no text to train on"):
        read_sentences([])


@pytest.mark.parametrize(("order", "prune"), [(1, (0,)), (3, (1,)), (3, (0, 2, 1)), (2, (0, 0, 0)), (3, ())])
def test_refuses_orders_and_prunings_that_make_no_sense(order: int, prune: tuple[int, ...]) -> None:
    if prune == ():
        assert KneserNey(order=order, prune=prune).thresholds == [0, 0, 0]
    else:
        with pytest.raises(RequestError, match="cannot estimate order"):
            KneserNey(order=order, prune=prune)
