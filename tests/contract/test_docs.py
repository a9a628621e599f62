"""The documents say what the code does."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_recipes_page_is_what_the_settings_say(settings_page: Any) -> None:
    assert (ROOT / "docs" / "recipes.md").read_text() == settings_page.page(), "run: python docs/settings.py"


def _prose(page: Path) -> str:
    """A page without its blocks of code and code in lines, where a bracket is no link and ``#`` no heading."""
    text = re.sub(r"^(```+).*?^\1$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^ {4,}[^-\s|].*$", "", text, flags=re.MULTILINE)


def _anchors(page: Path) -> set[str]:
    """What a link may name on a page: only headings for which GitHub and MkDocs make the same anchor."""
    found = []
    for heading in re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE):
        title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        github = re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")
        if github.isascii() and "--" not in github:
            found.append(github)
    return {anchor for anchor in found if found.count(anchor) == 1}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_the_documents_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)", _prose(page)):
        leads = (page.parent / target).resolve() if target else page
        assert leads.exists(), f"{page.name}: {target}"
        if page.is_relative_to(ROOT / "docs"):
            assert leads.is_relative_to(ROOT / "docs"), f"{page.name}: {target} is not on the site"
        assert not anchor or anchor in _anchors(leads), f"{page.name}: {target} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_are_whole(page: Path) -> None:
    """A row behind an empty line, or with a bar too many, is shown as text or cut short."""
    for table in re.findall(r"^\|.*(?:\n\|.*)*", _prose(page), re.MULTILINE):
        head, *rows = table.splitlines()
        assert re.fullmatch(r"\|[-:| ]+\|", rows[0] if rows else ""), f"{page.name}: no table: {head}"
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in (head, *rows)]
        assert set(bars) == {bars[0]}, f"{page.name}: {head}"


def test_the_folders_of_the_house_are_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rooms = "pipeline|stages|tokenizer|train_handoff|tests|benchmarks|docs|configs"
    found = {name for name in re.findall(rf"\b((?:{rooms})(?:/[a-z_]+)*)/(?=[\s;`])", page)}
    assert {"pipeline", "pipeline/core", "stages/steps", "train_handoff", "tokenizer"} <= found
    for folder in found:
        assert (ROOT / folder).is_dir(), folder


def test_the_page_on_own_data_names_every_step_layout_and_format() -> None:
    from typing import get_args

    from llama_data.stages.custom.fields import Format
    from llama_data.stages.custom.layouts import LAYOUTS
    from llama_data.stages.steps.catalogue import STEPS

    page = (ROOT / "docs" / "own-data.md").read_text()
    missing = [name for name in (*STEPS, *LAYOUTS, *get_args(Format)) if f"`{name}`" not in page and name != "auto"]
    assert missing == []


def test_the_names_that_the_pages_import_are_public() -> None:
    import llama_data

    lines = [line for page in PAGES for line in re.findall(r"from llama_data import ([\w, ]+)", page.read_text())]
    names = {name.strip() for line in lines for name in line.split(",")}
    assert {"Language", "Rule", "Shard", "Mixture"} <= names
    assert names <= set(llama_data.__all__)


def _commands(page: Path) -> list[list[str]]:
    """Arguments of the `llama-train` commands that stand indented on a page, without those that leave something out."""
    lines = re.findall(r"^ {4,}llama-train (.*?)(?: {2,}#.*)?$", page.read_text(), re.MULTILINE)
    return [shlex.split(re.split(r" [<>|] ", line)[0]) for line in lines if "..." not in line]


@pytest.mark.parametrize("name", ["gpu.md", "training.md"])
def test_the_trainer_takes_the_commands_of_the_page(name: str) -> None:
    from llama_data.train_handoff.trainer.cli import app

    command: Any = get_command(app)
    found = _commands(ROOT / "docs" / name)
    assert len(found) >= 4
    for verb, *arguments in found:
        with command.commands[verb].make_context(verb, arguments) as context:
            assert context.params


def test_what_the_page_on_cards_runs_dry_runs() -> None:
    from llama_data.train_handoff.trainer.cli import app

    dry = [arguments for arguments in _commands(ROOT / "docs" / "gpu.md") if "--dry-run" in arguments]
    assert dry
    for arguments in dry:
        done = CliRunner().invoke(app, arguments)
        assert done.exception is None, done.exception
        assert "fits a device of 80.0 GB" in done.output
