"""Ids that sources give: unique in a run, whatever archives a paper or page stands in."""

from __future__ import annotations

import gzip
import io
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_data.pipeline.core import written as core_written
from llama_data.pipeline.core.files import list_files
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.keys import KEYED, repeats
from llama_data.pipeline.verify import check_content
from llama_data.stages.arxiv import jobs as arxiv
from llama_data.stages.books import jobs as books
from llama_data.stages.steps import repeated
from llama_data.stages.wikipedia import jobs as wikipedia

TEX = r"\documentclass{{article}}\begin{{document}}\section{{A}}Text of {} in {}.\end{{document}}"
SECOND = "2024/a.example.com/Posts.xml#8"


def tar(name: str, *papers: str) -> bytes:
    """A source tar; a paper whose number ends with ``pdf`` is one without source, and one with ``bad`` is broken."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for paper in papers:
            data = gzip.compress(TEX.format(paper, name).encode(), mtime=0)
            member, suffix = paper, "gz"
            if paper.endswith("pdf"):
                data, member, suffix = b"%PDF-1.5", paper.removesuffix("pdf"), "pdf"
            elif paper.endswith("bad"):
                data, member = data[:20], paper.removesuffix("bad")
            info = tarfile.TarInfo(f"2101/{member}.{suffix}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def dump(*pages: int, text: str = "Text", redirects: tuple[int, ...] = ()) -> bytes:
    made = [
        f"<page><title>T{number}</title><ns>0</ns><id>{number}</id>"
        + ('<redirect title="X"/>' if number in redirects else "")
        + f"<revision><id>9</id><text>{text} {number}</text></revision></page>\n"
        for number in pages
    ]
    return f"<mediawiki><siteinfo><dbname>dewiki</dbname></siteinfo>\n{''.join(made)}</mediawiki>".encode()


def test_of_a_paper_in_two_tars_the_first_is_kept_and_the_other_is_a_row(run_files: Callable[..., Any]) -> None:
    tars = {"a.tar": tar("a", "2101.00001", "2101.00002"), "b.tar": tar("b", "2101.00002", "2101.00003")}
    out = run_files(arxiv, tars)
    assert out.outcomes() == {
        "2101.00001": ("kept", None),
        "2101.00002": ("kept", None),
        "2101.00002@2": ("rejected", "duplicate_id"),
        "2101.00003": ("kept", None),
    }
    [row] = [row for row in out.ledger if row["id"].endswith("@2")]
    assert row["source"].startswith("b.tar#")
    assert row["step"] == "repeated"
    assert row["detail"].startswith("the same as arxiv/2101.00002 at a.tar#")
    assert (row["chars_out"], row["lines_out"]) == (0, 0)
    assert row["chars_in"] > 0
    assert "in a." in out.text("2101.00002")
    [gone] = out.rejected
    assert gone["id"] == "arxiv/2101.00002@2"
    assert "in b." in gone["text"]
    assert (gone["metadata"]["reason"], gone["metadata"]["step"]) == ("duplicate_id", "repeated")


def test_a_paper_that_cannot_be_kept_does_not_push_out_its_copy(run_files: Callable[..., Any]) -> None:
    out = run_files(arxiv, {"a.tar": tar("a", "2101.00002pdf"), "b.tar": tar("b", "2101.00002", "2101.00002")})
    assert out.outcomes() == {
        "2101.00002@2": ("rejected", "no_tex"),
        "2101.00002": ("kept", None),
        "2101.00002@3": ("rejected", "duplicate_id"),
    }
    assert "the same as arxiv/2101.00002 at b.tar#" in out.ledger[0]["detail"]
    assert {doc["id"] for doc in out.rejected} == {"arxiv/2101.00002@2", "arxiv/2101.00002@3"}


def test_pages_of_overlapping_dumps_and_a_page_twice_in_one(run_files: Callable[..., Any]) -> None:
    out = run_files(
        wikipedia,
        {
            "dewiki-20220701-pages-articles1.xml-p1p3": dump(1, 2, 3, 3, redirects=(2,)),
            "dewiki-20220701-pages-articles2.xml-p3p5": dump(3, 4, 5),
            "dewiki-20230101-pages-articles.xml": dump(2, 5, text="Newer", redirects=(2,)),
            "frwiki-20230101-pages-articles.xml": dump(5),
        },
        languages=("de", "fr"),
    )
    # The ids of dumps that may overlap by their names hold those.
    unlabelled = {re.sub(r"/.*/", "/", id): found for id, found in out.outcomes().items()}
    assert len(out.ledger) == len(unlabelled) == len(out.outcomes())
    assert unlabelled == {
        "de/1": ("kept", None),
        "de/2": ("rejected", "redirect"),
        "de/2@2": ("rejected", "redirect"),
        "de/3": ("kept", None),
        "de/3@2": ("rejected", "duplicate_id"),
        "de/3@3": ("rejected", "duplicate_id"),
        "de/4": ("kept", None),
        "de/5": ("kept", None),
        "de/5@2": ("rejected", "duplicate_id"),
        "fr/5": ("kept", None),
    }


def test_members_of_one_name_are_two_books(run_files: Callable[..., Any]) -> None:
    buffer = io.BytesIO()
    import zipfile

    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("b.txt", "One book of the archive.")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("b.txt", "Quite another one.")
    out = run_files(books, {"a.zip": buffer.getvalue(), "a.zip#b.txt": "A plain file."}, max_overlap=None)
    assert out.kept() == ["a.zip#b.txt", "a.zip#b.txt#", "a.zip#b.txt@2"]


@pytest.mark.parametrize("most", [None, 1, 2])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_any_overlap_comes_out_right_in_any_order_of_tasks(
    tmp_path: Path, run_jobs: Callable[..., None], most: int | None, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = random.Random(most)
    names = [f"2101.{number:05d}" for number in range(12)]
    (tmp_path / "in").mkdir()
    given_names = []
    for index in range(6):
        chosen = [name + draw.choice(["", "", "pdf", "bad"]) for name in draw.choices(names, k=8)]
        given_names += chosen
        (tmp_path / "in" / f"{index}.tar").write_bytes(tar(str(index), *chosen))
    monkeypatch.setattr(repeated, "PART_BYTES", 100)
    monkeypatch.setattr(repeated, "SETTLE_BYTES", 20_000)
    written = []
    for number, order in enumerate((range, lambda tasks: reversed(range(tasks)))):
        context = RunContext(
            input=str(tmp_path / "in"),
            output=str(tmp_path / f"out{number}"),
            documents_per_file=most,
            rejected_sample=share,
        )
        made = arxiv.jobs(arxiv.Settings(), context)
        assert [job.name for job in made] == ["arxiv/documents", "arxiv/keys", "arxiv/repeated"]
        assert made[1].tasks > 1
        assert made[2].tasks > 1
        run_jobs(made, order)
        rows = pq.read_table(context.ledger("arxiv")).to_pylist()
        assert len(rows) == len(given_names)
        assert len({row["id"] for row in rows}) == len(rows)
        kept = [row for row in rows if row["outcome"] == "kept"]
        assert {row["id"] for row in kept} == {f"arxiv/{name}" for name in given_names if name in names}
        assert sum(row["outcome"] == "failed" for row in rows) == sum(name.endswith("bad") for name in given_names)
        assert all(finding.ok for finding in check_content(context.output))
        files = list_files(context.documents("arxiv"), ".zst")
        documents = [doc for path in files for doc in read_jsonl(path)]
        assert [doc["id"] for doc in documents] == [row["id"] for row in kept]
        assert most is None or all(len(list(read_jsonl(path))) <= most for path in files)
        folder = tmp_path / f"out{number}"
        written.append(
            {
                path.relative_to(folder): path.read_bytes()
                for part in ("documents", "rejected", "ledger")
                for path in (folder / part).rglob("*.*")
            }
        )
    assert written[0] == written[1]


def test_a_task_that_is_ended_while_it_settles_goes_on(
    tmp_path: Path, run_jobs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.tar").write_bytes(tar(name, "2101.00001", "2101.00002pdf", "2101.00003"))
    results = []
    writes = 2 * 5  # of two tasks: what is complete, three files, and the note of what was written
    for ended in range(writes + 2):
        context = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / str(ended)))
        *others, last = arxiv.jobs(arxiv.Settings(), context)
        run_jobs(others)
        calls = iter(range(ended))

        def write(path: str, calls: Any = calls, whole: Any = repeated.atomic_write) -> Any:
            if next(calls, None) is None:
                raise OSError("no space left")
            return whole(path)

        with monkeypatch.context() as patch:
            patch.setattr(repeated, "atomic_write", write)
            patch.setattr(core_written, "atomic_write", write)
            try:
                run_jobs([last])
            except OSError:
                assert ended < writes
            else:
                assert ended >= writes
        run_jobs([last])
        folder = tmp_path / str(ended)
        results.append(
            [
                (str(path.relative_to(folder)), path.read_bytes())
                for part in ("documents", "rejected", "ledger")
                for path in sorted((folder / part).rglob("*.*"))
            ]
        )
    assert all(result == results[0] for result in results)
    assert len(results[0]) == 9


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30))
def test_repeats_are_those_of_a_plain_loop(rows: list[tuple[int, int, bool]]) -> None:
    records = np.zeros(len(rows), KEYED)
    by_id: dict[tuple[int, int], list[tuple[int, bool]]] = {}
    for place, (high, low, kept) in enumerate(rows):
        records[place] = (high, low, 7, place, kept)
        by_id.setdefault((high, low), []).append((place, kept))
    expected = set()
    for group in by_id.values():
        holder = next((place for place, kept in group if kept), group[0][0])
        others = [place for place, _ in group if place != holder]
        expected |= {(7, place, number, 7, holder) for number, place in enumerate(others, 2)}
    shuffled = records[np.random.default_rng(len(rows)).permutation(len(rows))]
    assert {tuple(row) for row in repeats(shuffled).tolist()} == expected


def test_of_a_site_in_two_dumps_each_post_is_taken_once(run_files: Callable[..., Any]) -> None:
    from llama_data.stages.stackexchange import jobs as stackexchange

    def posts(*rows: str) -> str:
        return f"<posts>\n{chr(10).join(rows)}\n</posts>\n"

    question = '<row Id="{}" PostTypeId="1" Score="1" Title="T" Body="{}" />'
    out = run_files(
        stackexchange,
        {
            "2023/a.example.com/Posts.xml": posts(question.format(1, "old"), question.format(2, "old")),
            "2024/a.example.com/Posts.xml": posts(question.format(2, "new"), question.format(3, "new")),
            "2024/b.example.com/Posts.xml": posts(*(question.format(number, "b") for number in range(3))),
        },
        largest=1,
    )
    assert {key: found for key, found in out.outcomes().items() if key.startswith("a.")} == {
        "a.example.com/1": ("rejected", "site_not_chosen"),
        "a.example.com/2": ("rejected", "site_not_chosen"),
        "a.example.com/3": ("rejected", "site_not_chosen"),
        f"a.example.com/2@{SECOND}": ("rejected", "duplicate_post"),
    }
    [row] = [row for row in out.ledger if row["reason"] == "duplicate_post"]
    assert "2023/a.example.com/Posts.xml#" in row["detail"]
    assert len({row["id"] for row in out.ledger}) == len(out.ledger) == 7
    assert len(out.documents) == 3
