"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pages
import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]


def test_the_recipes_page_is_what_the_settings_say() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "recipes.md").read_text() == module.page(), "run: python docs/settings.py"


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


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
    import re

    import llama_data

    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    lines = [line for page in pages for line in re.findall(r"from llama_data import ([\w, ]+)", page.read_text())]
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
