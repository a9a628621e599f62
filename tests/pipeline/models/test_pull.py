"""Downloads, against a server on this machine that can break off, refuse and lie."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from llama_data.pipeline.core.errors import ModelError, RequestError, RunError
from llama_data.pipeline.models.pull import ATTEMPTS, known, pull, state_of
from llama_data.stages.steps.model_files import DOWNLOADS, Download, model_path

BODY = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY; ``breaks`` transfers stop half-way, ``status`` is answered instead when set."""

    breaks = 0
    status: int | None = None
    ranges = True
    body = BODY
    requests: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append(wanted)
        if self.server.status is not None:
            self.send_error(self.server.status)
            return
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(self.server.body):
            self.send_error(416)
            return
        rest = self.server.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            rest = rest[: len(rest) // 2]
        self.wfile.write(rest)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server(("127.0.0.1", 0), Handler)
    served.requests = []
    thread = threading.Thread(target=served.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def download(server: Server, sha256: str | None = SHA256) -> Download:
    url = f"http://127.0.0.1:{server.server_address[1]}/lid.176.bin"
    return Download(name="lid.176.bin", url=url, about="a test", licence="none", sha256=sha256)


def no_pause(seconds: float) -> None:
    assert seconds > 0


def test_fetches_once_and_writes_the_card(server: Server, tmp_path: Path) -> None:
    pulled = pull(download(server), str(tmp_path))
    assert pulled.fetched
    assert pulled.path.read_bytes() == BODY
    card = json.loads((tmp_path / "lid.176.bin.card.json").read_bytes())
    assert card["files"] == [{"name": "lid.176.bin", "size": len(BODY), "sha256": SHA256}]
    assert card["checksum"] == "published"
    assert model_path("lid.176.bin", str(tmp_path)) == str(pulled.path)
    assert not pull(download(server), str(tmp_path)).fetched
    assert len(server.requests) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lid.176.bin", "lid.176.bin.card.json"]


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_an_interrupted_transfer(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.breaks = 2 if ranges else 1
    server.ranges = ranges
    pulled = pull(download(server), str(tmp_path), pause=no_pause)
    assert pulled.path.read_bytes() == BODY
    half = len(BODY) // 2
    asked = [None, f"bytes={half}-", f"bytes={half + (len(BODY) - half) // 2}-"]
    assert server.requests == (asked if ranges else asked[:2])


def test_keeps_what_arrived_when_the_server_goes_on_failing(server: Server, tmp_path: Path) -> None:
    server.breaks = ATTEMPTS
    with pytest.raises(RunError, match="run the command again to go on"):
        pull(download(server), str(tmp_path), pause=no_pause)
    assert not (tmp_path / "lid.176.bin").exists()
    server.breaks = 0
    assert pull(download(server), str(tmp_path)).path.read_bytes() == BODY
    assert server.requests[-1] is not None


def test_refuses_bytes_with_another_checksum(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"sha256 {SHA256}, expected 0000"):
        pull(download(server, "0" * 64), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_says_when_the_file_that_is_there_is_damaged(server: Server, tmp_path: Path) -> None:
    (tmp_path / "lid.176.bin").write_bytes(b"half a model")
    with pytest.raises(ModelError, match="delete it and pull it again"):
        pull(download(server), str(tmp_path))


def test_holds_later_downloads_to_the_first_where_no_checksum_is_published(server: Server, tmp_path: Path) -> None:
    first = pull(download(server, None), str(tmp_path))
    assert first.checksum == "recorded at first download"
    first.path.unlink()
    server.body = BODY[:-1] + b"!"
    with pytest.raises(ModelError, match=f"expected {SHA256}"):
        pull(download(server, None), str(tmp_path))
    server.body = BODY
    assert pull(download(server, None), str(tmp_path)).fetched


def test_a_stale_partial_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "lid.176.bin.part").write_bytes(BODY + b"too much")
    assert pull(download(server), str(tmp_path), pause=no_pause).path.read_bytes() == BODY


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, ATTEMPTS), (429, ATTEMPTS)])
def test_asks_again_only_when_that_can_help(server: Server, tmp_path: Path, status: int, tries: int) -> None:
    server.status = status
    with pytest.raises(RunError, match=f"the server answers {status}"):
        pull(download(server), str(tmp_path), pause=no_pause)
    assert len(server.requests) == tries


def test_knows_the_published_models() -> None:
    assert known("lid.176.bin").size == 131_266_198
    assert {"en.arpa.bin", "en.sp.model", "zh.arpa.bin"} <= DOWNLOADS.keys()
    assert "sv.arpa.bin" not in DOWNLOADS
    with pytest.raises(RequestError, match="models list"):
        known("lid.177.bin")


def test_known_checksum_is_that_of_the_published_file(oracle_models: Path) -> None:
    assert state_of(oracle_models / "lid.176.ftz", DOWNLOADS["lid.176.ftz"].sha256) == "present, checksum right"


def test_state_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model"
    assert state_of(path, SHA256) == "absent"
    path.write_bytes(BODY)
    assert state_of(path, None) == "present, no checksum known"
    assert state_of(path, SHA256) == "present, checksum right"
    assert state_of(path, "0" * 64) == "present, CHECKSUM WRONG"


def test_who_is_offline_hears_it_without_waiting(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/lid.176.bin"
        wanted = Download(name="lid.176.bin", url=url, about="a test", licence="none")
        pauses: list[float] = []
        with pytest.raises(RunError, match=r"the server cannot be reached from here \(.*refused\); with a network"):
            pull(wanted, str(tmp_path), pause=pauses.append)
    assert pauses == []
