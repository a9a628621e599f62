"""``llama-data quickstart``: the whole way once, on sample dumps that the package brings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from llama_data.pipeline.commands import options

UNFINISHED = "unfinished"  # a file of the folder until all is done; while it is there, the same command goes on
STEPS = 60
PROCESSES = 2


def quickstart(
    folder: Annotated[Path, typer.Argument(help="Folder to make; dumps/ and run/ go there.")] = Path("quickstart"),
    workers: options.Workers = None,
    train: Annotated[bool, typer.Option(help="Train the tiny model at the end (needs the extra `train`).")] = True,
) -> None:
    """Sample dumps of all seven domains → documents → tokenizer → shards → mix → a tiny model → report."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.lock import Lock

    if folder.exists() and any(folder.iterdir()) and not (folder / UNFINISHED).exists():
        raise RequestError(f"{folder}: the folder is not empty; name a new one")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    with Lock(folder / "quickstart.lock", "a quickstart is at work there"):
        _walk(folder, workers, train)
    (folder / UNFINISHED).unlink()


def _walk(folder: Path, workers: int | None, train: bool) -> None:
    from llama_data.pipeline.commands import mix, report, run, tokenize, train_tokenizer
    from llama_data.pipeline.recipe import load_recipe

    started = time.monotonic()
    dumps, output = folder / "dumps", folder / "run"
    _say(started, f"writing sample dumps of all seven domains to {dumps}")
    _build(dumps)
    changes = options.overrides(input=str(dumps), output=str(output), workers=workers)
    recipe = load_recipe("quickstart", changes)
    _say(started, "raw dumps → documents")
    run.run_stages(recipe, recipe.chosen())
    _say(started, "documents → tokenizer")
    train_tokenizer.train(recipe)
    _say(started, "documents → token shards")
    tokenize.tokenize_domains(recipe, recipe.documents())
    _say(started, "token shards → mix")
    shards = mix.shards_of(recipe)
    plan = mix.plan_recipe(recipe, shards)
    typer.echo(plan.table())
    mix.write(recipe, plan, shards)
    if train:
        _say(started, f"mix → a tiny model, {STEPS} steps on {PROCESSES} processes")
        _train(output)
    page = report.write_report(str(output))
    _say(started, "done")
    _where(folder, page, train)


def _build(dumps: Path) -> None:
    """Write the sample dumps, whole or not at all: written again they would be other inputs, by their times."""
    import shutil

    from llama_data.pipeline.samples import build_samples

    if dumps.exists():
        return
    partial = dumps.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    build_samples(partial)
    partial.rename(dumps)


def _say(started: float, what: str) -> None:
    typer.echo(f"[{time.monotonic() - started:5.1f} s] {what}")


def _train(output: Path) -> None:
    from llama_data.train_handoff.trainer.config import load_config
    from llama_data.train_handoff.trainer.launch import Cluster, launch

    changes = {"data": str(output / "mix"), "output": str(output / "train"), "steps": STEPS, "log_every": 10}
    launch(load_config("tiny", {**changes, "batch_tokens": 4096}), Cluster(nproc=PROCESSES))


def _where(folder: Path, page: str, train: bool) -> None:
    import json

    run = folder / "run"
    if train:
        lines = [json.loads(line) for line in (run / "train" / "metrics.jsonl").read_text().splitlines()]
        typer.echo(f"loss fell from {lines[0]['loss']:.2f} to {lines[-1]['loss']:.2f} in {len(lines)} steps")
    for what, where in (
        ("the whole run on one page", page),
        ("cleaned documents", f"{run}/documents"),
        ("what happened to a record", f"llama-data why {run} wikipedia"),
        ("training rows", f"{run}/mix"),
        ("the recipe, to start your own from", f"{run}/recipe.yaml"),
    ):
        typer.echo(f"  {what:<36}{where}")
