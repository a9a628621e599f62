"""A trained model goes on with a text: reads it once, then adds a token at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.handover import around_documents, open_tokenizer
from llama_data.train_handoff.trainer.huggingface.export import load_model
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.past import empty_past
from llama_data.train_handoff.trainer.pieces import Pieces
from llama_data.train_handoff.trainer.record import Record, read_record
from llama_data.train_handoff.trainer.spelling import Spelling, Stops


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn, and when a completion ends.

    ``temperature`` 0 takes the likeliest token. ``top_k``: only the k likeliest; ``top_p``: of these only the likeliest
    that together reach this probability; None is off. A completion has at most ``tokens`` tokens and
    ends before one of the texts ``stop``. ``slide``: when the context is full its older half is forgotten, instead of
    ending there.
    """

    tokens: int = 64
    temperature: float = 0.8
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int = 1
    slide: bool = False


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """The next token, drawn on the CPU in float32, so that a seed draws the same on every device."""
    logits = logits.float().cpu()
    if sampling.temperature == 0:
        return int(logits.argmax())
    ordered, ids = torch.softmax(logits / sampling.temperature, -1).sort(descending=True, stable=True)
    if sampling.top_k is not None:
        ordered = ordered[: sampling.top_k] / ordered[: sampling.top_k].sum()
    if sampling.top_p is not None:
        before = ordered.cumsum(-1) - ordered
        ordered = ordered[: max(1, int((before < sampling.top_p).sum()))]
    return int(ids[torch.multinomial(ordered, 1, generator=generator)])


class Speaker:
    """A model and what it has read: completes a prompt, and another one after it.

    A text begins with the ids ``opener``. ``say`` is told in a sentence when the context is full. ``ended`` says how
    the last completion did: ``end`` (the model ended the document), ``stop`` (and ``stopped_by`` which of them),
    ``length`` or ``context``; ``count`` its tokens.
    """

    def __init__(
        self, model: Llama, pieces: Pieces, opener: list[int], sampling: Sampling, say: Callable[[str], None]
    ) -> None:
        self.model = model
        self.pieces = pieces
        self.opener = opener
        self.sampling = sampling
        self.say = say
        self.ended = ""
        self.stopped_by = ""
        self.count = 0
        self._ends = set(pieces.special_ids)  # at a BOS the next document begins
        self._pieces = pieces.model.vocab_size()  # the model's vocabulary may be padded
        self._device = model.tok_embeddings.weight.device
        self._past = empty_past(model.config, model.tok_embeddings.weight)
        self._generator = torch.Generator()
        self.restart()

    def restart(self, number: int = 0) -> None:
        """Forget everything; ``number``: of the text that comes, which has draws of its own."""
        self._read_ids: list[int] = []
        self._unread = list(self.opener)
        self._generator.manual_seed(self.sampling.seed + number)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without an opener."""
        ids: list[int] = self.pieces.model.encode(text)
        return ids

    def complete(self, ids: list[int]) -> Iterator[str]:
        """Read ``ids`` after what was read before, and yield the text that the model adds, as it comes.

        Raises RequestError when there is nothing to go on from, or the model computes what is no number.
        """
        self._unread += ids
        if not self._unread and not self._read_ids:
            raise RequestError("nothing to go on from: the prompt is empty, and the tokenizer has neither BOS nor EOS")
        spelling, stops = Spelling(self.pieces.model, self._unread), Stops(self.sampling.stop)
        self.ended, self.stopped_by, self.count = "length", "", 0
        while self.count < self.sampling.tokens:
            logits = self._read()
            if logits is None:
                self.ended = "context"
                break
            id = choose(logits[: self._pieces], self.sampling, self._generator)
            if id in self._ends:
                self.ended = "end"
                break
            self._unread, self.count = [id], self.count + 1
            if text := stops.add(spelling.add(id)):
                yield text
            if stops.found:
                self.ended, self.stopped_by = "stop", stops.which
                return
        text = stops.add(spelling.rest())
        yield text if stops.found else text + stops.rest()

    def _read(self) -> Tensor | None:
        """Logits (V) after what is unread; None when the context has no room for it and does not slide."""
        room, ids = self.model.seq_len, self._unread
        if len(self._read_ids) + len(ids) > room:
            if not self.sampling.slide:
                self.say(f"the context of {room:,} tokens is full; with --overflow slide its older half is forgotten")
                return None
            self.say(f"the context of {room:,} tokens is full: its older half is forgotten")
            ids = [*self.opener, *[*self._read_ids, *ids][-(room // 2) :]]
            self._read_ids = []
        for past in self._past:
            past.length = len(self._read_ids)  # also after a reading that was broken off in some layer
        with torch.inference_mode():
            logits: Tensor = self.model(torch.tensor([ids], device=self._device), past=self._past)[0, -1]
        if not torch.isfinite(logits).all():
            raise RequestError("the model's logits are not finite: it has diverged, or needs a --dtype of wider range")
        self._read_ids += ids
        self._unread = []
        return logits


def opener_of(record: Record, pieces: Pieces) -> list[int]:
    """What the model has seen before every document: BOS, or EOS where its rows (else its tokenizer) have no BOS."""
    return [id for id in around_documents(record, pieces) if id is not None][:1]


def open_speaker(
    path: Path, tokenizer: Path | None, sampling: Sampling, say: Callable[[str], None], *, device: str, dtype: str
) -> Speaker:
    """The model of a checkpoint on a device (auto: CUDA where there is some).

    Raises:
        InputError: not a checkpoint or a damaged one, or no tokenizer.model in the tokenizer folder.
        RequestError: the tokenizer is not the model's, or none is found; there is no such device.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RequestError("device cuda: no CUDA device is visible; use --device cpu or auto")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    pieces = open_tokenizer(path, read_record(path), tokenizer)
    model, record = load_model(path, device, getattr(torch, dtype))
    return Speaker(model.eval(), pieces, opener_of(record, pieces), sampling, say)
