"""C4's decisions about whole pages, in TFDS's order (tensorflow_datasets/text/c4.py and c4_utils.py)."""

from __future__ import annotations

import re

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import read_bytes
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.c4.reader import UTF8
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.kernels.c4_constants import Line, LineRules
from llama_data.stages.steps.kernels.c4_lines import clean_utf8
from llama_data.stages.steps.kernels.c4_sentences import count_sentences

MAX_CHARACTERS = 190_000
_SCHEME = re.compile(r"\Ahttps?://(?:www\.)?")
_TAIL = re.compile(r"\?(?:utm_|ref|feed).*", re.DOTALL)
_FATAL = {
    Line.lorem_ipsum: Reason.lorem_ipsum,
    Line.brace: Reason.curly_brace,
    Line.javascript_page: Reason.javascript_page,
}


def url_key(url: str) -> str:
    """What identifies a page: its address without scheme, ``www.``, tracking tail and final slashes."""
    return _TAIL.sub("", _SCHEME.sub("", url)).rstrip("/")


def has_sentences(text: str, minimum: int) -> bool:
    """True when the lines of ``text`` hold at least ``minimum`` sentences; a line that is not blank has one."""
    lines = text.split("\n") if text else []
    if len(lines) >= minimum and all(lines):
        return True
    return sum(map(count_sentences, lines)) >= minimum


# What shows nothing: spaces, control characters, marks of width zero.
_INVISIBLE = "".join(map(chr, range(33))) + "\x7f\x85\xa0\u200b\u2028\u2029\u3000\ufeff"


class EmptyText(Rule):
    """Rejects a record whose text is empty, or shows nothing (blanks, control characters)."""

    name = "empty_text"

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when nothing that can be seen is there."""
        return None if doc.text.strip(_INVISIBLE).strip() else Reason.empty_text


class PageLimit(Rule):
    """Rejects a page of more than ``maximum`` characters (TFDS: 190,000)."""

    name = "page_limit"

    def __init__(self, *, maximum: int) -> None:
        super().__init__()
        self.maximum = maximum

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when the page is over the limit."""
        return Reason.page_too_long if len(doc.text) > self.maximum else None


class CleanPage(Rule):
    """Applies the line rules and rejects the page when they condemn it or leave too few sentences."""

    name = "clean_page"

    def __init__(self, *, rules: LineRules) -> None:
        super().__init__()
        self.rules = rules

    def judge(self, doc: Document) -> Reason | None:
        """Replace the text by its surviving lines, or return why the page goes."""
        data: bytes | None = doc.metadata.pop(UTF8, None)
        cleaned = clean_utf8(doc.text.encode() if data is None else data, self.rules)
        if cleaned.fatal is not Line.kept:
            return _FATAL[cleaned.fatal]
        if not has_sentences(cleaned.text, self.rules.min_sentences):
            return Reason.too_few_sentences
        if not cleaned.text:
            return Reason.empty_after_cleaning
        doc.text = cleaned.text
        doc.metadata["removed_lines"] = len(cleaned.codes) - cleaned.kept
        return None


class ChosenLanguage(Rule):
    """Keeps pages whose best language is ``language`` with a score (0 to 1) of at least ``minimum``.

    C4 asked langdetect for 0.99, whose scores are nearly always above that for the language it finds; fastText's
    are spread out, so its usual 0.5 stands here.
    """

    name = "language"

    def __init__(self, *, model: str, language: str, minimum: float) -> None:
        super().__init__()
        self.model = model
        self.language = language
        self.minimum = minimum
        self._loaded: FastTextModel | None = None

    def judge(self, doc: Document) -> Reason | None:
        """Return the reason when it is another language, or none for certain; both go to the metadata."""
        if self._loaded is None:
            self._loaded = FastTextModel.load(self.model)
        (found,) = self._loaded.predict([doc.text.replace("\n", " ").encode()])
        doc.metadata["language"] = found.label
        doc.metadata["language_score"] = round(found.score, 4)
        if found.label is None or found.score < self.minimum:
            return Reason.language_uncertain
        return None if found.label == self.language else Reason.language_not_chosen


class BadWords(Rule):
    """Rejects a page that holds an entry of the user's list, flanked by non-word characters or the page's end.

    The list has one entry a line (TFDS: LDNOOBW's English list of 377 entries); matched in lower case.
    """

    name = "bad_words"

    def __init__(self, *, path: str) -> None:
        super().__init__()
        self.path = path
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
