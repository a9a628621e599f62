"""Models of strangers: damaged by chance, or made to break in, they are refused in one sentence."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from models import CONFIG, NAMES, kinds, safetensors, trained
from soak_models import faults_of, soak

from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.stages.steps.kenlm_file import check_kenlm, load_kenlm
from llama_data.tokenizer.processor import checked_facts

KENLM = Path(__file__).resolve().parent.parent / "stages/steps/kenlm"
# Where things stand in a KenLM binary of order 3: behind the magic and the test values, the counts, the tables.
ORDER, MULTIPLIER, KIND, WORDS, VERSION, COUNTS, TABLES = 88, 92, 96, 100, 104, 108, 136


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("hf-")])
def test_a_damaged_model_is_refused_or_works(name: str) -> None:
    faults, loaded = soak(name, 0, 40)
    assert not faults
    assert loaded < 40


def test_a_damaged_folder_of_hugging_face_is_refused_or_works() -> None:
    faults, loaded = soak("hf-model-00001-of-00002", 0, 20)
    assert not faults
    assert loaded < 20


def changed(name: str, layout: str, at: int, *values: float) -> bytes:
    data = bytearray((KENLM / f"few.{name}.bin").read_bytes())
    struct.pack_into("<" + layout, data, at, *values)
    return bytes(data)


def refused(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "model"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        check_kenlm(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("name", ["probing", "trie", "quant", "array", "quantarray"])
def test_sound_models_of_kenlm_score_as_their_arpa_does(name: str) -> None:
    sentences = [line.split("\t")[1] for line in arpa().splitlines() if line.count("\t")]
    expected = load_kenlm(str(KENLM.parents[2] / "pipeline/models/golden/few.arpa"))
    found = load_kenlm(str(KENLM / f"few.{name}.bin"))
    close = 0.3 if name.startswith("quant") else 1e-5
    assert all(abs(found.score(text) - expected.score(text)) < close * len(text.split()) + close for text in sentences)


def arpa() -> str:
    return (KENLM.parents[2] / "pipeline/models/golden/few.arpa").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "layout", "at", "value", "said"),
    [
        ("probing", "B", ORDER, 0, "an order of 0"),
        ("probing", "B", ORDER, 1, "an order of 1"),
        ("probing", "B", ORDER, 200, "an order of 200"),
        ("probing", "f", MULTIPLIER, 0.5, "hash tables of 0.5 times"),
        ("probing", "f", MULTIPLIER, float("nan"), "hash tables of nan times"),
        ("probing", "f", MULTIPLIER, 1e30, "times their entries"),
        ("probing", "i", KIND, 6, "a kind of number 6"),
        ("probing", "i", KIND, -1, "a kind of number -1"),
        ("probing", "i", KIND, 1, "rest costs"),
        ("trie", "B", WORDS, 2, "neither yes nor no"),
        ("trie", "I", VERSION, 7, "tables of version 7"),
        ("trie", "Q", COUNTS, 0, "0 words"),
        ("trie", "Q", COUNTS, 1 << 40, "1,099,511,627,776 words"),
        ("trie", "Q", COUNTS + 8, 1 << 56, "damaged"),
        ("trie", "Q", COUNTS + 16, (1 << 64) - 1, "n-grams of one length"),
        ("probing", "Q", COUNTS + 16, 1 << 40, "too few for its tables"),
        ("trie", "Q", TABLES, 46, "46 words, where 45 are counted"),
        ("probing", "I", TABLES + 4, 47, "47 words, where 45 are counted"),
        ("probing", "I", TABLES, 1, "a vocabulary of version 1"),
        ("quant", "B", TABLES + 8 + 8 * 45 + 1, 26, "26 and 3 bits"),
        ("quant", "B", TABLES + 8 + 8 * 45 + 2, 0, "4 and 0 bits"),
        ("trie", "Q", TABLES + 8 + 8 * 45 + 8, 59, "outside the pairs"),
    ],
)
def test_what_a_kenlm_file_says_of_itself_is_checked(
    tmp_path: Path, name: str, layout: str, at: int, value: float, said: str
) -> None:
    assert said in refused(tmp_path, changed(name, layout, at, value))


def test_every_length_that_a_kenlm_file_may_be_cut_to_is_refused(tmp_path: Path) -> None:
    for name in ("probing", "trie", "array", "quant", "quantarray"):
        data = (KENLM / f"few.{name}.bin").read_bytes()
        end = data.index(b"<unk>\0")
        for size in (0, 1, 87, 88, 107, 120, 135, 136, *range(200, end, 97), end - 1, end, end + 5):
            refused(tmp_path, data[:size])


def test_a_hash_table_without_an_empty_slot_is_refused(tmp_path: Path) -> None:
    data = bytearray((KENLM / "few.probing.bin").read_bytes())
    slots = int(1.5 * 45)
    for slot in range(slots):
        place = TABLES + 8 + 12 * slot
        data[place] |= 1
    assert "without an empty slot" in refused(tmp_path, bytes(data))


def test_a_word_of_a_kenlm_file_is_one_that_it_has(tmp_path: Path) -> None:
    data = (KENLM / "few.probing.bin").read_bytes()
    for number, sound in ((45, True), (46, False), (0xFFFFFFFF, False)):
        other = bytearray(data)
        slot = next(at for at in range(TABLES + 8, TABLES + 800, 12) if any(data[at : at + 8]))
        struct.pack_into("<I", other, slot + 8, number)
        if sound:
            path = tmp_path / "sound"
            path.write_bytes(other)
            check_kenlm(str(path))
        else:
            assert "a word whose number is over 45" in refused(tmp_path, bytes(other))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\\data\\", "\\date\\", "neither a KenLM binary nor an ARPA file"),
        ("ngram 1=45", "ngram 1=4500000000000", "its counts need"),
        ("ngram 2=58", "ngram 3=58", "line 3: expected `ngram 2=`"),
        ("ngram 1=45", "ngram 1=" + "9" * 400, "line 2: expected"),
        ("ngram 2=58\nngram 3=59\n", "", "an order of 1"),
    ],
)
def test_what_an_arpa_file_counts_is_checked_before_memory_is_asked_for(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in refused(tmp_path, arpa().replace(old, new).encode())


def with_rules(rules: bytes) -> bytes:
    """A sound unigram model with other rules of its normaliser."""
    spec = b"\x12" + _varint(len(rules)) + rules
    return trained("unigram") + b"\x1a" + _varint(len(spec)) + spec


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _rules(units: list[int], forms: bytes = b"x\0") -> bytes:
    data = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(data)) + data + forms


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (b"\0\0\0\0", "0 bytes in 4"),
        (struct.pack("<I", 1 << 30) + bytes(1024), "1,073,741,824 bytes in 1,028"),
        (_rules([0] * 256)[:-1] + b"x", "does not end"),
        (struct.pack("<I", 1023) + bytes(1100), "1,023 bytes"),
        (_rules([1 << 20 | 1 << 10] + [0] * 255), "outside their table"),
        (_rules([0] * 255), "outside their table"),
        # A child by "a", which leads outside, and one whose text is not there.
        (_rules([*[0] * 97, 97 | 0x7FFFF << 10, *[0] * 158]), "outside their table"),
        (_rules([0x100 | 1 << 10, 0x80000000 | 77, *[0] * 254]), "a text that is not there"),
    ],
)
def test_rules_of_a_normaliser_stay_inside_their_table(rules: bytes, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        checked_facts(with_rules(rules), "model")


@pytest.mark.parametrize(("length", "sound"), [(4096, True), (4097, False), (1_000_000, False)])
def test_a_piece_is_not_so_long_that_a_trie_of_it_has_no_end(length: int, sound: bool) -> None:
    piece = b"\x0a" + _varint(length) + b"y" * length + b"\x15" + struct.pack("<f", -5.0)
    data = trained("unigram") + b"\x0a" + _varint(len(piece)) + piece
    if sound:
        assert checked_facts(data, "model").pieces[-1].text == "y" * length
    else:
        with pytest.raises(ModelError, match="longer than 4096 bytes"):
            checked_facts(data, "model")


ONE = {"x": ("F32", [2, 2], bytes(16))}


def headed(**changes: Any) -> bytes:
    """A file of safetensors whose only tensor states other things than are there."""
    header = json.dumps({"x": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16], **changes}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "a header of 0 bytes in a file of 0"),
        (struct.pack("<Q", 1 << 62) + b"{}", "a header of 4,611,686,018,427,387,904 bytes"),
        (safetensors(ONE)[:-1], "16 bytes of tensors by its header, 15 behind it"),
        (safetensors(ONE) + b"\0", "16 bytes of tensors by its header, 17 behind it"),
        (headed(data_offsets=[0, 1 << 62]), "damaged"),
        (headed(data_offsets=[16, 0]), "damaged"),
        (headed(data_offsets=[-16, 0]), "without a place"),
        (headed(data_offsets=[1, 17]), "from byte 1 on"),
        (headed(shape=[1 << 33, 1 << 33]), "damaged"),
        (headed(shape=[2, -2]), "without a shape"),
        (headed(shape=[1] * 17 + [4]), "without a shape"),
        (headed(dtype="Q9"), "of the kind 'Q9'"),
        (struct.pack("<Q", 200_000) + b"[" * 200_000, "not JSON as it should be"),
        (struct.pack("<Q", 15) + b'{"x":1, "x": 2}', "a key twice"),
    ],
)
def test_what_a_file_of_safetensors_states_is_checked(tmp_path: Path, data: bytes, said: str) -> None:
    weights = pytest.importorskip("llama_data.train_handoff.trainer.huggingface.weights")
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        weights.read_header(path)
    assert str(path) in str(caught.value)


def test_two_tensors_do_not_share_bytes(tmp_path: Path) -> None:
    weights = pytest.importorskip("llama_data.train_handoff.trainer.huggingface.weights")
    tensor = {"dtype": "U8", "shape": [16], "data_offsets": [0, 16]}
    header = json.dumps({"x": tensor, "y": tensor}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(InputError, match="y from byte 0 on, where the one before ends at 16"):
        weights.read_header(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model-00001-of-00002", "model-00002-of-00002", "config", "index"):
        data = kinds()[f"hf-{name}"].data
        file = {"config": "config.json", "index": "model.safetensors.index.json"}.get(name, f"{name}.safetensors")
        (tmp_path / file).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "a/b", "..", ".", "", 7, None, ["x"]])
def test_an_index_names_only_files_beside_it(folder: Path, name: Any) -> None:
    pretrained = pytest.importorskip("llama_data.train_handoff.trainer.huggingface.pretrained")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(InputError, match="expected the name of a file beside it"):
        pretrained.weight_files(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_hidden_layers": 100_000}, "num_hidden_layers is 100,000; the weights have 2 layers"),
        ({"num_hidden_layers": 10**30}, "expected a whole number from 1 to"),
        ({"max_position_embeddings": 10**12}, "expected a whole number from 1 to"),
        ({"vocab_size": 10_000_000}, "by config.json it is"),
        ({"intermediate_size": 16_000_000}, "the weights hold"),
        ({"rms_norm_eps": float("inf")}, "expected a number above 0"),
        ({"rope_parameters": [1]}, "needs rope_type default"),
    ],
)
def test_sizes_in_config_json_are_those_of_the_weights(folder: Path, changes: dict[str, Any], said: str) -> None:
    pretrained = pytest.importorskip("llama_data.train_handoff.trainer.huggingface.pretrained")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    with pytest.raises(InputError, match=said):
        pretrained.load_huggingface(folder)


def test_a_fasttext_matrix_of_no_rows_and_more_columns_than_there_are_bytes_is_refused(tmp_path: Path) -> None:
    """Found by the long form: its 500 seeds of fastText's models hold one."""
    assert faults_of("fasttext", 352, 1, str(tmp_path / "mark"))["faults"] == []
