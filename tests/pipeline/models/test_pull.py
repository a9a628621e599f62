"""Published models: held to their checksums, fetched once; how files come at all is in ../download."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest
from web_server import Faults, Web

from llama_data.pipeline.core.errors import ModelError, RequestError, RunError
from llama_data.pipeline.core.stores import Limits
from llama_data.pipeline.download.source import Item
from llama_data.pipeline.models import pull as module
from llama_data.pipeline.models.listing import state_of
from llama_data.pipeline.models.pull import known, pull
from llama_data.stages.steps.model_files import DOWNLOADS, Download, model_path

BODY = bytes(range(256)) * 12_000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def web(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """That server, which has the model."""
    monkeypatch.setattr(module, "_LIMITS", Limits(tries=5, pause=0.001, longest=0.01))
    web.files["/lid.176.bin"] = BODY
    return web


def download(web: Web, sha256: str | None = SHA256) -> Download:
    return Download(name="lid.176.bin", url=f"{web.url}lid.176.bin", about="a test", licence="none", sha256=sha256)


def test_fetches_once_and_writes_the_card(web: Web, tmp_path: Path) -> None:
    pulled = pull(download(web), str(tmp_path))
    assert pulled.fetched
    assert pulled.path.read_bytes() == BODY
    card = json.loads((tmp_path / "lid.176.bin.card.json").read_bytes())
    assert card["files"] == [{"name": "lid.176.bin", "size": len(BODY), "sha256": SHA256}]
    assert card["checksum"] == "published"
    assert model_path("lid.176.bin", str(tmp_path)) == str(pulled.path)
    assert not pull(download(web), str(tmp_path)).fetched
    assert web.counts["GET"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lid.176.bin", "lid.176.bin.card.json"]


def test_what_arrived_stays_when_the_server_goes_on_failing(web: Web, tmp_path: Path) -> None:
    wanted = Item("lid.176.bin", f"{web.url}lid.176.bin", None, (("sha256", SHA256),))
    module.fetch(wanted, tmp_path, stopped=lambda: True)
    had = (tmp_path / ".part/lid.176.bin.part").stat().st_size
    web.faults = Faults(busy=1.0, most=5)
    with pytest.raises(RunError, match=r"the same command goes on.*; or put the file at .*lid\.176\.bin yourself"):
        pull(download(web), str(tmp_path))
    assert not (tmp_path / "lid.176.bin").exists()
    told: list[tuple[int, int | None]] = []
    pulled = pull(download(web), str(tmp_path), told=lambda done, total: told.append((done, total)))
    assert pulled.path.read_bytes() == BODY
    assert told[0][0] > had > 0
    assert told[-1] == (len(BODY), len(BODY))


def test_bytes_with_another_checksum_are_refused(web: Web, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=f"sha256 is {SHA256}, expected 0000"):
        pull(download(web, "0" * 64), str(tmp_path))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_says_when_the_file_that_is_there_is_damaged(web: Web, tmp_path: Path) -> None:
    (tmp_path / "lid.176.bin").write_bytes(b"half a model")
    with pytest.raises(ModelError, match="delete it and pull it again"):
        pull(download(web), str(tmp_path))


def test_later_downloads_are_held_to_the_first_where_no_checksum_is_published(web: Web, tmp_path: Path) -> None:
    first = pull(download(web, None), str(tmp_path))
    assert first.checksum == "recorded at first download"
    first.path.unlink()
    web.files["/lid.176.bin"] = BODY[:-1] + b"!"
    with pytest.raises(RunError, match=f"expected {SHA256}"):
        pull(download(web, None), str(tmp_path))
    web.files["/lid.176.bin"] = BODY
    assert pull(download(web, None), str(tmp_path)).fetched


def test_a_file_that_the_server_does_not_have_is_said_with_what_to_do(web: Web, tmp_path: Path) -> None:
    web.files.clear()
    with pytest.raises(RunError, match=r"lid\.176\.bin: the server answers 404.*; or put the file at"):
        pull(download(web), str(tmp_path))


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


def test_who_is_offline_hears_it_without_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("it waited"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/lid.176.bin"
        wanted = Download(name="lid.176.bin", url=url, about="a test", licence="none")
        with pytest.raises(RunError, match=r"refused.*check the address.*and the network.*or put the file at"):
            pull(wanted, str(tmp_path))
