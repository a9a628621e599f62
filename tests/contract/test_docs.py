"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pages
import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
PAGES = pages.pages()


def test_the_recipes_page_is_what_the_settings_say(settings_page: ModuleType) -> None:
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


def test_every_command_of_the_pages_is_one_that_its_program_takes() -> None:
    found = [command for page in pages.pages() for command in pages.commands(page)]
    assert {"README.md", "docs/gpu.md", "docs/training.md"} <= {command.page for command in found}
    assert {command.words[0] for command in found} >= set(pages.PROGRAMS)
    wrong = []
    for command in found:
        try:
            pages.parse(command)
        except ValueError as error:
            wrong.append(f"{command}: {error}")
    assert wrong == []


def test_every_extra_that_a_page_installs_is_one_of_the_package() -> None:
    for page in pages.pages():
        pages.check_extras(page.read_text())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("llama-data run books --inputs DIR", "--inputs"),
        ("llama-data runs books", "runs"),
        ("$ llama-train launch --data RUN/mix --modell 7b", "--modell"),
        ("FSSPEC_S3='{}' llama-data verify RUN && llama-data status RUN --wach", "--wach"),
        ("make demos", "demos"),
        ("pip install 'llama-data[s4]'", "s4"),
        ("python tests/faults/soaks.py", "soaks.py"),
        ("llama-data models list -c", "-c"),
        ("llama-data mix --seed -1", "--seed"),
    ],
)
def test_a_wrong_command_is_found(line: str, says: str) -> None:
    found = pages.commands_in(f"Text llama-data nosuch.\n\n    {line}  # a remark\n", "page.md")
    for command in found[:-1]:
        pages.parse(command)
    with pytest.raises(ValueError, match=re.escape(says)):
        pages.parse(found[-1])


def test_commands_are_read_as_a_shell_reads_them() -> None:
    text = (
        "```bash\nllama-data run all \\\n  -c mine.yaml  # goes on\n```\n"
        "    $ llama-data status RUN --watch && llama-data report RUN > log\n"
        "    you@cluster$ llama-data browse RUN [--port 8765]\n"
        "    llama-data why RUN ID|URL 'two  words#3'\n    llama-data: an error: nothing\nllama-data in the text\n"
    )
    assert [command.text for command in pages.commands_in(text, "page.md")] == [
        "llama-data run all -c mine.yaml",
        "llama-data status RUN --watch",
        "llama-data report RUN",
        "llama-data browse RUN --port 8765",
        "llama-data why RUN ID 'two  words#3'",
    ]


def test_what_the_page_on_cards_runs_dry_runs() -> None:
    from llama_data.train_handoff.trainer.cli import app

    found = [command.words for command in pages.commands(ROOT / "docs" / "gpu.md")]
    dry = [words[1:] for words in found if "--dry-run" in words]
    assert dry
    for arguments in dry:
        done = CliRunner().invoke(app, arguments)
        assert done.exception is None, done.exception
        assert "fits a device of 80.0 GB" in done.output
