"""The wheel, built as a release is: from an sdist of a clean export, for a build in the tree would ship what lies in
``build/``. It holds the rooms, whole, and nothing else; and it works where the repository is not."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSTALL = "LLAMA_DATA_INSTALL_WHEEL"
BUILD_SDIST = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
WITHOUT = f"installs packages: set {INSTALL}=1, as `make wheel-test` does"
STEP = "llama_data.stages.github.rules"


def call(*command: str | Path, cwd: Path) -> str:
    """What a command prints, started without this environment's paths; its errors fail the test."""
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=plain, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def sources() -> list[str]:
    """The files of the checkout that are the project's, committed or not."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: its files cannot be told from what was built there")
    listed = call("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(sources: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, by way of its sdist."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in sources:
        target = folder / "export" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    call(sys.executable, "-c", BUILD_SDIST, cwd=folder / "export")
    (sdist,) = (folder / "export" / "dist").iterdir()
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "out")
    call(*pip, unpacked, cwd=folder)
    (built,) = (folder / "out").iterdir()
    return built


def test_the_wheel_holds_the_rooms_whole_and_nothing_else(wheel: Path, sources: list[str]) -> None:
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    packages = {PurePosixPath(folder): PurePosixPath(package.replace(".", "/")) for package, folder in folders.items()}
    expected = set()
    for name in map(PurePosixPath, sources):
        room = next((parent for parent in name.parents if parent in packages), None)
        if room is not None:
            expected.add(str(packages[room] / name.relative_to(room)))
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {"llama_data/__init__.py", "llama_data/py.typed", "llama_data/configs/llama.yaml"} <= held


def take_compiled(package: Path) -> None:
    """Give an installed package the machine code of the same sources that is here: to compile it takes a minute."""
    for source in package.rglob("*.py"):
        spec = importlib.util.find_spec(".".join(source.relative_to(package.parent).with_suffix("").parts))
        if spec is None or spec.origin is None or Path(spec.origin).read_bytes() != source.read_bytes():
            continue
        origin = Path(spec.origin)
        if compiled := list((origin.parent / "__pycache__").glob(f"{origin.stem}.*.nb[ic]")):
            (source.parent / "__pycache__").mkdir(exist_ok=True)
            for path in compiled:
                shutil.copy(path, source.parent / "__pycache__")
            shutil.copystat(origin, source)  # numba looks at the time and the size of a source


@pytest.mark.timeout(3000)
@pytest.mark.skipif(not os.environ.get(INSTALL), reason=WITHOUT)
def test_the_installed_wheel_goes_the_whole_way_where_the_repository_is_not(wheel: Path, tmp_path: Path) -> None:
    call(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    binaries = tmp_path / "fresh" / "bin"
    python = binaries / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile")
    call(*pip, "--only-binary", ":all:", "--constraint", ROOT / "constraints.txt", wheel, cwd=tmp_path)
    where, version = call(
        python, "-c", "import llama_data; print(llama_data.__file__, llama_data.__version__)", cwd=tmp_path
    ).split()
    assert Path(where).is_relative_to(tmp_path)
    take_compiled(Path(where).parent)
    assert call(binaries / "llama-data", "--version", cwd=tmp_path).split() == ["llama-data", version]

    call(binaries / "llama-data", "quickstart", "here", "--no-train", "--workers", "2", cwd=tmp_path)
    run = tmp_path / "here" / "run"
    assert (run / "report.html").stat().st_size > 10_000
    domains = {"commoncrawl", "c4", "github", "wikipedia", "books", "arxiv", "stackexchange"}
    assert {folder.name for folder in (run / "documents").iterdir()} == domains
    assert (run / "mix" / "mix.json").is_file()

    for name in ("pickle", "dill"):
        save = f"import {name}, sys; from {STEP} import ChosenLicence; {name}.dump(ChosenLicence(), sys.stdout.buffer)"
        load = f"import {name}; print(type({name}.load(open('step', 'rb'))).__module__)"
        with open(tmp_path / "step", "wb") as stream:
            subprocess.run([python, "-c", save], cwd=tmp_path, stdout=stream, check=True)
        assert call(python, "-c", load, cwd=tmp_path).strip() == STEP
    assert "launch" in call(binaries / "llama-train", "--help", cwd=tmp_path)
