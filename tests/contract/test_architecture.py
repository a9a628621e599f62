"""The house: who may import whom, what the packages are, how large files are, how light the commands start."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("pipeline", "stages", "tokenizer", "train_handoff", "configs")
PUBLIC = ROOT / "pipeline" / "public" / "__init__.py"
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
SOURCES = ("commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange", "custom")

_GROUND = ("pipeline.core", "pipeline.kernels")
_TRAINER = (
    "train_handoff.trainer",
    "train_handoff.shards.cache",
    "train_handoff.shards.file",
    "train_handoff.mix.order",
    "train_handoff.mix.plan",
    "train_handoff.mix.trace",
    "pipeline.core.errors",
    "pipeline.core.copies",
    "pipeline.core.examples",
    "pipeline.core.extras",
    "pipeline.core.failures",
    "pipeline.core.files",
    "pipeline.core.jsonl",
    "pipeline.core.lock",
    "pipeline.core.screen",
    "pipeline.core.settings",
    "pipeline.core.store_lock",
    "pipeline.core.stores",
    "pipeline.core.version",
    "tokenizer.processor",
    "configs",
)
_STEPS = ("stages.steps", "stages.fasttext", "tokenizer", *_GROUND)

# The longest name that fits a file is its rule.
ALLOWED: dict[str, tuple[str, ...]] = {
    "pipeline.kernels": ("pipeline.kernels",),
    "pipeline.core": _GROUND,
    "pipeline.download": ("pipeline.download", "pipeline.core", "stages.wikipedia.languages"),
    "pipeline.samples": ("pipeline.samples", "pipeline.core"),
    "tokenizer": ("tokenizer", *_GROUND),
    "stages.fasttext": ("stages.fasttext", *_GROUND),
    "stages.steps": _STEPS,
    "stages.shared": ("stages.shared", *_GROUND),
    **{f"stages.{name}": (f"stages.{name}", "stages.shared", *_STEPS) for name in SOURCES},
    "train_handoff": ("train_handoff", "tokenizer.bpe.encode", "tokenizer.processor", *_GROUND),
    "train_handoff.trainer": _TRAINER,
    # The page of an ablation has the looks of the report.
    "train_handoff.trainer.ablate.page": (*_TRAINER, "pipeline.report.ablation", "pipeline.report.render"),
    "configs": (),
}
LARGE = {"torch": "train_handoff.trainer", "typer": "pipeline"}


def room(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Names imported by a file, and whether the import stands at module level."""
    found = []
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append((node.module or "", id(node) in top))
    return found


@pytest.mark.parametrize("path", FILES, ids=room)
def test_imports_run_in_one_direction(path: Path) -> None:
    name = room(path)
    fitting = [key for key in ALLOWED if name == key or name.startswith(key + ".")]
    if not fitting:
        return
    rule = max(fitting, key=len)
    for module, _ in imports(path):
        if module.startswith("llama_data."):
            inner = module.removeprefix("llama_data.")
            allowed = any(inner == a or inner.startswith(a + ".") for a in ALLOWED[rule])
            assert allowed, f"{name} may not import {module}; {rule} may import {ALLOWED[rule]}"


@pytest.mark.parametrize("path", FILES, ids=room)
def test_torch_lives_in_the_trainer_and_commands_are_light(path: Path) -> None:
    name = room(path)
    for module, top in imports(path):
        first = module.split(".")[0]
        if first == "torch":
            assert name.startswith("train_handoff.trainer"), f"{name} imports torch"
        if top and (name == "pipeline.cli" or name.startswith("pipeline.commands.")):
            light = first in ("__future__", "typing", "typer", "sys", "pathlib", "time", "llama_data", "collections")
            assert light, f"{name} imports {module} when it is loaded"


def test_every_folder_is_packaged() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    own_names = {folder: package for package, folder in setuptools["package-dir"].items()}

    def package(folder: Path) -> str:
        """Its own name, else its parent's and its name."""
        return own_names.get(folder.as_posix()) or f"{package(folder.parent)}.{folder.name}"

    folders = {path.parent.relative_to(ROOT) for path in FILES}
    assert sorted(setuptools["packages"]) == sorted(map(package, folders))


def test_the_version_is_stated_once() -> None:
    import llama_data
    from llama_data.pipeline.core.version import VERSION

    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    assert llama_data.__version__ == VERSION


def test_files_and_functions_stay_readable() -> None:
    for path in FILES:
        text = path.read_text()
        assert text.count("\n") <= 450, f"{path}: split it"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno
                assert length <= 90, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_folders_outside_the_package_name_are_refused() -> None:
    for name in (*ROOMS, "pipeline.public"):
        done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode != 0
        assert f"import llama_data.{name.split('.')[0]}" in done.stderr


def test_the_root_has_one_name() -> None:
    spec = importlib.util.spec_from_file_location("llama_data.pipeline.public", PUBLIC)
    assert spec is not None
    assert spec.loader is not None
    with pytest.raises(ImportError, match=r"import llama_data, not llama_data\.pipeline\.public"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("module", ["llama_data", "llama_data.pipeline.cli"])
def test_the_package_and_its_help_start_without_heavy_imports(module: str) -> None:
    code = f"import sys, json\nimport {module}\nprint(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    loaded = set(json.loads(subprocess.check_output([sys.executable, "-c", code])))
    assert not loaded & {"torch", "datatrove", "pyarrow", "numba", "numpy", "fasttext", "kenlm", "sentencepiece"}


def test_public_functions_say_what_they_do() -> None:
    missing = []
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):  # type: ignore[arg-type]
                missing.append(f"{room(path)}.{node.name}")  # type: ignore[attr-defined]
    assert missing == []
