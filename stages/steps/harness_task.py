"""A task of lm-evaluation-harness, as far as it can be read without running code: its data files and its texts.

Source: lm_eval's TaskConfig: ``dataset_path: json | csv | parquet`` with ``dataset_kwargs.data_files``, or the folder
of a saved data set; ``doc_to_decontamination_query``, else ``doc_to_text``, ``doc_to_target`` and ``doc_to_choice``,
each a field's name or a Jinja template.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import read_bytes

_LOADERS = ("json", "csv", "parquet")
_SPLITS = ("test_split", "validation_split")
_TEMPLATES = ("doc_to_text", "doc_to_target", "doc_to_choice")
_INSTEAD = "give its data as files with `fields` instead"


class HarnessTask(NamedTuple):
    """A task's name, its files or folders, the splits of these that it is measured on, and its templates."""

    name: str
    data: tuple[str, ...]
    splits: tuple[str, ...]
    templates: tuple[Any, ...]

    def texts(self, row: dict[str, Any], where: str) -> list[str]:
        """The texts of a row. Raises InputError: a template cannot be applied to it."""
        return [text for template in self.templates for text in _rendered(template, row, where) if text]


class _Loader(yaml.SafeLoader):
    """YAML in which a function that a task names is only an answer to the question whether there is one."""


class _Function(str):
    """The name of a function in the task's own folder, which is not run."""


_Loader.add_constructor("!function", lambda loader, node: _Function(node.value))


def read_task(path: str) -> HarnessTask:
    """Read a task's file. Raises InputError: it is none, or its data or texts are made by code."""
    config = _config(path, ())
    functions = [key for key in ("process_docs", *_TEMPLATES) if isinstance(config.get(key), _Function)]
    query = config.get("doc_to_decontamination_query")
    if isinstance(query, _Function):
        functions.append("doc_to_decontamination_query")
    if functions:
        raise InputError(f"{path}: {', '.join(functions)}: a function, and tasks are not run here; {_INSTEAD}")
    templates = (query,) if query else tuple(config[key] for key in _TEMPLATES if config.get(key) is not None)
    if not templates:
        raise InputError(f"{path}: expected doc_to_text or doc_to_decontamination_query; {_INSTEAD}")
    splits = tuple(str(config[key]) for key in _SPLITS if config.get(key))
    name = config.get("task")
    if not isinstance(name, str):
        raise InputError(f"{path}: expected the name of one task under `task`, found {name!r:.60}; name single tasks")
    return HarnessTask(name, tuple(_data(path, config, splits)), splits, templates)


def _config(path: str, above: tuple[str, ...]) -> dict[str, Any]:
    """The task's settings over those of the file that it includes."""
    if path in above:
        raise InputError(f"{path}: includes itself")
    try:
        config = yaml.load(read_bytes(path), _Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{path}: its values are nested too deeply to be a task") from None
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a task of lm-evaluation-harness, a mapping of settings")
    base = config.pop("include", None)
    return config if base is None else {**_config(os.path.join(os.path.dirname(path), base), (*above, path)), **config}


def _data(path: str, config: dict[str, Any], splits: tuple[str, ...]) -> Iterator[str]:
    """The files of a task's data, or the folder of its saved data set."""
    named = str(config.get("dataset_path", ""))
    if named not in _LOADERS:
        folder = _near(path, named)
        if named and os.path.isdir(folder):
            name = config.get("dataset_name")
            yield os.path.join(folder, str(name)) if name and os.path.isdir(os.path.join(folder, str(name))) else folder
            return
        raise InputError(
            f"{path}: its data {named!r} is not on this disk (expected {', '.join(_LOADERS)} with data_files, or a "
            f"folder of `save_to_disk`); {_INSTEAD}"
        )
    files = (config.get("dataset_kwargs") or {}).get("data_files")
    if isinstance(files, dict):
        chosen = {split: given for split, given in files.items() if split in splits}
        if not chosen:
            raise InputError(f"{path}: data_files has {', '.join(files)}, and none of them is the test_split")
        files = [file for given in chosen.values() for file in ([given] if isinstance(given, str) else given)]
    if not files:
        raise InputError(f"{path}: expected dataset_kwargs with data_files")
    for file in [files] if isinstance(files, str) else files:
        yield _near(path, str(file))


def _near(path: str, name: str) -> str:
    """A path as it is, or below the folder of the task's file."""
    beside = os.path.join(os.path.dirname(path), name)
    return beside if os.path.exists(beside) else name


@cache
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


@cache
def _template(source: str) -> Any:
    return _environment().from_string(source)


def _rendered(template: Any, row: dict[str, Any], where: str) -> Iterator[str]:
    """The texts that a field's name, a template or a list of them gives of a row; numbers are no text."""
    if isinstance(template, list):
        for each in template:
            yield from _rendered(each, row, where)
    elif isinstance(template, str):
        if template in row:
            value = row[template]
            yield from (each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str))
            return
        try:
            yield str(_template(template).render(**row))
        except TemplateError as error:
            raise InputError(f"{where}: the template {template!r:.60} does not fit: {error}") from None
