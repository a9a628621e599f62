"""Texts to look at: a seeded draw from a few files of a domain, never a look at all of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from llama_data.pipeline.core.files import join, list_files
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.sink import SUFFIX, documents_of_task

FILES = 6  # files of a folder that are looked at, and of each so many records and characters
RECORDS = 1_500
CHARS = 32 << 20
EACH = 2
KEPT = 4
SHOWN = 700
SCORES = ("language", "language_score", "perplexity", "perplexity_bucket", "reference_score", "overlap", "duplicate_of")


class Sample(NamedTuple):
    """The beginning of a text. ``figures``: what was computed of it; ``chars``: its whole length."""

    id: str
    place: str
    text: str
    chars: int
    figures: dict[str, Any]

    @property
    def is_cut(self) -> bool:
        """True when there is more of it."""
        return self.chars > len(self.text)


def draw_kept(run: str, domain: str) -> list[Sample]:
    """Some kept documents."""
    return _draw(_look(join(run, "documents", domain), domain), {"": KEPT}, lambda _: "").get("", [])


def draw_rejected(run: str, domain: str) -> dict[str, list[Sample]]:
    """Some rejected texts of each reason, as far as the run keeps any."""
    return _draw(_look(join(run, "rejected", domain), domain), {}, lambda record: str(record["metadata"].get("reason")))


def read_texts(run: str, kind: str, domain: str, wanted: Mapping[str, str]) -> dict[str, Sample]:
    """The texts of some documents by id; ``kind``: documents or rejected, ``wanted``: the task of each id."""
    found: dict[str, Sample] = {}
    for task in sorted(set(wanted.values())):
        missing = {id for id, where in wanted.items() if where == task}
        for path in documents_of_task(join(run, kind, domain), task):
            for record in read_jsonl(path) if missing else ():
                if record["id"] in missing:
                    found[record["id"]] = sample_of(record)
                    missing.discard(record["id"])
                    if not missing:
                        break
    return found


def sample_of(record: Mapping[str, Any]) -> Sample:
    """What is shown of a document or a rejected text."""
    metadata, text = record["metadata"], record["text"]
    figures = {name: metadata[name] for name in SCORES if metadata.get(name) is not None}
    place = metadata.get("url") or metadata.get("title") or metadata.get("source") or ""
    return Sample(str(record["id"]), str(place), text[:SHOWN], len(text), figures)


def _look(folder: str, domain: str) -> Iterator[dict[str, Any]]:
    paths = list_files(folder, SUFFIX)
    for path in sorted(random.Random(f"files {domain}").sample(paths, min(FILES, len(paths)))):
        chars = 0
        for record in islice(read_jsonl(path), RECORDS):
            yield record
            chars += len(record["text"])
            if chars > CHARS:
                break


def _draw(records: Iterable[dict[str, Any]], sizes: Mapping[str, int], label: Any) -> dict[str, list[Sample]]:
    """Of each label a uniform sample of the records that have a text, in the order in which they were met."""
    drawn = random.Random("samples")
    met: dict[str, int] = {}
    found: dict[str, list[tuple[int, Sample]]] = {}
    for record in records:
        if not record["text"].strip():
            continue
        name = label(record)
        number = met[name] = met.get(name, 0) + 1
        size, chosen = sizes.get(name, EACH), found.setdefault(name, [])
        if len(chosen) < size:
            chosen.append((number, sample_of(record)))
        elif (place := drawn.randrange(number)) < size:
            chosen[place] = (number, sample_of(record))
    return {name: [sample for _, sample in sorted(chosen, key=lambda item: item[0])] for name, chosen in found.items()}
