"""A user's own data from plan to mix: a jsonl.gz, a folder of the hub's cache, rows of The Pile split by set.

Follows docs/own-data.md; the recipe there is the one that runs here.
"""

from __future__ import annotations

import filecmp
import gzip
import json
import random
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from llama_data.pipeline.core.jsonl import read_jsonl

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(ROOT / "pipeline/samples/texts/books/on_the_keeping_of_lists.txt").read_text().split()
SETS = {"Pile-CC": "pile-web", "StackExchange": "pile-qa", "ArXiv": None}
Run = Callable[..., subprocess.CompletedProcess[str]]


def sentences(rng: random.Random, count: int = 6) -> str:
    start = [rng.randrange(len(WORDS) - 40) for _ in range(count)]
    return "\n".join(" ".join(WORDS[at : at + rng.randrange(12, 30)]).capitalize() + "." for at in start)


def recipe() -> dict[str, Any]:
    """The recipe of docs/own-data.md."""
    page = (ROOT / "docs" / "own-data.md").read_text()
    found = re.search(r"\n((?:    .*\n|\n)*    sources:\n(?:    .*\n|\n)*)", page)
    assert found is not None
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"(?m)^    ", "", found[1]))
    return loaded


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    rng = random.Random(5)
    for name, count in (("a", 60), ("b", 40)):
        rows = [
            {"body": sentences(rng), "uuid": f"{name}{n}", "link": f"https://n/{n}", "author": "x"}
            for n in range(count)
        ]
        rows[3]["body"] = rows[2]["body"]
        rows[4]["body"] = "too short"
        lines = [json.dumps(row) for row in rows]
        lines.insert(7, '{"body": "cut')
        path = folder / "data" / "news" / f"{name}.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
    hub = folder / "data" / "hub" / "datasets--org--web"
    (hub / "snapshots" / "abc" / "data").mkdir(parents=True)
    (hub / "blobs").mkdir()
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("abc")
    for number in range(2):
        table = pa.table({"text": [sentences(rng) for _ in range(30)], "id": [f"<{number}-{n}>" for n in range(30)]})
        pq.write_table(table, hub / "blobs" / f"blob{number}", row_group_size=7)
        link = hub / "snapshots" / "abc" / "data" / f"train-0000{number}.parquet"
        link.symlink_to(f"../../../blobs/blob{number}")
    rows = [{"text": sentences(rng), "meta": {"pile_set_name": name}} for name in SETS for _ in range(20)]
    packed = zstandard.ZstdCompressor().compress("\n".join(map(json.dumps, rows)).encode())
    (folder / "data" / "pile").mkdir()
    (folder / "data" / "pile" / "00.jsonl.zst").write_bytes(packed)
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe(), sort_keys=False))
    return folder


@pytest.fixture(scope="module")
def run(source: Path, told: Run) -> Run:
    return partial(told, folder=source)


@pytest.fixture(scope="module")
def made(run: Run, source: Path) -> Path:
    for verb in (["run", "all"], ["train-tokenizer"], ["tokenize"], ["mix"]):
        done = run(*verb, "-c", "mine.yaml", "--workers", "1")
        assert done.returncode == 0, done.stderr
    return source / "RUN"


def ledger(folder: Path, domain: str) -> list[dict[str, Any]]:
    return list(pq.read_table(folder / "ledger" / domain).to_pylist())


def test_the_plan_names_every_source_and_writes_nothing(run: Run, source: Path) -> None:
    before = sorted(source.rglob("*"))
    done = run("plan", "mine.yaml")
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("news", "web", "pile", "line_dedup-hashes"))
    assert sorted(source.rglob("*")) == before


def test_every_record_has_its_row(made: Path) -> None:
    news = ledger(made, "news")
    assert len(news) == 102
    reasons = {row["reason"] for row in news}
    assert {"invalid_json", "too_short"} <= reasons
    assert [row["id"] for row in news if row["reason"] == "invalid_json"] == [
        "news/news/a.jsonl.gz#8", "news/news/b.jsonl.gz#8",
    ]  # fmt: skip
    copies = [row for row in news if row["id"].startswith(("news/a2@", "news/a3@"))]
    assert {row["reason"] for row in copies} == {"all_lines_duplicated"}
    assert len(ledger(made, "web")) == 60
    for value, domain in SETS.items():
        rows = ledger(made, domain or "pile")
        assert len(rows) == 20, value
        assert {row["reason"] for row in rows} == ({None} if domain else {"row_not_chosen"})


def test_documents_carry_what_the_recipe_asked_for(made: Path) -> None:
    [path, *_] = sorted((made / "documents" / "news").glob("*.jsonl.zst"))
    first = next(iter(read_jsonl(str(path))))
    assert first["id"] == "news/a0@news/a.jsonl.gz#1"
    assert first["metadata"]["author"] == "x"
    assert first["metadata"]["url"] == "https://n/0"
    assert first["metadata"]["license"]
    assert first["metadata"]["language"] == "en"
    sizes = [len(list(read_jsonl(str(path)))) for path in sorted((made / "documents" / "news").glob("*.jsonl.zst"))]
    assert max(sizes) <= recipe()["documents_per_file"]


def test_the_mix_draws_the_sources_by_their_weights(made: Path) -> None:
    mix = json.loads((made / "mix" / "mix.json").read_text())
    assert {domain["name"]: domain["share"] for domain in mix["domains"]} == pytest.approx(recipe()["mix"]["weights"])


def test_verify_and_why_know_them(made: Path, run: Run) -> None:
    done = run("verify", "RUN", "--full")
    assert done.returncode == 0, done.stdout
    assert "news: 102 records" in done.stdout
    told = run("why", "RUN", "news/a4@")
    assert "rejected by minimum_length: too_short" in told.stdout


def test_any_number_of_workers_gives_the_same_bytes(made: Path, run: Run, source: Path) -> None:
    done = run("run", "all", "-c", "mine.yaml", "--workers", "2", "--output", "RUN2")
    assert done.returncode == 0, done.stderr
    for part in ("documents", "ledger", "rejected"):
        files = sorted(path.relative_to(made) for path in (made / part).rglob("*") if path.is_file())
        assert files == sorted(
            p.relative_to(source / "RUN2") for p in (source / "RUN2" / part).rglob("*") if p.is_file()
        )
        # A manifest says when it was written; its own hash is over the rest.
        manifests = [path for path in files if path.name == "manifest.json"]
        for path in manifests:
            one, two = (json.loads((folder / path).read_text())["sha256"] for folder in (made, source / "RUN2"))
            assert one == two, path
        files = [path for path in files if path not in manifests]
        same, different, broken = filecmp.cmpfiles(made, source / "RUN2", list(map(str, files)), shallow=False)
        assert (len(same), different, broken) == (len(files), [], [])


def test_a_source_that_is_not_there_is_named(run: Run) -> None:
    done = run("run", "newz", "-c", "mine.yaml")
    assert done.returncode == 2
    assert "newz: no such stage; expected one or more of: commoncrawl" in done.stderr
    assert "news web pile all" in done.stderr
