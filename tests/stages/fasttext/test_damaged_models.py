"""A model file that is damaged, by chance or on purpose, is refused before a kernel takes anything of it on trust."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from fasttext_writer import write_model

from llama_data.pipeline.core.errors import ModelError
from llama_data.stages.fasttext.model import FastTextModel

WORDS = ["</s>", "the", "of", "Straße", "日本", "a", "longwordlongword"]
LABELS = ["__label__en", "__label__de", "__label__ja"]
TEXTS = ["the of Straße xyz </s> a".encode(), b"the a ab longwordlongword \xff\xfe 12", "日本 naïve".encode()]
BUCKET, DIM = 100, 8
# Where things stand in a file of fasttext_writer.
HEADER = struct.calcsize("<ii12id")
ENTRIES = HEADER + struct.calcsize("<iiiqq")
DICTIONARY = sum(len(text.encode()) + 10 for text in (*WORDS, *LABELS))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for loss, minn, maxn in (("hs", 2, 4), ("softmax", 0, 0), ("ova", 1, 3)):
        path = folder / f"{loss}.bin"
        write_model(path, words=WORDS, labels=LABELS, dim=DIM, loss=loss, minn=minn, maxn=maxn, bucket=BUCKET)
        made[loss] = path.read_bytes()
    made["quantised"] = quantised(made["softmax"])
    return made


def quantised(dense: bytes, *, pruned: tuple[tuple[int, int], ...] = ((3, 0), (70, 1)), parts: int = 4) -> bytes:
    """The same dictionary with n-grams of 1 to 3 characters, pruned, over a product-quantised matrix."""
    rng = np.random.default_rng(1)
    rows = len(WORDS) + 2
    data = bytearray(dense[: ENTRIES + DICTIONARY])
    struct.pack_into("<ii", data, 8 + 4 * 9, 1, 3)
    struct.pack_into("<q", data, ENTRIES - 8, len(pruned))
    data += b"".join(struct.pack("<ii", *pair) for pair in pruned)
    codes = rng.integers(0, 256, parts * rows, np.uint8).tobytes()
    data += b"\1\1" + struct.pack("<qqi", rows, DIM, len(codes)) + codes
    data += struct.pack("<iiii", DIM, 4, 2, 2) + rng.normal(size=DIM * 256).astype("<f4").tobytes()
    data += bytes(rng.integers(0, 256, rows, np.uint8)) + struct.pack("<iiii", 1, 1, 1, 1)
    data += rng.normal(size=256).astype("<f4").tobytes()
    output = rng.normal(size=(len(LABELS), DIM)).astype("<f4").tobytes()
    return bytes(data) + b"\0" + struct.pack("<qq", len(LABELS), DIM) + output


def load(path: Path, data: bytes) -> FastTextModel:
    path.write_bytes(data)
    model = FastTextModel.load(str(path))
    model.predict(TEXTS)
    return model


def changed(data: bytes, layout: str, at: int, *values: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into("<" + layout, copy, at, *values)
    return bytes(copy)


def test_sound_models_are_read(tmp_path: Path, files: dict[str, bytes]) -> None:
    for data in files.values():
        assert load(tmp_path / "m", data).labels == ("en", "de", "ja")


@pytest.mark.parametrize(
    ("layout", "at", "values", "said"),
    [
        ("i", 8, (0,), "vectors of 0 numbers"),
        ("i", 8, (-8,), "vectors of -8 numbers"),
        ("i", 8, (9,), "do not fit"),
        ("i", 8 + 4 * 6, (0,), "a loss of number 0"),
        ("i", 8 + 4 * 6, (5,), "a loss of number 5"),
        ("i", 8 + 4 * 8, (-1,), "-1 buckets"),
        ("i", 8 + 4 * 8, (BUCKET + 1,), "rows for 7 words and 101 buckets"),
        ("i", 8 + 4 * 8, (2**31 - 1,), "buckets"),
        ("i", 8 + 4 * 9, (-1,), "n-grams of -1 to 4"),
        ("i", 8 + 4 * 10, (-1,), "n-grams of 2 to -1"),
        ("i", 8 + 4 * 10, (1 << 30,), "n-grams of 2 to"),
        ("iii", HEADER, (10, 8, 2), "words among the labels"),
        ("iii", HEADER, (10, 10, 0), "10 words and 0 labels of 10"),
        ("iii", HEADER, (10, -1, 11), "-1 words and 11 labels"),
        ("iii", HEADER, (-1, -1, 0), "-1 words"),
        ("iii", HEADER, (2**31 - 1, 2**31 - 2, 1), "a dictionary of 2147483647 entries"),
        ("q", ENTRIES + DICTIONARY - 9, (-1,), "counts of labels"),
        ("q", ENTRIES + DICTIONARY - 9, (10**15,), "counts of labels"),
        ("q", ENTRIES + DICTIONARY + 1, (-1,), "a matrix of -1 rows"),
        ("q", ENTRIES + DICTIONARY + 1, (1 << 62,), "ends too early"),
        ("q", ENTRIES + DICTIONARY + 9, (0,), "0 columns"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(
    tmp_path: Path, files: dict[str, bytes], layout: str, at: int, values: tuple[int, ...], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        load(tmp_path / "m", changed(files["hs"], layout, at, *values))


@pytest.mark.parametrize(
    "pruned", [((100, 0), (70, 1)), ((-1, 0), (70, 1)), ((3, 2), (70, 1)), ((3, 0), (70, -1)), ((3, 0), (70, 1 << 30))]
)
def test_pruned_ngrams_that_lead_outside_are_refused(
    tmp_path: Path, files: dict[str, bytes], pruned: tuple[tuple[int, int], ...]
) -> None:
    with pytest.raises(ModelError, match="pruned n-grams out of range"):
        load(tmp_path / "m", quantised(files["softmax"], pruned=pruned))


def test_codes_that_do_not_fit_are_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    sound = files["quantised"]
    at = sound.index(struct.pack("<iiii", DIM, 4, 2, 2))
    for dim, parts, width in ((DIM + 1, 4, 2), (DIM, 3, 2), (DIM, 5, 2), (DIM, 4, 3), (DIM, 4, 0), (DIM, -4, 2)):
        with pytest.raises(ModelError, match="codes of"):
            load(tmp_path / "m", changed(sound, "iii", at, dim, parts, width))


def test_a_label_named_like_a_line_end_is_no_word(tmp_path: Path) -> None:
    write_model(tmp_path / "m", words=["the"], labels=["</s>", "__label__b"], dim=DIM, bucket=0)
    model = FastTextModel.load(str(tmp_path / "m"))
    assert model.predict([b"nothing known"])[0].label is None
    assert model.predict([b"the"])[0].label is not None


def test_any_damage_is_refused_or_harmless(tmp_path: Path, files: dict[str, bytes]) -> None:
    draw = random.Random(7)
    refused = 0
    for _ in range(500):
        data = bytearray(draw.choice(list(files.values())))
        for _ in range(draw.choice([1, 1, 2, 8])):
            # Half of it where the numbers stand.
            at = draw.randrange(300) if draw.random() < 0.5 else draw.randrange(len(data))
            data[at] = draw.choice([0, 0x7F, 0x80, 0xFF, data[at] ^ (1 << draw.randrange(8))])
        if draw.random() < 0.1:
            del data[draw.randrange(len(data)) :]
        try:
            load(tmp_path / "m", bytes(data))
        except ModelError:
            refused += 1
    assert 100 < refused < 450


@pytest.mark.parametrize("name", ["absent", ""])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="no fastText model here"):
        FastTextModel.load(str(tmp_path / name))
