"""``llama-data models``: list, pull, train and measure the models that the stages use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_data.pipeline.commands.options import Config, Json, ModelsDir, Quiet, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llama_data.pipeline.live.display import Display

app = typer.Typer(help="List, pull, train and measure models.", no_args_is_help=True, rich_markup_mode=None)

Texts = Annotated[
    list[str],
    typer.Argument(help="Files, folders or globs: .txt, .jsonl, .wet, plain or compressed.", show_default=False),
]
Out = Annotated[str, typer.Option("--out", "-o", help="Where the model is written; its card goes beside it.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every draw.")]
Licence = Annotated[str, typer.Option("--licence", help="Licence of the training text, for the card.")]
Rate = Annotated[float, typer.Option("--lr", min=0.0, help="Learning rate.")]
Dim = Annotated[int, typer.Option("--dim", min=1, help="Size of the vectors.")]
Epochs = Annotated[int, typer.Option("--epoch", min=1, help="Passes over the examples.")]
MinCount = Annotated[int, typer.Option("--min-count", min=1, help="Words seen fewer times are left out.")]
Features = Annotated[
    int | None,
    typer.Option("--features", min=1, help="Keep that many features and quantise (.ftz) [default: no]."),
]
NOT_STATED = "not stated"


@app.command("list")
def list_models(config: Config = None, models_dir: ModelsDir = None) -> None:
    """Show starters, downloads and trained models: size, whether they are there, whether the checksum is right.

    With -c RECIPE first what that recipe needs.
    """
    from llama_data.pipeline.models.listing import needed, rows
    from llama_data.pipeline.recipe import load_recipe

    if config is not None:
        recipe = load_recipe(config, {} if models_dir is None else {"models_dir": models_dir})
        models_dir = recipe.models_dir
        for line in needed(recipe):
            typer.echo(line)
    for row in rows(models_dir):
        typer.echo(row)


@app.command()
def pull(
    names: Annotated[list[str], typer.Argument(help="Names as `models list` shows them, like lid.176.bin.")],
    models_dir: ModelsDir = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Download published models to the models folder; goes on where an interrupted download stopped."""
    from llama_data.pipeline.live.results import Result
    from llama_data.pipeline.models.pull import known
    from llama_data.pipeline.models.pull import pull as fetch

    made: list[dict[str, str | int | float]] = []
    with shown(quiet, as_json) as display:
        for download in [known(name) for name in names]:
            with display.work(download.name, "bytes") as work:
                pulled = fetch(download, models_dir, told=work.told)
            done = "fetched" if pulled.fetched else "already there"
            display.say(f"{pulled.path}: {done}, sha256 right ({pulled.checksum})")
            made.append({"model": download.name, "bytes": pulled.path.stat().st_size, "state": done})
        display.result(Result(made, display.seconds, [str(pulled.path.parent)], ["llama-data models list"]))


@app.command("train-language")
def train_language(
    folders: Annotated[list[str], typer.Argument(help="Folders of <code>.txt files, or files of fastText lines.")],
    out: Out,
    text: Annotated[list[str] | None, typer.Option("--text", help="More text of a language, as CODE=PATH.")] = None,
    web: Annotated[list[str] | None, typer.Option("--web", help="Web pages whose language is declared.")] = None,
    declared: Annotated[
        str | None,
        typer.Option("--declared", help="Lines `url <tab> language` for --web [default: the WET headers]."),
    ] = None,
    languages: Annotated[str | None, typer.Option("--languages", help="Comma-separated codes [default: all].")] = None,
    features: Features = None,
    lr: Rate = 0.8,
    dim: Dim = 16,
    epoch: Epochs = 12,
    min_count: MinCount = 3,
    seed: Seed = 1,
    licence: Licence = NOT_STATED,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a fastText model that tells languages apart, as lid.176 does."""
    from llama_data.pipeline.models.fasttext_train import FastTextSettings
    from llama_data.pipeline.models.language import LanguageSettings
    from llama_data.pipeline.models.language import train_language as train

    fasttext = FastTextSettings(lr=lr, dim=dim, epoch=epoch, min_count=min_count, minn=2, maxn=4, features=features)
    chosen = tuple(languages.split(",")) if languages else None
    settings = LanguageSettings(fasttext=fasttext, languages=chosen, seed=seed)
    extra = [_pair(each) for each in text or []]
    with shown(quiet, as_json) as display:
        with display.work(f"training {out}"):
            card = train(
                folders=folders,
                extra=extra,
                web=web or [],
                declared=declared,
                output=out,
                settings=settings,
                licence=licence,
            )
        _show(display, out, [card])


@app.command("train-perplexity")
def train_perplexity(
    texts: Texts,
    out: Out,
    cutoffs_from: Annotated[
        list[str] | None,
        typer.Option("--cutoffs-from", help="Texts whose percentiles become head, middle and tail."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Code of the language; names the files.")] = "en",
    vocab_size: Annotated[int, typer.Option("--vocab-size", min=100, help="SentencePiece pieces, at most.")] = 65_536,
    order: Annotated[int, typer.Option("--order", min=2, max=6, help="Longest n-gram.")] = 5,
    prune: Annotated[
        str,
        typer.Option("--prune", help="Counts up to which n-grams go, by order, like 0,0,1; the last goes on."),
    ] = "0",
    estimator: Annotated[
        str | None, typer.Option("--estimator", help="lmplz or own [default: lmplz when it is on PATH].")
    ] = None,
    digits: Annotated[int | None, typer.Option("--digits", min=1, help="Decimals in the ARPA file [all].")] = None,
    seed: Seed = 1,
    licence: Licence = NOT_STATED,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train SentencePiece and a 5-gram model on documents, as CCNet does, and set their cut-offs."""
    from llama_data.pipeline.core.errors import RequestError
    from llama_data.pipeline.models.perplexity import PerplexitySettings
    from llama_data.pipeline.models.perplexity import train_perplexity as train

    if estimator not in (None, "lmplz", "own"):
        raise RequestError(f"--estimator {estimator}: expected lmplz or own")
    try:
        thresholds = tuple(int(part) for part in prune.split(","))
    except ValueError:
        raise RequestError(f"--prune {prune}: expected numbers separated by commas, like 0,0,1") from None
    settings = PerplexitySettings(
        language=language,
        vocab_size=vocab_size,
        order=order,
        prune=thresholds,
        estimator=estimator,
        digits=digits,
        seed=seed,
    )
    with shown(quiet, as_json) as display:
        with display.work(f"training {out}"):
            card = train(texts, cutoffs_from or [], out, settings, licence=licence)
        _show(display, out, [card])


@app.command("train-references")
def train_references(
    positives: Annotated[list[str], typer.Option("--positives", help="Texts of pages that Wikipedia cites.")],
    negatives: Annotated[list[str], typer.Option("--negatives", help="Texts of pages at random.")],
    out: Out,
    dump: Annotated[
        str | None, typer.Option("--dump", help="Wikipedia dump: of --positives, only pages that it cites.")
    ] = None,
    min_chars: Annotated[int, typer.Option("--min-chars", min=1, help="Length floor of both sides.")] = 1000,
    max_chars: Annotated[
        int | None,
        typer.Option("--max-chars", min=1, help="Cut longer texts of both sides [default: no]."),
    ] = None,
    wikipedia_itself: Annotated[
        bool, typer.Option("--wikipedia-itself", help="Positives are Wikipedia's own articles: a stand-in.")
    ] = False,
    keep: Annotated[
        float | None,
        typer.Option("--keep", min=0.01, max=0.99, help="Calibrate: that share of pages at random scores 0.5 or more."),
    ] = None,
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.01, max=0.9, help="Share of the texts that is only measured on.")
    ] = 0.1,
    features: Features = None,
    lr: Rate = 0.1,
    dim: Dim = 100,
    epoch: Epochs = 5,
    min_count: MinCount = 1,
    seed: Seed = 1,
    licence: Licence = NOT_STATED,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train the classifier of pages like those that Wikipedia cites; print its AUC and precision on held-out pages."""
    from llama_data.pipeline.models.fasttext_train import FastTextSettings
    from llama_data.pipeline.models.references import ReferenceSettings
    from llama_data.pipeline.models.references import train_references as train

    fasttext = FastTextSettings(lr=lr, dim=dim, epoch=epoch, min_count=min_count, features=features)
    settings = ReferenceSettings(
        fasttext=fasttext,
        min_chars=min_chars,
        max_chars=max_chars,
        wikipedia_itself=wikipedia_itself,
        keep=keep,
        held_out=held_out,
        seed=seed,
    )
    with shown(quiet, as_json) as display:
        with display.work(f"training {out}"):
            card = train(
                positives=positives, negatives=negatives, dump=dump, output=out, settings=settings, licence=licence
            )
        _show(display, out, [card])


@app.command("train-quality")
def train_quality(
    positives: Annotated[str, typer.Argument(help="Texts that are wanted: a file, a folder or a glob.")],
    negatives: Annotated[str, typer.Argument(help="Texts at random, as the source has them.")],
    out: Annotated[str, typer.Option("--output", "--out", "-o", help="Where the model and its card are written.")],
    label: Annotated[str, typer.Option("--label", help="Name of the wanted side.")] = "hq",
    other: Annotated[str, typer.Option("--other", help="Name of the other side.")] = "cc",
    min_chars: Annotated[int, typer.Option("--min-chars", min=1, help="Length floor of both sides.")] = 1,
    max_chars: Annotated[
        int | None, typer.Option("--max-chars", min=1, help="Cut longer texts of both sides [default: no].")
    ] = None,
    max_each: Annotated[int, typer.Option("--max-each", min=1, help="Most texts of a side.")] = 300_000,
    equal: Annotated[bool, typer.Option("--equal/--all", help="As many texts of each side, or all.")] = True,
    held_out: Annotated[
        float, typer.Option("--held-out", min=0.01, max=0.9, help="Share of the texts that is only measured on.")
    ] = 0.1,
    word_ngrams: Annotated[int, typer.Option("--word-ngrams", min=1, max=5, help="Longest run of words.")] = 2,
    bucket: Annotated[int, typer.Option("--bucket", min=1, help="Rows that the runs of words share.")] = 2_000_000,
    features: Features = None,
    lr: Rate = 0.1,
    dim: Dim = 100,
    epoch: Epochs = 5,
    min_count: MinCount = 1,
    seed: Seed = 1,
    licence: Licence = NOT_STATED,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train a classifier for the step `quality` from two folders of text; print its AUC and cuts on held-out texts."""
    from llama_data.pipeline.models.fasttext_train import FastTextSettings
    from llama_data.pipeline.models.quality import QualitySettings
    from llama_data.pipeline.models.quality import train_quality as train

    fasttext = FastTextSettings(
        lr=lr, dim=dim, epoch=epoch, min_count=min_count, word_ngrams=word_ngrams, bucket=bucket, features=features
    )
    settings = QualitySettings(
        fasttext=fasttext,
        label=label,
        other=other,
        min_chars=min_chars,
        max_chars=max_chars,
        max_each=max_each,
        equal=equal,
        held_out=held_out,
        seed=seed,
    )
    with shown(quiet, as_json) as display:
        with display.work(f"training {out}"):
            card = train(positives=[positives], negatives=[negatives], output=out, settings=settings, licence=licence)
        _show(display, out, [card])


@app.command("train-templates")
def train_templates(
    dumps: Annotated[list[str], typer.Argument(help="Wikipedia dumps with template pages, or folders of them.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Folder for <language>.templates and the cards.")],
    licence: Licence = NOT_STATED,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Gather the definitions of templates from dumps, for dumps that have none (template_definitions: FOLDER)."""
    from llama_data.pipeline.models.templates import train_templates as train

    with shown(quiet, as_json) as display:
        with display.work(f"gathering {out}"):
            cards = list(train(dumps, out, licence=licence))
        _show(display, out, cards)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="A model: a name, or a path (a folder and --language: perplexity).")],
    data: Annotated[list[str], typer.Argument(help="fastText lines, folders of <code>.txt, or texts (perplexity).")],
    language: Annotated[str, typer.Option("--language", help="Language of a perplexity model.")] = "en",
    models_dir: ModelsDir = None,
) -> None:
    """Measure a model on your texts: accuracy for each label, or perplexity percentiles."""
    from llama_data.pipeline.models.evaluate import evaluate as measure

    for line in measure(model, data, language=language, models_dir=models_dir):
        typer.echo(line)


@app.command("pack-starter", hidden=True)
def pack_starter(
    card: Annotated[str, typer.Argument(help="The card of the trained model.")],
    name: Annotated[str, typer.Argument(help="Name of the starter, like language.")],
    folder: Annotated[str, typer.Argument(help="The package's folder of starters.")],
    prepared: Annotated[
        list[str] | None,
        typer.Option("--prepared", help="A command that made the training data, for the card."),
    ] = None,
) -> None:
    """Put a trained model into the package's folder of starters."""
    from llama_data.pipeline.models.starters import pack_starter as pack

    typer.echo(f"{folder}/{name}: {pack(card, name, folder, prepared or []):,} bytes")


def _pair(value: str) -> tuple[str, str]:
    from llama_data.pipeline.core.errors import RequestError

    code, equals, path = value.partition("=")
    if not (code and equals and path):
        raise RequestError(f"--text {value}: expected CODE=PATH, like en=books/")
    return code, path


def _show(display: Display, out: str, cards: Sequence[dict[str, Any]]) -> None:
    """What was trained, how large it is, and how good."""
    from llama_data.pipeline.live.results import Result

    made: list[dict[str, str | int | float]] = []
    notes = []
    for card in cards:
        name = str(card["name"])
        made.append({"model": name, "bytes": sum(entry["size"] for entry in card["files"])})
        measured = {**card["quality"], **card.get("calibration", {})}
        notes += [f"{name}: {what}: {value}" for what, value in measured.items()]
        notes += [
            f"{name}: a score of {cut['score']} or more: {cut['of_negatives']:.0%} of negatives, "
            f"precision {cut['precision']}, recall {cut['recall']}"
            for cut in card.get("cuts", [])
        ]
    display.result(Result(made, display.seconds, [out], notes=notes))
