"""Where model files are: bundled starters, the cache of downloads, or a path.

A name is resolved in this order: ``starter/...`` is a model that comes with the package; a known download
(``lid.176.bin``, ``en.arpa.bin``) is looked for in the models folder; anything else is a path, or a file there.
The models folder is the one given, else ``$LLAMA_DATA_MODELS``, else ``~/.cache/llama-data/models``.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from llama_data.pipeline.core.errors import ModelError
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.needs import Need

STARTER = "starter/"
CCNET = "ccnet"
REFERENCES = "references.bin"  # what LLaMA's recipe calls its classifier
CARD = ".card.json"
MODELS_VARIABLE = "LLAMA_DATA_MODELS"
_FASTTEXT = "https://dl.fbaipublicfiles.com/fasttext/supervised-models"
_CCNET = "https://dl.fbaipublicfiles.com/cc_net/lm"

# The languages that CCNet published perplexity models for (cc_net, Makefile).
_CCNET_LANGUAGES = """
    af ar az be bg bn ca cs da de el en es et fa fi fr gu he hi hr hu hy id is it ja ka kk km kn ko lt lv mk ml mn
    mr my ne nl no pl pt ro ru uk zh
"""


@dataclass(frozen=True)
class Download:
    """A published model file: where it is and what is known of it.

    ``sha256`` and ``size`` (bytes) are None where the publisher's file has no checksum that we could confirm;
    then the first download is recorded in its card and later ones are held to that record.
    """

    name: str
    url: str
    about: str
    licence: str
    sha256: str | None = None
    size: int | None = None


def _known_downloads() -> dict[str, Download]:
    by_sa = "CC BY-SA 3.0"
    wiki = "no licence stated; trained on Wikipedia text (CC BY-SA)"
    known = [
        Download(
            name="lid.176.bin",
            url=f"{_FASTTEXT}/lid.176.bin",
            about="fastText's language identification, 176 languages; what CCNet uses",
            licence=by_sa,
            sha256="7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e",
            size=131_266_198,
        ),
        Download(
            name="lid.176.ftz",
            url=f"{_FASTTEXT}/lid.176.ftz",
            about="the same, quantised; decides slightly differently",
            licence=by_sa,
            sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
            size=938_013,
        ),
    ]
    for language in _CCNET_LANGUAGES.split():
        for suffix, what in (("arpa.bin", "5-gram model"), ("sp.model", "SentencePiece model")):
            name = f"{language}.{suffix}"
            about = f"CCNet's {what} for perplexity, {language}"
            known.append(Download(name=name, url=f"{_CCNET}/{name}", about=about, licence=wiki))
    return {download.name: download for download in known}


DOWNLOADS = _known_downloads()


class PerplexityFiles(NamedTuple):
    """The files of a perplexity model: KenLM model, SentencePiece model, cut-offs (None: there are none)."""

    model: str
    pieces: str
    cutoffs: str | None


def models_folder(models_dir: str | None = None) -> Path:
    """The folder of downloaded and unpacked models."""
    chosen = models_dir or os.environ.get(MODELS_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "llama-data" / "models"


def model_path(name: str, models_dir: str | None = None) -> str:
    """Local path of a model file.

    ``starter/language``, ``starter/references`` and ``starter/perplexity.<language>`` come with the package
    (the last names the KenLM file; ``perplexity_files`` has its companions).

    Raises:
        ModelError: there is no such file; says which command brings it.
    """
    if name.startswith(STARTER):
        return _starter_path(name.removeprefix(STARTER), models_dir)
    if name in DOWNLOADS:
        path = models_folder(models_dir) / name
        if path.is_file():
            return str(path)
        raise _not_pulled([name], models_dir)
    for path in (Path(name), models_folder(models_dir) / name):
        if path.is_file():
            return str(path)
    if name == REFERENCES:
        raise ModelError(
            f"{name}: no such model file; LLaMA's classifier was never published: train one with `llama-data models "
            f"train-references --dump enwiki.xml.bz2 --positives PAGES --negatives RANDOM -o {name}`, or say `starter`"
        )
    raise ModelError(
        f"{name}: no such model file; expected a path, starter/NAME ({', '.join(starters())}), "
        "or a name that `llama-data models list` shows"
    )


def starter_or_path(name: str, starter: str, models_dir: str | None = None) -> str:
    """``model_path``, where the name ``starter`` alone means the one called ``starter`` here."""
    return model_path(f"{STARTER}{starter}" if name.rstrip("/") == STARTER.rstrip("/") else name, models_dir)


def one_model(key: str, name: str, starter: str) -> Need:
    """What settings need whose ``key`` names a model that ``starter_or_path`` finds."""

    def find(models_dir: str | None) -> str:
        return starter_or_path(name, starter, models_dir)

    return Need(key, name, (name,) if name in DOWNLOADS else (), find, starter in starters())


def refuse_starter(name: str) -> None:
    """Raise ModelError when ``starter`` is asked for where the package brings none: a tokenizer, a list of words."""
    if f"{name.rstrip('/')}/".startswith(STARTER):
        raise _no_starter(name)


def perplexity_files(name: str, language: str, models_dir: str | None = None) -> PerplexityFiles:
    """Files of the perplexity model of a language: ``starter``, ``ccnet``, or a folder that holds them.

    In a folder they are ``<language>.arpa.bin`` (or ``.arpa``), ``<language>.sp.model`` and, when the model
    has its own cut-offs, ``<language>.cutoffs.json``.

    Raises:
        ModelError: a file is missing; says which command brings it.
    """
    if name.rstrip("/") == STARTER.rstrip("/"):
        model = model_path(f"{STARTER}perplexity.{language}", models_dir)
        return _beside(Path(model).parent, language, model)
    if name == CCNET:
        return _published(language, models_dir)
    folder = Path(name)
    for suffix in ("arpa.bin", "arpa"):
        model_file = folder / f"{language}.{suffix}"
        if model_file.is_file():
            return _beside(folder, language, str(model_file))
    raise ModelError(
        f"{folder}: no {language}.arpa.bin or {language}.arpa there; expected {CCNET}, starter, or a folder written by "
        "`llama-data models train-perplexity`"
    )


def _published(language: str, models_dir: str | None) -> PerplexityFiles:
    """CCNet's files for a language. Raises ModelError: they are not there; names all that are missing."""
    folder = models_folder(models_dir)
    names = [f"{language}.{kind}" for kind in ("arpa.bin", "sp.model")]
    if language not in _CCNET_LANGUAGES.split():
        known = " ".join(_CCNET_LANGUAGES.split())
        raise ModelError(f"CCNet published no model of perplexity for {language!r}; there are: {known}")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise _not_pulled(missing, models_dir)
    model, pieces = (str(folder / name) for name in names)
    return PerplexityFiles(model, pieces, None)


def _not_pulled(names: Sequence[str], models_dir: str | None) -> ModelError:
    """Published models that have not been downloaded."""
    where = ", ".join(str(models_folder(models_dir) / name) for name in names)
    return ModelError(
        f"{where}: no such model; bring {'it' if len(names) == 1 else 'them'} with "
        f"`llama-data models pull {' '.join(names)}{_folder_flag(models_dir)}`"
    )


def starters() -> list[str]:
    """Names of the models that come with the package, without ``starter/``."""
    folder = _starter_folder()
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(CARD) for entry in folder.iterdir() if entry.name.endswith(CARD))


def starter_card(name: str) -> dict[str, Any]:
    """The model card of a starter. Raises ModelError when there is no such starter."""
    entry = _starter_folder().joinpath(f"{name}{CARD}")
    if not entry.is_file():
        raise _no_starter(f"{STARTER}{name}")
    card: dict[str, Any] = json.loads(entry.read_bytes())
    return card


def _no_starter(name: str) -> ModelError:
    known = ", ".join(starters()) or "none in this installation"
    return ModelError(f"{name}: no such starter model; there are: {known}")


def _starter_folder() -> Traversable:
    return resources.files(__package__).joinpath("starter")


def _starter_path(name: str, models_dir: str | None) -> str:
    files = starter_card(name)["files"]
    first: str = files[0]["name"]
    entry = _starter_folder().joinpath(files[0]["packed"])
    if len(files) == 1 and isinstance(entry, Path) and not entry.name.endswith(".xz"):
        return str(entry)
    # The folder carries the content's checksum, so a newer package never meets an older one's files.
    folder = models_folder(models_dir) / f"starter-{name}-{files[0]['sha256'][:12]}"
    for file in files:
        _unpack(_starter_folder().joinpath(file["packed"]), folder / file["name"], file["sha256"])
    return str(folder / first)


def _unpack(entry: Traversable, target: Path, sha256: str) -> None:
    """Write a packed starter file to the cache, once; the name appears when the bytes are complete."""
    if target.is_file():
        return
    data = entry.read_bytes()
    if entry.name.endswith(".xz"):
        data = lzma.decompress(data)
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ModelError(f"{entry}: damaged: sha256 {found}, expected {sha256}; install the package again")
    try:
        with atomic_write(str(target)) as stream:
            stream.write(data)
    except OSError as error:
        raise ModelError(
            f"{target}: cannot be written: {error}; name a folder for models with --models-dir or ${MODELS_VARIABLE}"
        ) from None


def _beside(folder: Path, language: str, model: str) -> PerplexityFiles:
    pieces = folder / f"{language}.sp.model"
    if not pieces.is_file():
        raise ModelError(f"{pieces}: no such file; {model} needs the SentencePiece model it was trained with")
    cutoffs = folder / f"{language}.cutoffs.json"
    return PerplexityFiles(model, str(pieces), str(cutoffs) if cutoffs.is_file() else None)


def _folder_flag(models_dir: str | None) -> str:
    return f" --models-dir {models_dir}" if models_dir else ""
