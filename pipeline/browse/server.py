"""The server of the page: loopback alone, a token for every answer, and nothing that another site could use.

Who can ask: whoever has the token, which is in the address that is printed and never in a request's address. Other
users of the machine and other sites' pages do not have it. A request for another host (DNS rebinding), from another
site, or of another method than GET is refused before anything is looked at. No name in a request becomes a path.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from llama_data.pipeline.browse.views import Views
from llama_data.pipeline.core.errors import LlamaDataError, RequestError
from llama_data.pipeline.core.failures import sentence_of_error

LOOPBACK = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
TOKEN = "X-Llama-Data-Token"
AT_ONCE = 4
"""So many questions are answered at the same time; others wait."""

_INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.S)


def page() -> bytes:
    """The page, which is the same for every run."""
    return resources.files("llama_data.pipeline.browse").joinpath("page.html").read_bytes()


def policy(html: bytes) -> str:
    """The Content-Security-Policy of a page: its own style and script, known by their hashes, and nothing else."""
    sources: dict[str, list[str]] = {"style": [], "script": []}
    for kind, body in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        sources[kind.decode()].append(f"'sha256-{digest}'")
    return (
        f"default-src 'none'; script-src {' '.join(sources['script'])}; style-src {' '.join(sources['style'])}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


class Server(ThreadingHTTPServer):
    """Serves one run on the loopback address. ``port`` 0: any free one. Raises RequestError: the port is taken."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, views: Views, port: int) -> None:
        self.views = views
        self.token = secrets.token_urlsafe(24)
        self.html = page()
        self.policy = policy(self.html)
        self.turns = threading.Semaphore(AT_ONCE)
        try:
            super().__init__((LOOPBACK, port), Handler)
        except OSError as error:
            raise RequestError(
                f"port {port} cannot be used ({error.strerror}); --port 0 takes any that is free"
            ) from None

    @property
    def address(self) -> str:
        """Where the page is, with the token behind the ``#``, which browsers do not send."""
        return f"http://{LOOPBACK}:{self.server_port}/#{self.token}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version = "llama-data"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Give the page, or the answer to a question of it."""
        refused = self._refused()
        if refused is not None:
            self._answer(HTTPStatus.FORBIDDEN, {"error": refused})
            return
        asked = urlsplit(self.path)
        if asked.path == "/":
            self._send(HTTPStatus.OK, self.server.html, "text/html; charset=utf-8")
            return
        view = self.server.views.routes.get(asked.path)
        if view is None:
            self._answer(HTTPStatus.NOT_FOUND, {"error": "there is no such page"})
        elif not hmac.compare_digest(self.headers.get(TOKEN, "").encode(), self.server.token.encode()):
            self._answer(HTTPStatus.UNAUTHORIZED, {"error": "open the address that llama-data browse has printed"})
        else:
            try:
                values = dict(parse_qsl(asked.query, max_num_fields=32))
                with self.server.turns:
                    found = view(values)
            except LlamaDataError as error:
                self._answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            except Exception as error:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": sentence_of_error(error)})
            else:
                self._answer(HTTPStatus.OK, found)

    def _refused(self) -> str | None:
        """Why the request is not answered; None: it is the page's own, by all that it says."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or _name_of(hosts[0]) not in NAMES:
            return "this address is not the page's own: open it as 127.0.0.1 or localhost"
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{hosts[0]}":
            return "a page of another site may not ask"
        own = self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")
        # A link on another site's page may open this one; what it opens asks by itself.
        opened = self.path == "/" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        return None if own or opened else "a page of another site may not ask"

    def _answer(self, status: HTTPStatus, value: Any) -> None:
        self._send(status, orjson.dumps(value, default=_plain), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", self.server.policy)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("X-Frame-Options", "DENY")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the page has asked for something else since

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of requests: they hold what somebody reads."""


def _plain(value: object) -> object:
    """What JSON has for a value: a list for a named tuple, else its text."""
    return list(value) if isinstance(value, tuple) else str(value)


def _name_of(host: str) -> str:
    """A Host header without its port, which is another one behind a tunnel."""
    name, colon, port = host.rpartition(":")
    return name.lower() if colon and port.isascii() and port.isdigit() else host.lower()
