"""A Hugging Face folder becomes a checkpoint: the same weights back, training on from it, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from typer.testing import CliRunner
from workshop import Workshop

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.tokenizer.train import LLAMA_SETTINGS
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.cli import app
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.launch import Cluster, describe, launch, starting_from
from llama_data.train_handoff.trainer.record import checkpoint_name, find_checkpoint, read_record
from llama_data.train_handoff.trainer.start import find_start

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from llama_data.train_handoff.trainer.huggingface import export as huggingface  # noqa: E402
from llama_data.train_handoff.trainer.huggingface import pretrained  # noqa: E402

SMALL: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 500, "hidden_size": 32,
    "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 48, "rms_norm_eps": 1e-5, "rope_theta": 5000.0, "rope_scaling": None,
    "hidden_act": "silu", "tie_word_embeddings": False, "dtype": "bfloat16",
}  # fmt: skip


def random_weights(described: dict[str, Any], dtype: Any) -> dict[str, Any]:
    """Every tensor of a LLaMA model as Hugging Face names it, drawn at random."""
    dim, inner = described["hidden_size"], described["intermediate_size"]
    narrow = dim // described["num_attention_heads"] * described["num_key_value_heads"]
    layer = {
        "self_attn.q_proj": (dim, dim), "self_attn.k_proj": (narrow, dim), "self_attn.v_proj": (narrow, dim),
        "self_attn.o_proj": (dim, dim), "mlp.gate_proj": (inner, dim), "mlp.up_proj": (inner, dim),
        "mlp.down_proj": (dim, inner), "input_layernorm": (dim,), "post_attention_layernorm": (dim,),
    }  # fmt: skip
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens": (described["vocab_size"], dim), "model.norm": (dim,)}
    for number in range(described["num_hidden_layers"]):
        shapes |= {f"model.layers.{number}.{name}": shape for name, shape in layer.items()}
    if not described["tie_word_embeddings"]:
        shapes["lm_head"] = (described["vocab_size"], dim)
    generator = torch.Generator().manual_seed(5)
    return {f"{name}.weight": torch.randn(s, generator=generator).mul(0.2).to(dtype) for name, s in shapes.items()}


Folder = Callable[..., Path]
OPEN = {"vocab_size": None, "seq_len": None}


@pytest.fixture
def folder(tmp_path: Path, tokenizer: Path) -> Folder:
    """Write a model's folder; returns it."""

    def write(dtype: Any = torch.bfloat16, sharded: bool = False, **changes: Any) -> Path:
        described = {**SMALL, **changes}
        base = tmp_path / "source"
        base.mkdir()
        weights = random_weights(described, dtype)
        (base / "config.json").write_text(json.dumps(described))
        shutil.copy(tokenizer, base / "tokenizer.model")
        if not sharded:
            safetensors.save_file(weights, str(base / "model.safetensors"), metadata={"format": "pt"})
            return base
        names = sorted(weights)
        placed = {name: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, name in enumerate(names)}
        for file in set(placed.values()):
            part = {name: weights[name] for name in names if placed[name] == file}
            safetensors.save_file(part, str(base / file), metadata={"format": "pt"})
        (base / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))
        return base

    return write


def everything(folder: Path) -> dict[str, Any]:
    return {k: v for file in folder.glob("*.safetensors") for k, v in safetensors.load_file(str(file)).items()}


@pytest.mark.parametrize(
    ("dtype", "changes"),
    [
        ("bfloat16", {}),
        ("float16", {"sharded": True}),
        ("float32", {"num_key_value_heads": 2, "rms_norm_eps": 1e-6}),
    ],
)
def test_what_is_imported_is_exported_bit_for_bit(
    folder: Folder, tmp_path: Path, dtype: str, changes: dict[str, Any]
) -> None:
    source = folder(getattr(torch, dtype), **changes)
    record = pretrained.import_huggingface(source, tmp_path / "checkpoint")
    huggingface.export(tmp_path / "checkpoint", tmp_path / "back", source, dtype)
    before, after = everything(source), everything(tmp_path / "back")
    assert before.keys() == after.keys()
    assert all(before[name].dtype == after[name].dtype for name in before)
    assert all(torch.equal(before[name].view(torch.uint8), after[name].view(torch.uint8)) for name in before)
    assert (record.step, record.rows) == (0, 0)
    assert record.origin is not None
    assert set(record.origin["files"]) == {file.name for file in source.glob("*.safetensors")}
    stated, found = (json.loads((base / "config.json").read_text()) for base in (source, tmp_path / "back"))
    same = ("hidden_size", "intermediate_size", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps")
    assert {name: stated[name] for name in same} == {name: found[name] for name in same}
    assert found["rope_theta"] == 5000.0


@pytest.mark.parametrize(("bos", "eos"), [(1, 2), (2, 1), (5, 4), (2, -1), (-1, 2)])
@pytest.mark.parametrize("given", [True, False])
def test_special_ids_are_the_tokenizers(folder: Folder, tmp_path: Path, bos: int, eos: int, given: bool) -> None:
    source = folder()
    made = io.BytesIO()
    lines = (f"{number} mills by the river turn all day" for number in range(400))
    settings = {**LLAMA_SETTINGS, "vocab_size": 300, "bos_id": bos, "eos_id": eos, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=lines, model_writer=made, **settings)
    (source / "tokenizer.model").write_bytes(made.getvalue())
    stated = json.loads((source / "config.json").read_text())  # whose own ids would be kept
    (source / "config.json").write_text(
        json.dumps({k: v for k, v in stated.items() if k not in pretrained.SPECIAL_IDS})
    )
    pretrained.import_huggingface(source, tmp_path / "checkpoint")
    huggingface.export(tmp_path / "checkpoint", tmp_path / "back", source if given else None, "float32")
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / "back" / name).read_text())
        expected = tuple(id if id >= 0 else None for id in (bos, eos))
        assert (stated["bos_token_id"], stated["eos_token_id"]) == expected


def test_special_ids_of_its_config_are_kept(folder: Folder, tmp_path: Path) -> None:
    source = folder(bos_token_id=5, eos_token_id=[2, 7], pad_token_id=0)
    pretrained.import_huggingface(source, tmp_path / "checkpoint")
    huggingface.export(tmp_path / "checkpoint", tmp_path / "back", None)
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / "back" / name).read_text())
        assert [stated[f"{kind}_token_id"] for kind in ("bos", "eos", "pad")] == [5, [2, 7], 0]


@pytest.mark.parametrize("changes", [{}, {"num_key_value_heads": 1}, {"tie_word_embeddings": True, "sharded": True}])
def test_logits_equal_those_of_transformers(folder: Folder, changes: dict[str, Any]) -> None:
    transformers = pytest.importorskip("transformers")
    source = folder(torch.float32, **changes)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    ours = pretrained.load_huggingface(source).eval()
    ids = torch.randint(0, 500, (3, 48), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=2e-5, rtol=1e-4)
        spread = (ours(ids)[0] - ours(ids)[1]).abs().max()
    assert spread > 0.1


def test_a_tied_head_is_kept_when_asked_for(folder: Folder, mix: Path, tmp_path: Path, workshop: Workshop) -> None:
    transformers = pytest.importorskip("transformers")
    source, start = folder(torch.float32, tie_word_embeddings=True, sharded=True), tmp_path / "start"
    record = pretrained.import_huggingface(source, start, keep_tied=True)
    model, _ = huggingface.load_model(start)
    size = sum(parameter.numel() for parameter in model.parameters())
    assert size == record.model_config(start).parameters() == 58_784 - 500 * 32
    huggingface.export(start, tmp_path / "back", None, "float32", shard_bytes=50_000)
    before, after = everything(source), everything(tmp_path / "back")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "back", dtype=torch.float32).eval()
    own = pretrained.load_huggingface(source).eval()
    ids = torch.randint(0, 500, (2, 32), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(ids), own(ids))
        torch.testing.assert_close(theirs(ids).logits, own(ids), atol=2e-5, rtol=1e-4)

    losses = []
    for nproc in (1, 2):
        output = tmp_path / f"run{nproc}"
        settings = {
            "data": str(mix), "output": str(output), "steps": 3, "batch_tokens": 256, "micro_rows": 2,
            "replicate": nproc, "dtype": "float32", "device": "cpu", "optim.lr": 1e-2, "optim.warmup_steps": 1,
        }  # fmt: skip
        config = starting_from(start, None, settings)
        with workshop.instead():
            launch(config, Cluster(nproc=nproc))
        lines = (output / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
        assert "output.weight" not in dict(huggingface.load_model(find_checkpoint(output))[0].named_parameters())
    assert losses[0] == pytest.approx(losses[1], rel=2e-5)
    assert losses[0][-1] < losses[0][0] - 0.1
    (source / "config.json").write_text(json.dumps(SMALL))
    with pytest.raises(InputError, match="tie_word_embeddings is not true"):
        pretrained.import_huggingface(source, tmp_path / "another", keep_tied=True)


def test_a_run_goes_on_training_from_an_imported_model(
    folder: Folder, mix: Path, tmp_path: Path, alone: Callable[[TrainConfig], None]
) -> None:
    start = tmp_path / "start"
    pretrained.import_huggingface(folder(torch.float32), start)
    settings = {
        "data": str(mix), "output": str(tmp_path / "run"), "steps": 4, "batch_tokens": 256, "micro_rows": 4,
        "dtype": "float32", "device": "cpu", "save_every": 2, "optim.lr": 1e-2, "optim.warmup_steps": 1,
    }  # fmt: skip
    config = starting_from(start, None, settings)
    assert f"starts from {start}" in describe(config, Cluster())
    alone(config)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]

    model, _ = huggingface.load_model(start)
    ids = torch.stack([torch.from_numpy(Mixture(str(mix))[row].astype("int64")) for row in range(8)])
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert lines[0]["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.2

    shutil.rmtree(tmp_path / "run" / "checkpoints" / checkpoint_name(32))
    assert "goes on from" in describe(config, Cluster())
    alone(config)
    again = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["row"] for line in again] == [0, 8, 16, 24]
    assert [line["loss"] for line in again] == pytest.approx([line["loss"] for line in lines], rel=2e-5)
    record = read_record(tmp_path / "run" / "checkpoints" / checkpoint_name(32))
    assert record.origin is not None
    assert record.origin["checkpoint"] == str(start)

    other = tmp_path / "other"
    shutil.copytree(start, other)
    content = json.loads((other / "record.json").read_text())
    (other / "record.json").write_text(json.dumps({**content, "origin": None}))
    drawn = TrainConfig(
        name="drawn", output=config.output, batch_tokens=256, model=config.model.model_copy(update=OPEN)
    )
    for changed in (starting_from(other, None, settings), drawn):
        with pytest.raises(RequestError, match=rf"started from {start}, this command starts from"):
            find_start(changed, Mixture(str(mix)), resume=find_checkpoint(tmp_path / "run"))

    shutil.rmtree(start)  # what a run began with need not be kept
    assert "goes on from" in describe(starting_from(start, None, {**settings, "steps": 4}), Cluster())


def test_settings_and_rows_have_to_fit_the_checkpoint(folder: Folder, mix: Path, tmp_path: Path) -> None:
    start = tmp_path / "start"
    source = folder()
    pretrained.import_huggingface(source, start)
    with pytest.raises(RequestError, match=r"--model tiny has dim 128, the checkpoint .*start has 32"):
        starting_from(start, "tiny", {})
    yaml = tmp_path / "mine.yaml"
    yaml.write_text("name: mine\nmodel: {dim: 32, n_layers: 2, n_heads: 4, multiple_of: 96}\nbatch_tokens: 512\n")
    config = starting_from(start, str(yaml), {"data": str(mix)})
    assert (config.batch_tokens, config.model.norm_eps, config.model.seq_len) == (512, 1e-5, 48)
    record = json.loads((start / "record.json").read_text())
    (start / "record.json").write_text(json.dumps({**record, "tokenizer_sha256": "1" * 64}))
    with pytest.raises(RequestError, match="own tokenizer"):
        describe(config, Cluster())
    with pytest.raises(InputError, match="make a checkpoint of it with `llama-train import`"):
        find_checkpoint(source)
    with pytest.raises(InputError, match=r"nothing: no such folder"):
        find_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mistral"}, r'config\.json: model_type is "mistral"; .* needs "llama"'),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, r"rope_scaling is .*llama3.*needs nothing"),
        ({"rope_parameters": {"rope_type": "yarn"}}, r"rope_parameters is .*yarn.*needs rope_type default"),
        ({"attention_bias": True}, r"attention_bias is true; .* needs false"),
        ({"hidden_act": "gelu"}, r'hidden_act is "gelu"; .* needs "silu"'),
        ({"quantization_config": {"bits": 4}}, r"quantization_config is"),
        ({"head_dim": 16}, r"head_dim: hidden_size 32 must be num_attention_heads 4 times it"),
        ({"intermediate_size": 64}, r"intermediate_size is 64; .* at least 2/3 of 4 x hidden_size 32"),
        ({"num_hidden_layers": "two"}, r'num_hidden_layers is "two"; expected a whole number'),
        ({"num_key_value_heads": 3}, r"n_heads 4 must be a multiple of n_kv_heads 3"),
        ({"vocab_size": 501}, r"model\.embed_tokens\.weight has shape \[500, 32\]; by config\.json it is \[501, 32\]"),
        (
            {"num_hidden_layers": 3},
            "num_hidden_layers is 3; the weights have 2 layers",
        ),
        ({"num_hidden_layers": 1}, "num_hidden_layers is 1; the weights have 2 layers"),
    ],
)
def test_a_model_that_is_not_ours_is_refused(
    folder: Folder, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    source = folder()
    (source / "config.json").write_text(json.dumps({**SMALL, **changes}))
    with pytest.raises(InputError, match=message):
        pretrained.import_huggingface(source, tmp_path / "checkpoint")
    assert not (tmp_path / "checkpoint").exists()


def test_damaged_and_missing_files_are_named(folder: Folder, tmp_path: Path) -> None:
    source, output = folder(sharded=True), tmp_path / "checkpoint"
    second = source / "model-00002-of-00002.safetensors"
    whole = second.read_bytes()
    second.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors: cut short or damaged"):
        pretrained.import_huggingface(source, output)
    second.unlink()
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors: no such file, but .*index\.json names"):
        pretrained.import_huggingface(source, output)
    (source / "model.safetensors.index.json").unlink()
    (source / "pytorch_model.bin").touch()
    with pytest.raises(InputError, match=r"no weights: expected model\.safetensors .*pytorch_model\.bin"):
        pretrained.import_huggingface(source, output)
    (source / "tokenizer.model").write_bytes(b"another kind")
    with pytest.raises(InputError, match=r"tokenizer\.model: not a SentencePiece model"):
        pretrained.import_huggingface(source, output)
    (source / "tokenizer.model").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.model: no such file; give --tokenizer"):
        pretrained.import_huggingface(source, output)
    with pytest.raises(InputError, match=r"elsewhere/config\.json: no such file"):
        pretrained.import_huggingface(tmp_path / "elsewhere", output)
    assert not output.exists()


def test_quantised_weights_and_an_occupied_folder_are_refused(folder: Folder, tmp_path: Path) -> None:
    source = folder()
    with pytest.raises(RequestError, match="there is something already"):
        pretrained.import_huggingface(source, tmp_path)
    (source / "config.json").write_text(json.dumps({**SMALL, "vocab_size": 499}))
    with pytest.raises(InputError, match=r"500 pieces, but config\.json's vocab_size is 499"):
        pretrained.import_huggingface(source, tmp_path / "checkpoint")
    (source / "config.json").write_text(json.dumps(SMALL))
    weights = everything(source)
    weights["lm_head.weight"] = weights["lm_head.weight"].to(torch.int8)
    safetensors.save_file(weights, str(source / "model.safetensors"))
    with pytest.raises(InputError, match=r"lm_head\.weight is torch\.int8; expected float32"):
        pretrained.import_huggingface(source, tmp_path / "checkpoint")


def test_the_command_says_what_to_do_next(folder: Folder, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["import", str(folder()), str(tmp_path / "checkpoint")])
    assert done.exit_code == 0, done.output
    assert "58,784 parameters, vocabulary 500, context 48" in done.output.replace("\n", " ")
    assert f"launch --from {tmp_path / 'checkpoint'}" in done.output.replace("\n", "")
