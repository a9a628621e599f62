"""The files that hold the rows of a Hugging Face dataset: saved, in the hub's cache, or a folder of files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, exists, is_local, join, list_files, list_inputs, read_bytes
from llama_data.pipeline.core.left_out import LeftOut
from llama_data.pipeline.core.unfound import no_such

_PACKED = ("", ".gz", ".zst", ".bz2", ".xz")
_TEXTS = {"jsonl": (".jsonl", ".json", ".ndjson"), "csv": (".csv", ".tsv"), "text": (".txt",)}
_KINDS = {
    "parquet": [".parquet"],
    "arrow": [".arrow"],
    **{kind: [s + packed for s in suffixes for packed in _PACKED] for kind, suffixes in _TEXTS.items()},
}
# Files that the library writes beside the rows: their description, results of `map` and indices of a selection.
_STATE = "state.json"
_DESCRIPTIONS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", _STATE)
_BESIDE = ("cache-", "indices-", "tmp")


def huggingface_files(root: str, left_out: LeftOut | None = None) -> list[Split]:
    """The files with the rows of a dataset, sorted by name from its folder on.

    ``root``: what ``save_to_disk`` wrote (of a DatasetDict every split); a folder of the hub's cache
    (``datasets--ORG--NAME``: the snapshot that ``main`` names, or the only one); any other folder with data files
    of one format: a repository, or a cache of the library. ``left_out`` is told what lies beside them in that.

    Raises:
        InputError: no such folder, no rows in it, files that are named are missing, or it is not clear which to take.
    """
    if not exists(root):
        raise InputError(no_such(root, "a Hugging Face dataset", is_local(root)))
    if exists(join(root, "snapshots")):
        return _data_files(_snapshot(root), left_out)
    if exists(join(root, _STATE)):
        return _saved(root, "")
    if exists(join(root, "dataset_dict.json")):
        splits = sorted(_json(join(root, "dataset_dict.json")).get("splits", ()))
        found = [split for name in splits for split in _saved(join(root, name), f"{name}/")]
        return sorted(found, key=lambda split: split.name)
    return _data_files(root, left_out)


def _json(path: str) -> dict[str, Any]:
    try:
        found = json.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON: {error}; save the dataset again") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object; save the dataset again")
    return found


def _saved(folder: str, prefix: str) -> list[Split]:
    """The files that the state of a saved dataset names."""
    state = _json(join(folder, _STATE))
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise InputError(f"{folder}: a selection of rows by indices; save it with `flatten_indices()`")
    names = {str(file["filename"]) for file in state.get("_data_files", ())}
    found = {split.name: split for split in list_inputs(folder, ["*.arrow"])} if names else {}
    missing = sorted(names - set(found))
    if missing or not names:
        raise InputError(f"{folder}: expected the files that {_STATE} names, missing: {', '.join(missing) or 'all'}")
    return [replace(found[name], name=prefix + name) for name in sorted(names)]


def _snapshot(root: str) -> str:
    """The folder of the revision to read."""
    main = join(root, "refs", "main")
    if exists(main):
        folder = join(root, "snapshots", read_bytes(main).decode().strip())
        if exists(folder):
            return folder
    folders = list_files(join(root, "snapshots"), "")
    if len(folders) != 1:
        names = ", ".join(folder.rsplit("/", 1)[-1] for folder in folders) or "none"
        raise InputError(f"{root}: expected one snapshot, found {names}; give the folder of one as `root`")
    return folders[0]


def _data_files(folder: str, left_out: LeftOut | None) -> list[Split]:
    """The data files below a folder, which must all be of one format."""
    found: dict[str, list[Split]] = {}
    splits = list_inputs(folder, ["**/*"])
    for split in splits:
        base = split.name.rsplit("/", 1)[-1]
        hidden = any(part.startswith(".") for part in split.name.split("/"))
        if hidden or base in _DESCRIPTIONS or (base.endswith(".arrow") and base.startswith(_BESIDE)):
            continue
        for kind, suffixes in _KINDS.items():
            if base.lower().endswith(tuple(suffixes)):
                found.setdefault(kind, []).append(split)
    if len(found) != 1:
        kinds = ", ".join(f"{len(splits)} {kind}" for kind, splits in sorted(found.items())) or "none"
        raise InputError(f"{folder}: expected data files of one format, found {kinds}; say which with `inputs`")
    [chosen] = found.values()
    if left_out is not None:
        left_out.claim(folder, [])
        left_out.refuse(folder, {split.name for split in splits}.difference(split.name for split in chosen))
    return chosen
