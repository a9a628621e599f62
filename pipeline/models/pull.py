"""Downloads of published models: resumed, verified, atomic, and never fetched twice."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple

from llama_data.pipeline.core.errors import ModelError, RequestError, RunError
from llama_data.pipeline.core.files import sha256_of
from llama_data.pipeline.models.cards import file_entries, write_card
from llama_data.stages.steps.model_cards import card_path, read_card
from llama_data.stages.steps.model_files import DOWNLOADS, Download, models_folder

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 20
ATTEMPTS = 5
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


def pull(
    download: Download,
    models_dir: str | None = None,
    *,
    pause: Callable[[float], None] = time.sleep,
    told: Told = lambda done, total: None,
) -> Pulled:
    """Bring a published model to the models folder, unless it is there with the right checksum.

    A file without a published checksum is held to the one recorded in its card at the first download. ``told`` hears of
    the bytes that are there and of all (None: the server does not say).

    Raises:
        ModelError: the bytes are not the ones expected; nothing is put under the model's name.
        RunError: the server cannot be reached, or goes on failing.
    """
    target = models_folder(models_dir) / download.name
    card_file = card_path(target)
    recorded = (read_card(card_file) or {}).get("files", [{}])[0].get("sha256")
    expected = download.sha256 or recorded
    how = "published" if download.sha256 else "recorded at first download"
    if target.is_file():
        found = sha256_of(target)
        if expected is None or found == expected:
            if recorded != found:
                _write_download_card(download, target, how)
            return Pulled(target, False, how)
        raise ModelError(_wrong(target, found, expected) + "; delete it and pull it again")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    _fetch_all(download, partial, pause, told)
    found = sha256_of(partial)
    if expected is not None and found != expected:
        partial.unlink()
        raise ModelError(_wrong(Path(download.url), found, expected) + "; nothing was kept; pull it again")
    os.replace(partial, target)
    _write_download_card(download, target, how)
    return Pulled(target, True, how)


def _wrong(where: Path, found: str, expected: str) -> str:
    return f"{where}: sha256 {found}, expected {expected}"


def _fetch_all(download: Download, partial: Path, pause: Callable[[float], None], told: Told) -> None:
    """Fetch to a partial file, going on where an interrupted transfer stopped."""
    problem = "no attempt was made"
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(2.0**attempt)
        before = partial.stat().st_size if partial.exists() else 0
        try:
            if _fetch(download.url, partial, before, told):
                return
            problem = "the transfer broke off"
        except urllib.error.HTTPError as error:
            if error.code == 416:
                partial.unlink(missing_ok=True)
            elif error.code < 500 and error.code != 429:
                raise RunError(f"{download.url}: the server answers {error.code} {error.reason}") from None
            problem = f"the server answers {error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            problem = str(error) or type(error).__name__
            if _is_unreachable(error):
                # Waiting does not bring a network: who is offline hears it in seconds.
                raise RunError(
                    f"{download.url}: the server cannot be reached from here ({_reason(error)}); with a network (or "
                    f"HTTPS_PROXY) give the command again, or put the file at {partial.with_suffix('')} yourself"
                ) from None
    raise RunError(
        f"{download.url}: {problem}, {ATTEMPTS} times; what arrived stays in {partial}: run the command again to go "
        f"on, or put the file at {partial.with_suffix('')} yourself"
    )


def _reason(error: BaseException) -> object:
    return getattr(error, "reason", None) or error


def _is_unreachable(error: BaseException) -> bool:
    """True where there is no way to the server: no name, no route, nobody who listens, no answer to the first knock."""
    reason = _reason(error)
    if isinstance(error, urllib.error.URLError) and isinstance(reason, TimeoutError):
        return True
    return isinstance(reason, (socket.gaierror, ConnectionRefusedError)) or (
        isinstance(reason, OSError) and reason.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    )


def _fetch(url: str, partial: Path, offset: int, told: Told) -> bool:
    """One transfer; True when all the bytes that the server announced have arrived."""
    request = urllib.request.Request(url, headers={"User-Agent": "llama-data"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
        resumed = offset > 0 and response.status == 206
        total = _announced(response, offset if resumed else 0)
        with open(partial, "ab" if resumed else "wb") as stream:
            told(stream.tell(), total)
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                told(stream.tell(), total)
    return total is None or partial.stat().st_size == total


def _announced(response: HTTPResponse, offset: int) -> int | None:
    length = response.headers.get("Content-Length")
    return None if length is None else offset + int(length)


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


def state_of(path: Path, sha256: str | None) -> str:
    """In a word or two, whether a file is there and is what it should be."""
    if not path.is_file():
        return "absent"
    if sha256 is None:
        return "present, no checksum known"
    with open(path, "rb") as stream:
        sound = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    return "present, checksum right" if sound else "present, CHECKSUM WRONG"
