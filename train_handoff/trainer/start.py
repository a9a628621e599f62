"""Where a run begins: at the newest checkpoint of its folder, at one that it was given, or at the seed. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig, agree
from llama_data.train_handoff.trainer.record import RECORD, Record, checkpoints, read_record, require_same_tokenizer

SAME = ("norm_eps", "rope_theta")
SIZES = ("dim", "n_layers", "n_heads", "kv_heads", "hidden_dim", "vocab_size", "seq_len")


@dataclass(frozen=True)
class Start:
    """A run of ``steps`` steps of ``model`` on batches of ``batch_rows`` rows, from step ``step`` on.

    ``resume``: the run's own checkpoint to go on from. Else ``initial`` is the one to take the parameters from, or
    both are None and they are drawn. ``origin`` is what the run's checkpoints say of that (see ``Record``).
    """

    model: ModelConfig
    batch_rows: int
    steps: int
    step: int
    resume: Path | None
    initial: Path | None
    origin: dict[str, Any] | None


def find_start(config: TrainConfig, rows: Mixture) -> Start:
    """The start of a run on these rows.

    Raises:
        RequestError: the model, the batch, or a checkpoint does not fit the rows or this run.
    """
    footer = rows.footer
    model = agree(config, footer.vocab_size, footer.seq_len)
    batch_rows = config.batch_rows(footer.seq_len)
    steps = config.steps if config.steps is not None else len(rows) // batch_rows
    if steps < 1:
        raise RequestError(
            f"the mix has {len(rows):,} rows, fewer than one global batch of {batch_rows:,}; "
            "lower --batch-tokens, or run `llama-data mix` with more --tokens"
        )
    initial = None if config.initial is None else Path(config.initial)
    origin = None
    if initial is not None:
        require_same_tokenizer(read_record(initial), footer.tokenizer_sha256, initial)
        origin = {"checkpoint": str(initial), "record_sha256": sha256((initial / RECORD).read_bytes()).hexdigest()}
    found = checkpoints(Path(config.output)) if config.output is not None else []
    if not found:
        return Start(model, batch_rows, steps, 0, None, initial, origin)
    record = read_record(found[-1])
    require_same_run(record, found[-1], rows=rows, seed=config.seed, model=model, origin=origin)
    if record.rows % batch_rows:
        raise RequestError(f"{found[-1]}: {record.rows} rows are not whole batches of {batch_rows} rows")
    return Start(model, batch_rows, steps, record.rows // batch_rows, found[-1], None, origin)


def require_same_run(
    record: Record, where: Path, *, rows: Mixture, seed: int, model: ModelConfig, origin: dict[str, Any] | None
) -> None:
    """Raise RequestError when a checkpoint belongs to another mix, seed, tokenizer, model or start than this run's."""
    nothing = {"checkpoint": "parameters drawn from the seed"}
    before, now = record.origin or nothing, origin or nothing
    if before.get("record_sha256") != now.get("record_sha256"):
        raise RequestError(
            f"{where}: the run in this folder started from {before['checkpoint']}, this command starts from "
            f"{now['checkpoint']}; use the same --from, or another --output"
        )
    theirs = record.model_config(where)
    for what, found, wanted in (
        ("mix", record.fingerprint, rows.fingerprint),
        ("seed", record.seed, seed),
        ("tokenizer", record.tokenizer_sha256, rows.footer.tokenizer_sha256),
        *((f"model.{name}", getattr(theirs, name), getattr(model, name)) for name in SIZES + SAME),
    ):
        if found != wanted:
            raise RequestError(
                f"{where}: the checkpoint was made with {what} {found}, this run has {wanted}; "
                "use the same --data, --model and seed, or another --output"
            )
