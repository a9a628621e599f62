"""Evaluation: the right tokens, the right bytes, the same for any number of processes, and what was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from typer.testing import CliRunner
from workshop import Workshop

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import ModelConfig
from llama_data.train_handoff.trainer.measure.held_out import rows_of
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import Record, read_record

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer import checkpoint  # noqa: E402
from llama_data.train_handoff.trainer.huggingface import export as huggingface  # noqa: E402
from llama_data.train_handoff.trainer.model import Llama  # noqa: E402

SMALL = ModelConfig(dim=32, n_heads=4, n_layers=2, vocab_size=500, seq_len=32, multiple_of=32)

Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def model_path(mix: Path, tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after 100 rows of the mix."""
    model = Llama(SMALL)
    model.init_weights(1)
    with torch.no_grad():
        model.output.weight.mul_(20)  # so that losses differ from token to token
    record = Record(
        step=25,
        rows=100,
        fingerprint=Mixture(str(mix)).fingerprint,
        seed=1,
        tokenizer_sha256=sha256(tokenizer.read_bytes()).hexdigest(),
        model=SMALL.model_dump(),
    )
    path = tmp_path_factory.mktemp("model") / "checkpoint"
    checkpoint.save_weights(path, record, model)
    return path


@pytest.fixture
def evaluate(model_path: Path, tokenizer: Path, tmp_path: Path) -> Evaluate:
    """The command's JSON for these arguments."""

    def run(*arguments: str | Path) -> dict[str, Any]:
        known = ["evaluate", str(model_path), "--device", "cpu", "--tokenizer", str(tokenizer.parent)]
        command = [*known, *map(str, arguments), "--json", str(tmp_path / "figures.json")]
        done = CliRunner().invoke(app, command)
        if done.exception is not None:
            raise done.exception
        found: dict[str, Any] = json.loads((tmp_path / "figures.json").read_text())
        assert f"{found['all']['loss']:.4f}" in done.output
        return found

    return run


def losses(path: Path, ids: list[int]) -> np.ndarray:
    """Loss of each id but the first, the plain way."""
    model, _ = huggingface.load_model(path)
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]]))[0]
    found = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
    return np.asarray(found.double().numpy())


def test_a_mix_is_evaluated_on_its_held_out_rows(evaluate: Evaluate, model_path: Path, mix: Path) -> None:
    found = evaluate("--data", mix, "--micro-rows", "5")
    shard = Mixture(str(mix)).validation()["books"]
    rows = [[int(id) for id in shard[index]] for index in range(len(shard))]
    every = np.concatenate([losses(model_path, row) for row in rows])
    assert list(found["domains"]) == ["books"]
    assert found["all"] == found["domains"]["books"]
    assert (found["all"]["windows"], found["all"]["tokens"]) == (len(rows), len(every))
    assert found["all"]["loss"] == pytest.approx(every.mean(), rel=1e-5)
    assert found["all"]["perplexity"] == pytest.approx(math.exp(every.mean()), rel=1e-4)
    assert found["windows_trained_on"] == 0
    assert "held out" in found["on"]
    stream = rows[0] + [id for row in rows[1:] for id in row[1:]]
    special = np.isin(stream[1:], [1, 2])
    assert special.sum() == 4
    assert found["all"]["bits_per_byte"] == pytest.approx(
        every[~special].sum() / math.log(2) / found["all"]["bytes"], rel=1e-5
    )


def test_bytes_of_rows_are_those_of_the_text_they_stand_for(
    mix: Path, tokenizer: Path, model_path: Path, held_out_texts: list[str]
) -> None:
    pieces = Pieces(tokenizer.parent)
    windows = rows_of(str(mix), read_record(model_path), model_path, rows=None, limit=None, pieces=pieces)
    ids = [int(id) for index in range(len(windows)) for id in windows[index].ids[1:]]
    begins = [0, *(place + 1 for place, id in enumerate(ids) if id == 1), len(ids)]
    found = [pieces.model.decode([id for id in ids[a:b] if id > 2]) for a, b in pairwise(begins)]
    assert found[:2] == held_out_texts[:2]
    assert held_out_texts[2].startswith(found[2])
    assert sum(windows[index].text_bytes for index in range(len(windows))) == len("".join(found).encode())


def test_two_processes_find_exactly_what_one_finds(evaluate: Evaluate, mix: Path, workshop: Workshop) -> None:
    arguments = ("--data", mix, "--rows", "3:36", "--micro-rows", "4")
    with workshop.instead():
        assert evaluate(*arguments, "--nproc", "2") == evaluate(*arguments)


def test_texts_of_any_length_are_read_alone(
    evaluate: Evaluate, model_path: Path, tokenizer: Path, words: list[str], tmp_path: Path
) -> None:
    texts = {"long": " ".join(words[:90]), "short": f"{words[3]} é", "one": words[5]}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    found = evaluate(*(part for name in texts for part in ("--text", tmp_path / f"{name}.txt")))
    pieces = Pieces(tokenizer.parent)
    for name, text in texts.items():
        ids = [1, *pieces.model.encode(text)]
        every = np.concatenate([losses(model_path, ids[at : at + 33]) for at in range(0, len(ids) - 1, 32)])
        figures = found["domains"][f"{name}.txt"]
        assert (figures["tokens"], figures["bytes"]) == (len(ids) - 1, len(text.encode()))
        assert figures["loss"] == pytest.approx(every.mean(), rel=1e-5)
        assert figures["bits_per_byte"] == pytest.approx(every.sum() / math.log(2) / len(text.encode()), rel=1e-5)
    assert found["domains"]["long.txt"]["windows"] > 1
    assert found["all"]["tokens"] == sum(figures["tokens"] for figures in found["domains"].values())
    assert found["windows_trained_on"] is None


def test_documents_are_evaluated_by_their_domain(evaluate: Evaluate, words: list[str], tmp_path: Path) -> None:
    lines = [
        {"id": "1", "text": words[0], "metadata": {"domain": "books"}},
        {"id": "2", "text": words[1], "metadata": {"domain": "arxiv"}},
        {"id": "3", "text": words[2], "metadata": {"domain": "books"}},
        {"id": "4", "text": words[3]},
    ]
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (tmp_path / "some.jsonl.zst").write_bytes(zstandard.compress(data))
    found = evaluate("--text", tmp_path / "some.jsonl.zst")
    assert {name: figures["windows"] for name, figures in found["domains"].items()} == {
        "books": 2,
        "arxiv": 1,
        "some.jsonl.zst": 1,
    }


def test_shards_are_taken_as_they_are(evaluate: Evaluate, mix: Path) -> None:
    folder = mix.parent / "tokens" / "arxiv"
    some, limited = evaluate("--data", folder, "--rows", "10:14"), evaluate("--data", folder, "--limit", "3")
    assert (some["all"]["windows"], limited["all"]["windows"]) == (4, 3)
    assert list(some["domains"]) == ["arxiv"]
    assert evaluate("--data", folder / "00000.parquet", "--rows", "10:14")["all"] == some["all"]
    assert some["windows_trained_on"] is None


@pytest.mark.parametrize("consumed", [0, 1, 30, 47, 48, 60, 119, 120])
def test_what_was_trained_on_is_counted_through_repetitions(
    repeating_mix: Path, tokenizer: Path, model_path: Path, consumed: int
) -> None:
    mixture = Mixture(str(repeating_mix))
    places = [
        pair
        for number in range(len(mixture.record["shards"]))
        for pair in zip(
            mixture.shard(number).column("origin_shard").to_pylist(),
            mixture.shard(number).column("origin_row").to_pylist(),
            strict=True,
        )
    ]
    assert len(set(places)) < len(places) / 2
    record = replace(read_record(model_path), fingerprint=mixture.fingerprint, rows=consumed)
    trained = set(places[:consumed])
    for begin, end in ((0, 120), (0, 5), (25, 60), (50, 120), (119, 120)):
        windows = rows_of(str(repeating_mix), record, model_path, rows=(begin, end), limit=None, pieces=None)
        assert windows.seen == sum(place in trained for place in places[begin:end])
        assert f"trained on {windows.seen} of these {end - begin}" in windows.what


def test_what_training_saw_is_not_claimed_of_another_mix(mix: Path, model_path: Path) -> None:
    record = read_record(model_path)
    for changed, said in (
        (replace(record, fingerprint="another"), "trained on another mix"),
        (replace(record, fingerprint=""), "imported"),
        (replace(record, origin={"checkpoint": "earlier"}), "seen before that run is not known"),
    ):
        for rows in (None, (0, 8)):
            windows = rows_of(str(mix), changed, model_path, rows=rows, limit=None, pieces=None)
            assert said in windows.what
            assert (windows.seen is None) == (changed.origin is None)


def test_without_a_tokenizer_there_are_no_bytes(model_path: Path, mix: Path, tmp_path: Path) -> None:
    command = ["evaluate", str(model_path), "--data", str(mix), "--device", "cpu", "--limit", "2"]
    done = CliRunner().invoke(app, [*command, "--json", str(tmp_path / "f.json")])
    found = json.loads((tmp_path / "f.json").read_text())
    assert done.exit_code == 0
    assert found["all"]["windows"] == 2
    assert found["all"]["bytes"] is None
    assert found["all"]["bits_per_byte"] is None


def test_the_document_mask_reaches_the_model(evaluate: Evaluate, mix: Path) -> None:
    plain, masked = (evaluate("--data", mix, "--rows", "0:8", *extra) for extra in ((), ("--document-mask",)))
    assert plain["all"]["loss"] != masked["all"]["loss"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), RequestError, "--data .* or --text"),
        (("--data", "MIX", "--text", "a.txt"), RequestError, "one of the two"),
        (("--data", "MIX", "--rows", "7"), RequestError, "--rows 7: expected A:B"),
        (("--data", "MIX", "--rows", "500:513"), RequestError, r"--rows 500:513: .*has rows 0 to 511"),
        (("--data", "MIX", "--rows", "0:4", "--limit", "2"), RequestError, "give one of the two"),
        (("--data", "MIX", "--dtype", "int8"), RequestError, "--dtype int8: expected float32 or bfloat16"),
        (("--data", "nowhere"), InputError, r"nowhere: expected the folder of a mix"),
        (("--data", "REPEATING"), InputError, r"no held-out rows .*--rows A:B \(it has rows 0 to 119"),
        (("--text", "missing.txt"), InputError, r"missing\.txt: no such file"),
        (("--text", "latin.txt"), InputError, r"latin\.txt: not UTF-8 text: byte 1 is 0xe9"),
        (("--text", "empty.txt"), InputError, r"empty\.txt: there is no text in it"),
        (("--text", "cut.txt.zst"), InputError, r"cut\.txt\.zst: the file is damaged"),
        (("--text", "bad.jsonl"), InputError, r"bad\.jsonl: line 2: not a document"),
    ],
)
def test_what_cannot_be_evaluated_is_named(
    evaluate: Evaluate,
    mix: Path,
    repeating_mix: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latin.txt").write_bytes(b"h\xe9")
    Path("empty.txt").touch()
    Path("cut.txt.zst").write_bytes(zstandard.compress(b"some text" * 1000)[:-4])
    Path("bad.jsonl").write_text('{"text": "one"}\n{"body": "two"}\n')
    known = {"MIX": str(mix), "REPEATING": str(repeating_mix)}
    with pytest.raises(error, match=message):
        evaluate(*(known.get(argument, argument) for argument in arguments))


def test_models_rows_and_tokenizers_have_to_belong_together(
    model_path: Path, mix: Path, tmp_path: Path, tokenizer: Path
) -> None:
    record = read_record(model_path)
    other = replace(record, tokenizer_sha256="1" * 64)
    with pytest.raises(RequestError, match="own tokenizer"):
        rows_of(str(mix), other, model_path, rows=None, limit=None, pieces=None)
    (tmp_path / "tokenizer.model").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"tokenizer\.model: not a SentencePiece model"):
        Pieces(tmp_path)
    with pytest.raises(InputError, match=r"none/tokenizer\.model: no such file"):
        Pieces(tmp_path / "none")
    done = CliRunner().invoke(app, ["evaluate", str(model_path), "--text", str(tokenizer)])
    assert "give its folder as --tokenizer" in str(done.exception)
    with pytest.raises(InputError, match="neither a checkpoint nor a training folder"):
        raise CliRunner().invoke(app, ["evaluate", str(tmp_path), "--data", str(mix)]).exception or AssertionError


def test_a_damaged_checkpoint_is_named(model_path: Path, mix: Path, tmp_path: Path) -> None:
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(model_path, broken)
    part = next(broken.glob("*.distcp"))
    part.write_bytes(part.read_bytes()[:-5000])
    done = CliRunner().invoke(app, ["evaluate", str(broken), "--data", str(mix), "--device", "cpu"])
    assert isinstance(done.exception, InputError)
    assert "broken: the checkpoint's tensors cannot be read" in str(done.exception)
