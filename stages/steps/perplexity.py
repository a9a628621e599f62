"""Perplexity of a text under CCNet's language model, and the bucket that it falls in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from llama_data.pipeline.core.block import BatchRule
from llama_data.pipeline.core.checks import Check
from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.errors import ModelError, RequestError
from llama_data.pipeline.core.extras import require
from llama_data.pipeline.core.files import read_bytes
from llama_data.pipeline.core.needs import Need
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.utf8_document import utf8_of
from llama_data.stages.steps.contract import Built, StepContext, StepSettings
from llama_data.stages.steps.kenlm_file import load_kenlm
from llama_data.stages.steps.kernels.lm_text import normalise_bytes
from llama_data.stages.steps.model_files import CCNET, PerplexityFiles, perplexity_files, starters
from llama_data.tokenizer.unigram.encode import PieceEncoder

COLUMNS = {"perplexity_bucket": "string"}
_LARGEST_EXPONENT = 308.0
HEAD, MIDDLE, TAIL, ALL = "head", "middle", "tail", "all"
Bucket = Literal["head", "middle", "tail", "all"]


def _by_language(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"each language has a model of its own: {{en: {value}}}")
    return value


ByLanguage = Annotated[dict[str, str], BeforeValidator(_by_language)]


class Settings(StepSettings):
    """Keeps texts whose perplexity under a language model falls in one of ``buckets`` (null: all).

    ``models``: for each language ``ccnet``, ``starter`` or a folder; a text in another language is in bucket ``all``.
    Needs the step ``language`` before it, or a source whose ``language`` is given. ``annotate_only``: write the
    perplexity, reject nothing.
    """

    models: ByLanguage = Field(default_factory=lambda: {"en": "ccnet"})
    buckets: tuple[Bucket, ...] | None = ("head", "middle", "all")
    annotate_only: bool = False

    def needs(self) -> list[Need]:
        """A model for each language."""
        return perplexity_needs("models", self.models)

    def build(self, context: StepContext) -> Built:
        """One rule. Raises ModelError: a model is missing; RequestError: nothing says what language a text is in."""
        if "language" not in context.known:
            raise RequestError(
                f"{context.domain}: perplexity needs to know a text's language; put the step language before it, or "
                "give the source's `language`"
            )
        models_dir = context.run.models_dir
        files = {language: perplexity_files(name, language, models_dir) for language, name in self.models.items()}
        rule = Perplexity(models=files, kept=self.buckets, annotate_only=self.annotate_only)
        return Built(rules=[rule], columns=COLUMNS)

    def checks(self, models_dir: str | None) -> tuple[Check, ...]:
        """One for each language that has a model."""
        return perplexity_checks(
            Perplexity.name, self.models, self.buckets, models_dir, "buckets", annotates=self.annotate_only
        )


def perplexity_checks(
    step: str,
    models: Mapping[str, str],
    buckets: Sequence[str] | None,
    models_dir: str | None,
    setting: str,
    *,
    annotates: bool = False,
) -> tuple[Check, ...]:
    """What each language's perplexity is compared with: the cut-off of the highest bucket that is kept.

    Where the buckets that are kept do not lie below one cut-off, only the bucket is compared.
    """
    found = []
    for language, name in models.items():
        check = Check(
            step=step,
            says=f"measures perplexity ({language})",
            reasons=(Reason.high_perplexity,),
            figure="perplexity",
            setting=setting,
            only=("language", language),
            shows=("perplexity_bucket",),
            annotates=annotates,
        )
        kept = {HEAD, MIDDLE, TAIL} if buckets is None else {HEAD, MIDDLE, TAIL} & set(buckets)
        if kept in ({HEAD}, {HEAD, MIDDLE}):
            try:
                cutoffs = read_cutoffs(perplexity_files(name, language, models_dir), language)
                check = replace(check, below=cutoffs.middle if MIDDLE in kept else cutoffs.head)
            except ModelError as error:
                check = replace(check, unknown=f"its cut-off is not known here: {error}")
        elif kept != {HEAD, MIDDLE, TAIL}:
            check = replace(check, figure="perplexity_bucket", one_of=tuple(buckets or ()), shows=("perplexity",))
        found.append(check)
    return tuple(found)


def perplexity_needs(key: str, models: Mapping[str, str]) -> list[Need]:
    """What settings need whose ``key`` names a model of perplexity for each language."""
    return [_need(f"{key}.{language}", name, language) for language, name in models.items()]


def _need(key: str, name: str, language: str) -> Need:
    def find(models_dir: str | None) -> None:
        require_kenlm()
        perplexity_files(name, language, models_dir)

    files = tuple(f"{language}.{kind}" for kind in ("sp.model", "arpa.bin")) if name == CCNET else ()
    return Need(key, name, files, find, f"perplexity.{language}" in starters(), "kenlm")


class Cutoffs(NamedTuple):
    """Perplexities below which a text is in the head, and below which it is in the middle."""

    head: float
    middle: float


# Rows 30 and 60 of cc_net/data/cutoff.csv: percentiles of CCNet's own models on its 2019 snapshot.
CCNET_CUTOFFS: dict[str, Cutoffs] = {
    "en": Cutoffs(340, 520),
    "fr": Cutoffs(180, 330),
    "de": Cutoffs(370, 590),
    "es": Cutoffs(180, 290),
    "it": Cutoffs(220, 360),
    "ru": Cutoffs(210, 310),
    "uk": Cutoffs(140, 220),
    "pl": Cutoffs(160, 260),
    "pt": Cutoffs(170, 270),
    "nl": Cutoffs(430, 650),
    "cs": Cutoffs(820, 1140),
    "ca": Cutoffs(210, 330),
    "da": Cutoffs(380, 600),
    "hr": Cutoffs(720, 910),
    "hu": Cutoffs(80, 140),
    "ro": Cutoffs(180, 270),
    "bg": Cutoffs(450, 680),
    "ja": Cutoffs(1110, 1450),
    "zh": Cutoffs(1460, 1950),
}


def bucket_of(perplexity: float | None, cutoffs: Cutoffs | None) -> str:
    """``head`` below the first cut-off, ``middle`` below the second, else ``tail``; ``all`` where there is no model."""
    if perplexity is None or cutoffs is None:
        return ALL
    if perplexity < cutoffs.head:
        return HEAD
    return MIDDLE if perplexity < cutoffs.middle else TAIL


def perplexity_reason(bucket: str, kept: Sequence[str] | None) -> Reason | None:
    """Why a text goes for its bucket: it is not one of those that are kept."""
    return None if kept is None or bucket in kept else Reason.high_perplexity


def read_cutoffs(files: PerplexityFiles, language: str) -> Cutoffs:
    """The cut-offs of a model: those beside it, else CCNet's for the language.

    Raises:
        ModelError: the file beside the model does not hold them, or CCNet has none for the language.
    """
    if files.cutoffs is None:
        if language not in CCNET_CUTOFFS:
            raise ModelError(
                f"{files.model}: no cut-offs beside it and none known for {language}; "
                f'write {{"head": X, "middle": Y}} to {language}.cutoffs.json in its folder'
            )
        return CCNET_CUTOFFS[language]
    try:
        data = json.loads(read_bytes(files.cutoffs))
        return Cutoffs(float(data["head"]), float(data["middle"]))
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f'{files.cutoffs}: expected perplexities as {{"head": X, "middle": Y}}; write them there'
        ) from None


def require_kenlm() -> None:
    """Refuse a request that needs KenLM where it is not installed.

    Raises:
        ModelError: it is not; says how to install it.
    """
    require("kenlm", "perplexity", ModelError)


class PerplexityModel:
    """A KenLM model over SentencePiece pieces, used as CCNet uses it (cc_net/perplexity.py).

    The whole document, normalised, is one line; perplexity is 10 ** (-log10 probability / (pieces + 1)), rounded to
    one decimal; the probability is of the pieces between a begin and an end of sentence.

    Raises:
        ModelError: KenLM is not installed, or a file is not a model that it can read.
    """

    def __init__(self, files: PerplexityFiles) -> None:
        require_kenlm()
        self._pieces = PieceEncoder(files.pieces)
        self._model = load_kenlm(files.model)

    def perplexity(self, text: str | bytes) -> float:
        """Perplexity of a text, as a string or as its UTF-8."""
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogatepass")
        pieces, count = self._pieces.encode(normalise_bytes(text))
        exponent = -self._model.score(pieces) / (count + 1)
        # A damaged model may hold any number; what no float holds is as bad as a text can be.
        return float(round(10.0**exponent, 1)) if exponent < _LARGEST_EXPONENT else math.inf


class Perplexity(BatchRule):
    """Keeps texts whose perplexity falls in one of the buckets ``kept``.

    ``models``: the files of each language's model; a text in another language is in bucket ``all``. Sets
    ``perplexity`` and ``perplexity_bucket``; ``annotate_only``: sets them and rejects nothing.

    Raises:
        ModelError: there are models, and KenLM is not installed.
    """

    name = "perplexity"

    def __init__(
        self, *, models: Mapping[str, PerplexityFiles], kept: Sequence[str] | None, annotate_only: bool = False
    ) -> None:
        if models:
            require_kenlm()  # Here, before a run starts: later it would cost every record.
        super().__init__()
        self.models = dict(models)
        self.files = tuple(path for files in models.values() for path in files if path is not None)
        self.kept = None if kept is None else tuple(kept)
        self.annotate_only = annotate_only
        self._loaded: dict[str, PerplexityModel] = {}

    @cached_property
    def cutoffs(self) -> dict[str, Cutoffs]:
        """The cut-offs of every language that has a model."""
        return {language: read_cutoffs(files, language) for language, files in self.models.items()}

    def judge_all(self, docs: Sequence[Document]) -> list[Reason | None]:
        """Set the bucket of every document; return why those that go are rejected."""
        reasons: list[Reason | None] = []
        for doc in docs:
            language = doc.metadata.get("language", "")
            perplexity = None
            if language in self.models:
                if language not in self._loaded:
                    self._loaded[language] = _shared(self.models[language])
                perplexity = self._loaded[language].perplexity(utf8_of(doc))
                doc.metadata["perplexity"] = perplexity
            bucket = bucket_of(perplexity, self.cutoffs.get(language))
            doc.metadata["perplexity_bucket"] = bucket
            reasons.append(None if self.annotate_only else perplexity_reason(bucket, self.kept))
        return reasons


@lru_cache(maxsize=64)
def _shared(files: PerplexityFiles) -> PerplexityModel:
    """The model of this process: what it has learned of words serves one task after the other."""
    return PerplexityModel(files)
