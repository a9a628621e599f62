"""Strict settings: YAML files checked by pydantic models, with the file, line and field in every error."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llama_data.pipeline.core.errors import RecipeError

MAX_NODES = 100_000
_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_count(value: Any) -> Any:
    """Read ``1.4T`` or ``200M`` as an integer; anything else is left for pydantic to accept or refuse."""
    if isinstance(value, str) and value[-1:].upper() in _UNITS:
        try:
            return round(float(value[:-1]) * _UNITS[value[-1].upper()])
        except ValueError:
            return value
    return value


Count = Annotated[int, BeforeValidator(parse_count), Field(gt=0)]


# Where a setting that is a limit is null: more than there can be of anything.
NO_LIMIT = 1 << 62


def limit_of(value: int | None) -> int:
    """A limit as a recipe gives it: null is none, 0 is 0."""
    return NO_LIMIT if value is None else value


class Strict(BaseModel):
    """A frozen settings object that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DomainSettings(Strict):
    """What every domain's settings have.

    ``inputs``: globs relative to the run's input folder, or to ``root`` when that is given (a folder or any
    fsspec URL). ``max_task_bytes``: most stored bytes of a task: a larger input that can be split is cut into
    pieces of at most so many, and small ones share a task (of a 64th of the whole input, or 4 MiB, if that is less).
    """

    inputs: tuple[str, ...]
    root: str | None = None
    max_task_bytes: int = Field(default=256 * 1024 * 1024, gt=0)


Settings = TypeVar("Settings", bound=BaseModel)
Places = dict[tuple[str | int, ...], str]


def parse_yaml(text: str, where: str) -> tuple[dict[str, Any], Places]:
    """Return the mapping in ``text`` and the place (``file:line``) at which each key path stands.

    Raises:
        RecipeError: not YAML, not a mapping, a key given twice, or aliases that unfold to more than a recipe can hold.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _check_size(node, where)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise RecipeError(f"{where}{line}: not valid YAML: {problem}") from None
    if data is None:
        return {}, {}
    if not isinstance(data, dict) or node is None:
        raise RecipeError(f"{where}:1: expected a mapping of settings, found {type(data).__name__}")
    places: Places = {}
    _collect_places(node, (), places, where)
    return data, places


def _check_size(node: yaml.Node, where: str) -> None:
    """Refuse what unfolds without end: every alias counts as a copy of what it stands for."""
    todo, seen = [node], 0
    while todo:
        item = todo.pop()
        seen += 1
        if seen > MAX_NODES:
            raise RecipeError(f"{where}: its aliases unfold to more than {MAX_NODES:,} values; write them out")
        if isinstance(item, yaml.MappingNode):
            todo.extend(part for pair in item.value for part in pair)
        elif isinstance(item, yaml.SequenceNode):
            todo.extend(item.value)


def _collect_places(node: yaml.Node, path: tuple[str | int, ...], places: Places, where: str) -> None:
    places.setdefault(path, f"{where}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen:
                raise RecipeError(f"{where}:{line}: the key {name!r} is given twice")
            seen.add(name)
            places[(*path, name)] = f"{where}:{line}"
            _collect_places(value, (*path, name), places, where)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_places(value, (*path, index), places, where)


def read_text(path: Path) -> str:
    """Read a settings file. Raises RecipeError when there is none or it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from None


def validate(model: type[Settings], data: dict[str, Any], where: str, places: Places | None = None) -> Settings:
    """Build ``model`` from ``data``. Raises RecipeError naming file, line, field and what was expected."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = [_explain(model, problem, where, places or {}) for problem in error.errors()]
        raise RecipeError("\n".join(dict.fromkeys(problems))) from None


def _explain(model: type[BaseModel], problem: Any, where: str, places: Places) -> str:
    location = tuple(problem["loc"])
    field = ".".join(str(part) for part in location) or "(whole file)"
    prefix = location
    while prefix and prefix not in places:
        prefix = prefix[:-1]
    place = places.get(prefix, where) if prefix else where
    if problem["type"] == "extra_forbidden":
        names = _field_names(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of: {', '.join(names)}" if names else ""
        return f"{place}: {field}: unknown key{hint}"
    found = problem.get("input")
    shown = f", found {found!r}" if not isinstance(found, dict | list | BaseModel) else ""
    message = str(problem["msg"]).removeprefix("Value error, ").replace("valid tuple", "list")
    return f"{place}: {field}: {message[:1].lower()}{message[1:]}{shown}"


def _field_names(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Names of the fields of the settings object at ``path`` below ``model`` (empty when unknown)."""
    current: Any = model
    for part in path:
        inner = [fields[part].annotation for fields in _fields_in(current) if part in fields]
        # The key of a mapping or the number in a list leads to what these hold, which stands in the same annotation.
        current = inner[0] if inner else current
    return [name for fields in _fields_in(current)[:1] for name in fields]


def _fields_in(annotation: Any) -> list[dict[str, Any]]:
    """The fields of every settings object that an annotation names, through unions, mappings and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [dict(annotation.model_fields)]
    return [fields for part in get_args(annotation) for fields in _fields_in(part)]
