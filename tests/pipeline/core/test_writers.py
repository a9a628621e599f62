"""Half-written files carry their writer's name; those of dead writers are removed, those of living ones are not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from llama_data.pipeline.core import writers
from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.core.writers import FORGOTTEN, remove_leftovers, temporary_name


def test_two_writers_of_one_file_never_share_a_name_and_each_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_write(str(path)) as first, atomic_write(str(path)) as second:
        first.write(b"first")
        second.write(b"second")
        assert len(list(tmp_path.iterdir())) == 2
    assert path.read_bytes() == b"first"  # the one that ended last
    assert list(tmp_path.iterdir()) == [path]


def test_what_dead_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / "documents" / "d"
    folder.mkdir(parents=True)
    mine = Path(temporary_name(str(folder / "a.zst")))
    dead = Path(str(mine).replace(f".{os.getpid()}.", f".{ended.pid}."))
    host = socket.gethostname().replace(".", "-")
    far, forgotten = (Path(str(mine).replace(f".{host}.", f".{name}.")) for name in ("far", "away"))
    other = [folder / "a.zst", folder / "notes.tmp", folder / "a.zst.tmp"]
    for path in (mine, dead, far, forgotten, *other):
        path.write_text("x")
    age = os.stat(far).st_mtime
    os.utime(far, (age, age - FORGOTTEN + 60))
    os.utime(forgotten, (age, age - FORGOTTEN - 60))
    assert remove_leftovers(str(tmp_path)) == 2
    assert sorted(folder.iterdir()) == sorted([mine, far, *other])


def test_names_stay_within_what_a_file_system_takes(tmp_path: Path, monkeypatch: object) -> None:
    assert len(Path(temporary_name(str(tmp_path / "x"))).name) < 80
    assert temporary_name("a") != temporary_name("a")
    assert writers.SUFFIX == ".tmp"
