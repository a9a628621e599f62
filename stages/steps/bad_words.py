"""A list of words of the user's own, of which no page may hold one (C4's "bad words")."""

from __future__ import annotations

import re

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import read_bytes
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.model_files import refuse_starter


class Settings(StepSettings):
    """Rejects texts that hold an entry of the list at ``path``, a UTF-8 file with one entry a line."""

    path: str

    def build(self, context: StepContext) -> Built:
        """One rule. Raises InputError: the list cannot be used; ModelError: the package is to bring one."""
        refuse_starter(self.path)
        bad_words_pattern(self.path)
        return Built(rules=[BadWords(path=self.path)])

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The list."""
        return (Check(step=BadWords.name, says="refuses texts with an entry of the list", reasons=(Reason.bad_word,)),)


class BadWords(Rule):
    """Rejects a page that holds an entry of the user's list, flanked by non-word characters or the page's end.

    The list has one entry a line (TFDS: LDNOOBW's English list of 377 entries); matched in lower case.
    """

    name = "bad_words"

    def __init__(self, *, path: str) -> None:
        super().__init__()
        self.path = path
        self.files = (path,)
        self._pattern: re.Pattern[str] | None = None

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when an entry occurs. Raises InputError when the list cannot be used."""
        if self._pattern is None:
            self._pattern = bad_words_pattern(self.path)
        return Reason.bad_word if self._pattern.search(doc.text.lower()) else None


def bad_words_pattern(path: str) -> re.Pattern[str]:
    """Compile a list of bad words. Raises InputError when it is not UTF-8 or has no entry."""
    try:
        lines = read_bytes(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a list of words in UTF-8: {error.reason}") from None
    entries = sorted({line.strip().lower() for line in lines} - {""})
    if not entries:
        raise InputError(f"{path}: the list of bad words is empty; expected one entry a line")
    return re.compile(r"(?:\W|^)(?:" + "|".join(map(re.escape, entries)) + r")(?:\W|$)")
