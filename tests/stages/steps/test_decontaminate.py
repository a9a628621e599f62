"""Evaluation texts in documents: decisions of a plain reference over lists of words, whatever the tasks."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from datatrove.data import Document as DatatroveDocument
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

from llama_data.pipeline.core.block import Reader
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import Split, list_files
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.ledger import read_table
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.steps import overlap_index
from llama_data.stages.steps.contract import StepContext, build_all, chain
from llama_data.stages.steps.decontaminate import Settings, kept_pieces

WORDS = [f"{a}{b}" for a in ("ri", "fe", "qui", "lan", "ha", "mar", "or") for b in ("ver", "rry", "et", "tern", "ble")]
N = 4


def passage(draw: random.Random, count: int) -> list[str]:
    return [draw.choice(WORDS) + str(draw.randrange(40)) for _ in range(count)]


def dressed(draw: random.Random, words: list[str]) -> str:
    """The words as a page may write them: other case, marks, line ends."""
    shown = [draw.choice([word, word.title(), f"“{word}”,", f"{word}-", f"({word[0]}.{word[1:]})"]) for word in words]
    return "".join(word + draw.choice([" ", "\n", "  ", " — "]) for word in shown)


def evaluations() -> list[dict[str, Any]]:
    draw = random.Random(1)
    rows = [{"id": f"q{n}", "question": dressed(draw, passage(draw, 3 + n % 9)), "answer": "yes"} for n in range(40)]
    # A beginning that many items share.
    for row in rows[30:]:
        row["question"] = "Which of the following words is right: " + row["question"]
    return rows


def documents() -> dict[str, list[str]]:
    """Three files of texts; half of them hold the beginning, the end or all of some item."""
    draw = random.Random(2)
    rows = evaluations()
    made: dict[str, list[str]] = {}
    for name in "abc":
        made[name] = []
        for number in range(30):
            words = passage(draw, 40)
            for _ in range(draw.randrange(3) if number % 2 else 0):
                item = draw.choice(rows)["question"].split()
                first = draw.randrange(max(1, len(item) - 3))
                at = draw.randrange(len(words))
                words[at:at] = item[first : first + draw.randrange(3, 12)]
            made[name].append(dressed(draw, words))
    return made


class Texts(Reader):
    """Documents by file, those above unless others are given; the first of ``b`` is rejected before anybody looks."""

    texts: Mapping[str, list[str]] | None = None

    def read(self, split: Split) -> Iterator[Document]:
        for number, text in enumerate((self.texts or documents())[split.name]):
            source = f"{split.name}#{number}"
            doc = new_document(domain="d", id=f"d/{source}", text=text, source=source)
            if source == "b#0":
                reject(doc, Reason.bad_word, "read")
            yield doc


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("evaluations") / "quiz.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in evaluations()))
    return str(path)


class Ran:
    """What a chain with the step has written."""

    def __init__(
        self,
        output: Path,
        run_jobs: Callable[..., None],
        evaluation: str,
        texts: Mapping[str, list[str]] | None = None,
        **settings: Any,
    ) -> None:
        run = RunContext(input="", output=str(output))
        context = StepContext(run=run, domain="d", sizes=(1000,) * 3, task_bytes=1 << 20, work=run.work("d"))
        reader = Texts(splits=[Split(path=name, name=name, size=1000) for name in "abc"], domain="d")
        reader.texts = texts
        given = {"evaluations": [{"path": evaluation, "fields": ["question", "answer"]}], "words": N, **settings}
        run_jobs(chain(context, [reader], build_all([("decontaminate", Settings(**given))], context)))
        rows = [row for path in list_files(run.ledger("d"), ".parquet") for row in read_table(path).to_pylist()]
        self.ledger = {row["id"]: row for row in rows}
        kept = [doc for path in list_files(run.documents("d"), ".zst") for doc in read_jsonl(path)]
        self.documents = {doc["id"]: doc for doc in kept}
        self.summary = json.loads((output / "reports/d/01-decontaminate.json").read_bytes())
        lines = (output / "reports/d/01-decontaminate.items.jsonl").read_text().splitlines()
        self.items = {row["item"]: row for row in map(json.loads, lines)}


def plain_words(text: str) -> list[str]:
    """As the harness's janitor: lower case, no ASCII punctuation, cut at spaces; also without the marks used above."""
    return text.lower().translate(str.maketrans("", "", string.punctuation + "“”—")).split()


def runs(text: str) -> set[tuple[str, ...]]:
    words = plain_words(text)
    return {tuple(words[at : at + N]) for at in range(len(words) - N + 1)}


def plain_shares(left_out: set[tuple[str, ...]]) -> dict[str, dict[str, float]]:
    """For each document the share of each item's runs that it has, by plain sets."""
    found: dict[str, dict[str, float]] = {}
    for name, some in documents().items():
        for number, text in enumerate(some):
            own = runs(text)
            for item in evaluations():
                of_item = runs(item["question"]) - left_out
                if of_item & own and (name, number) != ("b", 0):
                    found.setdefault(f"d/{name}#{number}", {})[item["id"]] = len(of_item & own) / len(of_item)
    return found


@pytest.mark.parametrize(
    ("min_share", "max_items", "max_documents"), [(None, None, None), (0.5, 3, None), (0.5, None, 2)]
)
def test_decisions_are_those_of_plain_sets(
    tmp_path: Path,
    run_jobs: Callable[..., None],
    evaluation: str,
    min_share: float | None,
    max_items: int | None,
    max_documents: int | None,
) -> None:
    ran = Ran(tmp_path, run_jobs, evaluation, min_share=min_share, max_items=max_items, max_documents=max_documents)
    in_items: dict[tuple[str, ...], int] = {}
    in_documents: dict[tuple[str, ...], int] = {}
    for item in evaluations():
        for run in runs(item["question"]):
            in_items[run] = in_items.get(run, 0) + 1
    for name, some in documents().items():
        for number, text in enumerate(some):
            for run in runs(text) if (name, number) != ("b", 0) else ():
                in_documents[run] = in_documents.get(run, 0) + 1
    left_out = {run for run, count in in_items.items() if max_items is not None and count > max_items}
    left_out |= {run for run, count in in_documents.items() if max_documents is not None and count > max_documents}
    assert bool(left_out & set(in_items)) == (max_items is not None or max_documents is not None)
    shares = plain_shares(left_out)
    expected = {id for id, some in shares.items() if max(some.values()) >= (min_share or 0)}
    found = {id: row for id, row in ran.ledger.items() if row["reason"] == "contaminated"}
    assert set(found) == expected
    assert 5 < len(expected) < 80
    for id, row in found.items():
        best = max(shares[id].values())
        assert row["eval_share"] == pytest.approx(best)
        assert row["eval_task"] == "quiz"
        assert shares[id][row["eval_item"]] == pytest.approx(best)
        assert row["eval_items"] == sum(share >= (min_share or 0) for share in shares[id].values())
        assert f"of the runs of 4 words of quiz {row['eval_item']}" in row["detail"]
    assert ran.ledger["d/b#0"]["reason"] == "bad_word"
    # The report: every item that any document has, and every one that cannot be tested.
    testable = {item["id"]: len(runs(item["question"]) - left_out) for item in evaluations()}
    reported = {item for some in shares.values() for item in some} | {
        item for item, some in testable.items() if not some
    }
    assert set(ran.items) == reported
    for item, row in ran.items.items():
        if testable[item]:
            assert row["share"] == pytest.approx(max(some.get(item, 0) for some in shares.values()))
            assert row["documents"] == sum(item in some for some in shares.values())
            assert shares[row["document"]][item] == pytest.approx(row["share"])
    [task] = ran.summary["tasks"]
    assert task["items"] == 40
    assert task["not_tested"] == sum(not some for some in testable.values())
    assert task["documents"] == len(shares)
    assert task["whole"] == sum(row.get("share") == 1 for row in ran.items.values())


def test_short_items_are_listed_and_said_to_be_short(
    tmp_path: Path, run_jobs: Callable[..., None], evaluation: str
) -> None:
    ran = Ran(tmp_path, run_jobs, evaluation)
    # Questions of three words, and answers of one.
    short = {f"q{n}" for n in range(0, 30, 9)}
    assert {item for item, row in ran.items.items() if "not_tested" in row} == short
    assert ran.items["q0"]["not_tested"] == "too short: its longest text has 3 words of 4"


def test_a_hash_that_is_equal_by_chance_is_no_hit(
    tmp_path: Path, run_jobs: Callable[..., None], evaluation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Ran(tmp_path / "sound", run_jobs, evaluation)
    every, find = overlap_index.all_runs, overlap_index.find_runs
    coarse = np.uint64(7)

    def few_keys(texts: list[bytes], n: int) -> Any:
        found = every(texts, n)
        return found._replace(numbers=(found.numbers.view(np.uint64) & coarse).view(np.int64))

    def all_hits(texts: list[bytes], n: int, wanted: Any, *, made: bool) -> Any:
        """Every run of the texts with the three low bits of its hash, as if there were only eight hashes."""
        hits = find.__globals__["_found"](texts, n, wanted, True, made)
        keys = hits.numbers.view(np.uint64) & coarse
        numbers = np.searchsorted(wanted.keys, keys)
        assert (wanted.keys[numbers] == keys).all()
        return hits._replace(numbers=numbers)

    monkeypatch.setattr(overlap_index, "all_runs", few_keys)
    monkeypatch.setattr(overlap_index, "find_runs", all_hits)
    weak = Ran(tmp_path / "weak", run_jobs, evaluation)
    assert weak.ledger == sound.ledger
    assert weak.items == sound.items


def test_marked_documents_stay_as_they_are(tmp_path: Path, run_jobs: Callable[..., None], evaluation: str) -> None:
    ran = Ran(tmp_path, run_jobs, evaluation, action="mark")
    assert len(ran.documents) == 89
    shares = plain_shares(set())
    assert {id for id, doc in ran.documents.items() if "eval_task" in doc["metadata"]} == set(shares)
    for name, some in documents().items():
        for number, text in enumerate(some):
            if (name, number) != ("b", 0):
                assert ran.documents[f"d/{name}#{number}"]["text"] == text


def test_masked_documents_lose_the_words_of_runs_and_no_others(
    tmp_path: Path, run_jobs: Callable[..., None], evaluation: str
) -> None:
    ran = Ran(tmp_path, run_jobs, evaluation, action="mask")
    wanted = set().union(*(runs(item["question"]) for item in evaluations()))
    shares = plain_shares(set())
    for id, doc in ran.documents.items():
        name, number = id.removeprefix("d/").split("#")
        before = documents()[name][int(number)]
        if id not in shares:
            assert doc["text"] == before
            continue
        words, left = plain_words(before), plain_words(doc["text"])
        covered = {at + k for at in range(len(words) - N + 1) if tuple(words[at : at + N]) in wanted for k in range(N)}
        assert left == [word for at, word in enumerate(words) if at not in covered]
    assert set(shares) <= set(ran.documents)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (["aé", "ij", "op"], 2)),
        ({"margin": 1}, (["aé", "ij", "op"], 2)),
        ({"margin": 2}, (["a", "p"], 1)),
        ({"margin": 3}, ([], 1)),
        ({"min_piece": 2}, (["aé", "ij", "op"], 2)),
        ({"min_piece": 3}, ([], 2)),
    ],
)
def test_pieces_are_what_stands_around_the_cuts(settings: dict[str, int], expected: tuple[list[str], int]) -> None:
    made = Settings(evaluations=[{"path": "x"}], **settings)
    assert kept_pieces("aé cdefgh ij klmn op", [(11 + 2, 17), (3, 7), (5, 9)], made) == expected


def test_too_many_cuts_take_the_document(tmp_path: Path, run_jobs: Callable[..., None], evaluation: str) -> None:
    cut = Ran(tmp_path / "cut", run_jobs, evaluation, action="mask")
    none = Ran(tmp_path / "none", run_jobs, evaluation, action="mask", max_cuts=0)
    assert {id for id, row in none.ledger.items() if row["reason"] == "contaminated"} == {
        id for id, row in cut.ledger.items() if row["eval_task"]
    }
    one = Ran(tmp_path / "one", run_jobs, evaluation, action="mask", max_cuts=1)
    gone = [row["detail"] for row in one.ledger.values() if row["reason"] == "contaminated"]
    assert gone
    assert all("cuts, more than max_cuts" in detail for detail in gone)


def test_evaluations_without_a_run_are_refused(tmp_path: Path, run_jobs: Callable[..., None], evaluation: str) -> None:
    with pytest.raises(InputError, match="none of 40 evaluation items has 90 words in a row"):
        Ran(tmp_path, run_jobs, evaluation, words=90)


def answered() -> list[dict[str, Any]]:
    """Questions and answers of few and of many words, with what datatrove's normalisation changes."""
    draw = random.Random(5)
    rows = []
    for n in range(36):
        question, answer = passage(draw, 3 + n * 7 % 25), passage(draw, 1 + n * 5 % 23)
        answer[n % len(answer)] = draw.choice(["1,234", "caf\u00e9", "don't", "10km", "U.S."])
        rows.append(
            {"id": n, "question": dressed(draw, question), "answers": [dressed(draw, answer), "no"][: 1 + n % 2]}
        )
    return rows


def other_dress(draw: random.Random, words: list[str]) -> str:
    """The words in another case, with other numbers, accents and marks."""
    forms = [str.upper, str.title, "“{}”".format, "{}:".format, lambda word: word.replace("e", "é"), str]
    return " ".join(draw.choice(forms)(word.replace("1", "7")) for word in words)


def contaminated(pages: list[str]) -> list[str]:
    """The pages, most of them with words of an answer, a question, or of both where they meet; some a word too few."""
    draw = random.Random(6)
    rows = answered()
    made = []
    for number, page in enumerate(pages):
        row = draw.choice(rows)
        question, answer = row["question"].split(), draw.choice(row["answers"]).split()
        count = draw.randrange(10, 20)
        first = draw.randrange(max(1, len(answer) - count + 1))
        before = draw.randrange(3, 12)
        some = [
            answer[first : first + count],
            question[:count],
            question[-before:] + answer[: 12 - before + number % 2],
        ]
        words = page.split(" ")
        at = draw.randrange(len(words) + 1)
        words[at:at] = [other_dress(draw, some[number % 3])] if number % 5 else []
        made.append(" ".join(words))
    return made


def theirs(folder: Path, texts: list[str], config: NGramsDecontConfig) -> list[bool]:
    """Whether datatrove's filter drops each text, by an index of its own making."""
    rule = NGramsDecontFilter(str(folder), config=config)
    # What makes hashes of texts asks for no more than this; the class asks for lighteval when it is made.
    needs = SimpleNamespace(config=config, tokenizer=rule.tokenizer, hash_func=rule.hash_func)
    hashes = [
        number
        for row in answered()
        for answer in row["answers"]
        for number in NGramsDecontIndexer.compute_hashes(needs, answer, row["question"])
    ]
    folder.mkdir()
    np.array(hashes, config.hash_config.np_descr).tofile(folder / "quiz.index.hashes")
    return [rule.filter(DatatroveDocument(text=text, id="")) is not True for text in texts]


@pytest.mark.parametrize("query", [False, True])
def test_decisions_are_datatroves(
    tmp_path: Path,
    run_jobs: Callable[..., None],
    corpus: Path,
    pages_of: Callable[[Path, int], list[str]],
    query: bool,
) -> None:
    pytest.importorskip("spacy", reason="needs spaCy: datatrove's words are its")
    texts = contaminated([page[:800] for page in pages_of(corpus, 150)])
    (tmp_path / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answered()))
    given = [{"path": str(tmp_path / "quiz.jsonl"), "fields": ["question"], "answers": ["answers"]}]
    # Words of a question by itself are looked for by one more line of the recipe, of the same items.
    given += [{"path": str(tmp_path / "quiz.jsonl"), "fields": ["question"]}] if query else []
    expected = theirs(tmp_path / "index", texts, NGramsDecontConfig(find_query_ngrams=query))
    settings = {"evaluations": given, "preset": "datatrove", "split": "spacy", "words": 12}
    ran = Ran(tmp_path / "run", run_jobs, "", {"a": texts, "b": [""], "c": []}, **settings)
    found = [ran.ledger[f"d/a#{number}"]["reason"] == "contaminated" for number in range(len(texts))]
    assert found == expected
    assert 25 < sum(expected) < 125
    [task] = ran.summary["tasks"]
    assert task["items"] == 36
