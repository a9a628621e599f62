"""Where a run begins: at the newest checkpoint of its folder, at one that it was given, or at the seed. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.config import ModelConfig, TrainConfig, agree
from llama_data.train_handoff.trainer.loader import Ranges, RunRows, merge_ranges, rows_left, take_rows
from llama_data.train_handoff.trainer.record import RECORD, Record, read_record, require_same_tokenizer
from llama_data.train_handoff.trainer.remote.copies import address_of

SAME = ("norm_eps", "rope_theta", "tied", "embedding_norm")
SIZES = ("dim", "n_layers", "n_heads", "kv_heads", "hidden_dim", "vocab_size", "seq_len")
Settings = dict[str, Any]


@dataclass(frozen=True)
class Start:
    """A run of ``model`` on batches of ``batch_rows`` rows, from row ``row`` and step ``step`` up to step ``steps``.

    ``total_rows``: where the schedule ends; ``warmup_rows``: where its warm-up does. ``skip``: ranges of rows that are
    left out. ``resume``: the run's own checkpoint to go on from. Else ``initial`` is the one to take the parameters
    from, or both are None and they are drawn. ``origin`` and ``settings`` are what the run's checkpoints say (see
    ``Record``), ``norms`` and ``totals`` what the newest one said; ``changed`` what of the settings is not as before,
    old and new.
    """

    model: ModelConfig
    batch_rows: int
    row: int
    step: int
    steps: int
    total_rows: int
    warmup_rows: int
    skip: Ranges
    resume: Path | None
    initial: Path | None
    origin: dict[str, Any] | None
    settings: Settings
    changed: dict[str, tuple[Any, Any]]
    norms: tuple[float, ...] = ()
    totals: dict[str, Any] = field(default_factory=dict)


def settings_of(config: TrainConfig, skip: Ranges) -> Settings:
    """Everything that decides what a step does to the parameters, besides the model, the rows and the seed."""
    return {
        "batch_tokens": config.batch_tokens,
        "steps": config.steps,
        "epochs": config.epochs,
        "dtype": config.dtype,
        "document_mask": config.document_mask,
        "skip_rows": [list(pair) for pair in skip],
        **{f"optim.{name}": value for name, value in config.optim.model_dump().items()},
        **{f"spikes.{name}": value for name, value in config.spikes.model_dump().items()},
    }


def find_start(config: TrainConfig, rows: RunRows, *, resume: Path | None) -> Start:
    """The start of a run on these rows; ``resume``: the run's own checkpoint, None for a new run.

    Raises:
        RequestError: the model, the batch, or a checkpoint does not fit the rows or this run; settings differ from
            those that the run was trained with, and ``change`` is not set; there are too few rows.
    """
    footer = rows.footer
    model = agree(config, footer.vocab_size, footer.seq_len)
    batch_rows = config.batch_rows(footer.seq_len)
    record = None if resume is None else read_record(resume)
    origin = _origin(config, footer.tokenizer_sha256, None if record is None else record.origin)
    row, step = (0, 0) if record is None else (record.rows, record.step)
    before = [] if record is None else [(begin, end) for begin, end in record.settings.get("skip_rows", [])]
    skip = merge_ranges([*before, *config.skip_rows])
    settings = settings_of(config, skip)
    changed: dict[str, tuple[Any, Any]] = {}
    if record is not None and resume is not None:
        require_same_run(record, resume, rows=rows, seed=config.seed, model=model, origin=origin)
        changed = {
            name: (record.settings[name], value)
            for name, value in settings.items()
            if name in record.settings and record.settings[name] != value and name != "skip_rows"
        }
        if changed and not config.change:
            raise RequestError(
                f"{resume}: the run was trained with {_listed(changed, 0)}; this command has {_listed(changed, 1)}; "
                f"give --change to go on with them from row {row:,}, or another --output"
            )
    warmup = config.optim.warmup_steps * batch_rows
    if record is not None and "optim.warmup_steps" not in changed:
        warmup = record.settings.get("warmup_rows", warmup)
    settings["warmup_rows"] = warmup
    left = rows_left(row, len(rows), skip)
    steps = config.steps if config.steps is not None else step + left // batch_rows
    if steps < 1:
        raise RequestError(
            f"the mix has {len(rows):,} rows, fewer than one global batch of {batch_rows:,}; "
            "lower --batch-tokens, or run `llama-data mix` with more --tokens"
        )
    _, total = take_rows(row, max(0, steps - step) * batch_rows, skip)
    initial = None if resume is not None or config.initial is None else Path(config.initial)
    return Start(
        model, batch_rows, row, step, steps, total, warmup, skip, resume, initial, origin, settings, changed,
        norms=() if record is None else record.norms, totals={} if record is None else record.totals,
    )  # fmt: skip


def _origin(config: TrainConfig, tokenizer: str, before: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the parameters were before row 0; of a checkpoint that is gone, what the run itself says of it."""
    if config.initial is None:
        return None
    initial, name = Path(config.initial), address_of(Path(config.initial))
    if before is not None and before.get("checkpoint") == name and not (initial / RECORD).exists():
        return before
    require_same_tokenizer(read_record(initial), tokenizer, initial)
    return {"checkpoint": name, "record_sha256": sha256((initial / RECORD).read_bytes()).hexdigest()}


def _listed(changed: dict[str, tuple[Any, Any]], which: int) -> str:
    return ", ".join(f"{name} {pair[which]}" for name, pair in changed.items())


def require_same_run(
    record: Record, where: Path, *, rows: RunRows, seed: int, model: ModelConfig, origin: dict[str, Any] | None
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
        (rows.kind, record.fingerprint, rows.fingerprint),
        ("seed", record.seed, seed),
        ("tokenizer", record.tokenizer_sha256, rows.footer.tokenizer_sha256),
        *((f"model.{name}", getattr(theirs, name), getattr(model, name)) for name in SIZES + SAME),
    ):
        if found != wanted:
            raise RequestError(
                f"{where}: the checkpoint was made with {what} {found}, this run has {wanted}; "
                "use the same --data, --model and seed, or another --output"
            )
