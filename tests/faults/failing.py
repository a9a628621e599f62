"""What the servers of these tests have in common: each fails on purpose, and counts."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Failing(ThreadingHTTPServer):
    """A server on this machine. Whether a request fails follows from ``faults``, from what it asks and from
    how often the same was asked before, so that the same faults are met again.

    ``faults``: the share (0..1) of requests of each of its ``KINDS``; ``only``: a pattern for what is asked; ``most``:
    most faults of all. ``counts``: by fault, and what else a server counts; ``asked``: by request.
    """

    daemon_threads = True
    request_queue_size = 128
    faults: Any

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget what was asked."""
        self.counts: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    @contextmanager
    def serving(self) -> Iterator[Any]:
        """Serve in a thread meanwhile."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def draw(self, what: str) -> str:
        """The fault of a request, or ""."""
        kinds = self.faults.KINDS
        with self.lock:
            self.asked[what] += 1
            if sum(self.counts[kind] for kind in kinds) >= self.faults.most or not re.search(self.faults.only, what):
                return ""
            seed = f"{self.faults.seed} {what} {self.asked[what]}"
            point = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") / 2**64
            for kind in kinds:
                point -= getattr(self.faults, kind)
                if point < 0:
                    self.counts[kind] += 1
                    return str(kind)
        return ""


class Breaking(BaseHTTPRequestHandler):
    """What answers one connection, and says nothing of it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def reset(self) -> None:
        """Break the connection off, as a cable does."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
