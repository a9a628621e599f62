"""What the page asks for, as JSON values: the run, pages and samples of rows, a record, its comparison, training rows.

Every answer costs a bounded time and memory, whatever the size of the run (docs/browse.md has the figures).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from llama_data.pipeline.chain import mixes
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.document import Outcome
from llama_data.pipeline.core.errors import LlamaDataError, RequestError
from llama_data.pipeline.core.files import exists, join
from llama_data.pipeline.core.reasons import sentence_of
from llama_data.pipeline.ledger_reading import LedgerFile
from llama_data.pipeline.looking.diff import compare
from llama_data.pipeline.looking.finding import by_name
from llama_data.pipeline.looking.paging import Cursor, page
from llama_data.pipeline.looking.rows import Filter, Found, Ledgers, Place
from llama_data.pipeline.looking.told import Told
from llama_data.train_handoff.mix.plan import Mixture
from llama_data.train_handoff.mix.trace import Trace, tokens_beside
from llama_data.train_handoff.shards.file import Shard
from llama_data.train_handoff.shards.view import view_row

PAGE = 50
MOST_ROWS = 200
SNIPPET = 4_000
"""So many characters of every row's text go to the page, where they can be searched."""

MOST_TEXT = 400_000
TEXT_SECONDS = 2.0
SAMPLED_GROUPS = 32
RAW_SECONDS = 20.0
TRAINING_ROWS = 8


class Views:
    """The answers. Several threads may ask; ``path`` names one of ``routes``."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.ledgers = Ledgers(run)
        self.told = Told(self.ledgers)
        self._lock = threading.Lock()
        self._traces: dict[str, Trace] = {}
        self.routes: dict[str, Callable[[Mapping[str, str]], Any]] = {
            "/api/run": self.about,
            "/api/rows": self.rows,
            "/api/sample": self.sample,
            "/api/record": self.record,
            "/api/compare": self.compare,
            "/api/training": self.training,
        }

    def about(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The run: its domains with their counts, columns and languages, and its mixes."""
        domains = []
        for name in self.ledgers.domains:
            made = manifest.find(join(self.run, "documents", name))
            account = {} if made is None else made.content["account"]
            reasons = account.get("reasons", {})
            domains.append(
                {
                    "name": name,
                    "finished": made is not None,
                    "outcomes": account.get("outcomes", {}),
                    "reasons": [
                        {"name": reason, "count": count, "says": sentence_of(reason)}
                        for reason, count in sorted(reasons.items(), key=lambda item: -item[1])
                    ],
                    "figures": self._figures(name),
                }
            )
        return {
            "run": self.run.rstrip("/").rpartition("/")[2],
            "path": self.run,
            "domains": domains,
            "mixes": self._mixes(),
        }

    def _figures(self, domain: str) -> list[str]:
        files = self.ledgers.files(domain)
        if not files:
            return []
        with LedgerFile(files[0][1]) as file:
            return file.figures()

    def _mixes(self) -> list[dict[str, Any]]:
        found = []
        for name in mixes(self.run):
            try:
                found.append({"name": name, "rows": len(self._trace(name).mixture)})
            except LlamaDataError as error:
                found.append({"name": name, "rows": 0, "why": str(error)})
        return found

    def rows(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The next rows that a filter takes."""
        found = page(self.ledgers, _filter(asked), Cursor.read(asked.get("cursor")), _count(asked))
        return {
            "rows": self._brief(found.found),
            "next": None if found.next is None else str(found.next),
            "looked": found.looked,
        }

    def sample(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Rows that a filter takes, drawn by a seed."""
        found = self.ledgers.sample(_filter(asked), _count(asked), _number(asked, "seed", 1), SAMPLED_GROUPS)
        return {"rows": self._brief(found), "next": None, "looked": None}

    def _brief(self, found: list[Found]) -> list[dict[str, Any]]:
        texts = self.told.texts.of(found, TEXT_SECONDS)
        return [self._row(one, texts.get(one.place)) for one in found]

    def _row(self, found: Found, record: dict[str, Any] | None) -> dict[str, Any]:
        row = found.row
        metadata = {} if record is None else record["metadata"]
        names = ("id", "domain", "source", "url", "outcome", "reason", "step", "chars_in", "chars_out", "language")
        figures = ("language_score", "perplexity", "reference_score")
        return {
            "place": "/".join(map(str, found.place)),
            **{name: row.get(name) for name in (*names, *figures)},
            "title": row.get("title") or metadata.get("title") or row.get("path"),
            "text": None if record is None else record["text"][:SNIPPET],
        }

    def record(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """All that is told of a record."""
        found = self._asked(asked)
        account = self.told.account(found, self.told.texts.of([found]).get(found.place))
        made = account.as_json()
        text = made.get("text")
        if text is not None and len(text) > MOST_TEXT:
            made |= {"text": text[:MOST_TEXT], "left_out": len(text) - MOST_TEXT}
        return made

    def _asked(self, asked: Mapping[str, str]) -> Found:
        """The row of a place, or of an id, which training rows name."""
        if "id" not in asked:
            return self.ledgers.at(_place(asked))
        found = by_name(self.ledgers, asked["id"], None, 1, whole=False)[0]
        if not found:
            raise RequestError(f"{asked['id'][:200]}: no record with this id or source")
        return found[0]

    def compare(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """The raw text of a record against the text that was kept, or that the rejecting step saw."""
        found = self._asked(asked)
        record = self.told.texts.of([found]).get(found.place)
        raw = self.told.raw(found, RAW_SECONDS)
        if raw.text is None:
            return {"why": raw.why, "lines": []}
        made = compare(raw.text, "" if record is None else record["text"])
        return {
            "why": raw.why,
            "text": record is not None,
            "outcome": found.row["outcome"],
            "counts": made.counts(),
            "rest": [made.left_rest, made.right_rest],
            "lines": made.lines,
        }

    def training(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """Training rows of a mix from ``row`` on, or drawn by ``seed``: their texts, and the documents in them."""
        name = asked.get("mix", "")
        if name not in mixes(self.run):
            raise RequestError(f"{name[:80]}: no such mix in this run")
        with self._lock:
            trace = self._trace(name)
            total = len(trace.mixture)
            if "seed" in asked:
                dice = random.Random(f"llama-data rows {_number(asked, 'seed', 1)}")
                chosen = sorted(dice.sample(range(total), min(TRAINING_ROWS, total)))
            else:
                start = min(_number(asked, "row", 0), max(total - 1, 0))
                chosen = list(range(start, min(start + TRAINING_ROWS, total)))
            return {"mix": name, "total": total, "rows": [self._training_row(trace, row) for row in chosen]}

    def _training_row(self, trace: Trace, row: int) -> dict[str, Any]:
        parts = list(trace.parts(range(row, row + 1)))
        number, within = divmod(row, trace.mixture.rows_per_shard)
        shard = Shard(join(trace.mixture.folder, trace.mixture.record["shards"][number]["name"]))
        tokenizer = join(self.run, "tokenizer", "tokenizer.model")
        passages = []
        if exists(tokenizer):
            passages = [passage.text for passage in view_row(shard, within, tokenizer).passages]
        first = parts[0] if parts else None
        return {
            "row": row,
            "domain": None if first is None else first.domain,
            "epoch": None if first is None else first.epoch,
            "origin": None if first is None else f"{first.origin_shard} row {first.origin_row:,}",
            "parts": [
                {"id": part.id, "tokens": part.tokens, "begins": part.begins, "ends": part.ends} for part in parts
            ],
            "passages": passages,
        }

    def _trace(self, name: str) -> Trace:
        if name not in self._traces:
            folder = join(self.run, name)
            self._traces[name] = Trace(Mixture(folder), tokens_beside(folder))
        return self._traces[name]


def _filter(asked: Mapping[str, str]) -> Filter:
    outcome = asked.get("outcome") or None
    if outcome is not None and outcome not in Outcome.__members__:
        raise RequestError(f"{outcome[:40]}: expected one of: {', '.join(Outcome.__members__)}")
    return Filter(
        domain=asked.get("domain") or None,
        outcome=outcome,
        reason=asked.get("reason") or None,
        language=asked.get("language") or None,
        column=asked.get("column") or None,
        least=_bound(asked, "least"),
        most=_bound(asked, "most"),
        holds=asked.get("holds") or None,
    )


def _bound(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name)
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"{name} {text[:40]!r}: expected a number") from None


def _number(asked: Mapping[str, str], name: str, default: int) -> int:
    text = asked.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise RequestError(f"{name} {text[:40]!r}: expected a whole number from 0 on")
    return int(text)


def _count(asked: Mapping[str, str]) -> int:
    return max(1, min(_number(asked, "count", PAGE), MOST_ROWS))


def _place(asked: Mapping[str, str]) -> Place:
    """The row that is asked for; which files there are says the ledger, never the request."""
    parts = asked.get("place", "").split("/")
    if len(parts) == 3 and parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 12:
        return Place(parts[0], parts[1], int(parts[2]))
    raise RequestError("expected place=DOMAIN/TASK/ROW")
