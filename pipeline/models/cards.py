"""Model cards: a JSON file beside every model that says what it is, where it came from and how good it is."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import atomic_write, sha256_of
from llama_data.pipeline.core.version import VERSION
from llama_data.stages.steps.model_files import CARD


def card_path(model: str | Path) -> Path:
    """Where the card of a model is: ``<model without its suffixes>.card.json`` in the same folder."""
    path = Path(model)
    name = path.name
    for suffix in (".arpa.gz", ".arpa.bin", ".arpa", ".sp.model", ".bin", ".ftz"):
        if name.endswith(suffix) and name not in ("lid.176.bin", "lid.176.ftz"):
            name = name.removesuffix(suffix)
            break
    return path.with_name(name + CARD)


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


def read_card(path: str | Path) -> dict[str, Any] | None:
    """The card at a path, None when there is none. Raises ModelError when it is not JSON."""
    try:
        data: dict[str, Any] = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ModelError(f"{path}: not a model card: {error}; delete it and pull or train the model again") from None
    return data
