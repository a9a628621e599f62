"""A store whose files are in a folder, for this process and those it starts."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

ENTRY = "[fsspec.specs]\ndirstore = dirstore:DirStore\n"


@pytest.fixture
def dirstore(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class of the store, clean; addresses are dirstore:// and an absolute path."""
    packages = tmp_path_factory.mktemp("packages")
    shutil.copy(Path(__file__).with_name("dirstore.py"), packages)
    described = packages / "dirstore-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: dirstore\nVersion: 1\n")
    (described / "entry_points.txt").write_text(ENTRY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(packages))
    sys.modules.pop("dirstore", None)
    from dirstore import DirStore  # type: ignore[import-not-found]

    fsspec.register_implementation("dirstore", DirStore, clobber=True)
    yield DirStore
    sys.modules.pop("dirstore", None)
