"""Strict settings: YAML files checked by pydantic models, with the file, line and field in every error."""

from __future__ import annotations

import difflib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.core.needs import Need

MAX_NODES = 100_000
_DEEP = 3  # how far down a key is looked for that stands in the wrong place
_UNITS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_count(value: Any) -> Any:
    """Read ``1.4T``, ``200 M``, ``1e9`` or ``100_000`` as an integer; anything else is left as it is.

    YAML takes ``1e9`` for a text, for it has no point.
    """
    if not isinstance(value, str):
        return value
    number, unit = value.strip(), value.strip()[-1:].upper()
    try:
        if unit in _UNITS:
            return round(Decimal(number[:-1].strip()) * _UNITS[unit])
        exact = Decimal(number)
        return int(exact) if exact == exact.to_integral_value() else value
    except (ArithmeticError, ValueError):
        return value


def _count(value: Any) -> Any:
    found = parse_count(value)
    if isinstance(found, str):
        raise ValueError("expected a count like 1.4T, 200M, 1e9 or 100_000 (K, M, B, T are 10^3, 10^6, 10^9, 10^12)")
    return found


Count = Annotated[int, BeforeValidator(_count), Field(gt=0)]


def parse_share(value: Any) -> Any:
    """Read ``1%`` as 0.01; anything else is left for pydantic to accept or refuse."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(Decimal(value.strip()[:-1]) / 100)
        except InvalidOperation:
            return value
    return value


Share = Annotated[float, BeforeValidator(parse_share), Field(gt=0, le=1)]


# Where a setting that is a limit is null: more than there can be of anything.
NO_LIMIT = 1 << 62


def limit_of(value: int | None) -> int:
    """A limit as a recipe gives it: null is none, 0 is 0."""
    return NO_LIMIT if value is None else value


class Strict(BaseModel):
    """A frozen settings object that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    # Said of a key that is not known, before those that are.
    unknown_hint: ClassVar[str] = ""


class DomainSettings(Strict):
    """What every domain's settings have.

    ``inputs``: globs relative to the run's input folder, or to ``root`` when that is given (a folder or any
    fsspec URL). ``share``: read this share of the input files, ``1%`` or 0.01, chosen by their names and the recipe's
    ``seed`` (null: all). ``base``: what relative paths in a list of files are below (null: what the list itself lies
    below, else Common Crawl's server). ``max_task_bytes``: most stored bytes of a task: a larger input that can be
    split is cut into pieces of at most so many, and small ones share a task (of a 64th of the whole input, or 4 MiB,
    if that is less).
    """

    inputs: tuple[str, ...]
    root: str | None = None
    share: Share | None = None
    base: str | None = None
    max_task_bytes: int = Field(default=256 * 1024 * 1024, gt=0)

    @property
    def reads_dumps(self) -> bool:
        """Whether the domain reads files below the recipe's ``input`` or its ``root``."""
        return True

    def needs(self) -> list[Need]:
        """The models that the settings name; none, unless a domain says which."""
        return []

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """What the domain's steps compare, in their order; ``models_dir``: the recipe's, for bounds kept by a model."""
        return ()


Settings = TypeVar("Settings", bound=BaseModel)
Places = dict[tuple[str | int, ...], str]


def parse_yaml(text: str, where: str) -> tuple[dict[str, Any], Places]:
    """Return the mapping in ``text`` and the place (``file:line``) at which each key path stands.

    Raises:
        RecipeError: not YAML, not a mapping, a key given twice, or nesting or aliases that unfold to more than a recipe
            can hold.
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
    except RecursionError:
        raise RecipeError(
            f"{where}: its values are nested too deeply; expected settings as the documents show"
        ) from None
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
        return f"{place}: {field}: unknown key{_hint(model, location)}"
    found = problem.get("input")
    shown = f", found {found!r}" if not isinstance(found, dict | list | BaseModel) else ""
    message = str(problem["msg"]).removeprefix("Value error, ").replace("valid tuple", "list")
    if problem["type"] in ("dict_type", "model_type", "model_attributes_type"):
        message = "expected keys with values below it, like `key: value`"
    if isinstance(found, str) and found.endswith("%") and "number" in message:
        message = "expected a share between 0 and 1, like 0.01 for 1%"
    return f"{place}: {field}: {message[:1].lower()}{message[1:]}{shown}"


def _hint(model: type[BaseModel], location: tuple[str | int, ...]) -> str:
    """What may have been meant by an unknown key: one of that name elsewhere, one like it, one of those here."""
    classes, key = _classes_at(model, location[:-1]), str(location[-1])
    names = list(classes[0].model_fields) if classes else []
    homes, near = _homes(model, key), difflib.get_close_matches(key, names, n=1)
    hint = next((made.unknown_hint for made in classes if issubclass(made, Strict) and made.unknown_hint), "")
    if homes and not hint:
        return f"; did you mean {' or '.join(homes)}?"
    if near:
        return f"; did you mean {near[0]!r}?"
    return hint + (f"; expected one of: {', '.join(names)}" if names else "")


def _classes_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[type[BaseModel]]:
    """The classes of the settings object at ``path`` below ``model`` (none when unknown)."""
    current: Any = model
    for part in path:
        inner = [made.model_fields[str(part)].annotation for made in _classes_in(current) if part in made.model_fields]
        # The key of a mapping or the number in a list leads to what these hold, which stands in the same annotation.
        current = inner[0] if inner else current
    return _classes_in(current)


def _classes_in(annotation: Any) -> list[type[BaseModel]]:
    """Every settings class that an annotation names, through unions, mappings and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [made for part in get_args(annotation) for made in _classes_in(part)]


def _homes(model: type[BaseModel], key: str, above: tuple[str, ...] = ()) -> list[str]:
    """Where in a recipe there is a key of a name; at most three places."""
    found = [".".join([*above, key])] if key in model.model_fields and above else []
    if len(above) < _DEEP:
        for name, each in model.model_fields.items():
            found += [home for made in _classes_in(each.annotation) for home in _homes(made, key, (*above, name))]
    return found[:3]
