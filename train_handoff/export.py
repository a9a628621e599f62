"""Token shards in other trainers' formats: Megatron's .bin/.idx, nanoGPT's .bin, list-typed parquet for Hugging Face.

Shards of a domain are exported as the stream of tokens they were packed from, overlaps once. The rows of a mix do not
continue one another: each gives its first ``seq_len`` ids to a stream (and all ``seq_len + 1`` to parquet).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, exists, join, list_files, list_inputs
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.shards.file import VALIDATION, Footer, Shard, open_shards

Format = Literal["megatron", "bin", "hf"]
MEGATRON_MAGIC = b"MMIDIDX\x00\x00"
MEGATRON_CODES = {"uint16": 8, "int32": 4}


def export_shards(paths: Sequence[str], target: str, to: Format) -> list[str]:
    """Write the shards, in the order given, to ``target`` + the format's suffix; returns the files written.

    Raises:
        InputError: there are no shards, or they do not agree.
    """
    shards = open_shards(paths)
    return {"megatron": _megatron, "bin": _bin, "hf": _hf}[to](shards, target)


def export_run(run: str, output: str, to: Format, *, mix_folder: str = "mix") -> list[str]:
    """Export RUN/mix with its validation rows or, when there is no mix, each domain of RUN/tokens.

    ``mix_folder``: the folder of a further mix, below the run.

    Raises:
        InputError: the run has neither, or not the further mix that was asked for.
    """
    mix, tokens = join(run, mix_folder), join(run, "tokens")
    parts: dict[str, list[str]] = {}
    if exists(join(mix, "mix.json")):
        mixture = Mixture(mix)
        parts["mix"] = [join(mix, shard["name"]) for shard in mixture.record["shards"]]
        for name, shard in mixture.validation().items():
            parts[f"validation-{name}"] = [shard.path]
    elif mix_folder != "mix":
        raise InputError(f"{mix}: no finished mix; `llama-data mix --name {mix_folder.rpartition('/')[2]}` makes it")
    else:
        for folder in sorted({path.rsplit("/", 2)[-2] for path in _token_shards(tokens)}):
            parts[folder] = list_files(join(tokens, folder), ".parquet")
            held = list_files(join(tokens, folder, VALIDATION), ".parquet")
            if held:
                parts[f"validation-{folder}"] = held
    if not parts:
        raise InputError(f"{run}: neither a finished mix nor token shards; run `llama-data tokenize` first")
    return [path for name, paths in parts.items() for path in export_shards(paths, join(output, name), to)]


def _token_shards(tokens: str) -> list[str]:
    return [split.path for split in list_inputs(tokens, ["*/*.parquet"])] if exists(tokens) else []


def _streams(shards: Sequence[Shard]) -> Iterator[tuple[NDArray[Any], bool]]:
    """Pieces of the token stream, and whether each begins one (a shard's, or a row's of a mix)."""
    for shard in shards:
        length = shard.footer.seq_len
        for group in range(shard.groups):
            rows = shard.group(group)
            yield rows[:, :length].reshape(-1), group == 0 or shard.footer.kind == "mix"
        if shard.rows and shard.footer.kind == "domain":
            yield shard[shard.rows - 1][-1:], False


def _bin(shards: Sequence[Shard], target: str) -> list[str]:
    path = f"{target}.bin"
    with atomic_write(path) as stream:
        for tokens, _ in _streams(shards):
            stream.write(np.ascontiguousarray(tokens).data)
    return [path]


def _megatron(shards: Sequence[Shard], target: str) -> list[str]:
    """A document of a domain is a document there; a row of a mix is one document, so that the order is kept."""
    footer = shards[0].footer
    dtype = np.dtype("<u2") if footer.numpy_dtype.itemsize == 2 else np.dtype("<i4")
    lengths: list[NDArray[np.int64]] = []
    open_length, ended = 0, False
    with atomic_write(f"{target}.bin") as stream:
        for tokens, begins in _streams(shards):
            stream.write(np.ascontiguousarray(tokens, dtype).data)
            cuts = _document_cuts(tokens, footer)
            # Without BOS a document also begins where the piece before ends with an EOS.
            if begins or (ended and footer.kind == "domain" and footer.bos_id is None):
                cuts = np.union1d(cuts, [0])
            ended = len(tokens) > 0 and tokens[-1] == footer.eos_id
            if not len(cuts):
                open_length += len(tokens)
                continue
            first = open_length + int(cuts[0])
            lengths.append(np.array([first] if first else [], np.int64))
            lengths.append(np.diff(cuts))
            open_length = len(tokens) - int(cuts[-1])
    lengths.append(np.array([open_length] if open_length else [], np.int64))
    sizes = np.concatenate(lengths)
    pointers = np.concatenate([[0], np.cumsum(sizes[:-1])]) * dtype.itemsize if len(sizes) else sizes
    with atomic_write(f"{target}.idx") as stream:
        stream.write(MEGATRON_MAGIC + struct.pack("<QB", 1, MEGATRON_CODES[dtype.name]))
        stream.write(struct.pack("<QQ", len(sizes), len(sizes) + 1))
        stream.write(sizes.astype("<i4").tobytes())
        stream.write(pointers.astype("<i8").tobytes())
        stream.write(np.arange(len(sizes) + 1, dtype="<i8").tobytes())
    return [f"{target}.bin", f"{target}.idx"]


def _document_cuts(tokens: NDArray[Any], footer: Footer) -> NDArray[np.int64]:
    """Places in a stretch of tokens at which a document begins; for a mix, at which a row begins."""
    if footer.kind == "mix":
        return np.arange(0, len(tokens), footer.seq_len)
    if footer.bos_id is not None:
        return np.flatnonzero(tokens == footer.bos_id)
    ends = np.flatnonzero(tokens == footer.eos_id) + 1
    return ends[ends < len(tokens)]


def _hf(shards: Sequence[Shard], target: str) -> list[str]:
    """One parquet file with a column ``input_ids`` of lists (int32: parquet has no 16-bit type), and the domain."""
    path = f"{target}.parquet"
    schema = pa.schema([pa.field("input_ids", pa.list_(pa.int32())), pa.field("domain", pa.string())])
    with atomic_write(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for shard in shards:
            domains = shard.column("domain").cast(pa.string()) if shard.footer.kind == "mix" else None
            done = 0
            for group in range(shard.groups):
                rows = shard.group(group)
                width = rows.shape[1]
                offsets = np.arange(0, rows.size + 1, width, dtype=np.int32)
                ids = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1).astype(np.int32)))
                if domains is None:
                    names = pa.array([shard.footer.domain] * len(rows), pa.string())
                else:
                    names = domains.slice(done, len(rows)).combine_chunks()
                done += len(rows)
                writer.write_table(pa.table([ids, names], schema=schema))
    return [path]
