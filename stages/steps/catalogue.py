"""The steps that a recipe can name, and how it writes a list of them."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, create_model, model_serializer, model_validator

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.settings import Strict
from llama_data.stages.steps import (
    bad_words,
    c4_rules,
    classifier,
    decontaminate,
    exact_dup,
    fineweb_quality,
    foreign,
    gopher_quality,
    gopher_repetition,
    language,
    length,
    line_dedup,
    near_dup,
    perplexity,
    persist,
    pii,
    quality,
    urls,
)
from llama_data.stages.steps.contract import Built, StepContext, StepSettings

STEPS: dict[str, type[StepSettings]] = {
    "language": language.Settings,
    "perplexity": perplexity.Settings,
    "references": classifier.Settings,
    "length": length.Settings,
    "line_dedup": line_dedup.Settings,
    "exact_dup": exact_dup.Settings,
    "near_dup": near_dup.Settings,
    "quality": quality.Settings,
    "decontaminate": decontaminate.Settings,
    "c4_rules": c4_rules.Settings,
    "bad_words": bad_words.Settings,
    "gopher_quality": gopher_quality.Settings,
    "gopher_repetition": gopher_repetition.Settings,
    "fineweb_quality": fineweb_quality.Settings,
    "urls": urls.Settings,
    "pii": pii.Settings,
    "persist": persist.Settings,
}
_OUTSIDE = "outside"


class Outside(StepSettings):
    """A class of the user's own, or of datatrove: ``step`` is ``module:Class``, ``settings`` its arguments."""

    edits: ClassVar[bool] = True
    step: str
    settings: dict[str, Any] = Field(default_factory=dict)

    def build(self, context: StepContext) -> Built:
        """The rule. Raises RequestError: it cannot be imported or made, or is no step."""
        return Built(rules=[load_rule(self.step, self.settings)])


def load_rule(path: str, settings: dict[str, Any]) -> Rule:
    """Import ``module:Class`` and make a rule of it.

    Raises:
        RequestError: there is no such class, it is no step, or it does not take the settings.
    """
    module, _, name = path.partition(":")
    if not module or module.startswith("."):
        raise RequestError(f"step {path}: expected module:Class with the module's whole name")
    try:
        found = getattr(import_module(module), name)
    except ImportError as error:
        raise RequestError(
            f"step {path}: {error}; the folder that holds it must be on PYTHONPATH, on every machine that runs tasks"
        ) from None
    except AttributeError:
        raise RequestError(f"step {path}: the module {module} has no {name}") from None
    own = inspect.isclass(found) and issubclass(found, Rule)
    wrapper = foreign.wrapper_of(found) if inspect.isclass(found) and not own else None
    if not own and wrapper is None:
        raise RequestError(
            f"step {path}: expected a class derived from llama_data.Rule, or from datatrove's BaseFilter "
            "or BaseFormatter"
        )
    try:
        made = found(**settings)
    except (TypeError, ValueError) as error:
        takes = inspect.signature(found).replace(return_annotation=inspect.Signature.empty)
        raise RequestError(f"step {path}: {error}; it takes {takes}") from None
    rule: Rule = made if wrapper is None else wrapper(made)
    source = inspect.getsourcefile(found)
    # The code is part of what a result is made from, as far as one file holds it.
    rule.files = (*rule.files, *([source] if source is not None else []))
    return rule


class _OneStep(Strict):
    """One step of a list: ``name``, ``name: {settings}``, ``module:Class`` or ``module:Class: {arguments}``."""

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {data: None}
        if not isinstance(data, dict) or len(data) != 1:
            raise ValueError("expected a step's name, or its name with settings, like `language: {threshold: 0.65}`")
        [(name, settings)] = data.items()
        name = str(name)
        settings = {} if settings is None else settings
        if ":" in name:
            return {_OUTSIDE: {"step": name, "settings": settings}}
        if name not in STEPS:
            known = ", ".join(STEPS)
            raise ValueError(f"there is no step {name!r}; there are: {known}; or one of your own as module:Class")
        return {name: settings}

    @model_serializer(mode="plain")
    def _to_write(self) -> dict[str, Any]:
        name, settings = self.chosen()
        if isinstance(settings, Outside):
            return {settings.step: settings.settings}
        return {name: settings.model_dump(mode="json")}

    def chosen(self) -> tuple[str, StepSettings]:
        """The step's name and settings."""
        [name] = self.model_fields_set
        return name, getattr(self, name)


if TYPE_CHECKING:

    class OneStep(_OneStep):
        """One step of a recipe's list."""

        def __new__(cls, **settings: Any) -> Self: ...
else:
    _FIELDS = {name: (settings | None, None) for name, settings in {**STEPS, _OUTSIDE: Outside}.items()}
    OneStep = create_model("OneStep", __base__=_OneStep, **_FIELDS)
