"""The model: LLaMA's sizes, Hugging Face's logits, the document mask, the schedule."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from llama_data.pipeline.core.errors import RecipeError, RequestError
from llama_data.train_handoff.trainer.config import ModelConfig, OptimConfig, TrainConfig, agree, load_config, presets

torch = pytest.importorskip("torch")

from llama_data.train_handoff.trainer.attention import document_mask  # noqa: E402
from llama_data.train_handoff.trainer.huggingface.export import hf_config, hf_name, to_halves, to_pairs  # noqa: E402
from llama_data.train_handoff.trainer.model import Llama  # noqa: E402
from llama_data.train_handoff.trainer.optim import learning_rate  # noqa: E402

SMALL = ModelConfig(dim=32, n_heads=4, n_layers=2, vocab_size=64, seq_len=24, multiple_of=32)


def small_model() -> Llama:
    model = Llama(SMALL)
    model.init_weights(1)
    return model.eval()


@pytest.mark.parametrize(
    ("name", "hidden", "parameters"),
    [
        ("7b", 11008, 6_738_415_616),
        ("13b", 13824, 13_015_864_320),
        ("33b", 17920, 32_528_943_616),
        ("65b", 22016, 65_285_660_672),
        ("3b", 8640, 3_426_473_600),  # OpenLLaMA
        ("1.1b", 5632, 1_100_048_384),  # TinyLlama
    ],
)
def test_presets_have_the_published_sizes(name: str, hidden: int, parameters: int) -> None:
    model = load_config(name).model.model_copy(update={"vocab_size": 32_000})
    assert (model.hidden_dim, model.parameters()) == (hidden, parameters)


def test_open_llama_is_a_7b_with_a_shared_embedding_and_a_norm_behind_it() -> None:
    preset = load_config("open-llama-7b").model
    llama = load_config("7b").model.model_copy(update={"vocab_size": 100_000})
    assert (preset.vocab_size, preset.seq_len) == (100_000, 1024)
    assert preset.parameters() == llama.parameters() - 100_000 * 4096 + 2 * 4096


def test_presets_for_gpus_are_compiled_and_compute_in_bfloat16() -> None:
    for name in set(presets()) - {"tiny"}:
        config = load_config(name)
        assert (config.compile, config.dtype, config.device) == (True, "bfloat16", "auto")
    assert load_config("65b").model.norm_eps == 1e-5
    assert {load_config(name).model.norm_eps for name in ("7b", "13b", "33b")} == {1e-6}


@pytest.mark.parametrize(("tied", "embedding_norm"), [(False, False), (True, False), (False, True), (True, True)])
def test_parameters_are_counted_right(tied: bool, embedding_norm: bool) -> None:
    config = SMALL.model_copy(update={"tied": tied, "embedding_norm": embedding_norm, "n_kv_heads": 2})
    assert sum(parameter.numel() for parameter in Llama(config).parameters()) == config.parameters()


def test_the_embedding_norm_is_torchs_layer_norm_of_the_embedding() -> None:
    config = SMALL.model_copy(update={"embedding_norm": True})
    model = Llama(config)
    model.init_weights(1)
    assert model.embedding_norm is not None
    with torch.no_grad():
        model.embedding_norm.weight.mul_(torch.linspace(0.5, 2, 32))
        model.embedding_norm.bias.add_(torch.linspace(-1, 1, 32))
        plain = small_model()
        weights = {name: value for name, value in model.state_dict().items() if "embedding_norm" not in name}
        table = torch.nn.functional.layer_norm(
            model.tok_embeddings.weight, (32,), model.embedding_norm.weight, model.embedding_norm.bias, 1e-5
        )
        plain.load_state_dict({**weights, "tok_embeddings.weight": table})
        ids = torch.randint(0, 64, (2, 24), generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(model(ids), plain(ids))


def test_every_preset_loads_and_counts_its_parameters_right() -> None:
    assert {"tiny", "125m", "1b", "1.1b", "3b", "7b", "13b", "33b", "65b", "open-llama-7b"} == set(presets())
    assert sum(p.numel() for p in small_model().parameters()) == SMALL.parameters()


def test_unknown_model_and_unknown_key_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"one of: 1\.1b, 125m"):
        load_config("9b")
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nmodel: {dim: 8, n_heads: 2, n_layers: 1}\noptim:\n  learning_rate: 1\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml:4: optim\.learning_rate: unknown key"):
        load_config(str(file))


def test_rows_with_another_vocabulary_are_refused() -> None:
    run = TrainConfig(name="small", model=SMALL)
    with pytest.raises(RequestError, match="vocab_size is 64, but the training rows have 65"):
        agree(run, 65, 24)
    with pytest.raises(RequestError, match="seq_len is 24, but the training rows have 12"):
        agree(run, 64, 12)
    longer = run.model_copy(update={"initial": "checkpoint"})
    assert agree(longer, 60, 12) == SMALL
    with pytest.raises(RequestError, match="seq_len is 24, but the training rows have 48"):
        agree(longer, 64, 48)


def test_weights_do_not_depend_on_the_device_layout() -> None:
    a, b = small_model(), small_model()
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    c = Llama(SMALL)
    c.init_weights(2)
    assert not torch.equal(a.output.weight, c.output.weight)


def test_logits_equal_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = small_model()
    config = transformers.LlamaConfig(**{k: v for k, v in hf_config(SMALL, "float32", 1, 2).items() if k != "dtype"})
    theirs = transformers.LlamaForCausalLM(config).eval()
    weights = {
        hf_name(name): to_halves(value, SMALL.n_heads) if name.endswith(("wq.weight", "wk.weight")) else value
        for name, value in model.state_dict().items()
    }
    missing = theirs.load_state_dict(weights, strict=False)
    assert not missing.unexpected_keys
    assert not [key for key in missing.missing_keys if "rotary" not in key]
    ids = torch.randint(0, 64, (3, 24), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(ids), theirs(ids).logits, atol=2e-5, rtol=1e-4)


def test_rotary_layouts_are_inverse() -> None:
    weight = torch.arange(32.0 * 32).view(32, 32)
    assert torch.equal(to_pairs(to_halves(weight, 4), 4), weight)
    assert not torch.equal(to_halves(weight, 4), weight)


def test_attention_stays_inside_a_document_under_the_mask() -> None:
    model = small_model()
    first, second = [1, 5, 6, 7, 8], [1, 9, 10, 11]
    row = torch.tensor([first + second])
    other = torch.tensor([[1, 50, 51, 52, 53, *second]])
    with torch.no_grad():
        masked = model(row, document_mask(row, 1))[0, 5:]
        changed = model(other, document_mask(other, 1))[0, 5:]
        alone = model(torch.tensor([second]))[0]
        unmasked = model(row)[0, 5:]
    torch.testing.assert_close(masked, changed)
    torch.testing.assert_close(masked, alone, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(masked, unmasked, atol=1e-4)


def test_the_schedule_reaches_the_peak_after_warmup_and_a_tenth_at_the_end() -> None:
    config = OptimConfig(lr=3e-4, warmup_steps=10)
    rates = [learning_rate(8 * step, 800, 8, 80, config) for step in range(100)]
    assert rates[0] == pytest.approx(3e-5)
    assert rates[9] == rates[10] == pytest.approx(3e-4)
    assert rates[-1] == pytest.approx(3e-5)
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_llama_train_starts_and_reads_its_rows_without_heavy_imports(mix: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, json; import llama_data.train_handoff.trainer.cli, llama_data.train_handoff.trainer.launch; "
        "from llama_data.train_handoff.mix.plan import Mixture; rows = Mixture(sys.argv[1]); rows[3]; "
        "print(json.dumps([m for m in ('torch','fasttext','kenlm','datatrove','numba') if m in sys.modules]))"
    )
    assert json.loads(subprocess.check_output([sys.executable, "-c", code, str(mix)])) == []
