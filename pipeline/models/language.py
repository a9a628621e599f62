"""Trains a language identification model from clean texts by language and, when given, web pages.

Clean text alone does not make a model of the web: pages mix their language with English menus, code and names. So a
first model is trained on the clean texts only; it checks, piece by piece, whether a page is in the language that the
page (or its site) declares or in English, and the final model is trained on both. No other model's labels are used.
"""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import open_decompressed
from llama_data.pipeline.models.cards import file_entries, training_record, write_card
from llama_data.pipeline.models.fasttext_train import (
    LABEL,
    FastTextSettings,
    LabelProbabilities,
    one_line,
    train_fasttext,
)
from llama_data.pipeline.models.languages import language_code
from llama_data.pipeline.models.texts import Text, find_files, is_plain, read_texts, stem
from llama_data.stages.fasttext.model import FastTextModel
from llama_data.stages.steps.model_cards import card_path

LANGUAGE_FASTTEXT = FastTextSettings(lr=0.8, dim=16, epoch=12, min_count=3, minn=2, maxn=4)
# Lengths of training pieces, in characters: a web text may be a menu entry or a page.
_PIECES = (15, 30, 60, 120, 300)
_CHUNK = 300
_SHORTEST_CHUNK = 40
_CHECKED_CHARS = 6000
_WHOLE_CHARS = 3000
_LATIN_END = 0x250

Texts = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class LanguageSettings:
    """How a language model is trained.

    ``languages`` None: all that are found. ``pieces``, ``web_pieces``, ``web_pages``: training examples of each
    language from clean texts, from confirmed pieces of pages, and whole pages. ``mixed_with``: the language that web
    pages mix theirs with. ``held_out``: share of each text and of the pages that is measured on.
    """

    fasttext: FastTextSettings = LANGUAGE_FASTTEXT
    languages: tuple[str, ...] | None = None
    pieces: int = 300
    web_pieces: int = 800
    web_pages: int = 400
    mixed_with: str = "en"
    held_out: float = 0.1
    seed: int = 1


def train_language(
    *,
    folders: Sequence[str],
    extra: Sequence[tuple[str, str]],
    web: Sequence[str],
    declared: str | None,
    output: str,
    settings: LanguageSettings,
    licence: str,
) -> dict[str, Any]:
    """Train on folders of ``<code>.txt``, fastText lines or documents with a language, on ``(code, path)`` extras and
    on web pages; return the card.

    ``declared``: a file of lines ``url <tab> language`` for web pages whose records do not declare one.

    Raises:
        InputError: fewer than two languages are found, or fastText cannot train on them.
    """
    clean = _read_clean(folders, extra, settings.languages)
    train, test = _hold_out(clean, settings.held_out)
    rng = random.Random(settings.seed)
    examples = [(code, piece) for code, texts in train.items() for piece in _draw(texts, settings.pieces, rng)]
    confirmed = Confirmed({}, {}, [])
    if web:
        rng.shuffle(examples)
        first = str(Path(output).with_suffix(".first.bin"))
        train_fasttext(examples, first, replace(settings.fasttext, min_count=1, features=None))
        confirmed = _confirm(web, declared, LabelProbabilities(first), train, settings)
        Path(first).unlink()
        for code, texts in sorted(confirmed.pieces.items()):
            examples += [(code, piece) for piece in _draw(texts, min(settings.web_pieces, 4 * len(texts)), rng)]
        for code, texts in sorted(confirmed.pages.items()):
            examples += [(code, text) for text in rng.sample(texts, min(settings.web_pages, len(texts)))]
    rng.shuffle(examples)
    train_fasttext(examples, output, settings.fasttext)
    quality = _measure(FastTextModel.load(output), test, confirmed.held_out, settings.seed)
    card = {
        "name": Path(output).name,
        "about": "fastText language identification; sees the text with its newlines removed",
        "files": file_entries([output]),
        "made_by": training_record(
            seed=settings.seed,
            data=[
                *folders,
                *(f"{code}={path}" for code, path in extra),
                *web,
                *([declared] if declared else []),
            ],
            settings=asdict(settings),
        ),
        "licence": licence,
        "languages": sorted(clean),
        "examples": len(examples),
        "quality": quality,
    }
    write_card(card_path(output), card)
    return card


def _read_clean(folders: Sequence[str], extra: Sequence[tuple[str, str]], languages: tuple[str, ...] | None) -> Texts:
    """Clean texts by language, without line ends."""
    clean: Texts = {}
    wanted = None if languages is None else set(languages)
    for path in find_files(folders):
        for text in read_texts([path]):
            # A page may begin like that too; only a file of plain text is taken for a file of examples.
            if is_plain(path) and text.text.startswith(LABEL):
                for number, line in enumerate(text.text.rstrip("\n").split("\n"), 1):
                    label, _, rest = line.partition(" ")
                    if not label.startswith(LABEL):
                        raise InputError(f"{path}: line {number}: expected {LABEL}LANGUAGE and a text")
                    _add(clean, label.removeprefix(LABEL), rest, wanted)
            else:
                _add(clean, text.language or language_code(stem(path)), text.text, wanted)
    for code, path in extra:
        for text in read_texts(find_files([path])):
            _add(clean, code, text.text, wanted)
    if len(clean) < 2:
        found = ", ".join(clean) or "none"
        raise InputError(f"languages found: {found}; expected <code>.txt files or fastText lines of at least two")
    return dict(sorted(clean.items()))


def _add(texts: Texts, code: str | None, text: str, wanted: set[str] | None) -> None:
    line = one_line(text)
    if code is not None and line.strip() and (wanted is None or code in wanted):
        texts.setdefault(code, []).append(line)


def _hold_out(clean: Texts, share: float) -> tuple[Texts, Texts]:
    """The end of every text is held out."""
    train: Texts = {}
    test: Texts = {}
    for code, texts in clean.items():
        for text in texts:
            cut = len(text) - int(len(text) * share)
            train.setdefault(code, []).append(text[:cut])
            if cut < len(text):
                test.setdefault(code, []).append(text[cut:])
    return train, test


def _draw(texts: Sequence[str], count: int, rng: random.Random) -> Iterator[str]:
    """Pieces of random length at random places, each beginning at a word where there are words."""
    for _ in range(count):
        text = rng.choice(texts)
        size = rng.choice(_PIECES)
        if len(text) > size:
            start = rng.randrange(len(text) - size)
            start = text.rfind(" ", 0, start) + 1 if " " in text[max(0, start - size) : start] else start
            text = text[start : start + size]
        yield text


@dataclass(frozen=True)
class Confirmed:
    """Web text whose declared language the first model confirms: pieces, whole pages, and pages that are held out."""

    pieces: Texts
    pages: Texts
    held_out: list[tuple[str, str]]


def _confirm(
    web: Sequence[str],
    declared: str | None,
    model: LabelProbabilities,
    clean: Texts,
    settings: LanguageSettings,
) -> Confirmed:
    """Sort web pages into pieces and pages that are in their declared language or in the one it is mixed with."""
    by_url = _read_declared(declared)
    foreign_script = {code for code, texts in clean.items() if _beyond_latin(texts[0]) > 0.5}
    found = Confirmed({}, {}, [])
    for page in read_texts(find_files(web)):
        code = language_code(page.language or by_url.get(page.url or "", ""))
        if code is None or code not in clean:
            continue
        line = one_line(page.text)
        pieces = [line[at : at + _CHUNK] for at in range(0, min(len(line), _CHECKED_CHARS), _CHUNK)]
        pieces = [piece for piece in pieces if len(piece) >= _SHORTEST_CHUNK]
        kinds = _kinds(pieces, code, model, foreign=code in foreign_script, other=settings.mixed_with)
        label = _page_label(kinds, code, settings.mixed_with)
        if _is_held_out(page, settings.held_out):
            if label is not None:
                found.held_out.append((label, line))
            continue
        for piece, kind in zip(pieces, kinds, strict=True):
            if kind is not None:
                found.pieces.setdefault(kind, []).append(piece)
        if label is not None:
            found.pages.setdefault(label, []).append(line[:_WHOLE_CHARS])
    return found


def _kinds(
    pieces: Sequence[str], code: str, model: LabelProbabilities, *, foreign: bool, other: str
) -> list[str | None]:
    """For each piece the declared language, the other one, or None where it is neither for certain."""
    if code == other:
        return [code] * len(pieces)
    if foreign:
        shares = map(_beyond_latin, pieces)
        return [code if share > 0.2 else other if share < 0.02 else None for share in shares]
    found: list[str | None] = []
    for piece in pieces:
        own, mixed = model.probabilities(piece, (code, other))
        likely, share = (code, own) if own > mixed else (other, mixed)
        found.append(likely if share > 0.8 * (own + mixed) else None)
    return found


def _page_label(kinds: Sequence[str | None], code: str, other: str) -> str | None:
    """A page is in its declared language when a fifth of its certain pieces are, in the other below 8 in 100."""
    counts = Counter(kind for kind in kinds if kind is not None)
    if not counts:
        return None
    share = counts[code] / counts.total()
    return code if share >= 0.2 else other if share < 0.08 else None


def _read_declared(path: str | None) -> Mapping[str, str]:
    if path is None:
        return {}
    found: dict[str, str] = {}
    with open_decompressed(path) as stream:
        for number, line in enumerate(stream, 1):
            fields = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            if len(fields) != 2:
                raise InputError(f"{path}: line {number}: expected a url and a language, separated by a tab")
            found[fields[0]] = fields[1]
    return found


def _beyond_latin(text: str) -> float:
    letters = [char for char in text if char.isalpha()]
    return sum(ord(char) > _LATIN_END for char in letters) / len(letters) if letters else 0.0


def _is_held_out(page: Text, share: float) -> bool:
    key = (page.url or page.text).encode("utf-8", "surrogatepass")
    return zlib.crc32(key) < share * 2**32


def _measure(
    model: FastTextModel, test: Texts, pages: Sequence[tuple[str, str]], seed: int
) -> dict[str, float | int | None]:
    """Accuracy on held-out clean text (pieces of 120 characters, languages weighted equally) and on held-out pages."""
    shares = []
    for code, texts in sorted(test.items()):
        whole = "".join(texts)[:12_000]
        pieces = [whole[at : at + 120].encode("utf-8", "surrogatepass") for at in range(0, len(whole), 120)]
        shares.append(sum(found.label == code for found in model.predict(pieces)) / len(pieces))
    found = model.predict([text.encode("utf-8", "surrogatepass") for _, text in pages]) if pages else []
    right = sum(each.label == code for each, (code, _) in zip(found, pages, strict=True))
    return {
        "held_out_text_accuracy": round(sum(shares) / len(shares), 4) if shares else None,
        "held_out_pages": len(pages),
        "held_out_pages_accuracy": round(right / len(pages), 4) if pages else None,
    }
