"""Of documents that are nearly the same one stays: as all pairs say, in any split, in any order of files."""

from __future__ import annotations

import importlib.util
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasketch import MinHash
from plain_near_dup import Text, near_duplicates
from pydantic import ValidationError

from llama_data.pipeline.core import extras
from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.kernels.bands import shares_a_band
from llama_data.pipeline.kernels.minhash import low_bits, shingle_hashes
from llama_data.stages.steps import near_dup
from llama_data.stages.steps.contract import StepContext, chain
from llama_data.stages.steps.near import candidates, decide, files
from llama_data.stages.steps.near.signers import PRESETS, Signer
from llama_data.stages.steps.preference import date_number
from llama_data.stages.steps.signature_files import read_signatures

ALL_PAIRS = {"bands": 64, "rows": 1}
"""Two sets of similarity 0.5 are compared with probability 1 - 2**-64."""


class Texts(Reader):
    """Documents that are given, some to each task."""

    def __init__(self, tasks: Sequence[Sequence[Text]]) -> None:
        super().__init__(splits=[Split(path=f"{n}", name=f"{n}", size=1000) for n in range(len(tasks))], domain="d")
        self.texts = tasks

    def read(self, split: Split) -> Iterator[Document]:
        for text in self.texts[int(split.name)]:
            doc = new_document(domain="d", id=text.id, text=text.text, source="s", date=text.date, group=text.group)
            if text.id.startswith("rejected"):
                reject(doc, Reason.bad_word, "read")
            yield doc


Removed = dict[str, tuple[str, float]]
Run = Callable[..., Removed]


@pytest.fixture
def run(tmp_path: Path, run_jobs: Callable[..., None]) -> Run:
    """Run the step over tasks of documents; what went, the kept one, and how alike."""
    number = 0

    def go(tasks: Sequence[Sequence[Text]], *order: Any, task_bytes: int = 1 << 20, **settings: Any) -> Removed:
        nonlocal number
        number += 1
        output = RunContext(input="", output=str(tmp_path / f"{number}"))
        sizes = (1000,) * len(tasks)
        context = StepContext(run=output, domain="d", sizes=sizes, task_bytes=task_bytes, work=output.work("d"))
        jobs = chain(context, [Texts(tasks)], [near_dup.Settings(**settings).build(context)])
        assert [job.name for job in jobs] == [
            f"d/{name}" for name in ("signatures", "edges", "components", "candidates", "decisions", "documents")
        ]
        run_jobs(jobs, *order)
        rows = pq.read_table(output.ledger("d")).to_pylist()
        assert sorted(row["id"] for row in rows) == sorted(text.id for task in tasks for text in task)
        gone = [row for row in rows if row["reason"] == "near_duplicate"]
        assert all(row["step"] == "near_dup" for row in gone)
        return {row["id"]: (row["duplicate_of"], row["similarity"]) for row in gone}

    return go


def _corpus(seed: int, clusters: int = 12) -> list[Text]:
    """Clusters of texts made out of each other by edits, and what else there is."""
    chance = Random(seed)
    words = [f"w{number}" for number in range(500)]
    texts = []

    def add(words: list[str], group: str = "") -> None:
        date = f"2024-0{chance.randint(1, 9)}-01" if chance.random() < 0.8 else ""
        texts.append(Text(f"d/{chance.getrandbits(40):010x}", " ".join(words), date, group))

    for _ in range(clusters):
        last = chance.choices(words, k=chance.randint(20, 90))
        add(last)
        for _ in range(chance.randint(0, 5)):  # each is made out of the one before it: chains
            last = list(last)
            for _ in range(chance.randint(0, 3)):
                last[chance.randrange(len(last))] = chance.choice(words)
            last = last[: chance.choice([len(last), len(last) - 1, len(last) // 2])]
            add(last)
    for text in ("", "...", "one", "one two three four", "one two three four", "one two three four five"):
        texts.append(Text(f"d/{chance.getrandbits(40):010x}", text))
    chance.shuffle(texts)
    return texts


@pytest.mark.parametrize("keep", ["longest", "newest", "first"])
@pytest.mark.parametrize(("measure", "large"), [("jaccard", 256), ("jaccard", 1), ("containment", 256)])
def test_what_goes_is_what_all_pairs_say(
    run: Run, monkeypatch: pytest.MonkeyPatch, keep: str, measure: str, large: int
) -> None:
    monkeypatch.setattr(decide, "LARGE", large)
    monkeypatch.setattr(candidates, "WRITTEN_AT_ONCE", 500)  # one to some sets
    texts = _corpus(1)
    expected = near_duplicates(texts, width=3, threshold=Fraction(1, 2), measure=measure, keep=keep)
    assert len(expected) > 15
    settings = {"shingle_words": 3, "min_similarity": 0.5, "measure": measure, "keep": keep, **ALL_PAIRS}
    if measure == "containment":  # an excerpt shares few bands with its whole: see test_an_excerpt_is_a_candidate
        settings |= {"bands": 1024}
    assert run([texts], **settings) == expected


def test_tasks_partitions_and_files_do_not_change_what_goes(run: Run) -> None:
    texts = _corpus(2)
    settings: dict[str, Any] = {"shingle_words": 3, "min_similarity": 0.5}
    expected = run([texts], **settings)
    assert len(expected) > 10
    for seed, tasks in ((3, 3), (4, 5)):
        Random(seed).shuffle(texts)
        some = [texts[start::tasks] for start in range(tasks)]
        assert run([*some, []], range, task_bytes=400, **settings) == expected


def test_a_document_goes_only_for_one_that_stays(run: Run) -> None:
    """a is like b and b like c, but a is not like c: b goes for a, and c stays."""
    words = [f"w{number}" for number in range(50)]
    a, b, c = words[:40], words[4:42], words[8:43]
    texts = [Text(f"d/{name}", " ".join(some)) for name, some in zip("abc", (a, b, c), strict=True)]
    settings: dict[str, Any] = {"shingle_words": 1, "min_similarity": 0.8, **ALL_PAIRS}
    assert run([texts], **settings) == {"d/b": ("d/a", 36 / 42)}
    assert run([[texts[0], texts[2]]], **settings) == {}
    assert run([texts[1:]], **settings) == {"d/c": ("d/b", 34 / 39)}


@pytest.mark.parametrize(("shared", "goes"), [(79, False), (80, True), (81, True)])
def test_from_the_threshold_on_a_document_goes(run: Run, shared: int, goes: bool) -> None:
    whole = [f"w{number}" for number in range(100)]
    texts = [Text("d/a", " ".join(whole)), Text("d/b", " ".join(whole[:shared]))]
    found = run([texts], shingle_words=1, min_similarity=0.8, **ALL_PAIRS)
    assert found == ({"d/b": ("d/a", shared / 100)} if goes else {})


def test_the_kept_one_is_chosen_by_content_then_by_id(run: Run) -> None:
    text = " ".join(f"w{number}" for number in range(30))
    same = [Text(f"d/{name}", text) for name in "cab"]
    assert run([same[:2], same[2:]]) == {"d/b": ("d/a", 1.0), "d/c": ("d/a", 1.0)}
    dated = [Text("d/1", text, "2024-01-02"), Text("d/2", text, "2024-01-10"), Text("d/3", text)]
    assert run([dated], keep="newest") == {"d/1": ("d/2", 1.0), "d/3": ("d/2", 1.0)}
    longer = Text("d/z", text + "!")
    assert run([[same[0], longer]]) == {"d/c": ("d/z", 1.0)}
    assert run([[same[0], longer]], keep="first") == {"d/z": ("d/c", 1.0)}


def test_short_texts_have_one_shingle_and_texts_without_words_none(run: Run) -> None:
    texts = [Text("d/a", "one two"), Text("d/b", "One, two!"), Text("d/c", "one two three"), Text("d/d", ""),
             Text("d/e", ""), Text("d/f", "--"), Text("d/g", "--")]  # fmt: skip
    assert run([texts]) == {"d/a": ("d/b", 1.0)}
    assert run([texts], preset="datatrove") == {}


def test_signatures_that_are_left_are_asked_with_datasketch(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = _corpus(5)
    gone = run([texts[:20], texts[20:]], signatures=True)
    assert gone == run([texts[:20], texts[20:]])
    assert not (tmp_path / "2" / "signatures").exists()
    folder = str(tmp_path / "1")
    found = dict(read_signatures(folder, "d"))
    assert list(found) == [text.id for text in texts if shingle_hashes(text.text).size]
    for text in texts:
        if text.id in found:
            theirs = MinHash(num_perm=286, hashfunc=low_bits)
            theirs.update_batch(shingle_hashes(text.text).tolist())
            assert found[text.id] == theirs
    # The page's example, as it stands there, names every document that went beside the one that was kept.
    page = (Path(__file__).parents[3] / "docs" / "near-duplicates.md").read_text()
    section = page.split("## Asking afterwards", 1)[1].split("\n## ", 1)[0]
    [code] = re.findall(r"^    from datasketch(?:.*\n(?=    |\n    ))*.*$", section, re.M)
    id, (kept, similarity) = next(iter(gone.items()))
    exec(textwrap.dedent(code), {"RUN": folder, "SOURCE": "d", "ID": id})
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert {kept, id} <= {name for name, _ in lines}
    assert abs(float(dict(lines)[kept]) - similarity) < 0.15


def test_rejected_documents_are_not_compared(run: Run) -> None:
    text = " ".join(f"w{number}" for number in range(30))
    assert run([[Text("rejected", text + "!"), Text("d/a", text)]]) == {}


def test_only_documents_with_the_same_value_of_the_field_are_compared(run: Run) -> None:
    text = " ".join(f"w{number}" for number in range(30))
    texts = [Text("d/1", text, "", "x"), Text("d/2", text, "", "y"), Text("d/3", text, "", "x"), Text("d/4", text)]
    assert run([texts], keep="first", within="group") == {"d/3": ("d/1", 1.0)}


def test_an_excerpt_is_a_candidate_as_far_as_its_jaccard_similarity_makes_it_one(run: Run) -> None:
    whole = [f"w{number}" for number in range(100)]
    texts = [Text("d/a", " ".join(whole)), Text("d/b", " ".join(whole[10:70]))]
    settings: dict[str, Any] = {"shingle_words": 1, **ALL_PAIRS}
    assert run([texts], measure="containment", **settings) == {"d/b": ("d/a", 1.0)}
    assert run([texts], measure="jaccard", **settings) == {}
    assert run([texts], measure="jaccard", **settings | {"min_similarity": 0.6}) == {"d/b": ("d/a", 0.6)}


def test_numbers_of_documents_grow_to_64_bits(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _corpus(5, clusters=4)
    expected = run([texts[:10], texts[10:]])
    monkeypatch.setattr(files, "NUMBER_32", 3)
    assert [files.number_type(count).itemsize for count in (2, 3)] == [4, 8]
    assert run([texts[:10], texts[10:]]) == expected != {}


def test_presets_give_the_numbers_that_are_not_written() -> None:
    for name, preset in PRESETS.items():
        settings = near_dup.Settings(preset=name)
        assert tuple(getattr(settings, field) for field in preset._fields) == preset
        assert near_dup.Settings.model_validate(settings.model_dump()) == settings
    assert near_dup.Settings() == near_dup.Settings(preset="llama_data")
    assert near_dup.Settings(preset="datatrove", rows=7).signer().permutations == 14 * 7


def test_what_cannot_be_done_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="goes with the presets datatrove and fineweb"):
        near_dup.Settings(words="spacy")
    with pytest.raises(ValidationError, match="preset"):
        near_dup.Settings.model_validate({"preset": "other"})
    monkeypatch.setattr(extras, "is_installed", lambda module: False)
    run = RunContext(input="", output=str(tmp_path))
    context = StepContext(run=run, domain="d", sizes=(1,), task_bytes=1, work=run.work("d"))
    with pytest.raises(RequestError, match=r'needs spacy, which is not installed: `pip install "llama-data\[words\]"`'):
        near_dup.Settings(preset="fineweb", words="spacy").build(context)


@pytest.mark.parametrize(
    ("date", "number"),
    [("2024-05-01T12:00:00Z", 20240501120000), ("20240501", 20240501000000), (None, 0), ("soon", 0), (7, 7 * 10**13)],
)
def test_dates_are_compared_by_their_digits(date: object, number: int) -> None:
    assert date_number(date) == number


def test_pairs_share_a_band_as_often_as_the_formula_says() -> None:
    """600 pairs at each similarity; the counts lie within four deviations."""
    signer, chance = Signer("llama_data", 26, 11, 5), np.random.default_rng(7)
    for shared in (60, 80, 90):
        expected = shares_a_band(shared / 100, 26, 11)
        hits = 0
        for _ in range(600):
            pool = chance.integers(0, 2**64, 100, dtype=np.uint64)
            # two sets of which the union has 100 members and the intersection `shared`
            half = shared + (100 - shared) // 2
            one, other = pool[:half], np.concatenate([pool[:shared], pool[half:]])
            hits += bool((signer.band_hashes(one) == signer.band_hashes(other)).any())
        assert abs(hits - 600 * expected) <= 4 * (600 * expected * (1 - expected)) ** 0.5 + 1
    assert shares_a_band(0.8, 26, 11) == pytest.approx(0.903, abs=5e-4)
    assert shares_a_band(0.75, 14, 8) == pytest.approx(0.772, abs=5e-4)


def test_components_are_the_least_number_and_do_not_depend_on_the_order_of_edges() -> None:
    none = np.uint32(files.none_of(np.dtype("<u4")))
    edges = np.array([(5, 6), (1, 2), (2, 5), (8, 9), (9, 8)], np.uint32)
    for order in (edges, edges[::-1], edges[:, ::-1]):
        parents = np.full(11, none, np.uint32)
        candidates.unite(parents, order[:, 0].copy(), order[:, 1].copy(), none)
        candidates.point_to_roots(parents, none)
        assert parents.tolist() == [none, 1, 1, none, none, 1, 1, none, 8, 8, none]


def test_the_plan_says_what_a_dump_takes() -> None:
    assert near_dup.Settings().whole_dump() == (
        "near_dup of 3 billion pages of 500 words: 1.2 TB of band hashes and 12 TB of sets on disk, "
        "12 GB in the one task that finds components"
    )


def test_the_scale_test_finds_what_it_has_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounded form of ``benchmarks/near_dup_scaling.py``: candidates as the formula says, decisions all right."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "near_dup_scaling.py"
    spec = importlib.util.spec_from_file_location("near_dup_scaling", path)
    assert spec is not None
    assert spec.loader is not None
    scaling = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, scaling)  # where compiled code that was kept looks for it
    spec.loader.exec_module(scaling)
    found = scaling.measure(str(tmp_path), 20_000, tasks=4, parts=2, workers=0)
    assert (found["wrong_decisions"], found["went_though_not_planted"]) == (0, 0)
    for pairs in found["pairs_by_similarity"].values():
        expected, count = pairs["formula"], pairs["pairs"]
        assert abs(pairs["candidates"] - expected) <= 4 * (expected * (1 - expected) / count) ** 0.5 + 1 / count
    assert found["clusters_of_ten"]["went"] > 0.999
