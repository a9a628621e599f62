"""GitHub's decisions: licence, content, path, heuristics, generated files, header removal, exact duplicates."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Literal

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document, note
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.github.comments import style_name
from llama_data.stages.github.counts import count
from llama_data.stages.github.file import SourceFile
from llama_data.stages.github.generated import is_generated
from llama_data.stages.github.headers import strip_header, strip_header_redpajama
from llama_data.stages.github.languages import extension, is_certificate, is_licence_text
from llama_data.stages.github.metadata import satisfied
from llama_data.stages.github.vendored import is_vendored
from llama_data.stages.steps.exact_dup import text_digest
from llama_data.tokenizer.processor import load_processor

LICENCES = ("apache", "bsd", "mit")
_JOINED = re.compile(r" (?:AND|OR)\b|[()]")


class ChosenLicence(Rule):
    """Keeps rows whose licence key is one of LLaMA's families: Apache, BSD, MIT (mit, bsd-3-clause, apache-2.0 ...).

    Of licences joined by AND all must be, of those joined by OR one: the files may then be had under that one.
    """

    name = "licence"

    def __init__(self, *, families: Collection[str] = LICENCES) -> None:
        super().__init__()
        self.families = tuple(families)

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the row has another licence, or none."""
        licence = str(doc.metadata.get("license", ""))
        chosen = satisfied(licence, self._is_chosen) if _JOINED.search(licence) else self._is_chosen(licence)
        return None if chosen else Reason.licence_not_chosen

    def _is_chosen(self, key: str) -> bool:
        return re.split(r"[-_ .]", key.lower(), maxsplit=1)[0] in self.families


class HasContent(Rule):
    """Rejects a row without content (BigQuery: binary, or over 1 MiB) or with nothing but whitespace."""

    name = "content"

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when there is no text. A NUL character marks a binary file."""
        if not SourceFile.of(doc).has_content or "\0" in doc.text:
            return Reason.no_content
        return Reason.empty_text if _is_blank(doc.text) else None


def _is_blank(text: str) -> bool:
    """As ``not text.strip()``, without a copy of the text."""
    return not text or text.isspace()


class ChosenPath(Rule):
    """Keeps the files whose extension is listed; drops licence texts, certificates and, where asked, vendored"
    " files."""

    name = "path"

    def __init__(
        self, *, extensions: Collection[str] | None, drop_licence_texts: bool, drop_vendored: bool = False
    ) -> None:
        super().__init__()
        self.extensions = None if extensions is None else frozenset(extensions)
        self.drop_licence_texts = drop_licence_texts
        self.drop_vendored = drop_vendored

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the path is not wanted. Extensions are compared case by case (.C is not .c)."""
        path = doc.metadata["path"]
        if is_certificate(path) or (self.drop_licence_texts and is_licence_text(path)):
            return Reason.excluded_path
        if self.extensions is not None and extension(path) not in self.extensions:
            return Reason.extension_not_chosen
        return Reason.excluded_path if self.drop_vendored and is_vendored(path) else None


class Heuristics(Rule):
    """Line length and proportion of alphanumerics (the paper's features, RedPajama's thresholds; None: off)."""

    name = "heuristics"

    def __init__(self, *, max_line: int | None, max_average_line: float | None, min_alnum_share: float | None) -> None:
        super().__init__()
        self.max_line = max_line
        self.max_average_line = max_average_line
        self.min_alnum_share = min_alnum_share

    def judge(self, doc: Document) -> Reason | None:
        """Return the first limit that the file is beyond; the values go to the ledger."""
        counts = count(doc.text)
        note(doc, max_line=counts.max_line, average_line=counts.average_line, alnum_share=counts.alnum_share)
        if self.max_line is not None and counts.max_line > self.max_line:
            return Reason.long_line
        if self.max_average_line is not None and counts.average_line > self.max_average_line:
            return Reason.long_lines_on_average
        if self.min_alnum_share is not None and counts.alnum_share < self.min_alnum_share:
            return Reason.few_alphanumerics
        return None


class LettersPerToken(Rule):
    """Drops files with few letters a token (RedPajama: below 1.5 with its tokenizer); off in LLaMA's recipe."""

    name = "letters_per_token"

    def __init__(self, *, model: str, minimum: float) -> None:
        super().__init__()
        self.model = model
        self.files = (model,)
        self.minimum = minimum
        self._encoder: Any = None

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the ratio is below the minimum. Raises ModelError when the model cannot be read."""
        if self._encoder is None:
            self._encoder, _, _ = load_processor(self.model)
        tokens = len(self._encoder.encode(doc.text))
        letters = sum(map(str.isalpha, doc.text))
        ratio = letters / tokens if tokens else 0.0
        note(doc, letters_per_token=ratio)
        return Reason.few_letters_per_token if ratio < self.minimum else None


class NotGenerated(Rule):
    """Drops files that a program wrote: they say so at their beginning, or path or form shows it (``generated``)."""

    name = "generated"

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when a mark is there."""
        return Reason.generated_file if is_generated(doc.text, doc.metadata["path"]) else None


class RemoveHeader(Rule):
    """Removes the licence header; a file that was nothing else is rejected."""

    name = "header"

    def __init__(self, *, rule: Literal["llama", "redpajama"]) -> None:
        super().__init__()
        self.rule = rule

    def judge(self, doc: Document) -> Reason | None:
        """Cut the header, or return why nothing is left."""
        if self.rule == "llama":
            stripped = strip_header(doc.text, style_name(doc.metadata["path"]))
        else:
            stripped = strip_header_redpajama(doc.text)
        if _is_blank(stripped.text):
            return Reason.empty_after_cleaning
        doc.metadata["removed_lines"] = stripped.removed
        doc.text = stripped.text
        return None


class RawHash(Rule):
    """Notes the MD5 of the file as it was read, for the ledger."""

    name = "raw_hash"

    def judge(self, doc: Document) -> Reason | None:
        """Keep every file."""
        note(doc, raw_md5=text_digest(doc).hex())
        return None


class CleanHash(Rule):
    """Notes the MD5 of the cleaned file: two with the same are duplicates."""

    name = "clean_hash"

    def judge(self, doc: Document) -> Reason | None:
        """Keep every file."""
        note(doc, clean_md5=text_digest(doc).hex())
        return None
