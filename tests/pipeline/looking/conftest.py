"""One run to look into: rows of a source of one's own, hostile ones among them, and a small dump of Wikipedia."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from llama_data.pipeline.commands.run import run_stages
from llama_data.pipeline.core.job import RunContext
from llama_data.pipeline.history import write_recipe
from llama_data.pipeline.recipe import Recipe, load_recipe
from llama_data.tokenizer.train import train_model
from llama_data.train_handoff.mix.jobs import mix_jobs
from llama_data.train_handoff.mix.plan import plan_mix
from llama_data.train_handoff.pack import PackSettings, tokenize_jobs

GROUP = 7
MINIMUM, MAXIMUM = 60, 400
HOSTILE = "<img src=x onerror=window.hacked=1>"
HOSTILE_URL = "javascript:window.hacked=1"
WIKITEXT = (
    "'''Lists''' are [[order|orderly]] things.<ref>A book</ref>\n\n{{Infobox}}\n\nThey have ''items'', one a line."
)


def rows() -> list[dict[str, str]]:
    """Texts of exact lengths at, just under and just over both limits, copies, and hostile ones."""
    dice = random.Random(4)
    words = [f"w{dice.randrange(10**6):06d}" for _ in range(300)]

    def text(length: int) -> str:
        made = " ".join(dice.choices(words, k=length // 8 + 2))[: length - 1]
        return made + "."

    lengths = [MINIMUM - 1, MINIMUM, MINIMUM + 1, MAXIMUM - 1, MAXIMUM, MAXIMUM + 1]
    made = [{"text": text(length), "link": f"https://n.example/{n}"} for n, length in enumerate(lengths)]
    made += [{"text": text(dice.randrange(20, 600)), "link": f"https://n.example/page/{n}"} for n in range(80)]
    made.append({"text": made[1]["text"], "link": "https://n.example/copy"})
    passage = 'said "so"\tand\n\\left; naïve \u202e text </script><script>window.hacked=1</script> '
    made.append({"text": passage + HOSTILE + text(100), "link": HOSTILE_URL, "name": HOSTILE})
    made.append({"text": f"\x1b]0;title\x07{text(100)}", "link": "https://n.example/\x1b[2J", "name": "\x1b[31mred"})
    return made


def page(number: int, title: str, text: str) -> str:
    body = text.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f"<page><title>{title}</title><ns>0</ns><id>{number}</id>"
        f"<revision><id>1</id><model>wikitext</model><text>{body}</text></revision></page>"
    )


def recipe_of(folder: Path) -> Recipe:
    news = {
        "inputs": ["news/*.jsonl"],
        "max_task_bytes": 6000,
        "fields": {"url": "link", "title": "name"},
        "steps": [{"length": {"min_characters": MINIMUM, "max_characters": MAXIMUM}}, "exact_dup"],
    }
    given: dict[str, Any] = {
        "input": str(folder / "dumps"),
        "output": str(folder / "RUN"),
        "executor.workers": 1,
        "rejected_sample": 1.0,
        "domains": {"wikipedia": {"template_definitions": None}},
        "sources": {"news": news},
        "mix": {"weights": {"news": 0.5, "wikipedia": 0.5}},
    }
    (folder / "base.yaml").write_text("name: tiny\n")
    return load_recipe(str(folder / "base.yaml"), given)


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, its ledgers in small row groups, with tokens and a mix; its input lies beside it in dumps/."""
    folder = tmp_path_factory.mktemp("looked")
    made = rows()
    for number in range(4):
        path = folder / "dumps" / "news" / f"{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in made[number::4]))
    dump = folder / "dumps" / "enwiki-20260101-pages-articles.xml"
    pages = [page(n, f"List {n}", WIKITEXT + f"\n\nNumber {n} of all." * n) for n in range(1, 6)]
    pages.append(page(9, "Gone", "#REDIRECT [[List 1]]"))
    dump.write_text(f"<mediawiki>{''.join(pages)}</mediawiki>")
    recipe = recipe_of(folder)
    write_recipe(recipe, "run")
    run_stages(recipe, ["wikipedia", "news"])
    run = folder / "RUN"
    for path in run.glob("ledger/*/*.parquet"):
        pq.write_table(pq.read_table(path), path, row_group_size=GROUP)
    _tokens(run)
    return run


def _tokens(run: Path) -> None:
    context = RunContext(input="", output=str(run), seed=1)
    (run / "tokenizer").mkdir()
    model = run / "tokenizer" / "tokenizer.model"
    lines = [row["text"].encode() for row in rows()] + [WIKITEXT.encode()] * 5
    model.write_bytes(train_model(lines, vocab_size=400, input_sentence_size=10_000))
    jobs = []
    for domain in ("news", "wikipedia"):
        jobs += tokenize_jobs(domain, context, tokenizer=str(model), settings=PackSettings(seq_len=32, validation=None))
    for job in jobs:
        _work(job)
    plan = plan_mix(
        str(run / "tokens"), weights={"news": 0.5, "wikipedia": 0.5}, present=["news", "wikipedia"],
        tokens=32 * 40, seed=3, rows_per_shard=64, max_epochs=None,
    )  # fmt: skip
    for job in mix_jobs(plan, tokens_folder=str(run / "tokens"), output=str(run / "mix")):
        _work(job)


def _work(job: Any) -> None:
    for rank in range(job.tasks):
        for step in job.steps:
            list(step.run(None, rank, job.tasks))


@pytest.fixture(scope="session")
def ledger(looked: Path) -> list[dict[str, Any]]:
    """Every row of the run's ledger, read whole and in order, with the place of each."""
    found = []
    for domain in ("wikipedia", "news"):
        for path in sorted((looked / "ledger" / domain).glob("*.parquet")):
            for number, row in enumerate(pq.read_table(path).to_pylist()):
                found.append({**row, "_place": (domain, path.stem, number)})
    return found


@pytest.fixture(scope="session")
def texts(looked: Path) -> dict[str, str]:
    """Every text of the run by its id, decompressed by another program's library."""
    import zstandard

    found = {}
    for path in [*looked.glob("documents/*/*.jsonl.zst"), *looked.glob("rejected/*/*.jsonl.zst")]:
        with open(path, "rb") as stream:
            data = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True).read()
        for line in data.decode().split("\n"):
            if line:
                record = json.loads(line)
                found[record["id"]] = record["text"]
    return found
