"""What the settings of a recipe are, in words: from the classes that read them, for docs/recipes.md and new recipes."""

from __future__ import annotations

import inspect
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined


def kind(annotation: Any) -> str:
    """A type as a person writes it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(arguments[0])
    if origin is Literal:
        return " or ".join(map(str, arguments))
    if origin in (Union, UnionType):
        return " or ".join(map(kind, arguments))
    if origin is tuple:
        return f"list of {kind(arguments[0])}"
    if origin is not None and len(arguments) == 2:
        return f"mapping of {kind(arguments[0])} to {kind(arguments[1])}"
    return "null" if annotation is NoneType else str(annotation.__name__)


def about(model: type[BaseModel]) -> str:
    """What a settings class says of its keys; names stand in backticks."""
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def defaults(model: type[BaseModel]) -> dict[str, Any]:
    """The default of every key; ``PydanticUndefined`` where it has to be given."""
    return {
        name: field.get_default(call_default_factory=True) if field.default is PydanticUndefined else field.default
        for name, field in model.model_fields.items()
    }
