"""Small dumps made in the test, and the whole stage run over them in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from llama_data.stages.stackexchange import jobs


def row(**attributes: object) -> str:
    return "  <row " + " ".join(f"{key}={quoteattr(str(value))}" for key, value in attributes.items()) + " />"


def question(number: int, title: str = "Title", body: str = "<p>Body</p>", score: int = 1, **more: object) -> str:
    return row(Id=number, PostTypeId=1, Score=score, Title=title, Body=body, **more)


def answer(number: int, parent: int, score: int = 0, body: str = "<p>Answer</p>", **more: object) -> str:
    return row(Id=number, PostTypeId=2, ParentId=parent, Score=score, Body=body, **more)


def posts(*rows: str, head: str = "") -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', *([head] if head else []), "<posts>", *rows, "</posts>", ""]
    return "\ufeff".encode() + "\n".join(lines).encode()


class Dump:
    """Builders of rows and files, handed to the tests as one fixture."""

    row = staticmethod(row)
    question = staticmethod(question)
    answer = staticmethod(answer)
    posts = staticmethod(posts)


@pytest.fixture
def dump() -> type[Dump]:
    return Dump


@pytest.fixture
def run_stage(run_files: Callable[..., Any]) -> Callable[..., Any]:
    """Run both jobs over files: (name to bytes, settings)."""
    return partial(run_files, jobs)


@pytest.fixture
def run_over(run_domain: Callable[..., Any]) -> Callable[..., Any]:
    """Run both jobs over a folder that is there: (input, output, settings)."""
    return partial(run_domain, jobs)
