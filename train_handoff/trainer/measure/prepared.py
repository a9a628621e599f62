"""Held-out windows in a file, which a run reads without tokenizer, texts or mix. Imports no torch."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write
from llama_data.train_handoff.trainer.measure.held_out import Window


def write_windows(
    path: str,
    windows: Sequence[Window],
    *,
    domains: Sequence[str],
    special: NDArray[np.bool_],
    bos_id: int | None,
) -> None:
    """Write windows, the longest first, so that those read together are of like length."""
    ordered = sorted(windows, key=lambda window: -len(window.ids))
    with atomic_write(path) as stream:
        np.savez(
            stream,
            ids=np.concatenate([window.ids for window in ordered]).astype(np.uint32),
            ends=np.cumsum([len(window.ids) for window in ordered]),
            codes=np.array([window.domain for window in ordered], np.int64),
            bytes=np.array([window.text_bytes for window in ordered], np.int64),
            domains=np.array(list(domains)),
            special=special,
            bos_id=np.array(-1 if bos_id is None else bos_id),
        )


_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


class PreparedWindows:
    """What ``write_windows`` wrote; see ``held_out.Windows``. Raises InputError when it is not there or damaged."""

    def __init__(self, path: str) -> None:
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as found:
                self._ids = found["ids"].astype(np.int64)
                self._ends = found["ends"]
                self._codes, self._bytes = found["codes"], found["bytes"]
                self.domains = tuple(str(name) for name in found["domains"])
                self.special: NDArray[np.bool_] | None = found["special"]
                bos = int(found["bos_id"])
        except _DAMAGED as error:
            raise InputError(f"{path}: not a file of held-out windows, or damaged: {error}") from None
        self.bos_id = None if bos < 0 else bos
        self.what = f"the held-out windows of {path}"
        self.seen: int | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Window:
        begin = int(self._ends[index - 1]) if index else 0
        ids = self._ids[begin : int(self._ends[index])]
        return Window(ids, int(self._codes[index]), int(self._bytes[index]))
