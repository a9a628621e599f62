"""Model cards: a JSON file beside every model that says what it is, where it came from and how good it is."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.files import atomic_write, sha256_of
from llama_data.pipeline.core.version import VERSION


def file_entries(paths: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Name, size in bytes and sha256 of each file, the model itself first."""
    return [{"name": Path(p).name, "size": os.path.getsize(p), "sha256": sha256_of(p)} for p in paths]


def training_record(*, seed: int, data: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """How a model was trained: the command as it was typed, its data and settings, and the version that ran it."""
    return {
        "command": shlex.join(["llama-data", *sys.argv[1:]]),
        "data": list(data),
        "seed": seed,
        "settings": dict(settings),
        "version": VERSION,
    }


def write_card(path: str | Path, card: Mapping[str, Any]) -> None:
    """Write a card, atomically."""
    with atomic_write(str(path)) as stream:
        stream.write(json.dumps(card, indent=1, ensure_ascii=False).encode() + b"\n")
