"""Definitions of templates from one dump, used on another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llama_data.pipeline.commands.models import app
from llama_data.pipeline.core.errors import InputError, ModelError
from llama_data.pipeline.core.job import RunContext
from llama_data.stages.wikipedia import jobs
from llama_data.stages.wikipedia.templates.store import StoredRecords


def dump(path: Path, *pages: tuple[str, int, str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    written = "".join(
        f"<page><title>{title}</title><ns>{ns}</ns><id>{number}</id><revision><text>{text}</text></revision></page>"
        for number, (title, ns, text) in enumerate(pages, 1)
    )
    path.write_text(f"<mediawiki>{written}</mediawiki>", "utf-8")
    return path


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_definitions_of_one_dump_serve_another(tmp_path: Path) -> None:
    first = dump(
        tmp_path / "a" / "dewiki-1.xml",
        ("Vorlage:Grad", 10, "{{{1}}} Grad"),
        ("Vorlage:G", 10, "#REDIRECT [[Vorlage:Grad]]"),
    )
    second = dump(tmp_path / "b" / "dewiki-2.xml", ("Vorlage:Grad", 10, "later"), ("Vorlage:Kasten", 10, "{{Navbox}}"))
    out = tmp_path / "models"
    shown = run("train-templates", str(first), str(second.parent), "--out", str(out))
    assert "titles: 3" in shown
    card = json.loads((out / "de.templates.card.json").read_bytes())
    assert card["quality"] == {"titles": 3, "texts": 2, "redirects": 1, "known to show nothing": 1}
    assert "de.templates" in run("list", "--models-dir", str(out))
    assert sorted(path.name for path in out.iterdir()) == ["de.templates", "de.templates.card.json"]
    with StoredRecords(str(out / "de.templates")) as found:
        assert [found.get(title) for title in ("Grad", "G", "Kasten")] == ["T{{{1}}} Grad", "RGrad", "N"]


def test_a_run_takes_them(tmp_path: Path, run_jobs: Any) -> None:
    dump(tmp_path / "a" / "dewiki-1.xml", ("Vorlage:Grad", 10, "{{{1}}} Grad"))
    run("train-templates", str(tmp_path / "a"), "--out", str(tmp_path / "models"))
    dump(tmp_path / "in" / "dewiki-2.xml", ("Ort", 0, "Es hat {{Grad|3}} heute."))
    settings = jobs.Settings(template_definitions=str(tmp_path / "models"))
    context = RunContext(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    job, *_ = jobs.jobs(settings, context)
    data: Any = None
    for step in job.steps[:-1]:
        data = step.run(data, 0, 1)
    assert [doc.text for doc in data] == ["Es hat 3 Grad heute."]


def test_missing_definitions_and_dumps_without_templates_are_told(tmp_path: Path) -> None:
    path = dump(tmp_path / "in" / "dewiki-2.xml", ("Ort", 0, "Text."))
    with pytest.raises(InputError, match="no page of the Template namespace"):
        run("train-templates", str(path), "--out", str(tmp_path / "models"))
    context = RunContext(input=str(path.parent), output=str(tmp_path / "out"))
    with pytest.raises(ModelError, match=r"has none of de\.templates"):
        jobs.jobs(jobs.Settings(template_definitions=str(tmp_path / "models")), context)
