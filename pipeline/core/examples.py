"""An example under the help of every verb, which can be pasted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def commands_of(app: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a Typer application with those of its groups: path (``models pull``) and description."""
    for info in app.registered_commands:
        name = info.name or info.callback.__name__.replace("_", "-")
        yield f"{above} {name}".strip(), info
    for group in app.registered_groups:
        yield from commands_of(group.typer_instance, f"{above} {group.name or ''}".strip())


def show_examples(app: Any, examples: Mapping[str, str]) -> None:
    """Put each command's examples, a line each, behind its help."""
    for path, info in commands_of(app):
        if path in examples:
            lines = "\n".join(f"  {line}" for line in examples[path].splitlines())
            # What follows this mark is not wrapped.
            info.epilog = f"\b\nExample:\n{lines}"
