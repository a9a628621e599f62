"""A checkpoint becomes a Hugging Face folder: shards, special ids, tokenizer, and nothing overwritten unasked."""

from __future__ import annotations

import io
import json
import os
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from typer.testing import CliRunner

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.tokenizer.train import LLAMA_SETTINGS
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.record import find_checkpoint, read_record

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from llama_data.train_handoff.trainer import easylm, handover  # noqa: E402
from llama_data.train_handoff.trainer.huggingface import export as huggingface  # noqa: E402
from llama_data.train_handoff.trainer.huggingface import pretrained  # noqa: E402
from llama_data.train_handoff.trainer.weights import Weights, open_weights  # noqa: E402

MakeModel = Callable[..., Path]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("size", [1, 4096, 40_000, 10**9])
def test_shards_hold_the_model_whatever_their_size(
    make_model: MakeModel, tmp_path: Path, dtype: str, size: int
) -> None:
    transformers = pytest.importorskip("transformers")
    run = make_model(n_kv_heads=2)
    huggingface.export(find_checkpoint(run / "train"), tmp_path / "hf", None, dtype, shard_bytes=size)
    model, _ = huggingface.load_model(find_checkpoint(run / "train"))
    shards = sorted(path.name for path in (tmp_path / "hf").glob("*.safetensors"))
    kind = getattr(torch, dtype)
    if size == 10**9:
        assert shards == ["model.safetensors"]
        assert not (tmp_path / "hf" / "model.safetensors.index.json").exists()
    else:
        index = json.loads((tmp_path / "hf" / "model.safetensors.index.json").read_text())
        assert shards == [f"model-{n + 1:05d}-of-{len(shards):05d}.safetensors" for n in range(len(shards))]
        assert len(shards) > 1
        parameters = sum(p.numel() for p in model.parameters())
        assert index["metadata"] == {"total_parameters": parameters, "total_size": parameters * kind.itemsize}
        there = {name: file for file in shards for name in safetensors.load_file(str(tmp_path / "hf" / file))}
        assert index["weight_map"] == there
        for file in shards:
            tensors = safetensors.load_file(str(tmp_path / "hf" / file))
            assert len(tensors) == 1 or sum(t.numel() * t.itemsize for t in tensors.values()) <= size
    modes = {path.stat().st_mode for path in (tmp_path / "hf").iterdir()}
    assert modes == {(run / "tokenizer" / "tokenizer.model").stat().st_mode}
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype="auto").eval()
    assert theirs.dtype == kind
    ours = {huggingface.hf_name(name): value for name, value in model.state_dict().items()}
    for name, value in theirs.state_dict().items():
        heads = {"q_proj.weight": 4, "k_proj.weight": 2}.get(name[-13:])
        expected = ours[name] if heads is None else huggingface.to_halves(ours[name], heads)
        assert torch.equal(value, expected.to(kind)), name


def test_groups_end_at_the_size_and_not_before() -> None:
    shapes = {"a": torch.Size([4]), "b": torch.Size([2, 2]), "c": torch.Size([9]), "d": torch.Size([1])}
    weights = Weights(Path(), None, shapes)  # type: ignore[arg-type]
    assert weights.groups(torch.float32, 31) == [["a"], ["b"], ["c"], ["d"]]
    assert weights.groups(torch.float32, 32) == [["a", "b"], ["c"], ["d"]]
    assert weights.groups(torch.float16, 17) == [["a", "b"], ["c"], ["d"]]
    assert weights.groups(torch.float16, 18) == [["a", "b"], ["c"], ["d"]]
    assert weights.groups(torch.float16, 20) == [["a", "b"], ["c", "d"]]
    assert weights.groups(torch.float32, 72) == [["a", "b", "c", "d"]]


def test_no_more_than_a_shard_is_read_at_a_time(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_model()
    read: list[int] = []
    plain, alive = Weights.read, weakref.WeakSet[Any]()

    def counted(self: Weights, names: list[str], dtype: Any) -> dict[str, Any]:
        assert not alive  # the shard before is gone
        tensors = plain(self, names, dtype)
        alive.update(tensors.values())
        read.append(sum(t.numel() * t.itemsize for t in tensors.values()))
        return tensors

    monkeypatch.setattr(Weights, "read", counted)
    monkeypatch.setattr("torch.nn.Module.to_empty", None)  # no model is ever made
    huggingface.export(find_checkpoint(run / "train"), tmp_path / "hf", None, "bfloat16", shard_bytes=33_000)
    largest = 500 * 32 * 2
    assert len(read) > 3
    assert max(read) <= 33_000
    assert max(read) >= largest


@pytest.mark.parametrize(("bos", "eos"), [(1, 2), (2, 1), (5, 4), (2, -1), (-1, 2)])
def test_special_ids_are_the_tokenizers(make_model: MakeModel, tmp_path: Path, bos: int, eos: int) -> None:
    made = io.BytesIO()
    lines = (f"{number} ships in the harbour wait for the wind" for number in range(400))
    settings = {**LLAMA_SETTINGS, "vocab_size": 300, "bos_id": bos, "eos_id": eos, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=made, **settings)
    run = make_model(model_file=made.getvalue(), vocab_size=300)
    huggingface.export(find_checkpoint(run / "train"), tmp_path / "hf", None)
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / "hf" / name).read_text())
        expected = tuple(id if id >= 0 else None for id in (bos, eos))
        assert (stated["bos_token_id"], stated["eos_token_id"]) == expected


def test_the_tokenizer_is_found_in_the_run_and_only_its_files_are_taken(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model()
    found = find_checkpoint(run / "train")
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "notes.json", "tokenizer.vocab"):
        (run / "tokenizer" / name).write_text("{}")
    huggingface.export(found, tmp_path / "hf", None)
    assert sorted(files(tmp_path / "hf")) == [
        "config.json", "generation_config.json", "model.safetensors", "special_tokens_map.json", "tokenizer.json",
        "tokenizer.model", "tokenizer.vocab", "tokenizer_config.json",
    ]  # fmt: skip

    # The run's own folder is elsewhere; train.json says where its mix is.
    moved = tmp_path / "far" / "away"
    shutil.move(run / "train", moved)
    with pytest.raises(RequestError, match=r"was looked for in .*far/tokenizer; give its folder as --tokenizer"):
        huggingface.export(find_checkpoint(moved), tmp_path / "hf2", None)
    assert not (tmp_path / "hf2").exists()
    (moved / "train.json").write_text(json.dumps({"data": str(run / "mix")}))
    huggingface.export(find_checkpoint(moved), tmp_path / "hf2", None)
    assert files(tmp_path / "hf2") == files(tmp_path / "hf")

    # Another model's is not taken for it, and nor is it when it is given.
    (run / "tokenizer" / "tokenizer.model").write_bytes(b"another")
    with pytest.raises(RequestError, match=r"was looked for in .*run/tokenizer, .*far/tokenizer"):
        huggingface.export(find_checkpoint(moved), tmp_path / "hf3", None)
    with pytest.raises(RequestError, match="only read the ids of its own tokenizer"):
        huggingface.export(find_checkpoint(moved), tmp_path / "hf3", run / "tokenizer")


def test_an_imported_model_has_the_tokenizer_it_came_with(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model()
    huggingface.export(find_checkpoint(run / "train"), tmp_path / "hf", None, "float32", shard_bytes=20_000)
    pretrained.import_huggingface(tmp_path / "hf", tmp_path / "start")
    huggingface.export(tmp_path / "start", tmp_path / "again", None, "float32")
    # The index of the shards that were imported is no file of a tokenizer.
    assert "model.safetensors.index.json" not in files(tmp_path / "again")
    assert pretrained.weight_files(tmp_path / "again") == [tmp_path / "again" / "model.safetensors"]


def test_nothing_is_overwritten_unasked(make_model: MakeModel, tmp_path: Path) -> None:
    run, output = make_model(), tmp_path / "hf"
    path = find_checkpoint(run / "train")
    output.mkdir()
    huggingface.export(path, output, None, shard_bytes=30_000)  # an empty folder is fine
    (output / "README.md").write_text("mine")
    before = files(output)
    with pytest.raises(RequestError, match=r"something in it already \(README\.md\); give --overwrite"):
        huggingface.export(path, output, None)
    assert files(output) == before
    huggingface.export(path, output, None, overwrite=True)
    after = files(output)
    assert after["README.md"] == b"mine"
    assert [name for name in after if name.startswith("model")] == ["model.safetensors"]
    huggingface.export(path, output, None, overwrite=True, shard_bytes=30_000)
    assert files(output) == before
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="there is a file of that name"):
        huggingface.export(path, tmp_path / "file", None, overwrite=True)


def test_an_export_that_fails_leaves_what_was_there(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, output = make_model(), tmp_path / "hf"
    path = find_checkpoint(run / "train")
    huggingface.export(path, output, None)
    before = files(output)
    monkeypatch.setattr(huggingface, "copy_tokenizer", None)
    with pytest.raises(TypeError):
        huggingface.export(path, output, None, "float32", overwrite=True)
    assert files(output) == before
    with pytest.raises(TypeError):
        huggingface.export(path, tmp_path / "new", None)
    assert sorted(os.listdir(tmp_path)) == ["hf", "run"]


def test_a_damaged_checkpoint_is_not_exported(make_model: MakeModel, tmp_path: Path) -> None:
    path = find_checkpoint(make_model() / "train")
    data = bytearray((path / "__0_0.distcp").read_bytes())
    data[len(data) // 2] ^= 1
    (path / "__0_0.distcp").write_bytes(data)
    with pytest.raises(InputError, match="not what was written"):
        huggingface.export(path, tmp_path / "hf", None)
    content = json.loads((path / "record.json").read_text())
    content["files"] = {}
    content["model"]["n_layers"] = 3
    (path / "record.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="tensors cannot be read"):
        huggingface.export(path, tmp_path / "hf", None)
    assert not (tmp_path / "hf").exists()
    assert read_record(path).rows == 24
    assert open_weights(path).shapes.keys() >= {"layers.2.ffn_norm.weight"}


def test_a_checkpoint_on_its_own_says_what_is_missing(make_model: MakeModel, tmp_path: Path) -> None:
    path = find_checkpoint(make_model() / "train")
    alone = tmp_path / "alone"
    shutil.copytree(path, alone)
    with pytest.raises(RequestError, match="looked for in no folder"):
        handover.open_tokenizer(alone, read_record(alone), None)


def test_the_command(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model()

    def command(*more: str) -> Any:
        return CliRunner().invoke(app, ["export", str(run / "train"), str(tmp_path / "hf"), *more])

    for size in ("0", "5XB", "many", "-1GB", "5.GB"):
        with pytest.raises(RequestError, match="expected a size as in 5GB or 500MB"):
            raise_from(command("--shard-size", size))
    with pytest.raises(RequestError, match="--to gguf: expected hf or easylm"):
        raise_from(command("--to", "gguf"))
    assert not (tmp_path / "hf").exists()
    done = command("--shard-size", "0.05MB", "--dtype", "float32")
    assert done.exit_code == 0, done.output
    assert "from_pretrained" in done.output
    assert sum(path.suffix == ".safetensors" for path in (tmp_path / "hf").iterdir()) > 2


def raise_from(result: Any) -> None:
    assert result.exception is not None
    raise result.exception


def test_a_norm_behind_the_embedding_is_nothing_that_others_have(make_model: MakeModel, tmp_path: Path) -> None:
    run = make_model(embedding_norm=True)
    for export_to in (huggingface.export, easylm.export):
        with pytest.raises(RequestError, match="the model has a norm after its embedding"):
            export_to(find_checkpoint(run / "train"), tmp_path / "out", None)
    assert not (tmp_path / "out").exists()
