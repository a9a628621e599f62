"""The options that a verb was given, for the commands that it tells a person to give next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand

# What a verb shows; what ``chain.redo`` adds; and what stands in a group's command already.
_NOT_TOLD = ("quiet", "as_json", "overwrite", "name")


class Verb(TyperCommand):
    """A command that keeps the options it was given, while it runs, in ``chain.typed``."""

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        from llama_data.pipeline.chain import typed

        token = typed.set(tuple(_options(self, ctx)))
        try:
            return super().invoke(ctx)
        finally:
            typed.reset(token)


def _options(command: TyperCommand, context: typer.Context) -> Iterator[str]:
    for parameter in command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if parameter.param_type_name != "option" or name in _NOT_TOLD or source is None or source.name != "COMMANDLINE":
            continue
        values = context.params[name]
        for value in values if isinstance(values, list | tuple) else [values]:
            yield min(parameter.opts, key=len)
            if not isinstance(value, bool):
                yield str(value)
