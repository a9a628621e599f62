"""Which templates of wikis nothing knew: what the ledgers say, added up by language and name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from llama_data.pipeline.core.ledger import read_table

COLUMNS = ("templates_unknown_names", "templates_lost_names")


class UnknownTemplate(NamedTuple):
    """A template that stood in lines ``times`` times, in ``lost`` of them with nothing to show in its place."""

    language: str
    name: str
    times: int
    lost: int


def unknown_templates(ledgers: Iterable[str]) -> list[UnknownTemplate]:
    """The unknown templates of a domain's ledger files, the commonest first; none when they have no such columns."""
    counts: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in COLUMNS}
    for path in ledgers:
        table = read_table(path, ["language", *COLUMNS])
        if not set(COLUMNS) <= set(table.column_names):
            continue
        languages = table.column("language").to_pylist()
        for column in COLUMNS:
            for language, text in zip(languages, table.column(column).to_pylist(), strict=True):
                if text:
                    counts[column].update({(language or "", name): count for name, count in json.loads(text).items()})
    unknown, lost = (counts[column] for column in COLUMNS)
    ranked = sorted(unknown.items(), key=lambda item: (-item[1], item[0]))
    return [UnknownTemplate(*key, count, lost[key]) for key, count in ranked]
