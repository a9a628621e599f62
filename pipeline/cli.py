"""The command line: the verbs, and how errors become exit codes. Imports nothing heavy.

Exit codes: 0 done, 1 the run failed, 2 the request was wrong. A traceback is shown only with ``--debug``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from llama_data.pipeline.commands.browse import browse
from llama_data.pipeline.commands.download import download
from llama_data.pipeline.commands.examples import EXAMPLES
from llama_data.pipeline.commands.export import export
from llama_data.pipeline.commands.inspect import inspect
from llama_data.pipeline.commands.mix import mix
from llama_data.pipeline.commands.models import app as models_app
from llama_data.pipeline.commands.plan import plan
from llama_data.pipeline.commands.quickstart import quickstart
from llama_data.pipeline.commands.recipes import app as recipes_app
from llama_data.pipeline.commands.report import diff, report
from llama_data.pipeline.commands.run import run
from llama_data.pipeline.commands.status import logs, status
from llama_data.pipeline.commands.tokenize import tokenize
from llama_data.pipeline.commands.train_tokenizer import train_tokenizer
from llama_data.pipeline.commands.typed import Verb
from llama_data.pipeline.commands.verify import verify
from llama_data.pipeline.commands.why import why
from llama_data.pipeline.core.errors import run_command_line
from llama_data.pipeline.core.examples import show_examples
from llama_data.pipeline.core.stopping import stop_on_signals
from llama_data.pipeline.core.version import VERSION

app = typer.Typer(
    name="llama-data",
    help="Rebuild LLaMA's pretraining data from public raw dumps and hand it to a trainer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"llama-data {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


app.command()(quickstart)
app.command()(download)
app.command()(plan)
app.command(cls=Verb)(run)
app.command()(status)
app.command()(logs)
app.add_typer(models_app, name="models")
app.add_typer(recipes_app, name="recipes")
app.command("train-tokenizer", cls=Verb)(train_tokenizer)
app.command(cls=Verb)(tokenize)
app.command(cls=Verb)(mix)
app.command()(report)
app.command()(diff)
app.command()(why)
app.command()(inspect)
app.command()(browse)
app.command()(verify)
app.command()(export)
show_examples(app, EXAMPLES)


def main() -> None:
    """Entry point of ``llama-data``."""
    stop_on_signals()
    run_command_line(lambda words: app(words, prog_name="llama-data", standalone_mode=False), "llama-data")


if __name__ == "__main__":
    main()
