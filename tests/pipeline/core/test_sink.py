"""What a sink writes: files of at most so many documents, several domains, and rows for what cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core import ledger
from llama_data.pipeline.core.block import Reader, Rule
from llama_data.pipeline.core.document import Document, new_document, reject
from llama_data.pipeline.core.files import Split
from llama_data.pipeline.core.job import Job, RunContext
from llama_data.pipeline.core.jsonl import read_jsonl
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.sink import Sink, documents_of_task
from llama_data.pipeline.verify import check_content


class Made(Reader):
    """The documents that it is given."""

    def __init__(self, docs: list[Document]) -> None:
        super().__init__(splits=[Split(path="a", name="a", size=1)], domain="d")
        self.docs = docs

    def read(self, split: Split) -> Iterator[Document]:
        yield from self.docs


def document(number: int, text: str = "text", domain: str = "d", **metadata: Any) -> Document:
    return new_document(domain=domain, id=f"{domain}/{number}", text=text, source=f"a#{number}", **metadata)


def write(
    folder: Path, docs: list[Document], *rules: Rule, most: int | None = None, domains: tuple[str, ...] = ()
) -> RunContext:
    run = RunContext(input="", output=str(folder), documents_per_file=most)
    job = Job("d/documents", [Made(docs), *rules, Sink(run=run, domain="d", domains=domains)], 1)
    data: Any = None
    for step in job.steps:
        data = step.run(data, 0, 1)
    assert list(data) == []
    return run


def names(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [
        (5, None, [5]),
        (0, None, [0]),
        (0, 2, [0]),
        (1, 2, [1]),
        (2, 2, [2]),
        (3, 2, [2, 1]),
        (4, 2, [2, 2]),
        (3, 1, [1] * 3),
    ],
)
def test_a_file_holds_at_most_so_many_documents(tmp_path: Path, count: int, most: int | None, sizes: list[int]) -> None:
    rejected = document(99)
    reject(rejected, Reason.too_short, "x")
    run = write(tmp_path, [rejected, *map(document, range(count))], most=most)
    files = documents_of_task(run.documents("d"), "00000")
    assert [len(list(read_jsonl(path))) for path in files] == sizes
    ids = [record["id"] for path in files for record in read_jsonl(path)]
    assert ids == [f"d/{number}" for number in range(count)]
    expected = ["00000.jsonl.zst"] if most is None else [f"00000-{n:05d}.jsonl.zst" for n in range(len(sizes))]
    assert names(run.documents("d")) == expected
    assert len(list(read_jsonl(f"{run.rejected('d')}/00000.jsonl.zst"))) == 1
    assert all(finding.ok for finding in check_content(str(tmp_path)))


def test_the_files_of_a_task_are_not_those_of_another(tmp_path: Path) -> None:
    for name in ("00001.jsonl.zst", "000010.jsonl.zst", "00010-00001.jsonl.zst", "00001-00000.jsonl.zst"):
        (tmp_path / name).touch()
    found = [path.rpartition("/")[2] for path in documents_of_task(str(tmp_path), "00001")]
    assert found == ["00001-00000.jsonl.zst", "00001.jsonl.zst"]


def test_documents_go_to_the_domain_that_they_name_and_every_domain_has_its_files(tmp_path: Path) -> None:
    gone = document(3, domain="e")
    reject(gone, Reason.too_short, "x")
    run = write(tmp_path, [document(1), document(2, domain="e"), gone], domains=("d", "e", "f"))
    assert {domain: names(run.documents(domain)) for domain in "def"} == {key: ["00000.jsonl.zst"] for key in "def"}
    rows = {domain: pq.read_table(run.ledger(domain)).to_pylist() for domain in "def"}
    assert {domain: [row["id"] for row in found] for domain, found in rows.items()} == {
        "d": ["d/1"], "e": ["e/2", "e/3"], "f": [],
    }  # fmt: skip
    assert [record["id"] for record in read_jsonl(f"{run.rejected('e')}/00000.jsonl.zst")] == ["e/3"]


def test_what_cannot_be_written_is_a_row_and_its_neighbours_are_kept(tmp_path: Path) -> None:
    docs = [document(1), document(2, "a\ud800b"), document(3, value={1, 2}), document(4)]
    run = write(tmp_path, docs)
    rows = pq.read_table(run.ledger("d")).to_pylist()
    assert [(row["outcome"], row["reason"], row["step"]) for row in rows] == [
        ("kept", None, None),
        ("failed", "not_writable", "write"),
        ("failed", "not_writable", "write"),
        ("kept", None, None),
    ]
    assert "surrogates not allowed" in rows[1]["detail"]
    assert "set" in rows[2]["detail"]
    rejected = list(read_jsonl(f"{run.rejected('d')}/00000.jsonl.zst"))
    assert [record["text"] for record in rejected] == ["a?b", "text"]


@pytest.mark.parametrize("group", [1, 2, 3, 100])
def test_a_source_that_is_no_utf8_has_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int) -> None:
    monkeypatch.setattr(ledger.LedgerWriter, "GROUP", group)
    docs = [document(number) for number in range(3)]
    docs[1].metadata["source"] = "b\udcff#1"
    run = write(tmp_path, docs)
    rows = pq.read_table(run.ledger("d")).to_pylist()
    assert [row["source"] for row in rows] == ["a#0", "b?#1", "a#2"]


def test_parts_of_a_task_that_was_ended_are_not_left_behind(tmp_path: Path) -> None:
    write(tmp_path, [document(n) for n in range(7)], most=2)
    other = tmp_path / "documents" / "d" / "00001-00002.jsonl.zst"
    other.write_bytes(b"of another task")
    run = write(tmp_path, [document(n) for n in range(3)], most=2)
    assert names(run.documents("d")) == ["00000-00000.jsonl.zst", "00000-00001.jsonl.zst", other.name]


@pytest.mark.parametrize("named", ["elsewhere", None])
def test_a_document_of_a_domain_that_is_not_written_is_a_row(tmp_path: Path, named: str | None) -> None:
    astray = document(1)
    astray.metadata["domain"] = named
    none = document(2)
    del none.metadata["domain"]
    run = write(tmp_path, [document(0), astray, none], domains=("d", "e"))
    rows = ledger.read_table(f"{run.ledger('d')}/00000.parquet").to_pylist()
    assert [(row["id"], row["outcome"], row["reason"]) for row in rows] == [
        ("d/0", "kept", None),
        ("d/1", "failed", "not_writable"),
        ("d/2", "failed", "not_writable"),
    ]
    assert f"expected a domain among d, e, found {named!r}" in rows[1]["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("text", None), ("text", b"bytes"), ("id", None), ("id", 5), ("metadata", None), ("metadata", [1])],
)
def test_a_step_that_leaves_no_document_fails_its_record_only(tmp_path: Path, name: str, value: object) -> None:
    class Spoils(Rule):
        """A rule that breaks its contract on the second document."""

        name = "spoils"

        def judge(self, doc: Document) -> None:
            if doc.id == "d/1":
                setattr(doc, name, value)

    docs = [document(number) for number in range(3)]
    rows = pq.read_table(write(tmp_path, docs, Spoils()).ledger("d")).to_pylist()
    assert [row["outcome"] for row in rows] == ["kept", "failed", "kept"]
    assert rows[1]["reason"] == "not_writable"
    assert rows[1]["detail"].startswith(f"expected {name} to be a ")


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("url", 5, None),
        ("url", ["a"], None),
        ("language_score", "high", None),
        ("language_score", 1, 1.0),
        ("perplexity", 10**400, None),
        ("language", "e\ud800n", "e?n"),
    ],
)
def test_a_value_that_does_not_fit_the_ledger_is_null_there_and_stays_with_the_document(
    tmp_path: Path, name: str, value: object, written: object
) -> None:
    docs = [document(0, **{name: written}), document(1, **{name: value}), document(2)]
    run = write(tmp_path, docs)
    rows = pq.read_table(run.ledger("d")).to_pylist()
    assert [row[name] for row in rows] == [written, written, None]
    if rows[1]["outcome"] == "kept":
        assert list(read_jsonl(documents_of_task(run.documents("d"), "00000")[0]))[1]["metadata"][name] == value
