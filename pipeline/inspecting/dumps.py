"""Raw dumps: which stage a file is one of, and its first records as the stage's reader gives them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, verdict
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import Split, file_size, is_local, local_path
from llama_data.pipeline.core.head import Head
from llama_data.pipeline.core.ledger import count_lines
from llama_data.pipeline.core.screen import one_line, size_of
from llama_data.pipeline.inspecting.asked import Asked, body, counted
from llama_data.pipeline.registry import STAGES
from llama_data.stages.custom import jobs as custom
from llama_data.stages.custom.fields import Fields

SOURCE = "source"
MOST_TEXT = 64 << 20
MOST_RECORDS = 100_000
"""Without ``--all`` records are counted up to so many characters of text, and so many records."""

_TEXTS = ("text", "content", "body", "raw_content", "contents", "markdown")


def claimed(head: Head) -> list[str]:
    """The domains whose dumps begin so."""
    return [name for name, stage in STAGES.items() if stage.claims(head)]


def look(path: str, head: Head | None, asked: Asked) -> Iterator[str]:
    """What a dump is, its first records, and how many it has.

    Raises:
        RequestError: nothing says whose dump it is, or ``--as`` names no stage.
    """
    domain, told_by = _whose(path, head, asked)
    size = 0 if _is_folder(path) else file_size(path)
    split = Split(path, _name(path), size)
    reader = _reader(domain, split, head)
    sized = "" if _is_folder(path) else f", {size_of(size)}"
    yield f"{one_line(path)}: {_what(domain)} ({told_by}{sized}), read by {reader.name}"
    yield from _schema(domain, head)
    yield from _records(reader, split, asked)


def _whose(path: str, head: Head | None, asked: Asked) -> tuple[str, str]:
    known = (*STAGES, SOURCE)
    if asked.domain is not None:
        if asked.domain not in known:
            raise RequestError(f"--as {asked.domain}: expected one of: {', '.join(known)}")
        return asked.domain, "by --as"
    if head is None:
        return "github", "a git repository"
    found = claimed(head)
    if found:
        also = f"; also {', '.join(found[1:])}: --as" if found[1:] else ""
        return found[0], f"by its content{also}"
    if head.fields or head.name.removesuffix(head.compression).endswith((".csv", ".tsv", ".arrow", ".md", ".text")):
        return SOURCE, "rows of a source of your own"
    if head.data.startswith((b"[", b"\xff\xff\xff\xff", b"ARROW1")):
        return SOURCE, "rows of a source of your own"
    raise RequestError(f"{path}: neither name nor content says whose dump this is; --as {' | '.join(known)}")


def _what(domain: str) -> str:
    return "rows" if domain == SOURCE else f"a dump of {domain}"


def _name(path: str) -> str:
    """The name that a reader sees; that of the folder too, for a dump may be named by it."""
    return "/".join(path.replace("\\", "/").rstrip("/").split("/")[-2:]).lstrip("/")


def _is_folder(path: str) -> bool:
    return is_local(path) and os.path.isdir(local_path(path))


def _reader(domain: str, split: Split, head: Head | None) -> Reader:
    if domain == SOURCE:
        text = next((name for name in _TEXTS if head is not None and name in head.fields), "text")
        settings = custom.Settings(inputs=("*",), fields=Fields(text=text))
        return custom.reader(settings, [[split]], SOURCE)
    stage = STAGES[domain]
    if domain == "github" and _is_folder(split.path):
        from llama_data.stages.github.repositories import repository_at

        split = repository_at(split)
    return stage.reader(stage.settings.model_validate({}), [split])


def _schema(domain: str, head: Head | None) -> Iterator[str]:
    if head is None:
        return
    if head.fields:
        yield f"  fields: {one_line(', '.join(sorted(head.fields)))}"
        if domain == SOURCE and not head.fields.intersection(_TEXTS):
            yield "  none is called text: a recipe says which is, `fields: {text: NAME}`; a dot leads into a nested one"
    if head.members:
        some = ", ".join(head.members[:8])
        yield f"  members: {one_line(some)}{' …' if len(head.members) > 8 else ''}"


def _records(reader: Reader, split: Split, asked: Asked) -> Iterator[str]:
    outcomes: Counter[str] = Counter()
    records = text = 0
    ended = True
    reader.accountable = True  # what cannot be read is shown too
    for doc in reader.run():
        records += 1
        found = verdict(doc)
        outcomes["read" if found is None else f"{found.outcome} ({found.reason})"] += 1
        text += doc.chars_in or 0
        if records <= asked.limit:
            yield ""
            yield from _record(doc, asked)
        if not asked.whole and (text >= MOST_TEXT or records >= MOST_RECORDS):
            ended = False
            break
    yield ""
    some = (
        f"{records:,} records" if ended else f"at least {records:,} records in the first {text / 1e6:,.0f} M characters"
    )
    yield f"{some}: {counted(outcomes) or 'none'}" + ("" if ended else "; --all counts them all")


def _record(doc: Document, asked: Asked) -> Iterator[str]:
    yield f"=== {one_line(doc.id)}"
    found = verdict(doc)
    if found is not None:
        yield f"  {found.outcome}: {found.reason}{f' — {one_line(found.detail)}' if found.detail else ''}"
    left = {key: value for key, value in doc.metadata.items() if key not in ("domain", "source")}
    if left:
        yield "  " + ", ".join(f"{one_line(key)}={one_line(value)[:200]}" for key, value in left.items())
    if doc.text:
        yield f"  {len(doc.text):,} characters, {count_lines(doc.text):,} lines"
        yield from body(doc.text, asked)
