"""A lock of a folder: one run at a time, whose owner is named, and which a dead owner does not keep.

The lock is a file that is created only where none is (which every shared file system does in one step), with the
owner's host, process and time. An owner on this host is dead when its process is gone; one on another host when it has
not touched the file for ``STALE`` seconds, which it does every ``BEAT``.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from llama_data.pipeline.core.errors import RequestError

BEAT = 20.0  # seconds
STALE = 180.0  # seconds; clocks of two hosts may differ by less
UNFINISHED = 10.0  # seconds after which a file without content is nobody's who is still writing it
PAUSE = 0.05  # seconds


class Lock:
    """Holds ``path`` while it is entered. Raises RequestError when somebody who is alive holds it."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what
        self.owner = new_owner()
        self.lost = False  # another has taken it, as when this process was held up for longer than ``STALE``
        self._done = threading.Event()

    def __enter__(self) -> Self:
        while not self._create(self.path):
            owner = read_owner(self.path)
            if owner is not None and is_alive(owner, self.path):
                raise RequestError(sentence(str(self.path), self.what, owner))
            self._remove_dead()
        threading.Thread(target=self._beat, name="lock", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if (read_owner(self.path) or {}).get("token") == self.owner["token"]:
            self.path.unlink(missing_ok=True)

    def _create(self, path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{path.name}.{self.owner['token']}")
        try:
            own.write_text(json.dumps(self.owner))
            return _appear(own, path)
        finally:
            own.unlink(missing_ok=True)

    def _remove_dead(self) -> None:
        """Take a dead owner's file away. Only who holds a second file may: else one could take away a new owner's."""
        guard = self.path.with_name(f"{self.path.name}.takeover")
        if not self._create(guard):
            if _age(guard) > UNFINISHED:
                guard.unlink(missing_ok=True)
            time.sleep(PAUSE)
            return
        try:
            owner = read_owner(self.path)
            unfinished = owner is None and _age(self.path) < UNFINISHED  # its name is there, its content not yet
            if not unfinished and not (owner is not None and is_alive(owner, self.path)):
                self.path.unlink(missing_ok=True)
        finally:
            guard.unlink(missing_ok=True)
        if unfinished:
            time.sleep(PAUSE)

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            try:
                self.lost = (read_owner(self.path) or {}).get("token") != self.owner["token"]
                if self.lost:
                    return
                os.utime(self.path)
            except OSError:
                continue  # as a file system of the network does for a while; the next beat tries again


def new_owner() -> dict[str, Any]:
    """What a lock of this process says of its owner."""
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "born": _born(os.getpid()),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": uuid4().hex,
    }


def _appear(source: Path, path: Path) -> bool:
    """Give a file a second name, where nothing has it, in one step; False when something has."""
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: the name comes first, and what it stands for a moment later
        try:
            with path.open("x") as stream:
                stream.write(source.read_text())
        except FileExistsError:
            return False
    return True


def refuse_if_held(path: Path, what: str) -> None:
    """Raise RequestError when somebody who is alive holds the lock."""
    owner = read_owner(path)
    if owner is not None and is_alive(owner, path):
        raise RequestError(sentence(str(path), what, owner))


def read_owner(path: Path) -> dict[str, Any] | None:
    """Who holds a lock; None when nobody does, or what stands there is no lock."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_alive(owner: dict[str, Any], path: Path) -> bool:
    """Whether the owner of the lock is still at work, as far as can be told from here."""
    here = is_alive_here(owner)
    return here if here is not None else path.exists() and _age(path) < STALE


def is_alive_here(owner: dict[str, Any]) -> bool | None:
    """Whether the owner is a living process of this host; None: it is on another host."""
    if owner.get("host") != socket.gethostname():
        return None
    born = _born(int(owner.get("process", 0)))
    return born is not None and born == owner.get("born")


def _age(path: Path) -> float:
    """Seconds since the file was touched; none when it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def sentence(path: str, what: str, owner: dict[str, Any]) -> str:
    """Who holds the lock, and what to do."""
    who = f"process {owner.get('process')} on {owner.get('host')}"
    return (
        f"{path.rpartition('/')[0]}: {what} by {who} since {owner.get('since')}; "
        f"wait for it, stop it, or use another folder ({path} is its lock)"
    )


def _born(process: int) -> str | None:
    """When a process of this host began, as its system counts; None when there is no such process."""
    try:
        # After the name, which may hold anything, the 20th field is the time of its start (proc(5)).
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "unknown"
