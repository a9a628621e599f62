"""Names of files that are being written: each names its writer, so that two writers of a file never share one."""

from __future__ import annotations

import os
import re
import socket
import time
from uuid import uuid4

SUFFIX = ".tmp"
FORGOTTEN = 3600.0  # seconds without a write after which a writer on another host is taken for dead

_NAME = re.compile(r".+\.(?P<host>[^.]*)\.(?P<process>\d+)\.[0-9a-f]{12}\.tmp")


def temporary_name(path: str) -> str:
    """A name beside the path that is this writer's own: host, process and twelve random digits."""
    return f"{path}.{_host()}.{os.getpid()}.{uuid4().hex[:12]}{SUFFIX}"


def remove_leftovers(folder: str) -> int:
    """Remove what dead writers left below a local folder; how many files.

    A writer on this host is dead when its process is gone, one on another when it has not written for an hour. One
    that was only held up fails when it comes to its end, and its task is tried again: nothing half is taken for whole.
    """
    removed = 0
    here = _host()
    for parent, _, names in os.walk(folder):
        for name in names:
            found = _NAME.fullmatch(name) if name.endswith(SUFFIX) else None
            if found is not None and _is_dead(os.path.join(parent, name), found, here):
                removed += _remove(os.path.join(parent, name))
    return removed


def _host() -> str:
    """This host, as it stands in a name."""
    return re.sub(r"[^0-9A-Za-z-]", "-", socket.gethostname())[:40]


def _is_dead(path: str, name: re.Match[str], here: str) -> bool:
    if name["host"] == here:
        try:
            os.kill(int(name["process"]), 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            pass
        return False
    try:
        return time.time() - os.stat(path).st_mtime > FORGOTTEN
    except OSError:
        return False


def _remove(path: str) -> int:
    try:
        os.unlink(path)
    except OSError:
        return 0
    return 1
