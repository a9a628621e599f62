"""Every decision about a page, on pages made for each, by the stage and by the plain transcription of the rules."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import fasttext
import kenlm
import numpy as np
import pytest
import sentencepiece
from fasttext_writer import write_model

from llama_data.pipeline.core.document import Document, new_document
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.commoncrawl.jobs import Settings, jobs
from llama_data.stages.steps.classifier import ReferenceClassifier, reference_reason
from llama_data.stages.steps.language import Language, language_reason
from llama_data.stages.steps.length import MinimumLength
from llama_data.stages.steps.perplexity import CCNET_CUTOFFS, bucket_of

GERMAN = ["der", "und", "nicht", "fluss", "stein", "garten"]
FRENCH = ["le", "et", "pas", "fleuve", "pierre", "jardin"]
OUTCOMES = {
    ("failed", "damaged_archive"),
    ("rejected", "too_short"),
    ("rejected", "all_lines_duplicated"),
    ("rejected", "language_uncertain"),
    ("rejected", "language_not_chosen"),
    ("rejected", "high_perplexity"),
    ("rejected", "not_like_references"),
    ("kept", None),
}


class Small:
    """The folder of small models and the words that they go by."""

    def __init__(self, folder: Path, models: Path) -> None:
        lines = (models / "lines.txt").read_text().replace(".", "").split()
        english = sorted(set(lines))
        self.cited, self.common, self.neither = english[0::3], english[1::3], english[2::3]
        self.folder = folder
        for name in ("en.sp.model", "en.arpa"):
            (folder / name).write_bytes((models / name).read_bytes())
        (folder / "en.cutoffs.json").write_text(json.dumps({"head": 400.0, "middle": 1200.0}))
        words = [*english, *GERMAN, *FRENCH]
        languages = [0] * len(english) + [1] * len(GERMAN) + [2] * len(FRENCH)
        write_model(
            folder / "language.bin", words=words, labels=["__label__en", "__label__de", "__label__fr"], dim=3,
            directions=4 * np.eye(3)[languages],
        )  # fmt: skip
        write_model(
            folder / "references.bin",
            words=[*self.cited, *self.common],
            labels=["__label__cc", "__label__wiki"],
            dim=2,
            directions=2 * np.eye(2)[[1] * len(self.cited) + [0] * len(self.common)],
        )  # fmt: skip

    def settings(self, **changes: Any) -> Settings:
        given = {"dedup_group": "all", "languages": ("en", "fr"), **changes}
        return Settings(
            language_model=str(self.folder / "language.bin"),
            perplexity_models={"en": str(self.folder)},
            reference_model=str(self.folder / "references.bin"),
            **given,
        )

    def plain(self, plain: ModuleType) -> Any:
        cutoffs = json.loads((self.folder / "en.cutoffs.json").read_text())
        return plain.Models(
            fasttext.load_model(str(self.folder / "language.bin")),
            {"en": sentencepiece.SentencePieceProcessor(model_file=str(self.folder / "en.sp.model"))},
            {"en": kenlm.Model(str(self.folder / "en.arpa"))},
            {"en": (cutoffs["head"], cutoffs["middle"])},
            fasttext.load_model(str(self.folder / "references.bin")),
        )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Small:
    return Small(tmp_path_factory.mktemp("small"), model_folder)


def pages(small: Small, rng: random.Random, count: int) -> list[str]:
    """Pages of words in all proportions, some lines of which stand on several, and some of which are short."""
    shared = [" ".join(rng.choices(small.common, k=12)) + f" line {chr(97 + n)}" for n in range(8)]

    def page() -> str:
        kind = rng.random()
        if kind < 0.08:
            return "\n".join(["Title", *rng.sample(shared, 6)])
        english = [*small.cited] * rng.randrange(4) + [*small.common] * rng.randrange(4) or small.neither
        others = {0: [], 1: GERMAN, 2: FRENCH, 3: [*GERMAN, *FRENCH]}[rng.choice([0, 0, 0, 0, 1, 2, 2, 3])]
        foreign = rng.random() if others else 0.0
        strange = rng.choice([0.0, 0.0, 0.1, 0.5])
        lines = []
        for _ in range(rng.randint(3, 10)):
            words = [rng.choice(others if rng.random() < foreign else english) for _ in range(rng.randint(8, 16))]
            words = [word if rng.random() >= strange else "".join(rng.choices("qxzjvk", k=7)) for word in words]
            lines.append(" ".join(words))
        lines += rng.sample(shared, rng.choice([0, 0, 1, 3])) + rng.choices(lines, k=rng.choice([0, 0, 1]))
        rng.shuffle(lines)
        return "\n".join(["Title", *lines])

    return [page() for _ in range(count)]


@pytest.fixture(scope="module")
def source(small: Small, tmp_path_factory: pytest.TempPathFactory, write_wet: Callable[..., None]) -> Path:
    """Two WET files of such pages and one that is damaged."""
    folder, rng = tmp_path_factory.mktemp("wet"), random.Random(11)
    for name in ("a.wet.gz", "b.wet.gz"):
        write_wet(folder / name, pages(small, rng, 120))
    (folder / "c.wet.gz").write_bytes(b"\x1f\x8b\x08\x00 no gzip member")
    return folder


def test_every_outcome_occurs_and_is_that_of_the_plain_rules(
    small: Small, source: Path, plain: ModuleType, tmp_path: Path, run_jobs: Any, results: Any
) -> None:
    run = RunContext(input=str(source), output=str(tmp_path / "out"))
    run_jobs(jobs(small.settings(), run))
    rows, texts = results(run)
    found = Counter((row["outcome"], row["reason"]) for row in rows.values())
    assert set(found) == OUTCOMES
    assert min(count for (outcome, _), count in found.items() if outcome != "failed") >= 5, found
    models = small.plain(plain)
    files = [source / "a.wet.gz", source / "b.wet.gz"]
    read = [(path, page) for path in files for page in plain.read_pages(path)]
    shared = plain.shared_lines(page for _, page in read if page.counted >= 300)
    assert len(read) + 1 == len(rows)
    for path, page in read:
        source_name = f"{path.name}#{page.offset}"
        row, decided = rows[source_name], plain.decide(page, shared, models, ("en", "fr"))
        assert texts[source_name] == decided.pop("text", texts[source_name])
        assert row.pop("reference_score") == pytest.approx(decided.pop("reference_score", None), abs=1e-4), source_name
        assert {name: row[name] for name in decided} == decided, source_name
        assert row["outcome"] == ("kept" if decided["reason"] is None else "rejected")
    kept = [row for row in rows.values() if row["outcome"] == "kept"]
    assert {row["perplexity_bucket"] for row in kept} == {"head", "middle", "all"}
    assert {row["language"] for row in kept} == {"en", "fr"}


def test_an_annotated_run_rejects_by_no_score_and_the_thresholds_decide_the_same_later(
    small: Small, source: Path, tmp_path: Path, run_jobs: Any, results: Any, finish_run: Any
) -> None:
    runs = [RunContext(input=str(source), output=str(tmp_path / name)) for name in ("once", "notes", "again")]
    run_jobs(jobs(small.settings(), runs[0]))
    run_jobs(jobs(small.settings(annotate_only=True), runs[1]))
    finish_run(runs[1].output, "commoncrawl")
    run_jobs(jobs(small.settings(from_ledger=runs[1].output), runs[2]))
    once, notes, again = ([results(run)[0], results(run)[1]] for run in runs)
    assert {row["reason"] for row in notes[0].values()} == {
        None,
        "damaged_archive",
        "too_short",
        "all_lines_duplicated",
    }
    open_rows = [row for row in notes[0].values() if row["outcome"] == "kept"]
    assert all(row["reference_score"] is not None and row["perplexity_bucket"] for row in open_rows)
    for key, row in once[0].items():
        assert (row["outcome"], row["reason"], row["step"]) == tuple(
            again[0][key][name] for name in ("outcome", "reason", "step")
        ), key
        if row["outcome"] == "kept":
            assert once[1][key] == again[1][key]


def page_of(words: Sequence[str], **metadata: Any) -> Document:
    return new_document(domain="commoncrawl", id="x", text=" ".join(words), source="x", **metadata)


def test_a_page_scores_by_the_words_of_references_and_stays_at_the_threshold(small: Small) -> None:
    rule = ReferenceClassifier(model=str(small.folder / "references.bin"))
    docs = [page_of(small.cited), page_of(small.common), page_of(["unheard", "words"]), page_of([])]
    assert [reason and str(reason) for reason in rule.judge_all(docs)] == [None, *["not_like_references"] * 3]
    scores = [doc.metadata["reference_score"] for doc in docs]
    assert scores[0] > 0.85
    assert scores[1] == pytest.approx(1 - scores[0], abs=1e-4)
    assert scores[2:] == [0.0, 0.0]
    for doc, score in zip(docs[:2], scores[:2], strict=True):
        for threshold, kept in ((score, True), (np.nextafter(score, 1), False), (np.nextafter(score, 0), True)):
            judge = ReferenceClassifier(model=rule.model_file, threshold=float(threshold))
            assert (judge.judge(doc) is None) is kept, threshold
    assert reference_reason(0.5) is None
    assert reference_reason(float(np.nextafter(0.5, 0))) == "not_like_references"
    assert reference_reason(0.0, threshold=0.0) is None


def test_a_language_score_at_the_threshold_stays_and_below_goes_before_the_language_is_looked_at(small: Small) -> None:
    assert language_reason("en", 0.5, languages=("en",)) is None
    assert language_reason("en", 0.49, languages=("en",)) == "language_uncertain"
    assert language_reason("de", 0.49, languages=("en",)) == "language_uncertain"
    assert language_reason("de", 0.5, languages=("en",)) == "language_not_chosen"
    assert language_reason("de", 0.5, languages=None) is None
    assert language_reason(None, 0.9, languages=None, threshold=0.0) == "language_uncertain"
    doc = page_of([*small.cited, *GERMAN, *FRENCH])
    rule = Language(model=str(small.folder / "language.bin"), languages=("en",))
    rule.judge(doc)
    score = doc.metadata["language_score"]
    assert score == round(score, 2)
    for threshold, reason in ((score, None), (round(score + 0.01, 2), "language_uncertain")):
        judge = Language(model=rule.model_file, languages=("en",), threshold=threshold)
        assert judge.judge(doc) == reason
    assert Language(model=rule.model_file, languages=("en",)).judge(page_of(["unheard"])) == "language_uncertain"


@pytest.mark.parametrize("language", sorted(CCNET_CUTOFFS))
def test_a_perplexity_at_a_cutoff_is_in_the_bucket_above(language: str) -> None:
    head, middle = CCNET_CUTOFFS[language]
    below, above = round(head - 0.1, 1), round(middle - 0.1, 1)
    assert [bucket_of(value, CCNET_CUTOFFS[language]) for value in (below, head, above, middle)] == [
        "head", "middle", "middle", "tail",
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "reason"), [(299, "too_short"), (300, None), (301, None)])
def test_a_page_is_long_enough_from_300_characters_on(size: int, reason: str | None) -> None:
    assert MinimumLength().judge(page_of(["é" * size])) == reason


def test_files_of_a_dump_are_one_group_whatever_folders_they_lie_in(
    tmp_path: Path, write_wet: Callable[..., None], run_jobs: Any, results: Any
) -> None:
    shared = "A line that stands on pages of one dump in two folders, and says nothing at all."
    rng = random.Random(3)
    for folder, dump in (("a", "CC-MAIN-2019-30"), ("b", "CC-MAIN-2018-51"), ("c", "CC-MAIN-2019-30")):
        own = "\n".join("".join(rng.choices("abcdefgh ", k=90)) for _ in range(4))
        write_wet(tmp_path / "in" / folder / f"{dump}-0.wet.gz", [f"Title\n{own}\n{shared}"])
    run = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    off = {"language_model": None, "perplexity_models": None, "reference_model": None}
    run_jobs(jobs(Settings(dedup_group="all", **off), run))
    found = {key[0]: row["lines_duplicated"] for key, row in results(run)[0].items()}
    assert found == {"a": 1, "b": 0, "c": 1}


def test_pages_of_two_dumps_are_not_compared(
    tmp_path: Path, write_wet: Callable[..., None], run_jobs: Any, results: Any
) -> None:
    page = "Title\n" + "\n".join(f"Line {chr(97 + n)} of a page that is in two dumps, word for word." for n in range(8))
    for dump in ("CC-MAIN-2019-30", "CC-MAIN-2018-51"):
        write_wet(tmp_path / "in" / f"{dump}.wet.gz", [page])
    run = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    off = {"language_model": None, "perplexity_models": None, "reference_model": None}
    run_jobs(jobs(Settings(dedup_group="all", **off), run))
    assert {row["outcome"] for row in results(run)[0].values()} == {"kept"}
