"""Who stays: the sets of a component in one place, an exact comparison in the order of preference, and the rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.cache import map_file
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.exchange import (
    HASH_GROUPS,
    DecidedRule,
    first_of_each,
    hash_groups,
    read_groups,
    read_names,
    write_spans,
)
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.kernels.hashing import mix64_all
from llama_data.stages.steps.near.files import CANDIDATE, DROPPED, SIGNED, Files, none_of, number_type
from llama_data.stages.steps.near.kernels import NOBODY, choose, similarity
from llama_data.stages.steps.near.signers import Signer

Measure = Literal["jaccard", "containment"]

LARGE = 256
"""In a component of more documents only those are compared that share a band: all pairs would be too many."""


class GatherCandidates(Step):
    """The fourth job: the documents of components, with their sets, for the partition that decides on them."""

    name = "gather_candidates"

    def __init__(self, *, work: str) -> None:
        super().__init__()
        self.work = work

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write this task's candidates. Yields nothing."""
        files = Files(self.work)
        kind = number_type(int(files.count_signed(world_size).sum()))
        components = read_groups(files.components(), kind, world_size, rank, rank + 1)
        signed = files.read_signed(rank)
        found = np.flatnonzero(components != none_of(kind))
        groups = hash_groups(mix64_all(components[found].astype(np.uint64)))
        order = np.argsort(groups, kind="stable")
        found, groups = found[order], groups[order]
        names = read_names(files.ids(rank), found.tolist())
        ids = [names[row].encode("utf-8", "surrogatepass") for row in found.tolist()]
        rows = np.empty(len(found), CANDIDATE)
        for name in SIGNED.names or ():
            rows[name] = signed[name][found]
        rows["component"], rows["task"] = components[found], rank
        rows["id_bytes"] = [len(id) for id in ids]
        ends = np.cumsum(signed["size"], dtype=np.int64)
        sets = map_file(files.sets(rank)).view("<u8") if len(signed) else np.empty(0, "<u8")
        pieces = (sets[ends[row] - signed["size"][row] : ends[row]].tobytes() for row in found.tolist())

        def counts(sizes: NDArray[Any] | None = None) -> NDArray[np.int64]:
            return np.bincount(groups, weights=sizes, minlength=HASH_GROUPS).astype(np.int64)

        write_spans(files.candidates.path(rank), counts(), [rows.tobytes()])
        write_spans(files.candidate_sets.path(rank), counts(rows["size"]), pieces)
        write_spans(files.candidate_ids.path(rank), counts(rows["id_bytes"]), ids)
        yield from ()


class DecideCandidates(Step):
    """The fifth job: in the components of one range keeps each document that no kept one before it is like.

    Documents are taken in the order of preference, then of the hash of their text, then of their id, and compared
    exactly: ``jaccard`` is the share of the union of the two sets that both hold, ``containment`` of the smaller set.
    """

    name = "decide_candidates"

    def __init__(
        self, *, work: str, tasks: int, parts: int, signer: Signer, measure: Measure, threshold: float
    ) -> None:
        super().__init__()
        self.work = work
        self.tasks = tasks
        self.parts = parts
        self.signer = signer
        self.measure = measure
        self.threshold = threshold

    def run(self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Write what goes of this range, for the tasks that read. Yields nothing."""
        files = Files(self.work)
        rows, sets, names = (
            kind.take_all(self.tasks, rank, self.parts)
            for kind in (files.candidates, files.candidate_sets, files.candidate_ids)
        )
        text = names.tobytes()
        id_ends = np.cumsum(rows["id_bytes"], dtype=np.int64).tolist()
        ids = [text[start:end] for start, end in pairwise([0, *id_ends])]
        keys = list(zip(*(rows[name].tolist() for name in ("component", "rank", "high", "low")), ids, strict=True))
        order = np.array(sorted(range(len(rows)), key=keys.__getitem__), np.int64)
        ends = np.cumsum(rows["size"], dtype=np.int64)[order]
        starts = ends - rows["size"][order]
        kept_by, share = self._choose(sets, starts, ends, rows["component"][order])
        gone = np.flatnonzero(kept_by != NOBODY)
        keepers = [ids[number] for number in order[kept_by[gone]].tolist()]
        records = np.empty(len(gone), DROPPED)
        records["place"] = rows["place"][order[gone]]
        records["id_bytes"] = [len(id) for id in keepers]
        records["similarity"] = share[gone]
        owners = rows["task"][order[gone]]
        files.dropped.give_back(rank, owners, self.tasks, records)
        all_ids = np.frombuffer(b"".join(keepers), np.uint8)
        files.kept_ids.give_back(rank, np.repeat(owners, records["id_bytes"]), self.tasks, all_ids)
        self.stat_update("near_duplicates", value=len(gone))
        yield from ()

    def _choose(
        self, sets: NDArray[Any], starts: NDArray[Any], ends: NDArray[Any], component: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For each document the kept one that it goes for, and how alike the two are."""
        first = np.append(np.flatnonzero(first_of_each(component)), len(component))
        kept_by, share = np.full(len(component), NOBODY, np.int64), np.zeros(len(component))
        contained = self.measure == "containment"
        for begin, end in pairwise(_cuts(first)):
            some = first[begin : end + 1]
            if end - begin == 1 and some[1] - some[0] > LARGE:
                self._choose_by_bands(sets, starts, ends, range(some[0], some[1]), kept_by, share)
            else:
                choose(sets, starts, ends, some, contained, self.threshold, kept_by, share)
        return kept_by, share

    def _choose_by_bands(
        self,
        sets: NDArray[Any],
        starts: NDArray[Any],
        ends: NDArray[Any],
        documents: range,
        kept_by: NDArray[np.int64],
        share: NDArray[np.float64],
    ) -> None:
        """``choose`` in a large component: a document is compared with the kept ones that share a band with it."""
        keepers: dict[int, list[int]] = {}
        contained = self.measure == "containment"
        for document in documents:
            start, end = starts[document], ends[document]
            bands = self.signer.band_hashes(sets[start:end]).tolist()
            for keeper in sorted({keeper for band in bands for keeper in keepers.get(band, ())}):
                found = similarity(sets, starts[keeper], ends[keeper], start, end, contained, self.threshold)
                if found >= self.threshold:
                    kept_by[document], share[document] = keeper, found
                    break
            else:
                for band in bands:
                    keepers.setdefault(band, []).append(document)


def _cuts(first: NDArray[np.int64]) -> list[int]:
    """Where the list of components is cut, so that each large one stands alone."""
    large = np.flatnonzero(np.diff(first) > LARGE)
    return sorted({0, *large.tolist(), *(large + 1).tolist(), len(first) - 1})


class DropNearDuplicates(DecidedRule):
    """Rejects a document that is nearly the same as a kept one; notes its id, ``duplicate_of``, and ``similarity``."""

    name = "near_dup"

    def __init__(self, *, work: str, parts: int) -> None:
        super().__init__()
        self.work = work
        self.parts = parts

    def load(self, rank: int, world_size: int) -> None:
        """Read which documents of this task go."""
        files = Files(self.work)
        rows = files.dropped.take_back(rank, world_size, self.parts)
        ids = files.kept_ids.take_back(rank, world_size, self.parts).tobytes()
        ends = np.cumsum(rows["id_bytes"], dtype=np.int64).tolist()
        kept = [ids[start:end].decode("utf-8", "surrogatepass") for start, end in pairwise([0, *ends])]
        said = zip(kept, rows["similarity"].tolist(), strict=True)
        self._gone = dict(zip(rows["place"].tolist(), said, strict=True))

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when a kept document is nearly the same."""
        found = self._gone.get(self.place)
        if found is None:
            return None
        note(doc, duplicate_of=found[0], similarity=found[1])
        return Reason.near_duplicate
