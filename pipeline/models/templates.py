"""Gathers the definitions of a wiki's templates from dumps that have them, for dumps that do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, list_inputs
from llama_data.pipeline.models.cards import file_entries, training_record, write_card
from llama_data.stages.steps.model_files import CARD
from llama_data.stages.wikipedia.dump.pieces import inspect
from llama_data.stages.wikipedia.jobs import Settings
from llama_data.stages.wikipedia.template_pages import definitions_path, read_templates
from llama_data.stages.wikipedia.templates.store import merge, write_records


def train_templates(dumps: Sequence[str], output: str, *, licence: str) -> list[dict[str, Any]]:
    """Write ``<language>.templates`` for every language of the dumps (files, folders), a card beside each.

    Of a title that several dumps define the first definition counts. Returns the cards.

    Raises:
        InputError: there is no dump, its language cannot be told, or none has a page in the Template namespace.
    """
    by_language: dict[str, list[Split]] = {}
    for path in dumps:
        for split in list_inputs(path, Settings().inputs):
            by_language.setdefault(inspect(split).language, []).append(split)
    Path(output).mkdir(parents=True, exist_ok=True)
    cards = [_gather(language, splits, output, licence) for language, splits in sorted(by_language.items())]
    found = [card for card in cards if card is not None]
    if not found:
        raise InputError(
            f"{', '.join(dumps)}: no page of the Template namespace; expected a dump named *-pages-articles*"
        )
    return found


def _gather(language: str, splits: Sequence[Split], output: str, licence: str) -> dict[str, Any] | None:
    target = definitions_path(output, language)
    pieces: list[str] = []
    kinds = {"T": 0, "R": 0, "N": 0}
    try:
        for number, split in enumerate(splits):
            records = list(read_templates(split))
            for _, record in records:
                kinds[record[0]] += 1
            if records:
                pieces.append(f"{target}.{number}")
                write_records(pieces[-1], records)
        if not pieces:
            return None
        count = merge(pieces, target)
    finally:
        for piece in pieces:
            Path(piece).unlink(missing_ok=True)
    card = {
        "name": Path(target).name,
        "about": f"definitions of templates of the {language} Wikipedia",
        "files": file_entries([target]),
        "made_by": training_record(seed=0, data=[split.path for split in splits], settings={}),
        "licence": licence,
        "languages": [language],
        "quality": {"titles": count, "texts": kinds["T"], "redirects": kinds["R"], "known to show nothing": kinds["N"]},
    }
    write_card(Path(output) / f"{language}.templates{CARD}", card)
    return card
