"""``llama-data recipes``: the recipes that the package brings, and one to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_data.pipeline.commands import options

app = typer.Typer(
    help="Recipes that the package brings, and one to start from.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_recipes() -> None:
    """Show the recipes that can be given by name, from any folder: `-c NAME`, `plan NAME`, `extends: NAME`."""
    from llama_data.pipeline.recipe import presets, recipe_text

    for name in presets():
        lines = recipe_text(name).splitlines()
        comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
        typer.echo(f"{name:<12} {' '.join(comments).partition('. ')[0]}")


@app.command()
def show(
    recipe: Annotated[str, typer.Argument(help="A preset's name, or a .yaml file.")],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="With what it extends, and every setting with its default.")
    ] = False,
) -> None:
    """Print a recipe as it is written, or with every setting."""
    import yaml

    from llama_data.pipeline.recipe import load_recipe, recipe_text

    if resolved:
        data = load_recipe(recipe).model_dump(mode="json")
        typer.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    else:
        typer.echo(recipe_text(recipe), nl=False)


@app.command()
def new(
    file: Annotated[
        str | None, typer.Argument(help="Where to write it [default: print it].", show_default=False)
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="A domain of LLaMA's, once for each [default: all seven].")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="A source of your own, as NAME=FOLDER, once for each.")
    ] = None,
    executor: Annotated[str, typer.Option("--executor", help="local, slurm or ray.")] = "local",
    extends: Annotated[str, typer.Option("--extends", help="The recipe that it goes out from.")] = "llama",
    input: options.Input = None,
    output: options.Output = None,
) -> None:
    """Write a recipe to start from: what you ask for, and every other setting with what it means and its default."""
    from pathlib import Path

    from llama_data.pipeline.core.domains import DOMAINS
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.new_recipe import new_recipe

    unknown = [name for name in domain or [] if name not in DOMAINS]
    if unknown:
        raise RequestError(
            f"--domain {unknown[0]}: no such domain; there are: {' '.join(DOMAINS)}; others are --source"
        )
    if executor not in ("local", "slurm", "ray"):
        raise RequestError(f"--executor {executor}: expected local, slurm or ray")
    sources = dict(_pair(each) for each in source or [])
    name = "mine" if file is None else Path(file).stem
    text = new_recipe(
        extends=extends,
        name=name,
        domains=domain or ([] if sources else DOMAINS),
        sources=sources,
        executor=executor,  # type: ignore[arg-type]
        input=input or "DUMPS",
        output=output or "RUN",
    )
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        with open(file, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise RequestError(f"{file}: there is such a file already; name another one") from None
    typer.echo(f"{file}: written; see what it would run with `llama-data plan {file}`")


def _pair(value: str) -> tuple[str, str]:
    from llama_data.pipeline.core.errors import RequestError

    name, equals, folder = value.partition("=")
    if not (name and equals and folder):
        raise RequestError(f"--source {value}: expected NAME=FOLDER, like mine=/data/mine")
    return name, folder
