"""``llama-train evaluate``: loss, perplexity and bits per byte of a checkpoint, by domain.

A batch is the same windows for any number of processes and its losses are added up in the order of the windows, so
the result does not depend on how many there are.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.settings import Strict, validate
from llama_data.train_handoff.trainer import checkpoint, distributed
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.handover import open_tokenizer, own_tokenizer
from llama_data.train_handoff.trainer.learner import sharded_model, token_losses
from llama_data.train_handoff.trainer.measure.held_out import TextWindows, Window, Windows, rows_of
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.record import Record, read_record

WORKER = "llama_data.train_handoff.trainer.measure.evaluate"


class Request(Strict):
    """What is evaluated, on what, and how; ``rows`` and ``limit`` as in ``held_out.rows_of``."""

    checkpoint: str
    data: str | None = None
    texts: tuple[str, ...] = ()
    tokenizer: str | None = None
    rows: tuple[int, int] | None = None
    limit: int | None = None
    micro_rows: int = 8
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["float32", "bfloat16"] = "float32"
    document_mask: bool = False


def open_windows(request: Request) -> tuple[Record, Windows, TrainConfig]:
    """What is to be evaluated, checked against the checkpoint.

    Raises:
        InputError, RequestError: there is no such checkpoint, file or row, or they do not belong together.
    """
    where = Path(request.checkpoint)
    record = read_record(where)
    if request.tokenizer is None and request.data is not None:
        pieces = own_tokenizer(where, record)  # without one only bits per byte are not known
    else:
        pieces = open_tokenizer(where, record, None if request.tokenizer is None else Path(request.tokenizer))
    model = record.model_config(where)
    assert model.seq_len is not None
    windows: Windows
    if request.data is not None:
        found = rows_of(request.data, record, where, rows=request.rows, limit=request.limit, pieces=pieces)
        if found.footer.seq_len > model.seq_len:
            raise RequestError(
                f"{request.data}: rows of {found.footer.seq_len} tokens; the model reads at most {model.seq_len}"
            )
        windows = found
    else:
        assert pieces is not None
        windows = TextWindows(request.texts, pieces, model.seq_len)
    if request.document_mask and windows.bos_id is None:
        raise RequestError("--document-mask needs rows with a BOS before every document, and these have none")
    settings = {"device": request.device, "dtype": request.dtype, "micro_rows": request.micro_rows}
    config = TrainConfig.model_validate({"name": where.name, "model": model, "initial": str(where), **settings})
    return record, windows, config


def evaluate(request: Request) -> dict[str, Any]:
    """Evaluate in this process or, under torchrun, together with the others. Raises as ``open_windows`` does."""
    record, windows, config = open_windows(request)
    processes = distributed.start(config)
    model = sharded_model(config, config.model, processes)
    checkpoint.load_parameters(Path(request.checkpoint), model)
    model.eval()
    losses = window_losses(model, windows, processes, request.micro_rows, request.document_mask)
    return {
        "checkpoint": request.checkpoint,
        "step": record.step,
        "rows_trained": record.rows,
        "on": windows.what,
        "windows_trained_on": windows.seen,
        "dtype": request.dtype,
        **summary(windows, losses),
    }


def evaluate_alone(request: Request) -> dict[str, Any]:
    """Evaluate with this process alone. Raises as ``open_windows`` does."""
    try:
        return evaluate(request)
    finally:
        distributed.stop()


@torch.no_grad()
def window_losses(
    model: Llama, windows: Windows, processes: distributed.Processes, micro_rows: int, document_mask: bool
) -> NDArray[np.float64]:
    """Of each window: the summed loss of its tokens and of those that stand for text, their number, bytes, domain."""
    found = torch.zeros(len(windows), 5, dtype=torch.float64)
    special = None if windows.special is None else torch.from_numpy(windows.special).to(processes.device)
    batches = -(-len(windows) // micro_rows)
    for turn in range(0, batches, processes.world):
        number = turn + processes.rank
        begin = (number if number < batches else 0) * micro_rows  # every process has to take part in every turn
        batch = [windows[index] for index in range(begin, min(begin + micro_rows, len(windows)))]
        ids, counted = _stack(batch, processes.device)
        losses = token_losses(model, ids, windows.bos_id if document_mask else None).double() * counted
        text = losses if special is None else losses * ~special[ids[:, 1:]]
        sums = torch.stack([losses.sum(1), text.sum(1), counted.sum(1).double()], dim=1).cpu()
        if number < batches:
            found[begin : begin + len(batch), :3] = sums
            known = [[float(window.text_bytes), float(window.domain)] for window in batch]
            found[begin : begin + len(batch), 3:] = torch.tensor(known, dtype=torch.float64)
    shared = distributed.sum_over_processes(found.to(processes.device))
    result: NDArray[np.float64] = shared.cpu().numpy()
    return result


def _stack(batch: list[Window], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, S + 1), filled up with zeros behind the shorter ones, and a mask (B, S) of the targets that count."""
    longest = max(len(window.ids) for window in batch)
    ids = np.zeros((len(batch), longest), np.int64)
    counted = np.zeros((len(batch), longest - 1), np.bool_)
    for row, window in enumerate(batch):
        ids[row, : len(window.ids)] = window.ids
        counted[row, : len(window.ids) - 1] = True
    return torch.from_numpy(ids).to(device), torch.from_numpy(counted).to(device)


def summary(windows: Windows, losses: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of each domain and of all windows together, every token weighing the same."""
    bytes_known = windows.special is not None
    by_domain = {}
    for code, name in enumerate(windows.domains):
        mine = losses[losses[:, 4] == code]
        if len(mine):
            by_domain[name] = _figures(mine, bytes_known)
    return {"domains": by_domain, "all": _figures(losses, bytes_known)}


def _figures(losses: NDArray[np.float64], bytes_known: bool) -> dict[str, Any]:
    loss, text_loss, tokens, size = (math.fsum(column) for column in losses[:, :4].T)
    mean = loss / tokens
    return {
        "windows": len(losses),
        "tokens": int(tokens),
        "bytes": int(size) if bytes_known else None,
        "loss": mean,
        "perplexity": math.exp(mean) if mean < 700 else math.inf,
        "bits_per_byte": text_loss / math.log(2) / size if bytes_known and size else None,
    }


def main(path: str) -> None:
    """One process of an evaluation."""
    distributed.answer(path, lambda: evaluate(validate(Request, json.loads(Path(path).read_text()), path)))


if __name__ == "__main__":
    main(sys.argv[1])
