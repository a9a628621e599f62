"""Trains LLaMA's reference classifier: pages that Wikipedia cites against pages at random, with fastText.

Source: the LLaMA paper, section 2.1, with RedPajama's settings (fastText's defaults on lines joined by spaces) and
without its faults: negatives are drawn uniformly with a seed, both sides have the same length floor, duplicates and
mirrors of Wikipedia are removed, a part is held out, and one thread makes the result repeatable.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import open_decompressed
from llama_data.pipeline.models.cards import file_entries, training_record, write_card
from llama_data.pipeline.models.fasttext_train import Calibration, FastTextSettings, scores_of, train_fasttext
from llama_data.pipeline.models.texts import Text, find_files, read_texts, split_text
from llama_data.stages.steps.classifier import POSITIVE
from llama_data.stages.steps.model_cards import card_path

NEGATIVE = "random"
# Sites that show Wikipedia's own text: a page of theirs says nothing about what Wikipedia cites.
MIRRORS = ("wikipedia.org", "wikimedia.org", "wiktionary.org", "wikiwand.com", "wikizero.com", "infogalactic.com",
           "everybodywiki.com", "dbpedia.org", "alchetron.com", "wiki2.org", "wikimili.com")  # fmt: skip
_REFERENCE = re.compile(rb"(?:&lt;|<)ref[^/&>]{0,200}?(?:&gt;|>)(.{0,2000}?)(?:&lt;|<)/ref", re.DOTALL | re.IGNORECASE)
_URL = re.compile(rb"https?://[^\s|\]}<>\"&]+")
_ARCHIVE = re.compile(r"https?://(?:web\.)?archive\.(?:org|is|today)/(?:web/)?\d+[a-z_*]*/(https?://.+)")


@dataclass(frozen=True, kw_only=True)
class ReferenceSettings:
    """How the classifier is trained; ``fasttext`` has fastText's own defaults.

    ``min_chars``: length floor of both sides. ``max_each``: at most this many texts of each side, drawn with the
    seed. ``max_chars``: longer texts of both sides are cut between lines into several (None: never). ``language``:
    texts whose source declares another one are left out. ``wikipedia_itself``: Wikipedia's own articles may be
    positives, for want of pages that it cites. ``held_out``: share that is measured on. ``threshold``: at which
    precision and recall are reported. ``keep``: the model is calibrated so that this share of pages at random reaches
    the threshold; half of those that are not trained on is for that, the other half says how well it came out (None: no
    calibration; the right thing when the positives are pages that Wikipedia cites).
    """

    fasttext: FastTextSettings
    min_chars: int = 1000
    max_each: int = 300_000
    max_chars: int | None = None
    language: str = "en"
    wikipedia_itself: bool = False
    held_out: float = 0.1
    threshold: float = 0.5
    keep: float | None = None
    seed: int = 1


def train_references(
    *,
    positives: Sequence[str],
    negatives: Sequence[str],
    dump: str | None,
    output: str,
    settings: ReferenceSettings,
    licence: str,
) -> dict[str, Any]:
    """Train on two sides of texts and return the card that was written beside the model.

    With ``dump`` (a Wikipedia pages-articles file) the positives are those pages among ``positives`` whose url a
    reference of the dump names.

    Raises:
        InputError: a side has too few texts.
    """
    cited = reference_urls(dump) if dump else None
    seen: set[bytes] = set()
    wiki = _side(read_texts(find_files(positives)), settings, seen, cited, mirrors=settings.wikipedia_itself)
    other = _side(read_texts(find_files(negatives)), settings, seen, None, mirrors=False)
    size = min(len(wiki), len(other))
    for name, side in (("positive", wiki), ("negative", other)):
        if len(side) < 20:
            raise InputError(f"found {len(side)} {name} texts of at least {settings.min_chars} characters; expected 20")
    rng = random.Random(settings.seed)
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    unseen: list[str] = []
    for label, side in ((POSITIVE, wiki), (NEGATIVE, other)):
        chosen = rng.sample(range(len(side)), size)
        drawn = [side[place] for place in chosen]
        cut = max(1, round(size * settings.held_out))
        test += [(label, text) for text in drawn[:cut]]
        train += [(label, text) for text in drawn[cut:]]
        rest = set(range(len(side))).difference(chosen)
        unseen = [*drawn[:cut], *(side[place] for place in sorted(rest))]
    rng.shuffle(train)
    to_calibrate = _calibration(unseen[::2], settings)
    shift = train_fasttext(train, output, settings.fasttext, to_calibrate)
    scores = scores_of(output, [text for _, text in test], POSITIVE)
    truth = np.array([label == POSITIVE for label, _ in test])
    quality = {"held_out_each": len(test) // 2, **measure(truth, scores, settings.threshold)}
    card = {
        "name": Path(output).name,
        "about": "fastText classifier of pages like those that Wikipedia cites (wiki) against pages at random",
        "files": file_entries([output]),
        "made_by": training_record(
            seed=settings.seed,
            data=[*positives, *negatives, *([dump] if dump else [])],
            settings=asdict(settings),
        ),
        "licence": licence,
        "examples_each": size,
        "positives": _positives_are(dump, settings),
        "quality": quality,
    }
    if to_calibrate is not None:
        card["calibration"] = _calibrated(output, to_calibrate, unseen[1::2], shift)
    write_card(card_path(output), card)
    return card


def _calibration(texts: Sequence[str], settings: ReferenceSettings) -> Calibration | None:
    if settings.keep is None:
        return None
    return Calibration(label=POSITIVE, texts=texts, share=settings.keep, threshold=settings.threshold)


def _calibrated(path: str, wanted: Calibration, unseen: Sequence[str], shift: float) -> dict[str, Any]:
    """What the card says of the calibration, measured on pages that neither training nor calibration saw."""
    kept = float((scores_of(path, unseen, POSITIVE) >= wanted.threshold).mean())
    return {
        "meaning": f"{wanted.share:.0%} of pages at random score {wanted.threshold} or more",
        "added_to_log_odds": round(shift, 4),
        "calibrated_on_texts": len(wanted.texts),
        "held_out_texts": len(unseen),
        "held_out_share_kept": round(kept, 4),
    }


def _positives_are(dump: str | None, settings: ReferenceSettings) -> str:
    if dump:
        return "pages that references of the dump cite"
    if settings.wikipedia_itself:
        return "Wikipedia's own article text, for want of pages that it cites: a stand-in for LLaMA's classifier"
    return "all texts given as positives"


def reference_urls(dump: str) -> set[str]:
    """Keys of the urls inside the references of a Wikipedia XML dump, with archives' wrappers taken off."""
    found: set[str] = set()
    rest = b""
    with open_decompressed(dump) as stream:
        while chunk := stream.read(1 << 22):
            block = rest + chunk
            last = 0
            for reference in _REFERENCE.finditer(block):
                last = reference.end()
                for url in _URL.findall(reference.group(1)):
                    found.add(url_key(url.decode("utf-8", "replace")))
            # A reference may go on in the next chunk; none is longer than this.
            rest = block[max(last, len(block) - 4096) :]
    found.discard("")
    return found


def url_key(url: str) -> str:
    """A url without what does not tell pages apart: scheme, ``www.``, fragment, trailing slash, archive wrapper."""
    wrapped = _ARCHIVE.match(url)
    try:
        parts = urlsplit(wrapped.group(1) if wrapped else url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    query = f"?{parts.query}" if parts.query else ""
    return host + parts.path.rstrip("/.,;") + query


def is_mirror(url: str | None) -> bool:
    """True for a page of Wikipedia or of a site that copies it."""
    host = url_key(url or "").partition("/")[0]
    return any(host == mirror or host.endswith("." + mirror) for mirror in MIRRORS)


def _side(
    texts: Iterable[Text],
    settings: ReferenceSettings,
    seen: set[bytes],
    cited: set[str] | None,
    *,
    mirrors: bool,
) -> list[str]:
    """One side's texts: long enough, not a mirror's, not seen before (by url or by content), cited when asked."""
    kept: list[str] = []
    count = 0
    rng = random.Random(settings.seed)
    for text in texts:
        if text.language not in (None, settings.language):
            continue
        if not mirrors and is_mirror(text.url):
            continue
        if cited is not None and url_key(text.url or "") not in cited:
            continue
        if text.url and _known(url_key(text.url), seen):
            continue
        for part in [text.text] if settings.max_chars is None else split_text(text.text, settings.max_chars):
            line = " ".join(part.strip().splitlines())
            if len(line) < settings.min_chars or _known(line, seen):
                continue
            count += 1
            # Reservoir: every text of the side has the same chance, whatever its place.
            if len(kept) < settings.max_each:
                kept.append(line)
            elif (place := rng.randrange(count)) < settings.max_each:
                kept[place] = line
    return kept


def _known(content: str, seen: set[bytes]) -> bool:
    """True when the content was met before; remembers it."""
    key = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    known = key in seen
    seen.add(key)
    return known


def measure(truth: np.ndarray[Any, Any], scores: np.ndarray[Any, Any], threshold: float) -> dict[str, float]:
    """Area under the ROC curve (ties count half), precision and recall at the threshold."""
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(scores.size)
    ranks[order] = np.arange(1, scores.size + 1)
    values, inverse = np.unique(scores, return_inverse=True)
    ranks = (np.bincount(inverse, weights=ranks) / np.bincount(inverse))[inverse] if values.size else ranks
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        raise InputError("cannot measure a classifier on one class only; expected texts of both")
    auc = (ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    chosen = scores >= threshold
    right = int((chosen & truth).sum())
    return {
        "auc": round(float(auc), 4),
        "threshold": threshold,
        "precision": round(right / max(1, int(chosen.sum())), 4),
        "recall": round(right / positives, 4),
    }
