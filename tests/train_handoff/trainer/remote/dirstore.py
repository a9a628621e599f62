"""An object store for tests: a folder behind `dirstore://`, whose files are put whole. No rename, no append.

Processes load it by its entry point (see conftest). ``faults``: called with the operation and the path, to raise what a
store raises. DIRSTORE_KILL: a process that puts a path with this text in it kills itself in the middle.
"""

from __future__ import annotations

import io
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]


class DirStore(AbstractFileSystem):
    protocol = "dirstore"
    cachable = False
    done: ClassVar[Counter[str]] = Counter()
    faults: ClassVar[list[Callable[[str, str], None]]] = []

    def _did(self, what: str, path: str) -> Path:
        for fault in self.faults:
            fault(what, path)
        self.done[what] += 1
        return Path(self._strip_protocol(path))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        folder = self._did("list", path)
        if not folder.exists():
            raise FileNotFoundError(path)
        found = [self._entry(one) for one in (folder.iterdir() if folder.is_dir() else [folder])]
        return found if detail else [one["name"] for one in found]

    def _entry(self, path: Path) -> dict[str, Any]:
        return {
            "name": str(path),
            "size": 0 if path.is_dir() else path.stat().st_size,
            "type": "directory" if path.is_dir() else "file",
        }

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        found = self._did("look", path)
        if not found.exists():
            raise FileNotFoundError(path)
        return self._entry(found)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        return self._did("get", path).read_bytes()[start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        target = self._did("put", path)
        if mode == "create" and target.exists():
            raise FileExistsError(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.environ.get("DIRSTORE_KILL", "\0") in path:
            target.write_bytes(value[: len(value) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        target.write_bytes(value)

    def put_file(self, lpath: str, rpath: str, *arguments: Any, **options: Any) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def rm_file(self, path: str) -> None:
        target = self._did("remove", path)
        target.unlink()
        if not any(target.parent.iterdir()):
            target.parent.rmdir()

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            raise NotImplementedError(mode)
        return io.BytesIO(self.cat_file(path))
