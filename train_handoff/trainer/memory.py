"""How many bytes a process holds while it trains, by arithmetic. Imports no torch.

The figures follow what the trainer allocates, in the order in which it does; the tests count the allocations of small
models and hold the two against each other. Letters, as in ``model``: B rows of a micro-batch, S tokens of a row,
T = B x S, D ``dim``, F ``hidden_dim``, H heads, G key and value heads, K = D / H, V vocabulary; e bytes of a number in what
is computed (bfloat16 2, float32 4).
"""

from __future__ import annotations

from dataclasses import dataclass

from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig

FLOAT32 = 4
USABLE = 0.95  # of a device's memory: the context, nccl's buffers and gaps between blocks take the rest (our choice)
PARTS = ("parameters", "gradients", "optimiser", "activations", "logits and loss", "communication")


@dataclass(frozen=True)
class Moment:
    """Bytes that a process holds at one time of a step."""

    name: str
    parameters: float
    gradients: float
    optimiser: float
    activations: float
    logits: float
    communication: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.parameters + self.gradients + self.optimiser + self.activations + self.logits + self.communication


@dataclass(frozen=True)
class Run:
    """What the formulas take from a run.

    ``layer``, ``root``: parameters of a layer, and of what is sharded as one (embedding, last norm, head). ``shards``:
    processes that share a copy of the model. ``passes``: micro-batches of a step. ``state``: bytes of a number in the
    parameters and moments that are held.
    """

    config: TrainConfig
    model: ModelConfig
    tokens: int
    layer: int
    root: int
    shards: int
    passes: int
    e: int
    state: int

    @classmethod
    def of(cls, config: TrainConfig, model: ModelConfig, world: int) -> Run:
        """A run of ``model``, whose vocabulary and row length are known, on ``world`` processes."""
        assert model.seq_len is not None
        one_more = model.model_copy(update={"n_layers": model.n_layers + 1})
        layer = one_more.parameters() - model.parameters()
        rows = max(1, config.batch_rows(model.seq_len) // world)
        return cls(
            config=config,
            model=model,
            tokens=min(config.micro_rows, rows) * model.seq_len,
            layer=layer,
            root=model.parameters() - model.n_layers * layer,
            shards=max(1, world // config.replicate),
            passes=-(-rows // config.micro_rows),
            e=2 if config.dtype == "bfloat16" else 4,
            state=2 if config.optim.states == "bfloat16" else 4,
        )

    @property
    def fused_norm(self) -> bool:
        """Whether RMSNorm is one kernel (CUDA), which keeps no float32 copies for its backward pass."""
        return self.config.device != "cpu"

    def norm(self) -> float:
        """Bytes that an RMSNorm of T tokens keeps for the backward pass, its output included.

        One kernel: its input, one float32 a token, its output. On CPU: the input and the normalised input, both in
        float32, one float32 a token, and the output.
        """
        kept = self.e if self.fused_norm else 2 * FLOAT32
        return self.tokens * ((kept + self.e) * self.model.dim + FLOAT32)

    def block(self) -> float:
        """Bytes that a layer keeps for the backward pass when nothing is computed again.

        Two norms; q and k (rotated), v, and the output of attention, with one float32 a head and token (log of the
        sum of exponentials); w1 x, silu(w1 x), w3 x and their product, F wide each. What is added to the stream is kept
        by the norm that reads it.
        """
        dim, narrow = self.model.dim, self.model.kv_heads * (self.model.dim // self.model.n_heads)
        attention = self.e * (2 * dim + 2 * narrow) + FLOAT32 * self.model.n_heads
        return 2 * self.norm() + self.tokens * (attention + 4 * self.e * self.model.hidden_dim)

    def kept(self) -> float:
        """Bytes that a layer keeps under ``recompute``: ``full`` keeps its input, T x D."""
        if self.config.recompute == "none":
            return self.block()
        return self.tokens * self.e * self.model.dim

    def backward(self) -> float:
        """Bytes that a layer's backward pass takes besides: gradients of the stream and of the feed-forward's middle.

        And, when it is computed again, all that the layer then keeps.
        """
        again = 0.0 if self.config.recompute == "none" else self.block()
        return again + self.tokens * self.e * (self.model.dim + self.model.hidden_dim)

    def logits(self) -> float:
        """Bytes at the worst time of the loss."""
        return 3.0 * FLOAT32 * self.tokens * (self.model.vocab_size or 0)

    def gathered(self, parameters: int) -> float:
        """Bytes of the whole parameters of what FSDP shards as one, in the type they are computed in."""
        return float(self.e * parameters)

    def reducing(self, parameters: int) -> float:
        """Bytes while its gradients are summed over the processes, in float32: all of them, and the shard that results.

        On one process FSDP divides by one, into a copy.
        """
        return FLOAT32 * parameters * (1 + 1 / self.shards + (1 if self.shards == 1 else 0))


def moments(config: TrainConfig, model: ModelConfig, world: int) -> list[Moment]:
    """The times of a step at which a process may hold most; ``model`` has its vocabulary and row length.

    Parameters, and AdamW's two moments, are there at all times, in shards. So are gradients (float32) from the second
    micro-batch of a step on; in the first they come layer by layer. Embedding and head are whole from the forward pass
    of a micro-batch to the end of its backward pass, and so are their gradients once they are there (the head's comes
    first, the embedding's last); a layer is whole while it is computed. With several shards the next layer is fetched meanwhile, into one flat buffer.
    """
    run = Run.of(config, model, world)
    count, shards = model.n_layers, run.shards
    held, before = run.state * model.parameters() / shards, run.passes > 1
    kept, gathered = run.kept(), run.gathered(run.layer)
    root = run.gathered(run.root)
    head = run.e * (model.vocab_size or 0) * model.dim
    ahead = gathered if shards > 1 else 0.0

    def moment(name: str, done: float, activations: float, logits: float, communication: float) -> Moment:
        """``done``: parameters whose gradients are there, should this be the step's first micro-batch."""
        gradients = FLOAT32 * (model.parameters() if before else done) / shards
        return Moment(name, held, gradients, 2 * held, activations, logits, communication)

    last_norm = run.norm()
    found = [moment("loss", 0, count * kept + last_norm, run.logits(), root)]
    for behind in sorted({0, min(1, count - 1), count - 1}):
        left = count - behind
        summing = FLOAT32 * run.layer if behind else 0.0  # of the layer before, until this one's are summed
        computing = gathered + gathered + summing
        reducing = gathered + run.reducing(run.layer)
        communication = root + head + ahead + max(computing, reducing)
        found.append(moment(f"layer {left}", behind * run.layer, left * kept + run.backward(), 0, communication))
    gradients = run.e * run.root
    whole = max(root + gradients, gradients + FLOAT32 * run.root, run.reducing(run.root))
    found.append(moment("embedding and head", count * run.layer, 0, 0, whole + FLOAT32 * run.layer))
    found.append(moment("optimiser", model.parameters(), 0, 0, 0))
    return found


def peak(config: TrainConfig, model: ModelConfig, world: int) -> Moment:
    """The time at which a process holds most."""
    return max(moments(config, model, world), key=lambda moment: moment.total)
