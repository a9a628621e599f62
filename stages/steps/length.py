"""How long a text must be, and may be."""

from __future__ import annotations

from pydantic import Field

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import characters_of
from llama_data.stages.steps.contract import Built, StepContext, StepSettings

MIN_CHARACTERS = 300


class Settings(StepSettings):
    """Keeps texts of ``min_characters`` to ``max_characters``, newlines included; null is no limit."""

    min_characters: int | None = Field(default=MIN_CHARACTERS, ge=0)
    max_characters: int | None = Field(default=None, ge=0)

    def build(self, context: StepContext) -> Built:
        """A rule for each limit."""
        rules: list[Rule] = []
        if self.min_characters is not None:
            rules.append(MinimumLength(minimum=self.min_characters))
        if self.max_characters is not None:
            rules.append(MaximumLength(maximum=self.max_characters))
        return Built(rules=rules)

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """One for each limit."""
        return (*minimum_check(self.min_characters), *maximum_check(MaximumLength.name, self.max_characters))


EMPTY = Check(step="empty_text", says="refuses texts that show nothing", reasons=(Reason.empty_text,))


def minimum_check(minimum: int | None, says: str = "needs a length in characters") -> tuple[Check, ...]:
    """The comparison of a least length; none where there is no limit."""
    if minimum is None:
        return ()
    return (
        Check(
            step=MinimumLength.name,
            says=says,
            reasons=(Reason.too_short,),
            figure="chars_in",
            setting="min_characters",
            least=minimum,
        ),
    )


def maximum_check(step: str, maximum: int | None, reason: Reason = Reason.too_long) -> tuple[Check, ...]:
    """The comparison of a greatest length; none where there is no limit."""
    if maximum is None:
        return ()
    return (
        Check(
            step=step,
            says="limits the length in characters",
            reasons=(reason,),
            figure="chars_in",
            setting="max_characters",
            most=maximum,
        ),
    )


# What shows nothing: spaces, control characters, marks of width zero.
_INVISIBLE = "".join(map(chr, range(33))) + "\x7f\x85\xa0\u200b\u2028\u2029\u3000\ufeff"


class EmptyText(Rule):
    """Rejects a record whose text is empty, or shows nothing (blanks, control characters)."""

    name = "empty_text"

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when nothing that can be seen is there."""
        return None if doc.text.strip(_INVISIBLE).strip() else Reason.empty_text


class MinimumLength(Rule):
    """Rejects texts of fewer characters than the minimum.

    Source: CCNet, cc_net/mine.py ``min_len`` (300), before dedup and without the title. Newlines count.
    """

    name = "minimum_length"

    def __init__(self, *, minimum: int = MIN_CHARACTERS) -> None:
        super().__init__()
        self.minimum = minimum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the text is too short."""
        return Reason.too_short if characters_of(doc) < self.minimum else None


class MaximumLength(Rule):
    """Rejects texts of more characters than the maximum."""

    name = "maximum_length"

    def __init__(self, *, maximum: int) -> None:
        super().__init__()
        self.maximum = maximum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the text is too long."""
        return Reason.too_long if characters_of(doc) > self.maximum else None
