"""What `llama-train tune` does before the loop: the model it starts from, its tokenizer, the rows, the settings.

Imports no torch.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import is_local, local_path
from llama_data.pipeline.core.lock import refuse_if_held
from llama_data.train_handoff.shards.file import Footer
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.handover import around_documents, copy_tokenizer, open_tokenizer
from llama_data.train_handoff.trainer.launch import first_checkpoint, starting_from
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import (
    AT_WORK,
    CHECKPOINTS,
    LOCK,
    RECORD,
    Record,
    find_checkpoint,
    read_record,
)
from llama_data.train_handoff.trainer.template import Template
from llama_data.train_handoff.trainer.tuning.packing import EXAMPLES, Packing, pack
from llama_data.train_handoff.trainer.tuning.rows import ExampleRows

# Stanford Alpaca's (README, "Fine-tuning", LLaMA 7B): 2e-5, cosine after a warm-up of 3 % of the steps, three epochs,
# no weight decay, Adam's own betas. Its cosine ends at 0, where the last step would teach nothing; ours at a tenth, as
# LLaMA's. Its batch is 128 examples of at most 512 tokens; ours is in rows.
SETTINGS: dict[str, Any] = {
    "optim": {"lr": 2e-5, "beta2": 0.999, "weight_decay": 0.0, "min_lr_ratio": 0.1},
    "document_mask": False,  # rows say themselves which tokens belong together
}
EPOCHS, WARMUP, BATCH_ROWS = 3, 0.03, 64
WAIT_SECONDS = 3600.0  # that another node may take to pack


@dataclass(frozen=True)
class Request:
    """What to tune (a path or an address), on what, in which folder; ``seq_len`` None: as many as the model reads."""

    initial: str
    output: Path
    files: tuple[str, ...]
    template: Template
    tokenizer: Path | None = None
    overflow: Literal["drop", "truncate"] = "drop"
    damaged: int = 10
    seq_len: int | None = None
    seed: int = 1
    epochs: int = EPOCHS
    cache_dir: str | None = None


def default_output(initial: str) -> str:
    """``tuned/`` beside the run or checkpoint that a tuned one starts from. Raises RequestError for an address."""
    if not is_local(initial):
        raise RequestError(f"--from {initial}: it is in an object store; name a folder or URL for the run as --output")
    path = Path(local_path(initial)).resolve()
    return str((path.parent.parent if path.parent.name == CHECKPOINTS else path).parent / "tuned")


def open_packing(request: Request) -> Packing:
    """The packing of the examples for the model that is to be tuned.

    Raises:
        InputError: no such checkpoint or file.
        RequestError: the tokenizer is not the model's, or none is found; nothing ends an answer; rows longer than the
            model reads.
    """
    if not request.template.after.strip():
        raise RequestError(f"template {request.template.text!r}: nothing ends an answer; put </s> after {{completion}}")
    first = first_checkpoint(request.initial, str(request.output), request.cache_dir)
    where = first if (first / RECORD).exists() else find_checkpoint(request.output)
    record = read_record(where)
    pieces = open_tokenizer(where, record, request.tokenizer)
    model = record.model_config(where)
    assert model.seq_len is not None
    if request.seq_len is not None and request.seq_len > model.seq_len:
        raise RequestError(f"--seq-len {request.seq_len:,}: the model reads at most {model.seq_len:,} tokens")
    footer = _footer(record, pieces, request.seq_len or model.seq_len)
    return Packing(
        request.files, request.template, pieces, footer, request.seed, request.overflow, damaged=request.damaged
    )


def _footer(record: Record, pieces: Pieces, seq_len: int) -> Footer:
    bos, eos = around_documents(record, pieces)
    return Footer(
        kind="domain",
        split="train",
        domain="examples",
        seq_len=seq_len,
        vocab_size=pieces.model.vocab_size(),
        tokenizer_sha256=pieces.sha256,
        bos_id=bos,
        eos_id=eos,
    )


def rows_folder(packing: Packing, output: Path) -> Path:
    """Where in the run's folder the packed rows are: others of everything have another name."""
    return output / f"{EXAMPLES.removesuffix('.json')}-{packing.fingerprint[:12]}"


def pack_once(packing: Packing, output: Path, node_rank: int = 0) -> Path:
    """The folder of the rows, which the first node packs when it is not there, and the others wait for.

    Raises InputError as ``pack`` does, RequestError when another run is at work or the first node never packs.
    """
    folder = rows_folder(packing, output)
    deadline = time.monotonic() + WAIT_SECONDS
    while node_rank and not folder.exists():
        if time.monotonic() > deadline:
            raise RequestError(f"{folder}: the first node has not packed it; is --output on storage that all share?")
        time.sleep(1)
    if not folder.exists():
        refuse_if_held(output / LOCK, AT_WORK)
        output.mkdir(parents=True, exist_ok=True)
        pack(packing, folder)
    kept = output / "tokenizer"
    if not node_rank and not kept.exists():
        kept.mkdir()
        copy_tokenizer(packing.pieces, kept)
    ExampleRows(str(folder)).verify()
    return folder


def tune_config(request: Request, folder: Path, source: str | None, overrides: dict[str, Any]) -> TrainConfig:
    """The run on the rows in ``folder``; ``overrides`` (dotted keys) come last, ``source`` is as of `launch`.

    Without ``batch_tokens`` a step has 64 rows, or the power of two that is not above the number of rows; without
    ``optim.warmup_steps`` the rate rises over 3 % of the steps. Raises RequestError.
    """
    rows = ExampleRows(str(folder))
    seq_len = rows.footer.seq_len
    batch_rows = min(BATCH_ROWS, 1 << (rows.rows.bit_length() - 1))
    given = {
        "data": str(folder),
        "output": str(request.output),
        "batch_tokens": batch_rows * seq_len,
        "epochs": request.epochs,
        "seed": request.seed,
        "template": request.template.text,
        **overrides,
    }
    steps = -(-rows.rows * request.epochs * seq_len // given["batch_tokens"])
    given = {"optim.warmup_steps": math.ceil(WARMUP * steps), **given}
    return starting_from(request.initial, source, given, SETTINGS)
