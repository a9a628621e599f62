"""The fast encoder: each distinct chunk of text is encoded once, with the ids that SentencePiece gives.

Models for which cutting is not proved exact (``tables.refusal``), or whose check against SentencePiece at load time
fails, are encoded by SentencePiece itself; ``FastEncoder.fallback`` then says why.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.kernels.memory import PADDING
from llama_data.pipeline.kernels.word_table import WordTable
from llama_data.tokenizer.bpe.kernels import encode_documents
from llama_data.tokenizer.bpe.tables import Rules, build_rules, refusal
from llama_data.tokenizer.model_file import ModelFacts, PieceType
from llama_data.tokenizer.processor import load_processor

LONGEST_KEPT = 256
PROBES = 48

Ids = NDArray[np.unsignedinteger[Any]]


class FastEncoder:
    """Encodes text with a SentencePiece model, as SentencePiece does.

    ``max_table_bytes`` bounds the memory of the table of chunks. ``fallback`` is None, or why this model is encoded
    by SentencePiece itself. Raises ModelError when the file is not a SentencePiece model.
    """

    def __init__(self, path: str, *, max_table_bytes: int = 512 << 20) -> None:
        self.oracle, self.facts, data = load_processor(path)
        self.path = path
        self.sha256 = sha256(data).hexdigest()
        self.vocab_size = len(self.facts.pieces)
        self.bos_id = int(self.oracle.bos_id())
        self.eos_id = int(self.oracle.eos_id())
        self.dtype = np.dtype(np.uint16 if self.vocab_size < 65536 else np.uint32)
        self.table = WordTable(max_bytes=max_table_bytes)
        self.fallback = refusal(self.facts)
        self._rules: Rules | None = None
        if self.fallback is None:
            self._rules = build_rules(self.facts)
            self._prepare()
            self._check()

    def _prepare(self) -> None:
        normalizer = self.facts.normalizer
        self._plain = not normalizer["precompiled_charsmap"] and not normalizer["remove_extra_whitespaces"]
        prefix = b" " if normalizer["add_dummy_prefix"] else b""
        suffix = self.facts.trainer["treat_whitespace_as_suffix"]
        self._prefix, self._suffix = (b"", prefix) if suffix else (prefix, b"")
        space = " " if not normalizer["escape_whitespaces"] else "\u2581"
        known = any(piece.text == space for piece in self.facts.pieces)
        self._ids_per_byte = 1 if known or not self.facts.trainer["byte_fallback"] else 3

    def _check(self) -> None:
        """Compare with SentencePiece on text made of the model's own pieces and of what is unusual."""
        for text in probes(self.facts):
            expected = np.asarray(self.oracle.encode(text))
            if not np.array_equal(self.encode(text), expected):
                self.fallback = f"its ids differ from SentencePiece's on {text[:40]!r}"
                self._rules = None
                return

    def encode(self, text: str) -> Ids:
        """Ids of one text, without BOS and EOS."""
        return self.encode_documents([text])[0]

    def encode_documents(
        self, texts: Sequence[str], *, bos: bool = False, eos: bool = False
    ) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of all texts one after the other, and the place after the last id of each.

        Raises UnicodeEncodeError for text with lone surrogates, which has no UTF-8 form.
        """
        begin = self.bos_id if bos else -1
        end = self.eos_id if eos else -1
        if self._rules is None:
            return self._plain_encode(texts, begin, end)
        parts: list[bytes] = []
        bounds = np.zeros(len(texts) + 1, np.int64)
        for index, text in enumerate(texts):
            found = self._normalised(text)
            parts += found
            bounds[index + 1] = bounds[index] + sum(map(len, found))
        data = np.frombuffer(b"".join([*parts, bytes(PADDING)]), np.uint8)
        out = np.empty(int(bounds[-1]) * self._ids_per_byte + 2 * len(texts) + 8, self.dtype)
        ends, state = np.empty(len(texts), np.int64), np.zeros(4, np.int64)
        while not encode_documents(
            data, bounds, begin, end, self._rules, self.table.arrays, LONGEST_KEPT, out, ends, state
        ):
            self.table.make_room()
        return out[: int(state[2])], ends

    def _normalised(self, text: str) -> tuple[bytes, ...]:
        """The text as SentencePiece merges it, in parts; spaces still stand for the escaped space."""
        if not text:
            return ()
        if not self._plain:
            return (self.oracle.Normalize(text).encode(),)
        return self._prefix, text.encode(), self._suffix

    def _plain_encode(self, texts: Sequence[str], begin: int, end: int) -> tuple[Ids, NDArray[np.int64]]:
        head = [np.array([begin], self.dtype)] if begin >= 0 else []
        tail = [np.array([end], self.dtype)] if end >= 0 else []
        parts: list[Ids] = []
        ends = np.empty(len(texts), np.int64)
        total = 0
        for index, text in enumerate(texts):
            text.encode()
            found = [*head, np.asarray(self.oracle.encode(text), self.dtype), *tail]
            parts += found
            total += sum(len(part) for part in found)
            ends[index] = total
        return (np.concatenate(parts) if parts else np.empty(0, self.dtype)), ends


def probes(facts: ModelFacts) -> list[str]:
    """Texts for the check at load time: the model's pieces in seeded disorder, and what is unusual."""
    chooser = random.Random(0)
    normal = [piece.text.replace("\u2581", " ") for piece in facts.pieces if piece.type == PieceType.NORMAL]
    fixed = ["", " ", "  ", "a", " a  b ", "\u2581", "a\u2581b", "\x00", "\n\n", "\t x", "<s>", "\U0010ffff\U0001f600"]
    fixed += ["e\u0301\u4e2d\u6587 \u0645\u0631\u062d", "0123456789" * 3, "a" * 200, " " * 200, "\ue000\ue001x\ue002"]
    if not normal:
        return fixed
    return fixed + ["".join(chooser.choices(normal, k=60)) for _ in range(PROBES)]
