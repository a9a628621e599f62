"""The runs of words of evaluation texts, to be looked for: made by one task, mapped by all others.

An entry is a run of words and an item that has it. Entries stand in the order of the hashes of their runs, of equal
runs in the order of items; a run is known by the number of its first entry. What a run's words are is read where
they stand among the words of the texts, and its item is the one whose text this is. So an entry takes 12 bytes in
two tables, 1 for the mark that it has the run of the entry before, 3 to 6 in the tables that find it, and about as many
as its last word has letters; all processes of a node share them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import atomic_write, join, read_bytes
from llama_data.stages.steps.evaluations import Item
from llama_data.stages.steps.kernels.word_runs import Keys, all_runs, find_runs, make_keys, mark_repeats, normal_words
from llama_data.stages.steps.simple_words import simple_words

ITEM = np.dtype([("task", "<u4"), ("runs", "<u4"), ("words", "<u4"), ("name_end", "<u8")])
FOUND = np.dtype([("text", "<u4"), ("run", "<u4"), ("begin", "<u4"), ("end", "<u4")])
BATCH = 1 << 22
"""Bytes of texts whose runs are hashed in one call."""
MOST = (1 << 32) - 1

Normalise = Callable[[str], list[str]]
WAYS: dict[str, Normalise] = {
    "llama_data": normal_words,
    "datatrove": lambda text: simple_words(text, "whitespace"),
    "datatrove_spacy": lambda text: simple_words(text, "spacy"),
}
"""How a text becomes the words that are compared."""
_TABLES = {
    "keys": "<u8",  # of each entry the hash of its run
    "bits": "<u8",
    "starts": "<u4",
    "places": "<u4",  # of each entry where its run begins among the words
    "again": "?",  # whether the entry has the run of the one before
    "words": "u1",  # of all texts, with single spaces, a line each
    "texts": "<u4",  # where the lines begin
    "owners": "<u4",  # of each line the item
    "names": "u1",  # of the items, one behind the other
}


class Indexed(NamedTuple):
    """An item: its task and name, how many different runs it has, and the words of its longest text."""

    task: str
    name: str
    runs: int
    words: int


class OverlapIndex:
    """The index that ``write_index`` has written, mapped."""

    def __init__(self, folder: str) -> None:
        told = orjson.loads(read_bytes(join(folder, "index.json")))
        self.n: int = told["n"]
        self.way: str = told["way"]
        self.tasks: list[str] = told["tasks"]
        self.tables = {name: map_file(_path(folder, name)).view(kind) for name, kind in _TABLES.items()}
        self.items: NDArray[np.void] = map_file(_path(folder, "items")).view(ITEM)
        self._keys = Keys(*(self.tables[name] for name in ("keys", "bits", "starts")))

    @property
    def entries(self) -> int:
        """How many runs of items there are; one of several items counts for each."""
        return len(self.tables["keys"])

    def item(self, number: int) -> Indexed:
        """What is known of an item."""
        task, runs, words, end = self.items[number].tolist()
        begin = int(self.items["name_end"][number - 1]) if number else 0
        name = self.tables["names"][begin:end].tobytes().decode("utf-8", "surrogatepass")
        return Indexed(self.tasks[task], name, runs, words)

    def items_of(self, run: int) -> NDArray[np.int64]:
        """The numbers of the items that have a run."""
        end = run + 1
        while end < self.entries and self.tables["again"][end]:
            end += 1
        return self._owners(slice(run, end))

    def runs_of_many(self, items: int) -> NDArray[np.int64]:
        """The runs that more than ``items`` items have."""
        firsts = np.flatnonzero(~self.tables["again"])
        found: NDArray[np.int64] = firsts[np.diff(firsts, append=self.entries) > items]
        return found

    def count_runs(self) -> int:
        """How many different runs there are."""
        return self.entries - int(np.count_nonzero(self.tables["again"]))

    def runs_that_count(self, left_out: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each item how many of its runs are none of those that are left out."""
        gone = [self.items_of(run) for run in left_out.tolist()]
        without = np.bincount(np.concatenate([np.empty(0, np.int64), *gone]), minlength=len(self.items))
        counted: NDArray[np.int64] = self.items["runs"] - without
        return counted

    def find(self, texts: Sequence[bytes]) -> NDArray[np.void]:
        """The runs of texts in UTF-8 that items have too, in their order, each compared word by word: ``FOUND``.

        Places are those of the text's words where datatrove's normalisation has made them.
        """
        made = self.way != "llama_data"
        if made:
            texts = [_words_of(WAYS[self.way](text.decode("utf-8", "surrogatepass"))) for text in texts]
        found = []
        for text, key, begin, end in zip(
            *(column.tolist() for column in find_runs(texts, self.n, self._keys, made=made)), strict=True
        ):
            passage = texts[text][begin:end]
            if not made:
                passage = _words_of(normal_words(passage.decode("utf-8", "surrogatepass")))
            run = self._run(key, passage)
            if run is not None:
                found.append((text, run, begin, end))
        return np.array(found, FOUND)

    def _run(self, entry: int, passage: bytes) -> int | None:
        """The run with these words, among those with the hash of an entry, the first with that hash; None: none."""
        keys, places, words, again = (self.tables[name] for name in ("keys", "places", "words", "again"))
        key = keys[entry]
        while entry < len(keys) and keys[entry] == key:
            begin, end = int(places[entry]), int(places[entry]) + len(passage)
            if not again[entry] and words[begin:end].tobytes() == passage and words[end] in b" \n":
                return entry
            entry += 1
        return None

    def _owners(self, entries: slice) -> NDArray[np.int64]:
        lines = np.searchsorted(self.tables["texts"], self.tables["places"][entries], "right") - 1
        return self.tables["owners"][lines].astype(np.int64)


def _path(folder: str, name: str) -> str:
    return join(folder, f"{name}.bin")


def _words_of(words: Sequence[str]) -> bytes:
    return " ".join(words).encode("utf-8", "surrogatepass")


def write_index(folder: str, n: int, way: str, given: Iterable[Item]) -> int:
    """Write the index of some items; returns how many items there are.

    What is said of one item in several places is put together. Raises InputError: none of them has a run of ``n``
    words, or they have more than 4 GiB of words.
    """
    lines = _Lines(n, WAYS[way])
    for item in given:
        lines.add(item)
    lines.hash_runs()
    items = lines.numbers
    words = np.frombuffer(lines.words, np.uint8)
    keys, places = (np.concatenate([np.empty(0, np.uint64), *some]) for some in (lines.keys, lines.places))
    if not len(keys):
        raise InputError(
            f"none of {len(items)} evaluation items has {n} words in a row; check `fields`, or lower `words`"
        )
    texts, owners = np.array(lines.begins, "<u4"), np.array(lines.owners, "<u4")
    keys, places, again = _settled(keys, places.astype(np.uint32), words, n, texts, owners)
    of_entries = owners[np.searchsorted(texts, places, "right") - 1]
    names = [name.encode("utf-8", "surrogatepass") for _, name in items]
    known = {task: number for number, task in enumerate(dict.fromkeys(task for task, _ in items))}
    rows = np.empty(len(items), ITEM)
    rows["task"] = [known[task] for task, _ in items]
    rows["runs"] = np.bincount(of_entries, minlength=len(items))
    rows["words"] = lines.longest
    rows["name_end"] = np.cumsum([len(name) for name in names])
    tables = {
        **make_keys(keys)._asdict(),
        **{"places": places, "again": again, "words": words, "texts": texts, "owners": owners},
        "names": np.frombuffer(b"".join(names), np.uint8),
    }
    for name, kind in _TABLES.items():
        _write(_path(folder, name), np.ascontiguousarray(tables[name], kind))
    _write(_path(folder, "items"), rows)
    with atomic_write(join(folder, "index.json")) as stream:
        stream.write(orjson.dumps({"n": n, "way": way, "tasks": list(known)}))
    return len(items)


def _write(path: str, table: NDArray[Any]) -> None:
    with atomic_write(path) as stream:
        stream.write(table.data)


class _Lines:
    """The words of texts as they come, and the hashes of their runs."""

    def __init__(self, n: int, normalise: Normalise) -> None:
        self.n = n
        self.normalise = normalise
        self.numbers: dict[tuple[str, str], int] = {}
        self.longest: list[int] = []
        self.words = bytearray()
        self.begins: list[int] = []
        self.owners: list[int] = []
        self.keys: list[NDArray[np.uint64]] = []
        self.places: list[NDArray[np.int64]] = []
        self._waiting: list[bytes] = []
        self._begins: list[int] = []
        self._item: int | None = None
        self._seen: set[bytes] = set()

    def add(self, item: Item) -> None:
        """Take the texts of an item."""
        number = self.numbers.setdefault((item.task, item.name), len(self.numbers))
        if number == len(self.longest):
            self.longest.append(0)
        if number != self._item:  # the requests of one item, which repeat its texts, follow each other
            self._item, self._seen = number, set()
        for text in item.texts:
            self._take(number, self.normalise(text))
        for before, after in item.across:
            # As many words of each as leave no run that lies in one of them alone.
            beside = [self.normalise(text) for text in (before, after)]
            kept = self.n - 1
            self._take(number, [*beside[0][max(0, len(beside[0]) - kept) :], *beside[1][:kept]])

    def _take(self, number: int, words: list[str]) -> None:
        self.longest[number] = max(self.longest[number], len(words))
        line = _words_of(words)
        if len(words) < self.n or line in self._seen:
            return
        self._seen.add(line)
        self.begins.append(len(self.words))
        self.owners.append(number)
        self._waiting.append(line)
        self._begins.append(len(self.words))
        self.words += line + b"\n"
        if len(self.words) > MOST:
            raise InputError("the evaluation texts have more than 4 GiB of words; give them to several steps")
        if len(self.words) - self._begins[0] >= BATCH:
            self.hash_runs()

    def hash_runs(self) -> None:
        """Hash the runs of the lines that wait for it."""
        found = all_runs(self._waiting, self.n)
        self.keys.append(found.numbers.view(np.uint64))
        self.places.append(np.array(self._begins, np.int64)[found.texts] + found.begins)
        self._waiting, self._begins = [], []


def _settled(
    keys: NDArray[np.uint64],
    places: NDArray[np.uint32],
    words: NDArray[np.uint8],
    n: int,
    texts: NDArray[np.uint32],
    owners: NDArray[np.uint32],
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], NDArray[np.bool_]]:
    """Entries in the order of keys, runs and items, each once, and which of them have the run of the one before."""
    order = np.argsort(keys)
    keys, places = keys[order], places[order]
    again = np.zeros(len(keys), bool)
    if mark_repeats(words, places, keys, n, again):
        # Other words with the same hash, one run of a hundred billion: what has the same words is put together.
        for key in np.unique(keys[1:][(keys[1:] == keys[:-1]) & ~again[1:]]):
            first, last = np.searchsorted(keys, key), np.searchsorted(keys, key, "right")
            runs = [(_run_at(words, texts, place, n), place) for place in places[first:last].tolist()]
            places[first:last] = [place for _, place in sorted(runs)]
        mark_repeats(words, places, keys, n, again)
    rows = np.union1d(np.flatnonzero(again), np.flatnonzero(again) - 1)
    group = np.cumsum(~again[rows])
    items = owners[np.searchsorted(texts, places[rows], "right") - 1]
    inside = np.lexsort((places[rows], items, group))
    places[rows], items = places[rows][inside], items[inside]
    twice = np.zeros(len(rows), bool)
    twice[1:] = (group[1:] == group[:-1]) & (items[1:] == items[:-1])
    once = np.ones(len(keys), bool)
    once[rows[twice]] = False
    return keys[once], places[once], again[once]


def _run_at(words: NDArray[np.uint8], texts: NDArray[np.uint32], place: int, n: int) -> list[bytes]:
    line = int(np.searchsorted(texts, place, "right"))
    end = int(texts[line]) if line < len(texts) else len(words)
    return words[place : end - 1].tobytes().split(b" ", n)[:n]
