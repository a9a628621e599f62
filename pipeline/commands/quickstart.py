"""``llama-data quickstart``: the whole way once, on sample dumps that the package brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_data.pipeline.commands import options

if TYPE_CHECKING:
    from llama_data.pipeline.live.display import Display

UNFINISHED = "unfinished"  # a file of the folder until all is done; while it is there, the same command goes on
STEPS = 60
PROCESSES = 2


def quickstart(
    folder: Annotated[Path, typer.Argument(help="Folder to make; dumps/ and run/ go there.")] = Path("quickstart"),
    workers: options.Workers = None,
    train: Annotated[bool, typer.Option(help="Train the tiny model at the end (needs the extra `train`).")] = True,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Sample dumps of all seven domains → documents → tokenizer → shards → mix → a tiny model → report."""
    import shlex

    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.core.extras import require
    from llama_data.pipeline.core.lock import Lock

    if folder.exists() and not (folder / UNFINISHED).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder}: there is something already; name a new folder")
    if train:
        require("torch", "quickstart trains a tiny model at its end (or leave that out with --no-train), which")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    again = f"llama-data quickstart {shlex.quote(str(folder))}{'' if train else ' --no-train'}"
    with (
        options.shown(quiet, as_json, again) as shown,
        Lock(folder / "quickstart.lock", "a quickstart is at work there"),
    ):
        _all_steps(shown, folder, options.overrides(workers=workers), train)
    (folder / UNFINISHED).unlink()


def _all_steps(shown: Display, folder: Path, changes: dict[str, Any], train: bool) -> None:
    from llama_data.pipeline.commands import mix, report, run, tokenize, train_tokenizer
    from llama_data.pipeline.live.results import Result
    from llama_data.pipeline.recipe import load_recipe

    shown.goes_on = True
    dumps, output = folder / "dumps", folder / "run"
    _say(shown, f"writing sample dumps of all seven domains to {dumps}")
    _build(dumps)
    recipe = load_recipe("quickstart", {"input": str(dumps), "output": str(output), **changes})
    _say(shown, "raw dumps → documents")
    run.run_stages(recipe, recipe.chosen())
    _say(shown, "documents → tokenizer")
    train_tokenizer.train(recipe)
    _say(shown, "documents → token shards")
    tokenize.tokenize_domains(recipe, recipe.documents())
    _say(shown, "token shards → mix")
    shards = mix.shards_of(recipe)
    plan = mix.plan_recipe(recipe, shards)
    shown.say(plan.table())
    mix.write(recipe, plan, shards)
    if train:
        _say(shown, f"mix → a tiny model, {STEPS} steps on {PROCESSES} processes")
        with shown.set_aside():
            _train(output)
    page = report.write_report(str(output))
    _say(shown, "done")
    shown.goes_on = False
    shown.result(Result([], shown.seconds, [str(folder)], _then(output, train), _where(output, page, train)))


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


def _say(shown: Display, what: str) -> None:
    shown.say(f"[{shown.seconds:5.1f} s] {what}")


def _train(output: Path) -> None:
    from llama_data.train_handoff.trainer.config import load_config
    from llama_data.train_handoff.trainer.launch import Cluster, launch

    changes = {"data": str(output / "mix"), "output": str(output / "train"), "steps": STEPS, "log_every": 10}
    launch(load_config("tiny", {**changes, "batch_tokens": 4096}), Cluster(nproc=PROCESSES))


def _then(output: Path, train: bool) -> list[str]:
    """What to look at next."""
    import shlex

    run = shlex.quote(str(output))
    told = [f"llama-data why {run} wikipedia", f"llama-data inspect {run}/mix/00000.parquet"]
    if not train:
        told.append(f"llama-train launch --model tiny --data {run}/mix")
    return told


def _where(output: Path, page: str, train: bool) -> list[str]:
    """What is where."""
    import json

    told = []
    if train:
        lines = [json.loads(line) for line in (output / "train" / "metrics.jsonl").read_text().splitlines()]
        told.append(f"loss fell from {lines[0]['loss']:.2f} to {lines[-1]['loss']:.2f} in {len(lines)} steps")
    for what, where in (
        ("the whole run on one page", page),
        ("cleaned documents", f"{output}/documents"),
        ("training rows", f"{output}/mix"),
        ("the recipe, to start your own from", f"{output}/recipe.yaml"),
    ):
        told.append(f"  {what:<36}{where}")
    return told
