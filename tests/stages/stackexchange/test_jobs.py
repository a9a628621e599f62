"""The whole stage: threads, their order, the account of every post, and the same bytes for any cutting."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.stackexchange.jobs import Settings, jobs
from llama_data.stages.stackexchange.rules import lay_out

SITE = "beer.stackexchange.com"
FILE = f"{SITE}/Posts.xml"


def test_scores_are_compared_as_numbers(dump: Any, run_stage: Any) -> None:
    scores = {2: 9, 3: 87, 4: 10, 5: -1}
    answers = [dump.answer(number, 1, score, f"<p>{score}</p>") for number, score in scores.items()]
    out = run_stage({FILE: dump.posts(dump.question(1, "Which?", "<p>Body.</p>"), *answers)})
    assert out.text(1) == "Q: Which?\n\nBody.\n\nA: 87\n\nA: 10\n\nA: 9\n\nA: -1"


def test_equal_scores_come_by_number(dump: Any, run_stage: Any) -> None:
    rows = [dump.question(1), *(dump.answer(number, 1, 5, f"<p>{number}</p>") for number in (9, 4, 30, 7))]
    out = run_stage({FILE: dump.posts(*rows)})
    assert out.documents[0]["metadata"]["answer_ids"] == [4, 7, 9, 30]


def test_metadata_of_a_thread(dump: Any, run_stage: Any) -> None:
    rows = [
        dump.question(
            7,
            "How?",
            score=12,
            Tags="<a><b>",
            OwnerUserId=5,
            CreationDate="2014-03-13T20:32:04.033",
            ContentLicense="CC BY-SA 3.0",
        ),
        dump.answer(8, 7, 3, OwnerDisplayName="someone"),
    ]
    out = run_stage({"pt.stackoverflow.com/Posts.xml": dump.posts(*rows)})
    metadata = out.documents[0]["metadata"]
    assert out.documents[0]["id"] == "stackexchange/pt.stackoverflow.com/7"
    assert metadata["source"].startswith("pt.stackoverflow.com/Posts.xml#")
    del metadata["source"]
    assert metadata == {
        "domain": "stackexchange",
        "url": "https://pt.stackoverflow.com/questions/7",
        "title": "How?",
        "site": "pt.stackoverflow.com",
        "language": "pt",
        "license": "CC BY-SA 3.0",
        "date": "2014-03-13T20:32:04.033",
        "tags": ["a", "b"],
        "score": 12,
        "answer_count": 1,
        "answer_ids": [8],
        "answer_scores": [3],
        "authors": ["5", "someone"],
    }


def test_every_post_is_accounted_for(dump: Any, run_stage: Any) -> None:
    rows = [
        dump.question(1),
        dump.answer(2, 1),
        dump.answer(3, 999),
        dump.row(Id=4, PostTypeId=5, Body="<p>A tag wiki</p>"),
        dump.question(5),
        dump.question(1, "Again"),
        dump.row(Id=6, PostTypeId=1, Body="no title"),
        "<row Id='7' Body='a < b' />",
        dump.answer(2, 1),
    ]
    out = run_stage({FILE: dump.posts(*rows)})
    reasons = Counter((row["outcome"], row["reason"], row["posts"]) for row in out.ledger)
    assert reasons == {
        ("kept", None, 2): 1,
        ("kept", None, 1): 1,
        ("rejected", "orphan_answer", 1): 1,
        ("rejected", "not_a_question", 1): 1,
        ("rejected", "duplicate_post", 1): 2,
        ("failed", "missing_field", 1): 1,
        ("failed", "invalid_xml", 1): 1,
    }
    assert sum(row["posts"] for row in out.ledger) == len(rows)
    assert len({row["id"] for row in out.ledger}) == len(out.ledger)
    assert len(out.documents) == 2
    assert len(out.rejected) == 6
    assert out.text(1).startswith("Q: Title\n")


def test_length_in_is_that_of_the_html(dump: Any, run_stage: Any) -> None:
    out = run_stage({FILE: dump.posts(dump.question(1, "T", "<p>ab</p>"), dump.answer(2, 1, 0, "<p>c</p>"))})
    (row,) = out.ledger
    assert (row["chars_in"], row["chars_out"], row["answers"], row["score"]) == (1 + 9 + 8 + 4, 14, 1, 1)


@pytest.mark.parametrize("unanswered", ["keep", "drop"])
def test_questions_without_answers(dump: Any, run_stage: Any, unanswered: str) -> None:
    rows = [dump.question(1), dump.question(2), dump.answer(3, 2)]
    out = run_stage({FILE: dump.posts(*rows)}, unanswered=unanswered)
    expected = ("kept", None) if unanswered == "keep" else ("rejected", "unanswered")
    assert out.outcomes() == {f"{SITE}/1": expected, f"{SITE}/2": ("kept", None)}


def test_sites_that_are_not_chosen_are_in_the_account(dump: Any, run_stage: Any) -> None:
    files = {
        f"{site}.com/Posts.xml": dump.posts(*(dump.question(number) for number in range(1, count + 1)))
        for site, count in {"a": 1, "b": 3, "c": 2}.items()
    }
    out = run_stage(files, largest=2)
    assert {key for key, found in out.outcomes().items() if found[0] == "kept"} == {
        "b.com/1",
        "b.com/2",
        "b.com/3",
        "c.com/1",
        "c.com/2",
    }
    assert out.outcomes()["a.com/1"] == ("rejected", "site_not_chosen")
    assert [doc["text"] for doc in out.rejected] == ["Title\n\n<p>Body</p>"]


def test_a_list_of_sites(dump: Any, run_stage: Any) -> None:
    files = {f"{site}.com/Posts.xml": dump.posts(dump.question(1)) for site in "abc"}
    out = run_stage(files, sites=("a.com", "z.com"), largest=None)
    assert [key for key, found in out.outcomes().items() if found[0] == "kept"] == ["a.com/1"]


def test_a_damaged_archive_costs_what_it_did_not_yield(dump: Any, run_stage: Any) -> None:
    rows = [dump.question(number, body=random.Random(number).randbytes(200).hex()) for number in range(1, 2000)]
    whole = gzip.compress(dump.posts(*rows))
    files = {f"{SITE}/Posts.xml.gz": whole[: len(whole) // 2], "x.com.7z": b"no archive", FILE[1:]: dump.posts(rows[0])}
    out = run_stage(files)
    failed = {row["id"]: (row["reason"], row["posts"]) for row in out.ledger if row["outcome"] == "failed"}
    assert failed.pop(f"stackexchange/{SITE}/Posts.xml.gz#unpack") == ("truncated_file", 0)
    assert failed.pop("stackexchange/x.com.7z#unpack") == ("damaged_archive", 0)
    assert len(failed) <= 1  # the row in which the file ends
    assert sum(row["outcome"] == "kept" for row in out.ledger) > 500


def test_a_file_without_posts_fails(dump: Any, run_stage: Any) -> None:
    out = run_stage({FILE: b"this is not a dump", "a.com/Posts.xml": dump.posts(dump.question(1))})
    assert out.outcomes()[f"{FILE}#0"] == ("failed", "wrong_format")


def test_a_body_that_is_nested_too_deep_fails_alone(dump: Any, run_stage: Any) -> None:
    out = run_stage({FILE: dump.posts(dump.question(1, body="<blockquote>" * 500), dump.question(2))})
    assert out.outcomes() == {f"{SITE}/1": ("failed", "too_complex"), f"{SITE}/2": ("kept", None)}


def test_titles_are_plain_text_and_empty_answers_are_left_out(dump: Any, run_stage: Any) -> None:
    rows = [
        dump.question(1, "What is  <div> & why?", "<p>x</p>"),
        dump.answer(2, 1, 9, '<p><img src="a.png"></p>'),
        dump.answer(3, 1, 1, "<p>y</p>"),
    ]
    out = run_stage({FILE: dump.posts(*rows)})
    assert out.text(1) == "Q: What is <div> & why?\n\nx\n\nA: y"
    assert out.ledger[0]["answers"] == 2


def test_layouts() -> None:
    assert lay_out("T", "b\nc", ["d", "e"], "llama") == "Q: T\n\nb\nc\n\nA: d\n\nA: e"
    assert lay_out("T", "b\nc", ["d", "e"], "redpajama") == "Q: T b\nc\nA: d\nA: e"
    assert lay_out("T", "b", ["d"], "pile") == "Q:\n\nT\n\nb\n\nA:\n\nd"
    assert lay_out("T", "", [], "llama") == "Q: T"


def test_inputs_that_cannot_be_run(tmp_path: Path) -> None:
    context = RunContext(input=str(tmp_path), output=str(tmp_path / "out"))
    (tmp_path / "stackoverflow.com-Votes.7z").write_bytes(b"")
    with pytest.raises(InputError, match="no dump with posts"):
        jobs(Settings(), context)


def test_any_cutting_into_tasks_and_buckets_gives_the_same_threads(dump: Any, run_over: Any, tmp_path: Path) -> None:
    chance = random.Random(3)
    rows = [dump.question(number, f"Title {number}") for number in range(1, 60)]
    rows += [dump.answer(number, chance.randrange(1, 70), chance.randrange(-5, 90)) for number in range(100, 300)]
    folder = tmp_path / "in" / SITE
    folder.mkdir(parents=True)
    (folder / "Posts.xml").write_bytes(dump.posts(*rows))

    def run(name: str, **settings: int) -> Any:
        return run_over(tmp_path / "in", tmp_path / name, **settings)

    whole = run("whole")
    tasks = jobs(Settings(max_task_bytes=1000, bucket_bytes=3000), RunContext(input=str(tmp_path / "in"), output="x"))
    assert [job.tasks > 5 for job in tasks] == [True, True]
    cut = run("cut", max_task_bytes=1000, bucket_bytes=3000)
    assert sorted(cut.documents, key=lambda doc: doc["id"]) == sorted(whole.documents, key=lambda doc: doc["id"])
    assert sorted(map(str, cut.ledger)) == sorted(map(str, whole.ledger))
    again = run("again", max_task_bytes=1000, bucket_bytes=3000)
    for path in sorted((tmp_path / "cut" / "documents").rglob("*.zst")):
        twin = tmp_path / "again" / path.relative_to(tmp_path / "cut")
        assert twin.read_bytes() == path.read_bytes()
    assert again == cut
