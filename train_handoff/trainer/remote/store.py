"""Whole files below an address that fsspec opens: listed, put, fetched and removed, nothing renamed or appended to.

What a store refuses for good is said at once; what may pass is tried again (``core.stores``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from llama_data.pipeline.core.copies import download
from llama_data.pipeline.core.errors import InputError, RunError
from llama_data.pipeline.core.files import file_system
from llama_data.pipeline.core.stores import StoreError, insist

_Result = TypeVar("_Result")


def say(text: str) -> None:
    """A line about the store on standard error."""
    print(f"llama-train: {text}", file=sys.stderr, flush=True)


class Store:
    """Files below ``url``, named by their paths below it.

    Raises InputError where something cannot be read, RunError where it cannot be written or removed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, path = file_system(self.url)
        self._path = path.rstrip("/")

    def address(self, name: str) -> str:
        """The address of a file, for people."""
        return f"{self.url}/{name}" if name else self.url

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}" if name else self._path

    def files(self, folder: str = "") -> dict[str, int]:
        """Sizes in bytes of all files below a folder, by their paths below it; empty when there is none."""
        base = self._at(folder)

        def find() -> dict[str, Any]:
            self._fs.invalidate_cache()
            found: dict[str, Any] = self._fs.find(base, detail=True)
            return found

        try:
            found = _asked(self.address(folder), "read", InputError, find)
        except FileNotFoundError:
            return {}
        start = f"{base}/"
        return {
            path.removeprefix(start): int(info["size"] or 0) for path, info in found.items() if path.startswith(start)
        }

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None when there is none."""
        try:
            content: bytes = _asked(self.address(name), "read", InputError, lambda: self._fs.cat_file(self._at(name)))
        except (FileNotFoundError, IsADirectoryError):
            return None
        return content

    def fetch(self, name: str, target: Path, size: int) -> None:
        """Write the ``size`` bytes of a file to ``target``."""
        with target.open("wb") as stream:
            stream.truncate(size)
        try:
            download(self.address(name), size, target)
        except (OSError, StoreError) as error:
            raise InputError(f"{self.address(name)}: cannot be read: {error}") from None

    def put(self, name: str, content: bytes) -> None:
        """Put bytes in the place of what a file had."""
        self._write(name, lambda: self._fs.pipe_file(self._at(name), content), len(content))

    def send(self, source: Path, name: str) -> None:
        """Put a file of this machine."""
        self._write(name, lambda: self._fs.put_file(str(source), self._at(name)), source.stat().st_size)

    def _write(self, name: str, action: Callable[[], object], size: int) -> None:
        def put() -> None:
            action()
            self._fs.invalidate_cache()
            arrived = int(self._fs.info(self._at(name))["size"] or 0)
            if arrived != size:
                raise OSError(f"{arrived:,} of {size:,} bytes arrived")

        try:
            _asked(self.address(name), "written", RunError, put)
        except FileNotFoundError as error:
            raise RunError(f"{self.address(name)}: cannot be written: {error}") from None

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        try:
            _asked(self.address(name), "removed", RunError, lambda: self._fs.rm_file(self._at(name)))
        except FileNotFoundError:
            return


def _asked(address: str, what: str, kind: type[InputError | RunError], action: Callable[[], _Result]) -> _Result:
    """The action's result, however often the store fails. Raises ``kind``, or FileNotFoundError as it is."""
    try:
        return insist(address, action)
    except (FileNotFoundError, IsADirectoryError):
        raise
    except (OSError, StoreError, NotImplementedError) as error:
        raise kind(f"{address}: cannot be {what}: {error or type(error).__name__}") from None
