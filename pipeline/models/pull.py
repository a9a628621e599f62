"""Downloads of published models: resumed, verified, atomic, and never fetched twice."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from llama_data.pipeline.core.errors import ModelError, RequestError, RunError
from llama_data.pipeline.core.files import sha256_of
from llama_data.pipeline.download.fetch import LIMITS, fetch, part_of
from llama_data.pipeline.download.source import Item
from llama_data.pipeline.models.cards import file_entries, write_card
from llama_data.stages.steps.model_cards import card_path, read_card
from llama_data.stages.steps.model_files import DOWNLOADS, Download, models_folder

_LIMITS = dataclasses.replace(LIMITS, first_seconds=0.0)  # waiting brings no network: who is offline hears it at once
Told = Callable[[int, int | None], None]


class Pulled(NamedTuple):
    """Where a model is, whether it had to be fetched, and how its checksum is known."""

    path: Path
    fetched: bool
    checksum: str


def known(name: str) -> Download:
    """The download of that name. Raises RequestError when there is none."""
    if name not in DOWNLOADS:
        raise RequestError(f"{name}: not a model that can be downloaded; `llama-data models list` shows those that can")
    return DOWNLOADS[name]


def pull(download: Download, models_dir: str | None = None, *, told: Told = lambda done, total: None) -> Pulled:
    """Bring a published model to the models folder, unless it is there with the right checksum.

    A file without a published checksum is held to the one recorded in its card at the first download. ``told`` hears of
    the bytes that are there and of all (None: the server does not say).

    Raises:
        ModelError: the file that is there is not the one expected.
        RunError: the server cannot be reached, goes on failing, has no such file, or sends another than the one
            expected; nothing is put under the model's name.
    """
    target = models_folder(models_dir) / download.name
    card_file = card_path(target)
    recorded = (read_card(card_file) or {}).get("files", [{}])[0].get("sha256")
    expected = download.sha256 or recorded
    how = "published" if download.sha256 else "recorded at first download"
    if target.is_file():
        found = sha256_of(target)
        if expected is not None and found != expected:
            raise ModelError(f"{target}: sha256 {found}, expected {expected}; delete it and pull it again")
        if recorded != found:
            _write_download_card(download, target, how)
        return Pulled(target, False, how)
    item = Item(download.name, download.url, download.size, (("sha256", expected),) if expected else ())
    part = part_of(target.parent, item)
    try:
        fetch(item, target.parent, limits=_LIMITS, came=lambda size, total: told(part.stat().st_size, total))
    except (RunError, FileNotFoundError, PermissionError) as error:
        said = error if isinstance(error, RunError) else f"{download.url}: {error.strerror}"
        raise RunError(f"{said}; or put the file at {target} yourself") from None
    with contextlib.suppress(OSError):  # others may be on their way
        part.parent.rmdir()
    _write_download_card(download, target, how)
    return Pulled(target, True, how)


def _write_download_card(download: Download, target: Path, how: str) -> None:
    write_card(
        card_path(target),
        {
            "name": download.name,
            "about": download.about,
            "files": file_entries([target]),
            "checksum": how,
            "origin": {"url": download.url, "fetched": datetime.now(UTC).isoformat(timespec="seconds")},
            "licence": download.licence,
            "quality": "not measured here; `llama-data models evaluate` measures it on your text",
        },
    )
