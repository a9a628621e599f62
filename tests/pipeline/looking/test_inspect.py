"""What `inspect` says of dumps and of everything that a run writes."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.inspecting import dumps
from llama_data.pipeline.inspecting.asked import Asked
from llama_data.pipeline.inspecting.look import look
from llama_data.pipeline.samples.build import build_samples

ROOT = Path(__file__).resolve().parents[3]


def told(path: Path, **asked: object) -> str:
    return "\n".join(look(str(path), Asked(**asked)))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    build_samples(folder)
    return folder


DUMPS = {
    "cc": "commoncrawl", "c4": "c4", "github": "github", "wikipedia": "wikipedia", "books": "books",
    "arxiv": "arxiv", "stackexchange": "stackexchange",
}  # fmt: skip


@pytest.mark.parametrize("folder", DUMPS)
def test_each_dump_is_read_by_its_own_reader(samples: Path, folder: str) -> None:
    for path in (path for path in sorted((samples / folder).rglob("*")) if path.is_file()):
        text = told(path, limit=1)
        assert f": a dump of {DUMPS[folder]} (by its content" in text, path
        assert "=== " in text
        assert " records: read " in text


def test_rows_of_ones_own_are_told_by_their_fields(tmp_path: Path) -> None:
    rows = [{"body": f"text {n}", "n": n} for n in range(5)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    (tmp_path / "d.csv").write_text("text,n\nhello,1\nworld,2\n")
    with (
        pa.OSFile(str(tmp_path / "e.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, pa.schema({"text": pa.string()})) as f,
    ):
        f.write_batch(pa.record_batch([["hello"]], ["text"]))
    for name, count in (("a.jsonl", 5), ("b.jsonl.gz", 5), ("c.parquet", 5), ("d.csv", 2), ("e.arrow", 1)):
        text = told(tmp_path / name, limit=1)
        assert "rows of a source of your own" in text
        assert f"{count} records: read {count}" in text
        assert ("text 0" in text) or ("hello" in text)
        assert "none is called text" not in text
    (tmp_path / "f.jsonl").write_text('{"article": {"body": "deep"}, "key": 1}\n')
    assert "fields: {text: NAME}" in told(tmp_path / "f.jsonl", limit=1)


def test_archives_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "repo.zip", "w") as archive:
        archive.writestr("r-1/src/a.py", "print(1)\n")
        archive.writestr("r-1/README.md", "# r\n")
    with zipfile.ZipFile(tmp_path / "book.zip", "w") as archive:
        archive.writestr("book.txt", "Once upon a time.\n" * 20)
    with zipfile.ZipFile(tmp_path / "tale.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    with tarfile.open(tmp_path / "src.tar", "w") as tar:
        info = tarfile.TarInfo("2101/2101.00001.gz")
        data = gzip.compress(b"\\documentclass{article}\\begin{document}x\\end{document}")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    assert "a dump of github" in told(tmp_path / "repo.zip")
    assert "a dump of books" in told(tmp_path / "book.zip")
    epub = told(tmp_path / "tale.epub")
    assert "a dump of books" in epub
    assert "wrong_format" in epub
    assert "a dump of arxiv" in told(tmp_path / "src.tar")
    repo = tmp_path / "git"
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    (repo / "a.py").write_text("x = 1\n")
    git = ["git", "-C", str(repo), "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "m"], check=True)
    assert "a dump of github (a git repository)" in told(repo)


def test_what_cannot_be_told_asks_for_a_reader(tmp_path: Path) -> None:
    (tmp_path / "x.dat").write_bytes(bytes(range(256)))
    with pytest.raises(RequestError, match="neither name nor content"):
        told(tmp_path / "x.dat")
    with pytest.raises(RequestError, match="expected one of: commoncrawl"):
        told(tmp_path / "x.dat", domain="nosuch")
    (tmp_path / "plain.dat").write_text("A book. " * 100)
    assert "a dump of books (by --as" in told(tmp_path / "plain.dat", domain="books")
    with pytest.raises(RequestError, match="no such file"):
        told(tmp_path / "absent")


def test_counts_are_bounded_unless_all_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": "x" * 100}) + "\n" for _ in range(50)))
    monkeypatch.setattr(dumps, "MOST_TEXT", 1000)
    assert "at least 10 records in the first 0 M characters" in told(tmp_path / "a.jsonl")
    assert "\n50 records: read 50" in told(tmp_path / "a.jsonl", whole=True)
    monkeypatch.setattr(dumps, "MOST_TEXT", 5001)
    assert "\n50 records: read 50" in told(tmp_path / "a.jsonl")


def test_damage_and_hostile_text_are_shown_and_nothing_else(tmp_path: Path) -> None:
    rows = [
        json.dumps({"text": "ok"}),
        '{"text": "cut',
        json.dumps({"text": "\x1b]0;x\x07\u202ered", "url": "\x1b[2J"}),
    ]
    (tmp_path / "\x1b[31m.jsonl").write_text("\n".join(rows))
    text = told(tmp_path / "\x1b[31m.jsonl", limit=9, full=True)
    assert "failed (invalid_json) 1" in text
    assert not set(text) & {"\x1b", "\x07", "\u202e"}


def test_all_that_a_run_writes(looked: Path) -> None:
    expected = {
        ".": ": a run",
        "documents/news": "documents/news, finished",
        "documents/news/manifest.json": "documents/news, finished",
        "documents/news/manifest.files.zst": "files of a result",
        "documents/news/manifest.inputs.zst": "inputs of a result",
        "documents/news/00000.jsonl.zst": ": documents, ",
        "rejected/news/00000.jsonl.zst": ": rejected texts, ",
        "ledger/news/00000.parquet": ": ledger, ",
        "tokens/news/00000.parquet": ": token shard, ",
        "tokens/news/documents/00000.parquet": ": index of documents, ",
        "mix": ": mix of 40 training rows",
        "mix/00000.parquet": ": token shard, ",
        "tokenizer": "SentencePiece model, bpe, 400 pieces",
        "recipe.yaml": ": recipe 'tiny'",
        "recipes": "recipe",
        "ledger": "folder",
    }
    for name, says in expected.items():
        assert says in told(looked / name, limit=1), name
    assert "document" in told(looked / "mix" / "00000.parquet", row=0)


def test_a_long_first_document_is_still_one(tmp_path: Path) -> None:
    import zstandard

    record = {"id": "books/a.txt", "text": 'say "x" {[ \\ ' * 20_000, "metadata": {"domain": "books"}}
    path = tmp_path / "00000.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(json.dumps(record).encode() + b"\n"))
    assert ": documents, " in told(path)
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"path": "a.py", "repo_name": "r", "content": "x\n" * 50_000}) + "\n"
    )
    assert "a dump of github" in told(tmp_path / "rows.jsonl")


def test_models_cards_and_definitions(tmp_path: Path) -> None:
    starter = ROOT / "stages" / "steps" / "starter"
    text = told(starter / "references.ftz")
    assert "fastText model" in text
    assert "__label__wiki" in text
    assert "card of a model" in told(starter / "language.card.json")
    (tmp_path / "en.templates").write_bytes((3).to_bytes(8, "little"))
    assert "definitions of templates, 3" in told(tmp_path / "en.templates")
    (tmp_path / "m.arpa").write_text("\\data\\\nngram 1=5\nngram 2=7\n\n\\1-grams:\n")
    assert "ngram 2=7" in told(tmp_path / "m.arpa")


def test_a_checkpoint_is_told_by_its_record_and_its_pickle_is_not_opened(tmp_path: Path) -> None:
    folder = tmp_path / "rows-000000000064"
    folder.mkdir()
    (folder / ".metadata").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    record = {
        "step": 8, "rows": 64, "fingerprint": "f" * 64, "seed": 1, "tokenizer_sha256": "a" * 64,
        "model": {"dim": 32}, "files": {".metadata": {"bytes": 31, "sha256": "b" * 64}},
        "totals": {"tokens": {"books": 1536}},
    }  # fmt: skip
    (folder / "record.json").write_text(json.dumps(record))
    text = told(folder)
    assert "checkpoint after 8 steps and 64 rows" in text
    assert "books 1,536" in text
    assert not Path("hacked").exists()
