"""How a prompt and its completion are written for a tuned model. Imports no torch.

In a template ``{prompt}`` and ``{completion}`` stand for the texts, ``<s>`` for BOS and ``</s>`` for EOS. Only the
template's own markers become these ids: the same characters in a person's text are read as text.
"""

from __future__ import annotations

import re
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.pieces import Pieces

TEMPLATES = {"open-llama": "user: {prompt}<s>system: {completion}</s>"}
PROMPT, COMPLETION = "{prompt}", "{completion}"
_MARKERS = re.compile(r"(</?s>)")


class Template:
    """Text before and after the completion. Raises RequestError when it lacks one of the two, or has one twice."""

    def __init__(self, text: str) -> None:
        self.before, found, self.after = text.partition(COMPLETION)
        if not found or self.before.count(PROMPT) != 1 or PROMPT in self.after or COMPLETION in self.after:
            raise RequestError(f"template {text!r}: expected {PROMPT} and, after it, {COMPLETION}, each once")

    def opening(self, pieces: Pieces, prompt: str) -> list[int]:
        """Ids of everything before the completion.

        Spaces right before it are left to the model: in training they belong to the completion's first piece.
        """
        parts = _MARKERS.split(self.before.rstrip(" "))
        return [id for part in parts for id in _encode(pieces, part, prompt)]

    def closing(self, pieces: Pieces) -> list[int]:
        """Ids of what follows the completion."""
        return [id for part in _MARKERS.split(self.after) for id in _encode(pieces, part, "")]

    @property
    def stop(self) -> str:
        """Text right after the completion, which ends it; empty when a marker or nothing stands there."""
        return _MARKERS.split(self.after)[0]


def _encode(pieces: Pieces, part: str, prompt: str) -> list[int]:
    """A marker's id, or the ids of a text; so is a marker that the tokenizer has no id for."""
    id = {"<s>": pieces.special_ids[0], "</s>": pieces.special_ids[1]}.get(part)
    if id is not None:
        return [id]
    found: list[int] = pieces.model.encode(part.replace(PROMPT, prompt)) if part else []
    return found


def find_template(name: str) -> Template:
    """A template by its name or of a UTF-8 file. Raises RequestError."""
    if name in TEMPLATES:
        return Template(TEMPLATES[name])
    try:
        return Template(Path(name).read_text("utf-8").removesuffix("\n"))
    except (OSError, UnicodeDecodeError) as error:
        names = ", ".join(TEMPLATES)
        raise RequestError(f"--template {name}: neither a file that can be read ({error}) nor one of {names}") from None
