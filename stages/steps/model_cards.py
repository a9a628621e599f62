"""The card beside a model: where it is, and what a step must know of the model from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import ModelError
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


def read_card(path: str | Path) -> dict[str, Any] | None:
    """The card at a path, None when there is none. Raises ModelError when it is not JSON."""
    try:
        data: dict[str, Any] = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ModelError(f"{path}: not a model card: {error}; delete it and pull or train the model again") from None
    return data
