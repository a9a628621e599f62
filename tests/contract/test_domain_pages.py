"""The page of each domain says what the code does: its steps, reasons, settings, thresholds and recipes."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from llama_data.pipeline.core.domains import DOMAINS, TABLE_1
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.explain import defaults
from llama_data.pipeline.recipe import load_recipe
from llama_data.pipeline.registry import STAGES
from llama_data.stages.github.languages import EXTENSIONS
from llama_data.stages.steps.kernels.c4_constants import PRESETS, LineRules
from llama_data.stages.steps.perplexity import CCNET_CUTOFFS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "domains"
# Settings of every domain, which docs/recipes.md explains once.
COMMON = {"inputs", "root", "share", "base", "max_task_bytes"}
# What switches on the steps that a domain has and its defaults do not.
EVERYTHING: dict[str, dict[str, Any]] = {
    "c4": {"rebuild": True, "bad_words": "words.txt"},
    "github": {"tokenizer": "tokenizer.model", "min_letters_per_token": 1.5, "drop_vendored": True},
    "stackexchange": {"unanswered": "drop"},
    "wikipedia": {"disambiguation": False},
}
# Reasons of any domain: a broken program and what JSON cannot hold, not the source.
ANY_DOMAIN = {Reason.broken_reader, Reason.broken_step, Reason.not_writable}


def _page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text()


def _section(name: str, title: str) -> str:
    return re.split(r"^## ", _page(name).split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def _rows(text: str) -> list[list[str]]:
    """The cells of the tables in a text, without their heads."""
    rows: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith("|---"):
            rows.pop()
        elif line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def _codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def _checks(domain: str) -> list[Any]:
    """Those of the defaults, and of everything switched on, in the order of the steps."""
    settings = STAGES[domain].settings
    on = settings.model_validate(EVERYTHING.get(domain, {})).checks(None)
    steps = {check.step for check in on}
    return [*(check for check in settings().checks(None) if check.step not in steps), *on]


def _written_in(domain: str) -> set[str]:
    """Names of the reasons that the code of a domain's own folder writes."""
    folder = ROOT / "stages" / domain
    return {name for path in folder.rglob("*.py") for name in re.findall(r"\bReason\.([a-z_]\w*)", path.read_text())}


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_page_has_every_setting_with_its_default(domain: str, settings_page: ModuleType) -> None:
    expected = {
        name: settings_page._show(default)
        for name, default in defaults(STAGES[domain].settings).items()
        if name not in COMMON
    }
    rows = _rows(_section(domain, "Settings"))
    assert {_codes(row[0])[0]: row[1] for row in rows} == expected
    assert all(row[2] for row in rows)


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_page_has_the_steps_in_their_order(domain: str) -> None:
    rows = {name: row for row in _rows(_section(domain, "Step by step")) for name in _codes(row[0])}
    stage = STAGES[domain]
    assert next(iter(rows)) == stage.reader(stage.settings(), []).name
    steps = list(dict.fromkeys(check.step for check in _checks(domain)))
    assert [name for name in rows if name in steps] == steps
    for check in _checks(domain):
        assert set(check.reasons) <= set(_codes(rows[check.step][2])), check.step
        if check.bound is not None and check.setting not in EVERYTHING.get(domain, {}):
            figures = re.findall(r"\d[\d,]*\.?\d*", rows[check.step][1])
            assert check.bound in [float(figure.replace(",", "")) for figure in figures], check.step


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_page_names_every_reason_that_the_domain_can_give_and_no_other(domain: str) -> None:
    own = _written_in(domain) | {str(reason) for check in _checks(domain) for reason in check.reasons}
    named = {code for code in _codes(_section(domain, "Step by step")) if code in Reason.__members__}
    assert own <= named
    # Those of readers that two domains share, and of the steps that the domain is made of.
    modules = importlib.import_module("llama_data.stages.shared")
    shared = {
        name
        for module in pkgutil.iter_modules(modules.__path__)
        for name in re.findall(r"\bReason\.([a-z_]\w*)", (ROOT / "stages/shared" / f"{module.name}.py").read_text())
    }
    assert named <= own | shared


def test_every_reason_is_explained_somewhere() -> None:
    pages = {path.stem: path.read_text() for path in [*FOLDER.glob("*.md"), ROOT / "docs" / "own-data.md"]}
    missing = [str(reason) for reason in Reason if not any(f"`{reason}`" in text for text in pages.values())]
    assert missing == []


def test_failures_are_said_in_the_words_of_the_ledger() -> None:
    rows = _rows(_section("index", "Why a record is not kept"))
    said = {_codes(row[0])[0]: row[1] for row in rows}
    assert said == {name: Reason[name].sentence for name in said}
    assert {str(reason) for reason in ANY_DOMAIN} <= set(said)


def test_the_overview_has_table_1() -> None:
    rows = {row[0]: row for row in _rows(_page("index").split("## Change")[0])}
    assert len(rows) == len(TABLE_1)
    for (name, domain), row in zip(TABLE_1.items(), rows.values(), strict=True):
        assert f"({name}.md)" in row[0]
        assert (row[1], row[2]) == (f"{100 * domain.share:g}%", f"{domain.epochs:.2f}")


def test_the_page_on_c4_has_the_constants_of_all_rules() -> None:
    rows = _rows(_section("c4", "Step by step").split("What `rules` chooses among:")[1])
    words = {"True": "yes", "False": "no", "None": "no limit"}
    shown = {_codes(row[0])[0]: row[1:] for row in rows}
    assert shown == {
        name: [
            f"`{value}`" if name == "end_marks" else words.get(str(value), str(value))
            for value in (getattr(PRESETS[system], name) for system in ("tfds", "datatrove", "dolma"))
        ]
        for name in LineRules.model_fields
    }


def test_the_page_on_commoncrawl_has_ccnets_cut_offs() -> None:
    text = " ".join(_section("commoncrawl", "Settings").split())
    found = {code: (int(head), int(middle)) for code, head, middle in re.findall(r"\b(\w\w) (\d+) and (\d+)", text)}
    assert found == {code: tuple(map(int, cutoffs)) for code, cutoffs in CCNET_CUTOFFS.items()}


def test_the_page_on_github_has_every_extension() -> None:
    listed = _section("github", "Settings").split("The extensions:")[1]
    assert _codes(listed) == list(EXTENSIONS)


@pytest.mark.parametrize("name", ["index", *DOMAINS])
def test_the_recipes_of_the_page_are_recipes(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", _page(name), re.MULTILINE | re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert load_recipe(str(path)).domains
