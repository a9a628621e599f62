"""What the models of an ablation are measured on: texts that the user names, and the mixes' own held-out rows.

Only the first are neutral. A mix's own held-out rows went through its own rules, which make them easier (or odder) than
the texts that the model is for; they are measured as an extra, and no verdict is given on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, RequestError
from llama_data.pipeline.core.files import exists, sha256_of
from llama_data.train_handoff.trainer.ablate.arms import NAME, Arm, named
from llama_data.train_handoff.trainer.measure.held_out import Window, read_texts
from llama_data.train_handoff.trainer.pieces import Pieces

TEXT, OWN = "text/", "own/"  # what the names of the two kinds begin with, where windows are kept and measured
BEGINNING = 2048  # bytes of a long document that are taken at least
WHOLE = 0.5  # a document of which so much stands in training rows is one of theirs

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Document:
    """A document, or its beginning where the set's limit fell into it."""

    ids: Ids
    text_bytes: int


@dataclass(frozen=True)
class TextSet:
    """Texts under one name. ``found``: documents in the files; ``documents``: those that are measured.

    ``left_out``: documents that stand in an arm's rows. ``unsure``: too short to be looked for there. ``shares``: of
    each arm, how much of the ids stands in its rows (before documents were left out).
    """

    name: str
    files: tuple[tuple[str, str], ...]
    found: int
    documents: tuple[Document, ...]
    left_out: int = 0
    unsure: int = 0
    shares: tuple[tuple[str, float], ...] = ()

    @property
    def key(self) -> str:
        """Its name among all windows."""
        return TEXT + self.name

    @property
    def tokens(self) -> int:
        """Ids that are predicted."""
        return sum(len(document.ids) for document in self.documents)

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of the texts."""
        return sum(document.text_bytes for document in self.documents)


def read_sets(given: Sequence[str], pieces: Pieces, limit: int) -> list[TextSet]:
    """The sets of ``NAME=FILE`` or ``FILE`` (named after the file); one name may have several files.

    ``limit``: bytes of each set. Of a long document the beginning is then taken, so that there are many, and
    documents in an order that only their texts decide. Raises InputError and RequestError for files and names that do
    not do.
    """
    files: dict[str, list[str]] = {}
    for item in given:
        name, path = named(item)
        name = name or path.rsplit("/", 1)[-1].partition(".")[0]
        if not NAME.fullmatch(name):
            raise RequestError(f"--held-out {item}: the name {name!r}: letters, digits, . _ and - ; write NAME=FILE")
        if not exists(path):
            raise InputError(f"--held-out {item}: {path}: no such file")
        if path in files.get(name, []):
            raise RequestError(f"--held-out {item}: it was named twice")
        files.setdefault(name, []).append(path)
    return [_read_set(name, paths, pieces, limit) for name, paths in files.items()]


def _read_set(name: str, paths: list[str], pieces: Pieces, limit: int) -> TextSet:
    texts = list(dict.fromkeys(text for path in paths for _, text in read_texts(path) if text.strip()))
    if not texts:
        raise InputError(f"{paths[0]}: there is no text in it")
    encoded = sorted((text.encode("utf-8", "replace") for text in texts), key=lambda text: sha256(text).digest())
    documents: list[Document] = []
    room = limit
    most = max(BEGINNING, _level([len(text) for text in encoded], room))
    for text in encoded:
        cut = text[: min(room, most)].decode("utf-8", "ignore")  # without the half of a character at the end
        if cut:
            documents.append(Document(np.array(pieces.model.encode(cut), np.int64), len(cut.encode())))
            room -= len(cut.encode())
    files = tuple((path, sha256_of(path)) for path in paths)
    return TextSet(name, files, len(texts), tuple(documents))


def _level(sizes: Sequence[int], total: int) -> int:
    """The most bytes that each document may have so that all of them together have ``total``."""
    left = total
    for number, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - number)
        if size > share:
            return share
        left -= size
    return max(sizes)


def without_overlap(found: TextSet, shares: dict[str, list[float | None]]) -> TextSet:
    """The set without the documents that stand in an arm's rows; ``shares``: of each arm, of each document.

    Raises RequestError when none is left.
    """
    per_document = list(zip(*shares.values(), strict=True))
    highest = [max((share for share in each if share is not None), default=None) for each in per_document]
    kept = tuple(
        document for document, share in zip(found.documents, highest, strict=True) if share is None or share < WHOLE
    )
    if not kept:
        raise RequestError(
            f"--held-out {found.name}: each of its {len(found.documents)} document(s) stands in the training rows of "
            "an arm; name texts that no arm was trained on"
        )
    sizes = [len(document.ids) for document in found.documents]
    total = sum(sizes)
    standing = tuple(
        (name, sum((share or 0.0) * size for share, size in zip(each, sizes, strict=True)) / total)
        for name, each in shares.items()
    )
    unsure = sum(share is None for share in highest)
    return replace(found, documents=kept, left_out=len(sizes) - len(kept), unsure=unsure, shares=standing)


@dataclass(frozen=True)
class OwnSet:
    """Held-out rows of a domain, of one or several arms that hold the same ones out."""

    arms: tuple[str, ...]
    domain: str
    windows: tuple[Window, ...]

    @property
    def key(self) -> str:
        """Its name among all windows."""
        return f"{OWN}{'+'.join(self.arms)}/{self.domain}"

    @property
    def tokens(self) -> int:
        """Ids that are predicted."""
        return sum(len(window.ids) - 1 for window in self.windows)


def own_sets(arms: Sequence[Arm], pieces: Pieces, limit: int) -> list[OwnSet]:
    """The held-out rows of each arm by domain, about ``limit`` bytes of an arm, shared among its domains."""
    found: dict[tuple[str, str], OwnSet] = {}
    for arm in arms:
        held = {name: shard for name, shard in arm.mix.validation().items() if shard.rows}
        for name, shard in held.items():
            key = (name, shard.footer.content_sha256)
            if key in found:
                found[key] = replace(found[key], arms=(*found[key].arms, arm.name))
                continue
            windows: list[Window] = []
            room = limit / len(held)
            for number in range(shard.rows):
                if room <= 0:
                    break
                ids = shard[number].astype(np.int64)
                opener = shard.footer.eos_id if shard.footer.bos_id is None else shard.footer.bos_id
                windows.append(Window(ids, 0, pieces.count(ids, opener)))
                room -= windows[-1].text_bytes
            found[key] = OwnSet((arm.name,), name, tuple(windows))
    return list(found.values())


def windows_of(texts: Sequence[TextSet], own: Sequence[OwnSet], pieces: Pieces, seq_len: int) -> list[Window]:
    """All of them as windows, the sets numbered one after the other. A text begins with BOS and is read alone."""
    found: list[Window] = []
    for code, one in enumerate(texts):
        for document in one.documents:
            ids = np.concatenate([[pieces.model.bos_id()], document.ids]).astype(np.int64)
            for start in range(0, len(ids) - 1, seq_len):
                size = document.text_bytes if start == 0 else 0
                found.append(Window(ids[start : start + seq_len + 1], code, size))
    for code, rows in enumerate(own, len(texts)):
        found += [Window(window.ids, code, window.text_bytes) for window in rows.windows]
    return found
