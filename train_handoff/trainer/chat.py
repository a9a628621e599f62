"""A conversation with a tuned model, typed or from a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from llama_data.train_handoff.trainer.generate import Speaker
from llama_data.train_handoff.trainer.template import Template

NEW = "/new"


def converse(
    speaker: Speaker, template: Template, prompts: Iterable[str], write: Callable[[str], None], *, breakable: bool
) -> None:
    """Answer each prompt as one conversation; ``/new`` begins another. Blank prompts are no prompts.

    ``breakable``: a KeyboardInterrupt breaks the answer off, and the conversation goes on.
    """
    speaker.restart()
    between: list[int] = []
    for prompt in prompts:
        if prompt.strip() == NEW:
            speaker.restart()
            between = []
        elif prompt.strip():
            ids = [*between, *template.opening(speaker.pieces, prompt)]
            begun = False
            try:
                for text in speaker.complete(ids):
                    write(text if begun else text.lstrip(" "))
                    begun = begun or bool(text.strip(" "))
            except KeyboardInterrupt:
                if not breakable:
                    raise
            write("\n")
            between = template.closing(speaker.pieces, stopped=speaker.stopped_by == template.stop != "")
