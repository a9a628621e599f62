"""Conversations from files of JSON lines. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import DAMAGE, open_decompressed

Turns = tuple[tuple[str, str], ...]
"""Prompts and their completions, one after the other."""


@dataclass(frozen=True)
class Line:
    """Line ``number`` of a file: its conversation, or (``turns`` empty) the ``problem`` that makes it none."""

    number: int
    turns: Turns
    problem: str = ""


def read_lines(path: str) -> Iterator[Line]:
    """The lines of a .jsonl file, decompressed by its suffix; blank lines are no lines.

    A line is an object with ``prompt`` and ``completion``, or with ``messages``: objects with ``role`` and ``content``.
    Raises InputError when the file cannot be read to its end.
    """
    number = 0
    try:
        with open_decompressed(path) as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield _line(number, line)
    except DAMAGE as error:
        raise InputError(f"{path}: damaged after line {number:,}: {error}") from None


def _line(number: int, content: bytes) -> Line:
    try:
        return Line(number, turns_of(orjson.loads(content)))
    except orjson.JSONDecodeError as error:
        return Line(number, (), f"not JSON: {error}")
    except ValueError as error:
        return Line(number, (), str(error))


def turns_of(item: Any) -> Turns:
    """The conversation of one JSON value.

    A system message stands before the next user's, with an empty line between them, as templates have no other place
    for it. Raises ValueError that says what is wrong.
    """
    if not isinstance(item, dict):
        raise ValueError(f"expected an object, found {type(item).__name__}")
    if "messages" not in item:
        return ((_text(item, "prompt"), _text(item, "completion")),)
    messages = item["messages"]
    if not isinstance(messages, list) or not messages:
        raise ValueError("`messages` is no list of messages")
    turns: list[tuple[str, str]] = []
    system, asked = "", None
    for place, message in enumerate(messages, 1):
        if not isinstance(message, dict):
            raise ValueError(f"message {place} is no object")
        role, content = message.get("role"), _text(message, "content", f"message {place}: ")
        if role == "system" and asked is None:
            system += f"{content}\n\n"
        elif role == "user" and asked is None:
            asked, system = system + content, ""
        elif role == "assistant" and asked is not None:
            turns.append((asked, content))
            asked = None
        else:
            expected = "user or system" if asked is None else "assistant"
            raise ValueError(f"message {place} has role {role!r}; expected {expected}")
    if asked is not None or system:
        raise ValueError("the last message is not the assistant's")
    return tuple(turns)


def _text(item: dict[str, Any], name: str, where: str = "") -> str:
    text = item.get(name)
    if not isinstance(text, str):
        raise ValueError(f"{where}expected a text `{name}`, found {'none' if text is None else type(text).__name__}")
    return text
