"""The files beside the code that others' tools read: Dockerfile, .dockerignore, CITATION.cff, SECURITY.md."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, those that go over several lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line.strip()]


def sent() -> list[str]:
    """What .dockerignore lets into the build: it leaves out all, then names what comes back."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    return [line[1:] for line in lines if line.startswith("!")]


def test_the_image_is_made_of_files_that_are_there_and_sent() -> None:
    copied = [source for name, rest in instructions() if name == "COPY" for source in rest.split()[:-1]]
    assert sorted(copied) == sorted(sent())
    assert [name for name in copied if not (ROOT / name).exists()] == []
    # The wheel is made of these: what setuptools is told of, and what the metadata name.
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"].values()
    assert {folder.split("/")[0] for folder in folders} <= set(copied)
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "setup.cfg"} <= set(copied)


def test_what_python_and_numba_leave_is_not_sent() -> None:
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("**/")]
    for name in ("__pycache__", "a.pyc", "kernel-3.py311.nbi", "kernel-3.py311.1.nbc"):
        assert any(fnmatch.fnmatch(name, pattern.removeprefix("**/")) for pattern in patterns), name


def test_the_image_has_a_python_that_is_supported_and_a_user_who_is_not_root() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    supported = [entry.rpartition(" ")[2] for entry in PROJECT["classifiers"] if "Python :: 3." in entry]
    assert len(images) == 2
    assert {re.fullmatch(r"python:(3\.\d+)-slim", image)[1] for image in images} <= set(supported)  # type: ignore[index]
    after = [name for name, _ in instructions()]
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users == ["llama"]
    assert "RUN" not in after[after.index("USER") :]


def test_what_the_image_installs_exists() -> None:
    arguments = dict(rest.split("=", 1) for name, rest in instructions() if name == "ARG" and "=" in rest)
    assert set(arguments["EXTRAS"].split(",")) <= set(PROJECT["optional-dependencies"])
    runs = " ".join(rest for name, rest in instructions() if name == "RUN")
    for program in PROJECT["scripts"]:
        assert f"{program} --version" in runs


def test_the_image_builds_and_has_both_programs() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no docker that can build here")
    tag = "llama-data-test"
    built = subprocess.run([docker, "build", "--tag", tag, "."], cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr[-3000:]
    for program in PROJECT["scripts"]:
        done = subprocess.run(
            [docker, "run", "--rm", tag, program, "--version"], capture_output=True, text=True, check=False
        )
        assert done.stdout == f"{program} {PROJECT['version']}\n", done.stderr


# Of the format's schema, version 1.2.0: what a file must have, and what it may have of what ours has.
REQUIRED = {"cff-version", "message", "title", "authors"}
ALLOWED = REQUIRED | {"type", "abstract", "version", "license", "keywords", "references", "repository-code", "url",
                      "date-released", "identifiers", "doi", "contact", "commit", "preferred-citation"}  # fmt: skip


def test_the_citation_is_of_this_version_and_has_what_its_format_asks_for() -> None:
    cited: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert set(cited) >= REQUIRED
    assert set(cited) <= ALLOWED
    assert cited["cff-version"] == "1.2.0"
    assert str(cited["version"]) == PROJECT["version"]
    assert cited["license"] == PROJECT["license"]
    assert cited["title"] == PROJECT["name"]
    for work in [cited, *cited["references"]]:
        assert work["title"]
        assert work["authors"]
        assert all("name" in author or "family-names" in author for author in work["authors"])


def test_the_page_on_security_says_how_to_report_and_leads_somewhere() -> None:
    page = (ROOT / "SECURITY.md").read_text()
    assert "Report a vulnerability" in page
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert (ROOT / target).exists(), target
    for folder in re.findall(r"`(tests/\w+)`", page):
        assert (ROOT / folder).is_dir()
