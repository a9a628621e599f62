"""The tokenizer of a model, and how many bytes of text each of its ids stands for. Imports no torch."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.pipeline.core.files import exists, is_local, join, local_path, read_bytes
from llama_data.tokenizer.processor import load_processor

Ids = NDArray[np.int64]


def find_tokenizer(folder: Path) -> tuple[Path, str]:
    """The tokenizer.model of a folder and its sha256. Raises InputError when there is none."""
    path = folder / "tokenizer.model"
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the folder of the model's tokenizer")
    return path, sha256(path.read_bytes()).hexdigest()


def pieces_beside(mix: str, wanted: str) -> Pieces | None:
    """The tokenizer beside a mix (RUN/tokenizer), None when there is none or its sha256 is not ``wanted``."""
    run = str(Path(local_path(mix)).resolve().parent) if is_local(mix) else mix.rstrip("/").rpartition("/")[0]
    path = join(run, "tokenizer", "tokenizer.model")
    content = read_bytes(path) if exists(path) else b""
    if sha256(content).hexdigest() != wanted:
        return None
    with TemporaryDirectory(prefix="tokenizer-") as folder:
        (Path(folder) / "tokenizer.model").write_bytes(content)
        return Pieces(Path(folder))


class Pieces:
    """A SentencePiece model: how many bytes of text each id stands for.

    Raises InputError when there is none, or a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.sha256 = find_tokenizer(folder)
        try:
            self.model, _, _ = load_processor(str(self.path))
        except ModelError as error:
            raise InputError(str(error)) from None
        size = self.model.vocab_size()
        self.special = np.array([self.model.is_control(i) or self.model.is_unknown(i) for i in range(size)])
        self.bytes = np.array([self._bytes(i) for i in range(size)], np.int64)
        self.prefix = self.model.encode("a", out_type=str)[0].startswith("▁")

    def _bytes(self, number: int) -> int:
        if self.special[number]:
            return 0
        if self.model.is_byte(number):
            return 1
        return len(self.model.id_to_piece(number).replace("▁", " ").encode())

    @property
    def special_ids(self) -> tuple[int | None, int | None]:
        """BOS and EOS; None for one that the model does not have."""
        bos, eos = (id if id >= 0 else None for id in (self.model.bos_id(), self.model.eos_id()))
        return bos, eos

    def count(self, ids: Ids, opener: int | None) -> int:
        """Bytes that ``ids[1:]`` stand for; after ``opener`` a text begins, with a space that is not its own."""
        found = int(self.bytes[ids[1:]].sum())
        if self.prefix and opener is not None:
            found -= int(np.count_nonzero((ids[:-1] == opener) & ~self.special[ids[1:]]))
        return found
