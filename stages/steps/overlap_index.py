"""The runs of words of evaluation texts, to be looked for: made by one task, read by all others."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.files import atomic_write, join, read_bytes
from llama_data.stages.steps.evaluations import Item
from llama_data.stages.steps.kernels.word_runs import Keys, find_runs, make_keys, normal_words, run_keys

_ARRAYS = ("keys", "first", "texts", "offsets", "owners", "owned")


class Indexed(NamedTuple):
    """An item: its task and name, how many different runs it has, and the words of its longest text."""

    task: str
    name: str
    runs: int
    words: int


class Hit(NamedTuple):
    """A run of words of a text that items have too: its number, and where it begins and ends in the text's UTF-8."""

    run: int
    begin: int
    end: int


class OverlapIndex:
    """The items, their runs of ``n`` words by hash, and for each run the items that have it.

    ``keys`` are the different hashes; key ``k`` has the runs ``first[k]`` to ``first[k + 1]``, nearly always one.
    ``texts[offsets[r] : offsets[r + 1]]`` are the words of run ``r``; ``owners[owned[r] : owned[r + 1]]`` its items.
    """

    def __init__(self, n: int, items: Sequence[Indexed], arrays: dict[str, NDArray[Any]]) -> None:
        self.n = n
        self.items = tuple(items)
        self.arrays = arrays
        self._keys: Keys | None = None
        self._texts: bytes = arrays["texts"].tobytes()

    @classmethod
    def of(cls, n: int, given: Iterable[Item]) -> OverlapIndex:
        """The index of some items; what is said of one item in several places is put together."""
        texts: dict[tuple[str, str], dict[str, None]] = {}
        for item in given:
            texts.setdefault((item.task, item.name), {}).update(dict.fromkeys(item.texts))
        numbers: dict[bytes, int] = {}
        items: list[Indexed] = []
        pairs: list[tuple[int, int]] = []
        for number, ((task, name), some) in enumerate(texts.items()):
            words = [normal_words(text) for text in some]
            own = dict.fromkeys(
                " ".join(each[at : at + n]).encode("utf-8", "surrogatepass")
                for each in words
                for at in range(len(each) - n + 1)
            )
            pairs += [(numbers.setdefault(run, len(numbers)), number) for run in own]
            items.append(Indexed(task, name, len(own), max(map(len, words), default=0)))
        return cls(n, items, _arrays(list(numbers), n, pairs))

    @property
    def runs(self) -> int:
        """How many different runs there are."""
        return len(self.arrays["offsets"]) - 1

    def items_of(self, run: int) -> list[int]:
        """The numbers of the items that have a run."""
        owned = self.arrays["owned"]
        found: list[int] = self.arrays["owners"][owned[run] : owned[run + 1]].tolist()
        return found

    def items_with(self) -> NDArray[np.int64]:
        """For each run how many items have it."""
        return np.diff(self.arrays["owned"])

    def find(self, texts: Sequence[bytes]) -> list[list[Hit]]:
        """For each text in UTF-8 the runs that items have too, in their order, each compared word by word."""
        if self._keys is None:
            self._keys = make_keys(self.arrays["keys"])
        found: list[list[Hit]] = [[] for _ in texts]
        first, offsets = self.arrays["first"], self.arrays["offsets"]
        columns = find_runs(texts, self.n, self._keys)
        for text, key, begin, end in zip(*(column.tolist() for column in columns), strict=True):
            passage = texts[text][begin:end].decode("utf-8", "surrogatepass")
            words = " ".join(normal_words(passage)).encode("utf-8", "surrogatepass")
            for run in range(int(first[key]), int(first[key + 1])):
                if self._texts[int(offsets[run]) : int(offsets[run + 1])] == words:
                    found[text].append(Hit(run, begin, end))
        return found

    def write(self, folder: str) -> None:
        """Write the index, to be read by ``read``."""
        for name in _ARRAYS:
            with atomic_write(join(folder, f"{name}.npy")) as stream:
                held = io.BytesIO()
                np.save(held, self.arrays[name], allow_pickle=False)
                stream.write(held.getbuffer())
        with atomic_write(join(folder, "items.json")) as stream:
            stream.write(orjson.dumps({"n": self.n, "items": [list(item) for item in self.items]}))

    @classmethod
    def read(cls, folder: str) -> OverlapIndex:
        """The index that ``write`` wrote."""
        told = orjson.loads(read_bytes(join(folder, "items.json")))
        arrays = {name: np.load(io.BytesIO(read_bytes(join(folder, f"{name}.npy")))) for name in _ARRAYS}
        return cls(told["n"], [Indexed(*item) for item in told["items"]], arrays)


def _arrays(runs: list[bytes], n: int, pairs: list[tuple[int, int]]) -> dict[str, NDArray[Any]]:
    """The arrays of an index. ``runs``: the words of each; ``pairs``: a run and an item that has it."""
    hashes = run_keys(runs, n)
    order = np.argsort(hashes, kind="stable")
    keys, first = np.unique(hashes[order], return_index=True)
    place = np.empty(len(runs), np.int64)
    place[order] = np.arange(len(runs))
    held = np.array(pairs, np.int64).reshape(-1, 2)
    owners = np.stack([place[held[:, 0]], held[:, 1]])
    owners = owners[:, np.lexsort((owners[1], owners[0]))]
    sizes = [len(runs[at]) for at in order.tolist()]
    return {
        "keys": keys,
        "first": np.append(first, len(runs)).astype(np.int64),
        "texts": np.frombuffer(b"".join(runs[at] for at in order.tolist()), np.uint8),
        "offsets": np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        "owners": owners[1],
        "owned": np.searchsorted(owners[0], np.arange(len(runs) + 1)),
    }
