"""``llama-train evaluate``. Starts without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_data.pipeline.core.errors import RequestError
from llama_data.train_handoff.trainer import options

if TYPE_CHECKING:
    from llama_data.train_handoff.trainer.measure.evaluate import Request

app = typer.Typer()

Evaluated = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A checkpoint, or the folder of a training run, or its URL; for --harness alone also an export.",
    ),
]


@app.command()
def evaluate(
    run: Evaluated,
    data: Annotated[
        str | None, typer.Option("--data", help="Folder of a mix, folder of token shards, or one .parquet shard.")
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", help="UTF-8 text, or documents as .jsonl or .parquet; repeat it for more."),
    ] = None,
    tokenizer: options.Tokenizer = None,
    rows: Annotated[str | None, typer.Option("--rows", help="A:B, rows A to B-1 of the mix or the shards.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows of each domain.")] = None,
    nproc: Annotated[int, typer.Option("--nproc", min=1, help="Processes to share the model and the rows.")] = 1,
    micro_rows: Annotated[int, typer.Option("--micro-rows", min=1, help="Rows a process holds at a time.")] = 8,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option("--dtype", help="float32, or bfloat16: faster, a little off.")] = "float32",
    document_mask: Annotated[
        bool,
        typer.Option("--document-mask", help="Keep attention inside a document, as a run with document_mask does."),
    ] = False,
    harness: Annotated[
        str | None, typer.Option("--harness", help="Tasks of lm-evaluation-harness, with commas between them.")
    ] = None,
    few_shot: Annotated[
        int | None, typer.Option("--few-shot", min=0, help="Examples before each question [default: the task's own].")
    ] = None,
    tasks_path: Annotated[
        Path | None, typer.Option("--tasks-path", help="Folder with .yaml files of tasks of your own.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file too.")] = None,
) -> None:
    """Loss (nats a token), perplexity and bits per byte on rows or texts, by domain.

    What is held out: `launch` trains on every row of its mix. Of a mix `evaluate` therefore reads the rows of the
    documents that `llama-data tokenize` held out (`tokens.validation` in the recipe), which are in no training row.
    --rows A:B takes training rows instead, and says how many of them the checkpoint was trained on: those from the
    number it had consumed on are new, unless they repeat an earlier epoch. Shards and texts are taken as they are.

    A text is read alone, BOS first, in pieces of the model's length that do not see each other. Bits per byte count
    what stands for text (not BOS and EOS), in UTF-8 bytes. The result is the same for any --nproc.

    --harness (extra `eval`) runs tasks of EleutherAI's harness, alone or beside --data or --text: on an export made for
    it, with the BOS that the model's documents had, in one process. --limit is then questions of a task too.
    """
    from llama_data.train_handoff.trainer.measure import harness as harnessing
    from llama_data.train_handoff.trainer.measure import tables
    from llama_data.train_handoff.trainer.measure.evaluate import Request
    from llama_data.train_handoff.trainer.record import find_checkpoint
    from llama_data.train_handoff.trainer.remote.copies import opened

    options.require_in(device, ("auto", "cpu", "cuda"), "--device")
    options.require_in(dtype, ("float32", "bfloat16"), "--dtype")
    if (data is not None and text) or not (data is not None or text or harness):
        raise RequestError(
            "evaluate needs --data (a mix or token shards) or --text (files), one of the two, or --harness"
        )
    if text and (rows or limit):
        raise RequestError("--rows and --limit count rows of --data; texts are read whole")
    if rows and limit:
        raise RequestError("--rows and --limit: give one of the two")
    if not harness and (few_shot is not None or tasks_path is not None):
        raise RequestError("--few-shot and --tasks-path are for --harness")
    how: dict[str, Any] = {"micro_rows": micro_rows, "device": device, "dtype": dtype}
    tasks = None
    if harness:
        names = tuple(name.strip() for name in harness.split(","))
        tasks = harnessing.Tasks(names, limit=limit, few_shot=few_shot, folder=tasks_path, **how)
        tasks.require()
    result: dict[str, Any] = {}
    folder = opened(run)
    if data is not None or text:
        request = {
            "checkpoint": str(find_checkpoint(folder)),
            "data": data,
            "texts": tuple(text or ()),
            "tokenizer": None if tokenizer is None else str(tokenizer),
            "rows": None if rows is None else options.row_range(rows, "--rows"),
            "limit": limit,
            "document_mask": document_mask,
        }
        result = _losses(Request.model_validate({**request, **how}), nproc)
        typer.echo(tables.evaluation(result))
    if tasks is not None:
        result["harness"] = tasks.run(folder, tokenizer)
        typer.echo(tables.harness(result["harness"]))
    options.write_json(json_file, result)


def _losses(request: Request, nproc: int) -> dict[str, Any]:
    """Losses by domain, found by so many processes."""
    from llama_data.train_handoff.trainer import launch as launching
    from llama_data.train_handoff.trainer.measure import evaluate as evaluating

    evaluating.open_windows(request)
    if nproc == 1:
        return evaluating.evaluate_alone(request)
    return launching.ask(launching.Cluster(nproc), launching.EVALUATE, request, "evaluation") or {}
