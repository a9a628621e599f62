"""`llama-train rows`: which rows a step read, which documents are in them, and what they say. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import exists, join, read_bytes
from llama_data.pipeline.core.screen import json_line, one_line, plain
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.mix.trace import Part, Trace, tokens_beside
from llama_data.train_handoff.trainer.config import SampleConfig
from llama_data.train_handoff.trainer.loader import Ranges, take_rows
from llama_data.train_handoff.trainer.record import checkpoints, read_record
from llama_data.train_handoff.trainer.sampled import SampledMix
from llama_data.train_handoff.trainer.watch.lines import METRICS, REPLACED, lines


@dataclass(frozen=True)
class Asked:
    """Rows of a mix to be traced. ``step``: the one that read them, None when rows were asked for.

    ``before``: rows that attempts at the same step had read which were taken back (`--rewind`, or a killed run).
    """

    mixture: Mixture
    rows: tuple[range, ...]
    step: int | None = None
    before: tuple[tuple[range, ...], ...] = ()


def ask(run: Path, *, step: int | None, rows: tuple[int, int] | None, data: str | None) -> Asked:
    """The rows of a step of the run, or the rows that are named.

    ``data``: the mix, where it is no longer the one that the run's train.json names. A mix may stand for the run when
    rows are named.

    Raises:
        RequestError: the run did not take such a step, or was trained on another mix.
        InputError: there is no run, no mix, or what its metrics say is not enough.
    """
    if step is None and data is None and not (run / "train.json").exists() and (run / "mix.json").exists():
        data = str(run)
    mixture = _mixture_of(run, data)
    _require_same_mix(run, mixture)
    whole = Mixture(mixture.folder) if isinstance(mixture, SampledMix) else mixture
    if rows is not None:
        return Asked(whole, (range(*rows),))
    assert step is not None  # the command asks for one of the two
    found = _lines(run / METRICS, step)
    if not found:
        last = max((int(line["step"]) for line in _read(run / METRICS)), default=None)
        has = "it has no steps" if last is None else f"its steps are 0 to {last:,}"
        raise RequestError(f"{run / METRICS}: step {step:,}: {has}; name the rows themselves with --rows A:B")
    before = tuple(_rows_of(line, run, mixture) for line in _lines(run / REPLACED, step))
    return Asked(whole, _rows_of(found[-1], run, mixture), step, before)


def _mixture_of(run: Path, data: str | None) -> Mixture:
    """The mix of a run, or the rows of it that were the run's sample."""
    path = run / "train.json"
    try:
        settings = json.loads(path.read_text())
        found, sample = str(settings["data"]), settings.get("sample")
    except (OSError, ValueError, KeyError, TypeError):
        if data is None:
            raise InputError(
                f"{path}: not there, or damaged; expected the folder of a training run; --data names its mix"
            ) from None
        found, sample = data, None
    folder = found if data is None else data
    return Mixture(folder) if sample is None else SampledMix(folder, SampleConfig.model_validate(sample))


def _require_same_mix(run: Path, mixture: Mixture) -> None:
    for path in checkpoints(run)[-1:] if run.is_dir() else []:
        fingerprint = read_record(path).fingerprint
        if fingerprint and fingerprint != mixture.fingerprint:
            raise RequestError(
                f"{run}: it was trained on the mix {fingerprint[:12]}, and {mixture.folder} is "
                f"{mixture.fingerprint[:12]}; give the one it was trained on as --data"
            )


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for _, found in lines(path):
        if {"step", "row", "rows", "tokens"} <= found.keys() and found.get("kind", "step") == "step":
            yield found


def _lines(path: Path, step: int) -> list[dict[str, Any]]:
    return [line for line in _read(path) if line["step"] == step]


def _rows_of(line: dict[str, Any], run: Path, mixture: Mixture) -> tuple[range, ...]:
    """The rows of a step, from its line: the first, how many, the one after the last, and what lies between."""
    row, count, end = line["row"], line["rows"], line["tokens"] // mixture.footer.seq_len
    skip: Ranges = tuple((begin, last) for begin, last in line.get("left_out", ()))
    if end - row > count and not skip:
        # Lines of earlier versions do not say which rows were skipped; the run's checkpoints do.
        found = checkpoints(run)
        known = read_record(found[-1]).settings.get("skip_rows", []) if found else []
        skip = tuple((max(begin, row), min(last, end)) for begin, last in known if begin < end and last > row)
    pieces, after = take_rows(row, count, skip)
    if after != end:
        raise InputError(
            f"{run / METRICS}: step {line['step']} read {count:,} of the rows {row:,} to {end - 1:,}, and it is not "
            f"known which were skipped; --rows {row}:{end} shows all of them"
        )
    if isinstance(mixture, SampledMix):
        return tuple(range(place, place + 1) for piece in pieces for place in map(mixture.row, piece))
    return tuple(pieces)


class Speller:
    """The ids of a row as text. ``folder``: of the tokenizer, None for the one in the run of the mix.

    Raises:
        InputError: there is no tokenizer.model.
        RequestError: it is not the one that the rows were made with.
    """

    def __init__(self, mixture: Mixture, tokens: str, folder: str | None) -> None:
        import sentencepiece

        path = join(folder if folder is not None else join(tokens.rpartition("/")[0] or ".", "tokenizer"))
        path = join(path, "tokenizer.model")
        if not exists(path):
            raise InputError(f"{path}: no such file; give the folder of the mix's tokenizer as --tokenizer")
        content = read_bytes(path)
        if sha256(content).hexdigest() != mixture.footer.tokenizer_sha256:
            raise RequestError(f"{path}: the rows were made with another tokenizer; give its folder as --tokenizer")
        self._model = sentencepiece.SentencePieceProcessor(model_proto=content)
        self._mixture = mixture
        self._special = {mixture.footer.bos_id, mixture.footer.eos_id}

    def text(self, part: Part) -> str:
        """What a document says in the row, without control characters; cut where the row is."""
        ids = self._mixture[part.row][part.offset : part.offset + part.tokens].tolist()
        text: str = self._model.decode([id for id in ids if id not in self._special])
        return plain(text)


def show(asked: Asked, *, tokens: str | None, tokenizer: str | None, text: bool, as_json: bool) -> Iterator[str]:
    """What was asked for, line by line: a document a line, or for people. ``tokens``: folder of the token shards.

    Raises:
        InputError: the shards or their indexes are not there.
    """
    folder = tokens if tokens is not None else tokens_beside(asked.mixture.folder)
    speller = Speller(asked.mixture, folder, tokenizer) if text else None
    trace = Trace(asked.mixture, folder)
    if not as_json and asked.step is not None:
        yield f"step {asked.step:,}: {_listed(asked.rows)} of {asked.mixture.folder}"
        yield from (f"  an attempt that was taken back had read {_listed(rows)}" for rows in asked.before)
    parts = (part for rows in asked.rows for part in trace.parts(rows))
    if as_json:
        for part in parts:
            said = {} if speller is None else {"text": speller.text(part)}
            yield json_line({"step": asked.step, **part._asdict(), **said})
        return
    for row, found in groupby(parts, lambda part: part.row):
        for number, part in enumerate(found):
            if number == 0:
                yield (
                    f"row {row:,} ({part.shard} row {part.shard_row:,}): {part.origin_shard} row {part.origin_row:,}, "
                    f"epoch {part.epoch} of {part.domain}"
                )
            source = one_line(part.source or "source not known")
            yield f"  {part.offset:>6} +{part.tokens:<6} {one_line(part.id)}  ({source}; {_what(part)})"
            if speller is not None:
                yield from (f"         | {line}" for line in speller.text(part).split("\n"))


def _listed(rows: tuple[range, ...]) -> str:
    return "rows " + ", ".join(f"{piece.start:,} to {piece.stop - 1:,}" for piece in rows)


def _what(part: Part) -> str:
    begins = "begins" if part.begins else "goes on"
    return "whole" if part.begins and part.ends else f"{begins} and ends here" if part.ends else f"{begins} here"
