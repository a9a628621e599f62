"""The lock of a folder in an object store: an object that is put only where none is.

The store itself decides who was first, where it has conditional puts (S3, Google's and Azure's have; fsspec's memory
too). Where it has none, the object is put when it is not there, and read again after a pause: of two that came at the
same moment the later one wins and the other finds it out, then or at its next beat. The owner puts its object anew at
every beat, with the time in it; one that has not done so for ``STALE`` seconds is dead, or on this host when its
process is gone.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from types import TracebackType
from typing import Any, Self

from llama_data.pipeline.core import lock as locking
from llama_data.pipeline.core.errors import RequestError
from llama_data.pipeline.core.files import file_system
from llama_data.pipeline.core.stores import StoreError

SETTLE = 2.0  # seconds after which a put without a condition is read again


class StoreLock:
    """Holds ``url`` while it is entered. Raises RequestError when somebody who is alive holds it."""

    def __init__(self, url: str, what: str) -> None:
        self.url = url
        self.what = what
        self.owner = locking.new_owner()
        self._fs, self._path = file_system(url)
        self._done = threading.Event()
        self.lost = False

    def __enter__(self) -> Self:
        for _ in range(2):
            if self._create():
                threading.Thread(target=self._beat, name="lock", daemon=True).start()
                return self
            owner = self.read()
            if owner is not None and is_alive(owner):
                raise RequestError(locking.sentence(self.url, self.what, owner))
            self._remove()
        raise RequestError(f"{self.url}: another process is taking this lock; try again in a moment")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        with contextlib.suppress(OSError, StoreError):  # a lock that stays grows old; the work is done all the same
            if self._is_mine():
                self._remove()

    def read(self) -> dict[str, Any] | None:
        """Who holds the lock; None: nobody, or what stands there is no lock.

        Raises OSError or StoreError when the store does not answer, which says nothing about the lock.
        """
        try:
            self._fs.invalidate_cache()
            found = json.loads(self._fs.cat_file(self._path))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _content(self) -> bytes:
        return json.dumps({**self.owner, "beat": time.time()}).encode()

    def _create(self) -> bool:
        try:
            self._fs.pipe_file(self._path, self._content(), mode="create")
        except FileExistsError:
            return False
        except OSError as error:  # what a store says to a put whose condition does not hold
            if "PreconditionFailed" in str(error) or "412" in str(error):
                return False
            raise
        except (TypeError, NotImplementedError):
            return self._create_and_look_again()
        return self._is_mine()  # who does not know the mode puts it in any case

    def _create_and_look_again(self) -> bool:
        if self._fs.exists(self._path):
            return False
        self._fs.pipe_file(self._path, self._content())
        time.sleep(SETTLE)
        return self._is_mine()

    def _is_mine(self) -> bool:
        owner = self.read()
        return owner is not None and bool(owner.get("token") == self.owner["token"])

    def _remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path)

    def _beat(self) -> None:
        while not self._done.wait(locking.BEAT):
            try:
                self.lost = not self._is_mine()
                if self.lost:
                    return
                self._fs.pipe_file(self._path, self._content())
            except (OSError, StoreError):
                continue  # the store does not answer; the next beat tries again


def is_alive(owner: dict[str, Any]) -> bool:
    """Whether the owner of an object is still at work, as far as can be told from here."""
    here = locking.is_alive_here(owner)
    if here is not None:
        return here
    return time.time() - float(owner.get("beat", 0.0)) < locking.STALE
