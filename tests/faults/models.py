"""Models that strangers hand over: for each kind a sound one, and what a run does with it."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent
TEXTS = [
    "",
    "a",
    "the cat sat on the mat 1234",
    "Straße \uff46\uff55\uff4c\uff4c ﬁ 日本\u2581語 \x00\U0001f600",
    "word " * 200,
]
SENTENCES = [
    f"the {noun} {verb} over {number} lazy {other}s in ﬁne Straßen"
    for number, (noun, verb) in enumerate(
        (noun, verb)
        for noun in ("cat", "dog", "bird", "tree", "stone")
        for verb in ("runs", "jumps", "sleeps", "falls")
    )
    for other in ("fox", "horse", "house", "boat")
]


class Kind(NamedTuple):
    """``data``: a sound file; ``use``: loads what such a file became and works with it, given its path and a folder."""

    data: bytes
    use: Callable[[Path], None]


def _kenlm(path: Path) -> None:
    from llama_data.stages.steps.kenlm_file import load_kenlm

    model = load_kenlm(str(path))
    for text in (*TEXTS, *SENTENCES, *_words()):
        model.score(text.replace("\0", " "))


@cache
def _words() -> list[str]:
    """Texts of the model's own words, so that every order is looked up."""
    arpa = (TESTS / "pipeline/models/golden/few.arpa").read_text("utf-8").splitlines()
    grams = [line.split("\t")[1] for line in arpa if line.count("\t")]
    return [*grams, " ".join(grams)]


def _pieces(path: Path) -> None:
    from llama_data.stages.steps.kernels.lm_text import normalise_bytes
    from llama_data.tokenizer.unigram.encode import PieceEncoder

    encoder = PieceEncoder(str(path), cache_bytes=1 << 20)
    for text in (*TEXTS, *SENTENCES[:5]):
        encoder.encode(normalise_bytes(text.encode()))
        encoder.processor.decode(encoder.processor.encode(text))


def _tokenizer(path: Path) -> None:
    from llama_data.tokenizer.bpe.encode import FastEncoder

    encoder = FastEncoder(str(path), max_table_bytes=1 << 20)
    for text in (*TEXTS, *SENTENCES[:5]):
        encoder.oracle.decode([int(id) for id in encoder.encode(text)])


def _fasttext(path: Path) -> None:
    from llama_data.stages.fasttext.model import FastTextModel

    FastTextModel.load(str(path)).predict([text.encode() for text in TEXTS])


def _huggingface(name: str) -> Callable[[Path], None]:
    def use(path: Path) -> None:
        from llama_data.train_handoff.trainer.huggingface.pretrained import load_huggingface

        folder = path.parent / f"{path.name}-folder"
        folder.mkdir(exist_ok=True)
        for file, data in _folder().items():
            (folder / file).write_bytes(path.read_bytes() if file == name else data)
        load_huggingface(folder)

    return use


CONFIG = {
    "model_type": "llama",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "vocab_size": 50,
    "max_position_embeddings": 32,
    "rms_norm_eps": 1e-5,
}


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    """A file of safetensors, written here byte by byte."""
    header, at = {}, 0
    for name, (kind, shape, data) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


@cache
def _folder() -> dict[str, bytes]:
    """A Hugging Face folder of a small model, its weights in two files."""
    dim, inner, vocabulary = 16, 48, 50
    shapes = {"model.embed_tokens.weight": [vocabulary, dim], "model.norm.weight": [dim], "lm_head.weight": [50, dim]}
    for layer in range(2):
        for name in ("q", "k", "v", "o"):
            shapes[f"model.layers.{layer}.self_attn.{name}_proj.weight"] = [dim, dim]
        for name in ("gate", "up"):
            shapes[f"model.layers.{layer}.mlp.{name}_proj.weight"] = [inner, dim]
        shapes[f"model.layers.{layer}.mlp.down_proj.weight"] = [dim, inner]
        for name in ("input", "post_attention"):
            shapes[f"model.layers.{layer}.{name}_layernorm.weight"] = [dim]
    names = list(shapes)
    halves = (names[:8], names[8:])
    files = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    found = {
        file: safetensors({name: ("BF16", shapes[name], bytes(2 * _size(shapes[name]))) for name in half})
        for file, half in zip(files, halves, strict=True)
    }
    placed = {name: file for file, half in zip(files, halves, strict=True) for name in half}
    found["model.safetensors.index.json"] = json.dumps({"weight_map": placed}).encode()
    found["config.json"] = json.dumps(CONFIG).encode()
    return found


def _size(shape: list[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


@cache
def trained(kind: str) -> bytes:
    """A SentencePiece model of a few sentences: with the normaliser's rules of NFKC, or falling back to bytes."""
    import sentencepiece

    model = io.BytesIO()
    bpe = {"normalization_rule_name": "identity", "byte_fallback": True, "remove_extra_whitespaces": False}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 5),
        model_writer=model,
        model_type=kind,
        vocab_size=340 if kind == "bpe" else 80,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
        **(bpe if kind == "bpe" else {"normalization_rule_name": "nmt_nfkc"}),
    )
    return model.getvalue()


def _fasttext_file() -> bytes:
    import tempfile

    from fasttext_writer import write_model

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        write_model(path, words=["the", "cat"], labels=["__label__a", "__label__b"], dim=4, loss="softmax", bucket=20)
        return path.read_bytes()


def kinds() -> dict[str, Kind]:
    """Every kind of file, by its name."""
    binaries = sorted((TESTS / "stages/steps/kenlm").glob("few.*.bin"))
    return {
        **{f"kenlm-{path.name.split('.')[1]}": Kind(path.read_bytes(), _kenlm) for path in binaries},
        "arpa": Kind((TESTS / "pipeline/models/golden/few.arpa").read_bytes(), _kenlm),
        "unigram": Kind(trained("unigram"), _pieces),
        "bpe": Kind(trained("bpe"), _tokenizer),
        "fasttext": Kind(_fasttext_file(), _fasttext),
        **{
            f"hf-{name.split('.')[0]}": Kind(data, _huggingface(name))
            for name, data in _folder().items()
            if name != "model.safetensors.index.json"
        },
        "hf-index": Kind(_folder()["model.safetensors.index.json"], _huggingface("model.safetensors.index.json")),
    }


NAMES = (
    *(f"kenlm-{kind}" for kind in ("array", "probing", "quant", "quantarray", "trie")),
    *("arpa", "unigram", "bpe", "fasttext"),
    *("hf-model-00001-of-00002", "hf-model-00002-of-00002", "hf-config", "hf-index"),
)
