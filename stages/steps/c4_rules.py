"""C4's decisions about a page by its lines, in TFDS's order (tensorflow_datasets/text/c4.py and c4_utils.py)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import Utf8Document, characters_of
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.kernels.c4_constants import PRESETS, Line, LineRules
from llama_data.stages.steps.kernels.c4_lines import clean_utf8
from llama_data.stages.steps.kernels.c4_sentences import count_sentences
from llama_data.stages.steps.length import maximum_check

MAX_CHARACTERS = 190_000
System = Literal["tfds", "datatrove", "dolma"]
_FATAL = {
    Line.lorem_ipsum: Reason.lorem_ipsum,
    Line.brace: Reason.curly_brace,
    Line.javascript_page: Reason.javascript_page,
}


class Settings(StepSettings):
    """Removes lines that are no sentences, and rejects pages of which too little is left.

    ``rules``: whose constants, those of the released C4 (``tfds``), ``datatrove``'s or ``dolma``'s.
    ``max_characters``: longer pages go (null: no limit).
    """

    edits: ClassVar[bool] = True
    rules: System = "tfds"
    max_characters: int | None = Field(default=MAX_CHARACTERS, ge=0)

    def build(self, context: StepContext) -> Built:
        """The limit, then the line rules."""
        limit = [] if self.max_characters is None else [PageLimit(maximum=self.max_characters)]
        return Built(rules=[*limit, CleanPage(rules=PRESETS[self.rules])], columns={"removed_lines": "int64"})

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """The limit, then the line rules."""
        return (*maximum_check(PageLimit.name, self.max_characters, Reason.page_too_long), CLEANING)


CLEANING = Check(
    step="clean_page",
    says="removes lines that are no sentences",
    reasons=(*_FATAL.values(), Reason.too_few_sentences, Reason.empty_after_cleaning),
    shows=("removed_lines",),
)


def has_sentences(text: str, minimum: int) -> bool:
    """True when the lines of ``text`` hold at least ``minimum`` sentences; a line that is not blank has one."""
    lines = text.split("\n") if text else []
    if len(lines) >= minimum and all(lines):
        return True
    return sum(map(count_sentences, lines)) >= minimum


class PageLimit(Rule):
    """Rejects a page of more than ``maximum`` characters (TFDS: 190,000)."""

    name = "page_limit"

    def __init__(self, *, maximum: int) -> None:
        super().__init__()
        self.maximum = maximum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the page is over the limit."""
        return Reason.page_too_long if characters_of(doc) > self.maximum else None


class CleanPage(Rule):
    """Applies the line rules and rejects the page when they condemn it or leave too few sentences."""

    name = "clean_page"

    def __init__(self, *, rules: LineRules) -> None:
        super().__init__()
        self.rules = rules

    def judge(self, doc: Document) -> Reason | None:
        """Replace the text by its surviving lines, or return why the page goes."""
        data = doc.utf8 if isinstance(doc, Utf8Document) else doc.text.encode()
        cleaned = clean_utf8(data, self.rules)
        if cleaned.fatal is not Line.kept:
            return _FATAL[cleaned.fatal]
        if not has_sentences(cleaned.text, self.rules.min_sentences):
            return Reason.too_few_sentences
        if not cleaned.text:
            return Reason.empty_after_cleaning
        doc.text = cleaned.text
        doc.metadata["removed_lines"] = len(cleaned.codes) - cleaned.kept
        return None
