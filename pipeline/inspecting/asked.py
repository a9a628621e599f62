"""What was asked of ``inspect``, and how its lines are written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llama_data.pipeline.core.files import exists, join
from llama_data.pipeline.core.screen import one_line, plain

SHOWN = 600


@dataclass(frozen=True)
class Asked:
    """``limit`` records; ``whole``: count all of them; ``full``: whole texts; ``domain``: whose reader is meant.

    ``row``, ``text``, ``tokenizer``: of a token shard and of a tokenizer, as on the command line.
    """

    limit: int = 3
    whole: bool = False
    full: bool = False
    domain: str | None = None
    row: int | None = None
    text: str | None = None
    tokenizer: str | None = None


def body(text: str, asked: Asked) -> Iterator[str]:
    """The lines of a text, the first of them where not all are asked for."""
    shown = plain(text)
    if not asked.full and len(shown) > SHOWN:
        shown = shown[:SHOWN] + f" … ({len(text):,} characters; --full)"
    yield from (f"  | {line}" for line in shown.split("\n"))


def fields(values: Mapping[str, Any], indent: str = "  ") -> Iterator[str]:
    """Names and values, one a line; a long list or mapping by its beginning."""
    width = max((len(one_line(name)) for name in values), default=0)
    for name, value in values.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        shown = one_line(shown)
        yield f"{indent}{one_line(name):<{min(width, 24)}}  {shown[:200]}{' …' if len(shown) > 200 else ''}"


def counted(values: Mapping[str, int]) -> str:
    """Counts as a clause, the largest first."""
    return ", ".join(f"{one_line(name)} {count:,}" for name, count in sorted(values.items(), key=lambda item: -item[1]))


def above(path: str, *name: str) -> str | None:
    """A file of the run that holds a path below its folder; None: there is none in any folder above."""
    folder = path.replace("\\", "/").rstrip("/")
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        if folder and exists(join(folder, *name)):
            return join(folder, *name)
    return None
