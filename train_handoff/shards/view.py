"""One row of a shard as a person reads it: its text, where documents begin, and where the row came from."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.tokenizer.processor import load_processor
from llama_data.train_handoff.shards.file import Shard, document_starts


@dataclass(frozen=True)
class Passage:
    """A stretch of a row inside one document. ``begins``, ``ends``: the document does so in this row."""

    start: int
    tokens: int
    text: str
    begins: bool
    ends: bool


@dataclass(frozen=True)
class RowView:
    """A row: its domain, its origin in a mix (shard and row), and its passages."""

    row: int
    domain: str
    origin: str | None
    passages: tuple[Passage, ...]

    def __str__(self) -> str:
        lines = [f"row {self.row}  domain {self.domain}" + (f"  from {self.origin}" if self.origin else "")]
        for part in self.passages:
            begins = "document begins" if part.begins else "document goes on"
            ends = "ends" if part.ends else "goes on in the next row"
            lines += [f"--- token {part.start}, {part.tokens} tokens: {begins}, {ends}", part.text]
        return "\n".join(lines)


def view_row(shard: Shard, row: int, tokenizer: str, tokenizer_sha256: str | None = None) -> RowView:
    """The row's view, decoded with the SentencePiece model at ``tokenizer``.

    Raises:
        InputError: there is no such row.
        ModelError: ``tokenizer_sha256`` is given and is not that of the shard.
    """
    if not 0 <= row < shard.rows:
        raise InputError(f"{shard.path}: row {row}: it has rows 0 to {shard.rows - 1}")
    footer = shard.footer
    if tokenizer_sha256 is not None and tokenizer_sha256 != footer.tokenizer_sha256:
        raise ModelError(f"{tokenizer}: the shard was made with another tokenizer ({footer.tokenizer_sha256[:12]})")
    model, _, _ = load_processor(tokenizer)
    ids = shard[row]
    origin, domain, opens = None, footer.domain, row == 0
    if footer.kind == "mix":
        domain = shard.column("domain")[row].as_py()
        source = shard.column("origin_row")[row].as_py()
        origin, opens = f"{shard.column('origin_shard')[row].as_py()} row {source}", source == 0
    starts = document_starts(ids.reshape(1, -1), footer, np.array([opens]))[0].as_py()
    bounds = [*([] if starts[:1] == [0] else [0]), *starts, len(ids)]
    passages = []
    for begin, end in itertools.pairwise(bounds):
        part = [int(id) for id in ids[begin:end]]
        text = model.decode([id for id in part if id not in (footer.bos_id, footer.eos_id)])
        ended = footer.eos_id is not None and part[-1:] == [footer.eos_id]
        passages.append(Passage(begin, end - begin, text, begin in starts, ended or end < len(ids)))
    return RowView(row, domain, origin, tuple(passages))
