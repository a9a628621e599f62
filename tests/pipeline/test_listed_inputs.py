"""A run on a list of files, over a web server that fails, is the run on the same files in a folder."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner
from web_server import Faults, Web

from llama_data.pipeline import jobs, plan
from llama_data.pipeline.cli import app
from llama_data.pipeline.core.errors import RecipeError
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.pipeline.samples.build import build_samples

CRAWL = "crawl-data/CC-MAIN-2020-05"


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small crawl and its list."""
    samples = tmp_path_factory.mktemp("samples")
    build_samples(samples)
    [data] = [path.read_bytes() for path in samples.rglob("*.wet.gz")][:1]
    root = tmp_path_factory.mktemp("mirror")
    names = [f"{CRAWL}/segments/1/wet/{n}.warc.wet.gz" for n in range(6)]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / CRAWL / "wet.paths.gz").write_bytes(gzip.compress("\n".join(names).encode()))
    return root


def recipe(root: str, output: Path, **more: object) -> Recipe:
    steps = {"language_model": None, "perplexity_models": None, "reference_model": None}
    settings = {"root": root, **steps, **more}
    return load_recipe("llama", {"domains": {"commoncrawl": settings}, "output": str(output)})


def documents(output: Path) -> list[str]:
    found = [path for path in (output / "documents").rglob("*.jsonl.zst")]
    return [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in sorted(found)]


def test_a_list_a_folder_and_a_download_give_the_same_documents(
    web: Web, mirrored: Path, tmp_path: Path, run_jobs: Callable[..., None]
) -> None:
    web.files = {f"/{path.relative_to(mirrored)}": path.read_bytes() for path in mirrored.rglob("*.gz")}
    web.faults = Faults(busy=0.15, reset=0.1, truncate=0.2)
    address = f"{web.url}{CRAWL}/wet.paths.gz"
    for share in (None, 0.5):
        made = [
            recipe(str(mirrored), tmp_path / f"folder{share}", share=share, inputs=("**/*.wet.gz",)),
            recipe(str(mirrored / CRAWL / "wet.paths.gz"), tmp_path / f"list{share}", share=share),
            recipe(address, tmp_path / f"web{share}", share=share),
        ]
        for one in made:
            run_jobs(jobs.stage_jobs(one, "commoncrawl"))
        first, *others = [documents(Path(one.output or "")) for one in made]
        assert first
        assert all(other == first for other in others)
        assert len(jobs.input_splits(jobs.stage_jobs(made[2], "commoncrawl"))) == (6 if share is None else 3)


def test_plan_counts_the_share_and_writes_nothing(mirrored: Path, tmp_path: Path) -> None:
    at = str(mirrored / CRAWL / "wet.paths.gz")
    made = plan.make_plan(recipe(at, tmp_path, share="50%"))
    size = (mirrored / CRAWL / "segments/1/wet/0.warc.wet.gz").stat().st_size
    assert [(one.files, one.bytes_in) for one in made.domains] == [(3, 3 * size)]


def test_flags_of_run_reach_the_stages_that_are_run(mirrored: Path, tmp_path: Path) -> None:
    words = ["run", "c4", "--input", str(mirrored / CRAWL / "wet.paths.gz"), "--output", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*words, "--share", "0%"])
    assert isinstance(done.exception, RecipeError)
    assert "share" in str(done.exception)
    done = CliRunner().invoke(app, [*words, "--share", "50%", "--base", str(tmp_path / "elsewhere")])
    assert f"{tmp_path}/elsewhere/{CRAWL}/segments/1/wet/" in str(done.exception)


@pytest.mark.parametrize("value", ["0", 0, "101%", 1.5, -0.1, "much", "%"])
def test_a_share_that_is_none_is_said(value: object, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="share"):
        recipe(".", tmp_path, share=value)


def test_a_percentage_is_exact() -> None:
    assert recipe(".", Path("x"), share="1%").settings("commoncrawl").share == 0.01  # type: ignore[union-attr]
    assert recipe(".", Path("x"), share="7%").settings("commoncrawl").share == 0.07  # type: ignore[union-attr]
