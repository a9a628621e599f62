"""How many bytes a process holds while it trains, by arithmetic. Imports no torch.

The figures follow what the trainer allocates, in the order in which it does; the tests count the allocations of small
models and hold the two against each other. Letters: B rows of a micro-batch, S tokens of a row, T = B x S, D ``dim``,
F ``hidden_dim``, V vocabulary; e bytes of a number in what is computed (bfloat16 2, float32 4). Not counted: rotary
tables and ids (a few MB), and what a kernel takes for itself while it runs. Compiled layers keep less than this says.
"""

from __future__ import annotations

from dataclasses import dataclass

from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig

FLOAT32 = 4


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
    processes that share a copy of the model. ``passes``: micro-batches of a step. ``state``, ``gradient``: bytes of a
    number in the parameters and moments, and in the gradients, that are held.
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
    gradient: int

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
            gradient=FLOAT32,
        )

    @property
    def fused_norm(self) -> bool:
        """Whether RMSNorm is one kernel (CUDA), which keeps no float32 copies for its backward pass."""
        return self.config.device != "cpu"

    @property
    def _narrow(self) -> int:
        """Width of k and of v."""
        return self.model.kv_heads * (self.model.dim // self.model.n_heads)

    @property
    def _mask(self) -> int:
        """Numbers in a row of the document mask, where attention takes one."""
        dense = self.config.attention == "sdpa" or (self.config.attention == "auto" and self.config.device == "cpu")
        return (self.model.seq_len or 0) if self.config.document_mask and dense else 0

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
        by the norm that reads it. A mask that is a matrix is kept by every layer as numbers, S for each token.
        """
        attention = self.e * 2 * (self.model.dim + self._narrow) + FLOAT32 * self.model.n_heads
        return 2 * self.norm() + self.tokens * (attention + 4 * self.e * self.model.hidden_dim + self.e * self._mask)

    def again(self) -> float:
        """Bytes that are computed once more before a layer's backward pass, and held while it lasts.

        ``full``: all that it keeps, but for its input. ``selective``: that, but for v, the output of attention, w1 x
        and w3 x.
        """
        if self.config.recompute == "none":
            return 0.0
        again = self.block() - self.tokens * self.e * self.model.dim
        if self.config.recompute == "selective":
            again -= self.tokens * (
                self.e * (self.model.dim + self._narrow + 2 * self.model.hidden_dim) + FLOAT32 * self.model.n_heads
            )
        return again

    def kept(self) -> float:
        """Bytes that a layer keeps under ``recompute``.

        ``full``: its input, T x D. ``selective``: that, and what linear layers and attention gave: q, k, v, the output
        of attention with its float32 a head and token, and of wo, w1, w3 and w2.
        """
        if self.config.recompute == "none":
            return self.block()
        kept = self.e * self.model.dim
        if self.config.recompute == "selective":
            kept += self.e * (4 * self.model.dim + 2 * self._narrow + 2 * self.model.hidden_dim)
            kept += FLOAT32 * self.model.n_heads
        return float(self.tokens * kept)

    def backward(self) -> float:
        """Bytes that a layer's backward pass takes besides: gradients of the stream and of the feed-forward's middle.

        And what is computed again for it.
        """
        return self.again() + self.tokens * self.e * (self.model.dim + self.model.hidden_dim)

    def logits(self) -> float:
        """Bytes at the worst time of the loss, which is in its backward pass.

        Whole: three times the logits, in float32 (their softmax, and two gradients). In chunks of n tokens: the
        gradient of what the head read, T x D; that of the head, V x D, summed in float32, and the last chunk's; and
        either two of n x V in float32 with, in bfloat16, their gradient, or that and the next chunk's V x D.
        """
        vocabulary, limit = self.model.vocab_size or 0, self.config.loss_tokens
        if limit is None or limit >= self.tokens:
            return 3.0 * FLOAT32 * self.tokens * vocabulary
        chunk = -(-self.tokens // -(-self.tokens // limit))
        head = vocabulary * self.model.dim
        slope = self.e * chunk * vocabulary
        work = max(2 * FLOAT32 * chunk * vocabulary + (slope if self.e < FLOAT32 else 0), slope + self.e * head)
        return float(self.e * self.tokens * self.model.dim + (FLOAT32 + self.e) * head + work)

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

    Parameters, and AdamW's two moments, are there at all times, in shards. So are gradients from the second micro-batch
    of a step on; in the first they come layer by layer, the last layer's first. Embedding and head are whole from the
    forward pass of a micro-batch to the end of its backward pass, and so are their gradients once they are there (the
    head's comes first, the embedding's last); a layer is whole while it is computed. With several shards the next layer
    is fetched meanwhile, into one flat buffer; and the buffer in which a layer's gradients were summed is let go when
    the next layer's are.
    """
    run = Run.of(config, model, world)
    count, layer = model.n_layers, run.gathered(run.layer)
    whole, head = run.gathered(run.root), run.gathered((model.vocab_size or 0) * model.dim)
    ahead = layer if run.shards > 1 else 0.0

    def moment(name: str, done: float, activations: float, logits: float, communication: float) -> Moment:
        """``done``: parameters whose gradients are there, should this be the step's first micro-batch."""
        held = run.state * model.parameters() / run.shards
        gradients = run.gradient * (done if run.passes == 1 else model.parameters()) / run.shards
        return Moment(name, held, gradients, 2 * held, activations, logits, communication)

    found = [moment("loss", 0, count * run.kept() + run.norm(), run.logits(), whole + ahead)]
    for behind in sorted({0, min(1, count - 1), count - 1}):
        name, done, left = f"layer {count - behind}", behind * run.layer, count - behind
        summed = FLOAT32 * run.layer if behind else 0.0
        found += [
            moment(name, done, left * run.kept() + run.backward(), 0, whole + head + ahead + 2 * layer + summed),
            moment(name, done, (left - 1) * run.kept(), 0, whole + head + ahead + layer + run.reducing(run.layer)),
        ]
    gradients, summed = run.gathered(run.root), FLOAT32 * run.layer
    reducing = max(whole + gradients + summed, gradients + FLOAT32 * run.root, run.reducing(run.root))
    found.append(moment("embedding and head", count * run.layer, 0, 0, reducing))
    found.append(moment("optimiser", model.parameters(), 0, 0, 0))
    return found


def peak(config: TrainConfig, model: ModelConfig, world: int) -> Moment:
    """The time at which a process holds most."""
    return max(moments(config, model, world), key=lambda moment: moment.total)
