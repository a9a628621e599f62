"""What a training run is: model, optimiser, batch, schedule, checkpoints. Imports no torch.

LLaMA's values are from the paper (arXiv:2302.13971, section 2 and Table 2). Adam's epsilon and the initialisation
are not stated there: ours are named below.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from llama_data.pipeline.core.errors import RecipeError, RequestError
from llama_data.pipeline.core.settings import Count, Places, Strict, parse_yaml, read_text, validate
from llama_data.train_handoff.shards.cache import CACHE_BYTES
from llama_data.train_handoff.trainer.watch.settings import WatchConfig


class ModelConfig(Strict):
    """A LLaMA model. ``vocab_size`` and ``seq_len`` None: what the training rows say.

    The feed-forward width is 2/3 of 4 x ``dim``, rounded up to a multiple of ``multiple_of``. ``init_std`` 0.02 with
    the projections into the residual stream scaled by 1/sqrt(2 x layers): not stated in the paper. ``n_kv_heads``
    None: as many key and value heads as query heads, as in the paper; fewer are shared by groups of query heads.
    ``tied``: the output head is the embedding; ``embedding_norm``: a LayerNorm (with bias, of eps 1e-5) after the
    embedding, which Open-Llama calls its stable embedding. Neither is in the paper.
    """

    dim: int = Field(gt=0)
    n_layers: int = Field(gt=0)
    n_heads: int = Field(gt=0)
    n_kv_heads: int | None = Field(default=None, gt=0)
    vocab_size: int | None = Field(default=None, gt=0)
    seq_len: int | None = Field(default=None, gt=0)
    multiple_of: int = Field(default=256, gt=0)
    norm_eps: float = Field(default=1e-6, gt=0)
    rope_theta: float = Field(default=10_000.0, gt=0)
    init_std: float = Field(default=0.02, gt=0)
    tied: bool = False
    embedding_norm: bool = False

    @model_validator(mode="after")
    def _heads_divide(self) -> ModelConfig:
        if self.dim % self.n_heads or (self.dim // self.n_heads) % 2:
            raise ValueError(f"dim {self.dim} must be n_heads {self.n_heads} times an even head size")
        if self.n_heads % self.kv_heads:
            raise ValueError(f"n_heads {self.n_heads} must be a multiple of n_kv_heads {self.kv_heads}")
        return self

    @property
    def kv_heads(self) -> int:
        """Key and value heads."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def hidden_dim(self) -> int:
        """Width of the feed-forward layer."""
        return -(-int(2 * 4 * self.dim / 3) // self.multiple_of) * self.multiple_of

    def parameters(self) -> int:
        """Number of parameters; needs the vocabulary size."""
        if self.vocab_size is None:
            raise ValueError("the vocabulary size is not known yet")
        attention = 2 * self.dim**2 + 2 * self.dim * (self.dim // self.n_heads) * self.kv_heads
        block = attention + 3 * self.dim * self.hidden_dim + 2 * self.dim
        norms = self.dim + (2 * self.dim if self.embedding_norm else 0)
        return self.n_layers * block + (1 if self.tied else 2) * self.vocab_size * self.dim + norms


class OptimConfig(Strict):
    """AdamW with LLaMA's values; warm-up to ``lr``, then a cosine to ``min_lr_ratio`` of it.

    ``states``: what the parameters and AdamW's two moments are held in. With float32 a parameter takes 16 bytes (4
    each, and 4 of gradient); with bfloat16 10 (2 each, and the gradient stays float32), so that 7B trains on one card
    of 80 GB. What is written back in bfloat16 is rounded stochastically, so that small updates are not lost.
    """

    lr: float = Field(default=3.0e-4, gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    eps: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float | None = Field(default=1.0, gt=0)
    warmup_steps: int = Field(default=2000, ge=0)
    min_lr_ratio: float = Field(default=0.1, ge=0, le=1)
    states: Literal["float32", "bfloat16"] = "float32"


class SpikeConfig(Strict):
    """Which steps are left out: the rows are read, the parameters and the optimiser stay as they are.

    A step whose loss or gradient norm is not finite, and, with ``factor``, one whose norm is over ``factor`` times the
    median of the last ``window`` norms, once there are so many. After ``in_a_row`` of them (None: never) the run ends.
    """

    factor: float | None = Field(default=None, gt=1)
    window: int = Field(default=100, gt=0)
    in_a_row: int | None = Field(default=10, gt=0)


class SampleConfig(Strict):
    """Some rows of a mix as a run of their own: ``rows`` from ``begin`` on, the first after the last, in another order.

    The order is drawn from ``seed`` (``sampled.SampledMix``).
    """

    begin: int = Field(ge=0)
    rows: int = Field(gt=0)
    seed: int = Field(ge=0, lt=1 << 63)


class TrainConfig(Strict):
    """A training run.

    ``batch_tokens`` is the global batch in tokens (LLaMA: 4M = 2,048 rows of 2,048), ``micro_rows`` the rows that
    one process holds at a time. ``steps`` None: one pass over the rows of the mix. ``document_mask`` keeps attention
    inside a document; the paper mentions none. ``replicate`` > 1 is hybrid sharding (copies x shards). ``initial``: the
    checkpoint that a new run takes its parameters from (None: drawn from the seed); ``model`` is then that one's.
    ``cache_dir``: where shards of a mix in an object store are kept (None: in the user's cache folder), and
    ``cache_bytes`` how much of them at most. ``save_every``: steps between checkpoints, ``save_minutes``: minutes.
    ``async_save``: whether a checkpoint is written while training goes on (auto: on CUDA). ``skip_rows``: ranges
    (begin, end) of the mix that are left out. ``change``: a run that is there already goes on with these settings.
    ``template``: how a prompt is written for the model (``template.Template``), which `chat` and `export` then know.
    ``epochs``: of examples (None: one); of a mix they are in its plan. ``sample``: the rows of the mix that the
    run reads (None: all, in their order).

    ``recompute``: which activations the backward pass computes again: ``none``; ``selective``, all but the outputs of
    linear layers and of attention (LLaMA, section 2.4); ``full``, all but the inputs of the layers. ``loss_tokens``: of
    so many tokens a process holds the logits at a time (None: of the whole micro-batch). ``attention`` auto: under a
    document mask on CUDA ``varlen`` in bfloat16 and ``flex`` in float32; else ``sdpa``, with the mask as a matrix.
    """

    name: str
    data: str | None = None
    output: str | None = None
    cache_dir: str | None = None
    cache_bytes: Count = CACHE_BYTES
    initial: str | None = None
    model: ModelConfig
    optim: OptimConfig = OptimConfig()
    batch_tokens: Count = 4_194_304
    micro_rows: int = Field(default=1, gt=0)
    steps: Count | None = None
    seed: int = Field(default=1, ge=0, lt=1 << 63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    compile: bool = False
    recompute: Literal["none", "selective", "full"] = "none"
    loss_tokens: Count | None = 2048
    attention: Literal["auto", "sdpa", "varlen", "flex"] = "auto"
    document_mask: bool = False
    replicate: int = Field(default=1, gt=0)
    save_every: int | None = Field(default=1000, gt=0)
    save_minutes: float | None = Field(default=None, gt=0)
    async_save: Literal["auto", "on", "off"] = "auto"
    keep_checkpoints: int | None = Field(default=3, gt=0)
    log_every: int = Field(default=1, gt=0)
    spikes: SpikeConfig = SpikeConfig()
    watch: WatchConfig = WatchConfig()
    skip_rows: tuple[tuple[int, int], ...] = ()
    change: bool = False
    template: str | None = None
    epochs: int | None = Field(default=None, gt=0)
    sample: SampleConfig | None = None

    @field_validator("recompute", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if isinstance(value, bool):
            raise ValueError(f"write {'full' if value else 'none'} for what was {str(value).lower()}, or selective")
        return value

    @field_validator("skip_rows")
    @classmethod
    def _ordered(cls, ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        for begin, end in ranges:
            if not 0 <= begin < end:
                raise ValueError(f"{begin}, {end}: expected two numbers of rows, the first below the second")
        return ranges

    def batch_rows(self, seq_len: int) -> int:
        """Rows in one global batch. Raises RecipeError when the tokens are not a whole number of rows."""
        rows, rest = divmod(self.batch_tokens, seq_len)
        if rows < 1 or rest:
            raise RecipeError(f"batch_tokens {self.batch_tokens} is not a multiple of the rows' {seq_len} tokens")
        return rows


class BenchConfig(Strict):
    """A measurement: ``steps`` that count after ``warmup`` ones, of the run that ``run`` describes.

    Without ``run.data`` on rows of random ids, of ``seq_len`` tokens of a vocabulary of ``vocab_size``. With several
    processes ``profiled`` further steps are taken under the profiler.
    """

    run: TrainConfig
    steps: int = Field(default=10, gt=0)
    warmup: int = Field(default=3, ge=0)
    profiled: int = Field(default=2, gt=0)
    seq_len: int = Field(default=2048, gt=0)
    vocab_size: int = Field(default=32_000, gt=3)


def agree(config: TrainConfig, vocab_size: int, seq_len: int) -> ModelConfig:
    """The model for rows of this vocabulary and length.

    A model that starts from a checkpoint may have a larger vocabulary (padding) or a longer context than the rows.

    Raises:
        RequestError: the model states others.
    """
    model, known = config.model, config.initial is not None
    for name, stated, found in (
        ("vocab_size", model.vocab_size, vocab_size),
        ("seq_len", model.seq_len, seq_len),
    ):
        if stated is not None and (stated < found if known else stated != found):
            raise RequestError(f"model.{name} is {stated}, but the training rows have {found}")
    found_sizes = {"vocab_size": vocab_size, "seq_len": seq_len}
    return model if known else model.model_copy(update=found_sizes)


def presets() -> list[str]:
    """Names of the models that the package brings."""
    folder = resources.files("llama_data.configs.train")
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_config(source: str, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """Read a preset or a .yaml file; ``overrides`` (dotted keys) come last. Raises RecipeError."""
    if source.endswith((".yaml", ".yml")) or "/" in source:
        text, where = read_text(Path(source)), source
    elif source in presets():
        text = resources.files("llama_data.configs.train").joinpath(f"{source}.yaml").read_text("utf-8")
        where = f"{source}.yaml"
    else:
        raise RecipeError(f"{source}: no such model; expected a path to a .yaml file or one of: {', '.join(presets())}")
    data, places = parse_yaml(text, where)
    return make_config(data, where, places, overrides or {})


def make_config(data: dict[str, Any], where: str, places: Places, overrides: dict[str, Any]) -> TrainConfig:
    """The run that ``data`` describes, after ``overrides`` (dotted keys). Raises RecipeError."""
    for dotted, value in overrides.items():
        *parents, last = dotted.split(".")
        inner = data
        for part in parents:
            inner = inner.setdefault(part, {})
        inner[last] = value
        places[(*parents, last)] = f"--{last.replace('_', '-')}"
    return validate(TrainConfig, data, where, places)
