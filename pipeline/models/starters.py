"""Packs trained models into the folder of starter models that comes with the package."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.models.cards import write_card
from llama_data.stages.steps.model_cards import read_card
from llama_data.stages.steps.model_files import CARD


def pack_starter(card_file: str | Path, name: str, folder: str | Path, prepared: Sequence[str] = ()) -> int:
    """Copy the files of a trained model's card to ``folder`` as starter ``name``; returns their packed size in bytes.

    ``prepared``: the commands that made the training data, for the card. Text and dense files are compressed with
    xz; quantised fastText models are not, so that they can be used in place.

    Raises:
        ModelError: there is no card, or a file that it names is not beside it.
    """
    source = Path(card_file)
    card = read_card(source)
    if card is None:
        raise ModelError(f"{source}: no such model card; expected the one that a train command wrote")
    size = 0
    for entry in card["files"]:
        path = source.with_name(entry["name"])
        if not path.is_file():
            raise ModelError(f"{path}: no such file, but {source} names it; train the model again")
        size += _pack(path, entry, name, Path(folder))
    card["name"] = name
    if prepared:
        card["made_by"]["prepared"] = list(prepared)
    write_card(Path(folder) / f"{name}{CARD}", card)
    return size


def _pack(path: Path, entry: dict[str, Any], name: str, folder: Path) -> int:
    data = path.read_bytes()
    kind = path.name[path.name.index(".") :]
    entry["packed"] = f"{name}{kind}"
    if kind != ".ftz":
        entry["packed"] += ".xz"
        data = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    with atomic_write(str(folder / entry["packed"])) as stream:
        stream.write(data)
    return len(data)
