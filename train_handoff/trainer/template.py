"""How a prompt and its completion are written for a tuned model. Imports no torch.

In a template ``{prompt}`` and ``{completion}`` stand for the texts, ``<s>`` for BOS and ``</s>`` for EOS. Only the
template's own markers become these ids: the same characters in a person's text are read as text. `tune` and `chat` read
a conversation with the same functions, so a tuned model is asked as it was taught.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer.pieces import Pieces

DEFAULT = "open-llama"
TEMPLATES = {
    # https://github.com/s-JoL/Open-Llama
    DEFAULT: "user: {prompt}<s>system: {completion}</s>",
    # https://github.com/tatsu-lab/stanford_alpaca, the prompt without an input
    "alpaca": "Below is an instruction that describes a task. Write a response that appropriately completes the "
    "request.\n\n### Instruction:\n{prompt}\n\n### Response: {completion}</s>",
    # https://github.com/lm-sys/FastChat, v1.1 without its first sentence
    "vicuna": "USER: {prompt} ASSISTANT: {completion}</s>",
}
PROMPT, COMPLETION = "{prompt}", "{completion}"
_MARKERS = re.compile(r"(</?s>)")


class Template:
    """Text before and after the completion. Raises RequestError when it lacks one of the two, or has one twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.before, found, self.after = text.partition(COMPLETION)
        if not found or self.before.count(PROMPT) != 1 or PROMPT in self.after or COMPLETION in self.after:
            raise RequestError(f"template {text!r}: expected {PROMPT} and, after it, {COMPLETION}, each once")
        self.gap = len(self.before) - len(self.before.rstrip(" "))

    def opening(self, pieces: Pieces, prompt: str) -> list[int]:
        """Ids of everything before the completion.

        Spaces right before it are left to the model: in training they belong to the completion's first piece.
        """
        parts = _MARKERS.split(self.before.rstrip(" "))
        return [id for part in parts for id in _encode(pieces, part, prompt)]

    def closing(self, pieces: Pieces, *, stopped: bool = False) -> list[int]:
        """Ids of what follows the completion; ``stopped``: without the text ``stop``, which was said with it."""
        parts = _MARKERS.split(self.after)
        return [id for part in parts[int(stopped) :] for id in _encode(pieces, part, "")]

    def answer(self, pieces: Pieces, completion: str) -> tuple[list[int], list[int]]:
        """Ids that the model has to say, up to the marker that ends them, and ids of what follows that marker.

        The spaces before the completion are the first piece's, as the model is left to say them.
        """
        parts = _MARKERS.split(self.after)
        own = self.gap - 1 if pieces.prefix and self.gap else self.gap  # the tokenizer puts one there itself
        said: list[int] = pieces.model.encode(" " * own + completion + parts[0])
        rest = [_encode(pieces, part, "") for part in parts[1:]]
        return [*said, *(rest[0] if rest else [])], [id for ids in rest[1:] for id in ids]

    def example(self, pieces: Pieces, turns: Iterable[tuple[str, str]]) -> tuple[list[int], list[bool]]:
        """Ids of a conversation of prompts and completions, and for each whether the model has to say it."""
        ids: list[int] = []
        said: list[bool] = []
        for prompt, completion in turns:
            answer, after = self.answer(pieces, completion)
            asked = self.opening(pieces, prompt)
            ids += [*asked, *answer, *after]
            said += [False] * len(asked) + [True] * len(answer) + [False] * len(after)
        return ids, said

    @property
    def stop(self) -> str:
        """Text right after the completion, which ends it; empty when a marker or nothing stands there."""
        return _MARKERS.split(self.after)[0]

    @property
    def jinja(self) -> str:
        """The same template as Hugging Face's tokenizers take it (``chat_template``), to a document's beginning too.

        transformers reads markers in a person's text as ids; keep such text out where that matters.
        """
        asked, said = (_jinja(part) for part in (self.before.rstrip(" "), " " * self.gap + COMPLETION + self.after))
        return (
            "{{ bos_token }}{% set ns = namespace(system='') %}{% for message in messages %}"
            "{% if message['role'] == 'system' %}{% set ns.system = ns.system + message['content'] + '\\n\\n' %}"
            "{% elif message['role'] == 'user' %}{% set prompt = ns.system + message['content'] %}"
            f"{{% set ns.system = '' %}}{asked}"
            f"{{% elif message['role'] == 'assistant' %}}{{% set completion = message['content'] %}}{said}"
            "{% endif %}{% endfor %}"
        )


def _jinja(text: str) -> str:
    """Text of a template as expressions of jinja."""
    names = {"<s>": "bos_token", "</s>": "eos_token", PROMPT: "prompt", COMPLETION: "completion"}
    parts = re.split(r"(</?s>|\{prompt\}|\{completion\})", text)
    return "".join(f"{{{{ {names.get(part) or json.dumps(part, ensure_ascii=False)} }}}}" for part in parts if part)


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
