"""A small web server on this machine that fails on purpose, and counts: files with ranges, etags and times.

    python tests/faults/web_server.py FOLDER --busy 0.3 --reset 0.1 --truncate 0.1    # serves a folder

Whether a request fails follows from the seed, from what it asks and from how often the same was asked before.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from failing import Breaking, Failing


@dataclass
class Faults:
    """Shares (0..1) of the requests that are answered 503 or 429, reset, stalled, or cut in the body.

    ``only``: a pattern for ``METHOD /path``; ``most``: most faults of all; ``status``: answered always, if not 0.
    """

    busy: float = 0.0
    many: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    truncate: float = 0.0
    seed: int = 0
    stall_seconds: float = 2.0
    retry_after: str = "0"
    only: str = ""
    most: int = 1 << 60
    status: int = 0

    KINDS = ("busy", "many", "reset", "stall", "truncate")


class Web(Failing):
    """The server. ``files`` by path; ``links``: the header of that name.

    Without ``ranges`` it does not know them, without ``etags``, ``times`` and ``lengths`` it gives none.
    """

    def __init__(self, port: int = 0) -> None:
        super().__init__(port, Handler)
        self.url += "/"
        self.files: dict[str, bytes] = {}
        self.links: dict[str, str] = {}
        self.faults = Faults()
        self.ranges = self.etags = self.times = self.lengths = True

    def clear(self) -> None:
        super().clear()
        self.agents: set[str] = set()
        self.now = self.most_at_once = 0

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none."""


class Handler(Breaking):
    server: Web

    def do_HEAD(self) -> None:
        self.serve()

    def do_GET(self) -> None:
        self.serve()

    def serve(self) -> None:
        web = self.server
        with web.lock:
            web.now += 1
            web.most_at_once = max(web.most_at_once, web.now)
            web.counts[self.command] += 1
            web.agents.add(self.headers.get("User-Agent", ""))
        try:
            self.answer()
        finally:
            with web.lock:
                web.now -= 1

    def answer(self) -> None:
        web, path = self.server, unquote(self.path.partition("?")[0])
        fault = web.draw(f"{self.command} {path}")
        if web.faults.status and re.search(web.faults.only, f"{self.command} {path}"):
            return self.refuse(web.faults.status)
        if fault in ("busy", "many"):
            return self.refuse(503 if fault == "busy" else 429)
        if fault == "reset":
            return self.reset()
        if fault == "stall":
            time.sleep(web.faults.stall_seconds)
            return self.reset()
        data = web.files.get(path)
        if data is None:
            return self.refuse(404)
        mark = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", mark) in (mark, "Thu, 01 Jan 2026 00:00:00 GMT")
        start, end = 0, len(data)
        if wanted and web.ranges and same:
            start, end = int(wanted[1]), min(len(data), int(wanted[2] or len(data)) + 1)
            if start >= len(data):
                return self.refuse(416, f"bytes */{len(data)}")
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        if web.etags:
            self.send_header("ETag", mark)
        if web.times:
            self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if path in web.links:
            self.send_header("Link", web.links[path])
        if web.lengths:
            self.send_header("Content-Length", str(end - start))
        else:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return None
        if fault == "truncate":
            self.wfile.write(data[start : start + (end - start) // 2])
            return self.reset()
        self.wfile.write(data[start:end])
        return None

    def refuse(self, status: int, content_range: str = "") -> None:
        self.send_response(status)
        if status in (429, 503):
            self.send_header("Retry-After", self.server.faults.retry_after)
        if content_range:
            self.send_header("Content-Range", content_range)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    for kind in Faults.KINDS:
        parser.add_argument(f"--{kind}", type=float, default=0.0)
    arguments = parser.parse_args()
    web = Web(arguments.port)
    web.faults = Faults(**{kind: getattr(arguments, kind) for kind in Faults.KINDS})
    root = arguments.folder
    web.files = {
        f"/{path.relative_to(root)}".removesuffix("index.html"): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
    print(web.url, flush=True)
    web.serve_forever()


if __name__ == "__main__":
    main()
