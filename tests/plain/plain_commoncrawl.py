# ruff: noqa: E501, RUF001
"""CCNet's rules for Common Crawl in plain Python, written from the rules and not from the stage, which is held to it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

MARKS = {
    **{"，": ",", "。": ".", "、": ",", "„": '"', "”": '"', "“": '"', "«": '"', "»": '"', "１": '"', "」": '"'},
    **{"「": '"', "《": '"', "》": '"', "´": "'", "∶": ":", "：": ":", "？": "?", "！": "!", "（": "(", "）": ")"},
    **{"；": ";", "–": "-", "—": " - ", "．": ". ", "～": "~", "’": "'", "…": "...", "━": "-", "〈": "<", "〉": ">"},
    **{"【": "[", "】": "]", "％": "%", "►": "-"},
}
DIGIT = re.compile(r"\d")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
DELETED = re.compile("[" + re.escape("".join(MARKS)) + "\x00-\x1f\x7f-\x9f]")


class Page(NamedTuple):
    """A page as the reader gives it: the offset of its gzip member and its lines without the title.

    ``counted``: characters of CCNet's ``raw_content``.
    """

    offset: int
    lines: list[str]
    counted: int

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_pages(path: Path) -> Iterator[Page]:
    """Pages of a sound WET file with one gzip member a record."""
    data = path.read_bytes()
    for offset, record in _members(data):
        head, _, rest = record.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        if fields["WARC-Type"] == "conversion":
            body = rest[: int(fields["Content-Length"])].decode("utf-8", "replace")
            lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            if lines[-1] == "":
                lines.pop()
            yield Page(offset, [line.strip() for line in lines[1:]], counted(body))


def counted(body: str) -> int:
    """The length of CCNet's ``raw_content``, read line by line up to the next record."""
    read = [line.strip() for line in f"{body}\r\n\r\n".replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]]
    last = -2 if not read[-1] and not read[-2] else None
    return len("\n".join(read[1:last]))


def _members(data: bytes) -> Iterator[tuple[int, bytes]]:
    rest = memoryview(data)
    while rest:
        inflate = zlib.decompressobj(31)
        record = b""
        used = 0
        while not inflate.eof:
            record += inflate.decompress(rest[used : used + (1 << 16)])
            used += 1 << 16
        size = min(used, len(rest)) - len(inflate.unused_data)
        yield len(data) - len(rest), record
        rest = rest[size:]


def for_dedup(line: str) -> str:
    line = line.strip()
    return DELETED.sub("", DIGIT.sub("0", line.lower())) if line else line


def hash_of(line: str) -> int:
    return int.from_bytes(hashlib.sha1(for_dedup(line).encode("utf-8", "surrogatepass")).digest()[:8], "little")


def for_model(text: str) -> str:
    text = text.strip().lower()
    text = "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")
    text = DIGIT.sub("0", text)
    text = "".join(MARKS.get(char, char) for char in text)
    return CONTROL.sub("", text)


def shared_lines(pages: Iterable[Page]) -> set[int]:
    """Hashes of the lines that occur in more than one page."""
    seen: set[int] = set()
    shared: set[int] = set()
    for page in pages:
        hashes = {hash_of(line) for line in page.lines}
        shared |= seen & hashes
        seen |= hashes
    return shared


def without_shared(page: Page, shared: set[int]) -> tuple[list[str], int, int]:
    """The lines that stay; how many were shared with other pages, how many repeated an earlier line of the page."""
    kept, duplicated, repeated = [], 0, 0
    seen: set[int] = set()
    for line in page.lines:
        found = hash_of(line)
        if found in shared:
            duplicated += 1
        elif found in seen:
            repeated += 1
        else:
            seen.add(found)
            kept.append(line)
    return kept, duplicated, repeated


class Models(NamedTuple):
    """The models of the decisions: fastText's, SentencePiece's and KenLM's own Python modules."""

    language: Any
    pieces: Mapping[str, Any]
    perplexity: Mapping[str, Any]
    cutoffs: Mapping[str, tuple[float, float]]
    references: Any


def language_of(models: Models, text: str) -> tuple[str, float]:
    labels, scores = models.language.predict(text.replace("\n", ""))
    return labels[0].removeprefix("__label__"), round(float(scores[0]), 2)


def perplexity_of(models: Models, language: str, text: str) -> float:
    pieces = models.pieces[language].encode_as_pieces(for_model(text))
    total = models.perplexity[language].score(" ".join(pieces))
    return float(round(10.0 ** (-total / (len(pieces) + 1)), 1))


def reference_score(models: Models, text: str) -> float:
    labels, scores = models.references.predict(" ".join(text.strip().splitlines()))
    if not labels:
        return 0.0
    return float(scores[0]) if labels[0] == "__label__wiki" else 1.0 - float(scores[0])


def decide(page: Page, shared: set[int], models: Models, languages: Sequence[str] = ("en",)) -> dict[str, Any]:
    """Everything that is decided about one page, given the lines that its group shares."""
    if page.counted < 300:
        return {"reason": "too_short"}
    kept, duplicated, repeated = without_shared(page, shared)
    row: dict[str, Any] = {"lines_duplicated": duplicated, "lines_repeated": repeated}
    if not kept:
        return {**row, "reason": "all_lines_duplicated"}
    text = "\n".join(kept)
    language, score = language_of(models, text)
    row |= {"text": text, "language": language, "language_score": score}
    if score < 0.5:
        return {**row, "reason": "language_uncertain"}
    if language not in languages:
        return {**row, "reason": "language_not_chosen"}
    row["perplexity_bucket"] = "all"
    if language in models.perplexity:
        row["perplexity"] = perplexity_of(models, language, text)
        head, middle = models.cutoffs[language]
        row["perplexity_bucket"] = (
            "head" if row["perplexity"] < head else "middle" if row["perplexity"] < middle else "tail"
        )
    if row["perplexity_bucket"] == "tail":
        return {**row, "reason": "high_perplexity"}
    row["reference_score"] = reference_score(models, text)
    return {**row, "reason": "not_like_references" if row["reference_score"] < 0.5 else None}


def whole_stage(paths: Sequence[Path], models: Models, report: Callable[[Path, Page, dict[str, Any]], None]) -> None:
    """Both passes over the files as one group; ``report`` is given every page and what is decided about it."""
    shared = shared_lines(page for path in paths for page in read_pages(path) if page.counted >= 300)
    for path in paths:
        for page in read_pages(path):
            report(path, page, decide(page, shared, models))
