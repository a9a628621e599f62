"""Prompts from a file, a pipe or a keyboard. Imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.jsonl import read_jsonl


def read_prompts(path: str) -> Iterator[str]:
    """The prompts of a UTF-8 file, a line each (``-``: standard input), or of a .jsonl file of objects with ``prompt``.

    Raises InputError.
    """
    if path == "-":
        yield from _lines(sys.stdin.buffer, "standard input")
    elif ".jsonl" in path.rsplit("/", 1)[-1]:
        for number, item in enumerate(read_jsonl(path), 1):
            prompt = item.get("prompt") if isinstance(item, dict) else None
            if not isinstance(prompt, str):
                raise InputError(f"{path}: line {number}: expected an object with a string `prompt`")
            yield prompt
    else:
        try:
            with Path(path).open("rb") as stream:
                yield from _lines(stream, path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error}") from None


def read_turns(typed: bool) -> Iterator[str]:
    """Lines of standard input until it ends; ``typed``: each is asked for, and Ctrl-C ends too. Raises InputError."""
    if not typed:
        yield from _lines(sys.stdin.buffer, "standard input")
        return
    while True:
        try:
            yield input("> ")
        except (EOFError, KeyboardInterrupt):
            return


def _lines(stream: BinaryIO, where: str) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: line {number}: not UTF-8 text: {error}") from None
