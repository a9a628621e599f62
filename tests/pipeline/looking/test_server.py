"""The server of the page: whom it answers, what it gives, and what a request cannot reach."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from llama_data.pipeline.browse.server import LOOPBACK, TOKEN, Server, page, policy
from llama_data.pipeline.browse.views import Views
from llama_data.pipeline.core.errors import RequestError

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def server(looked: Path) -> Iterator[Server]:
    with Server(Views(str(looked)), 0) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", token: str | None = "own", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=120)
    host = headers.pop("Host", f"{LOOPBACK}:{server.server_port}")
    given = {} if token is None else {TOKEN: server.token if token == "own" else token}
    connection.request(method, path, headers={"Host": host, **given, **headers})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def json_of(server: Server, path: str, **asked: object) -> Any:
    status, _, body = ask(server, f"{path}?{urlencode(asked)}")
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_another_host_is_refused(server: Server, host: str) -> None:
    for path in ("/", "/api/run"):
        status, _, body = ask(server, path, Host=host)
        assert status == 403
        assert b"run" not in json.loads(body)["error"].encode().lower()


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:9000", "LOCALHOST", "[::1]:5"])
def test_the_port_may_be_that_of_a_tunnel(server: Server, host: str) -> None:
    assert ask(server, "/api/run", Host=host)[0] == 200
    assert ask(server, "/api/run", Host=host, Origin=f"http://{host}")[0] == 200


def test_two_hosts_are_refused(server: Server) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=60)
    connection.putrequest("GET", "/", skip_host=True)
    for host in ("127.0.0.1", "evil.example"):
        connection.putheader("Host", host)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_another_origin_is_refused(server: Server, origin: str) -> None:
    assert ask(server, "/api/run", Origin=origin)[0] == 403


def test_what_a_browser_says_of_another_site_is_refused(server: Server) -> None:
    for site in ("cross-site", "same-site"):
        assert ask(server, "/api/run", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403
        assert ask(server, "/", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})[0] == 403
        # A link may lead here: the page asks by itself then.
        assert ask(server, "/", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})[0] == 200
    assert ask(server, "/api/run", **{"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_without_the_token_there_is_only_the_page(server: Server) -> None:
    for token in (None, "", "wrong", server.token[:-1], server.token + "x", "é"):
        for path in server.views.routes:
            assert ask(server, path, token=token)[0] == 401
    assert ask(server, f"/api/run?token={server.token}", token=None)[0] == 401
    status, _, body = ask(server, "/", token=None)
    assert status == 200
    assert server.token.encode() not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_nothing_but_get_is_answered(server: Server, method: str) -> None:
    assert ask(server, "/api/run", method)[0] == 501


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/page.html", "/api/../recipe.yaml", "/api/",
        "/api/run/", "/recipe.yaml", "/api/record/..%2f..%2frecipe.yaml",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file(server: Server, path: str) -> None:
    assert ask(server, path)[0] == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"place": "../../x/0"}, {"place": "news/../../recipe/0"}, {"place": "news/..%2f/0"},
        {"place": "nosuch/00000/0"},
        {"place": "news/00000/99999"}, {"place": "news/00000/-1"}, {"place": "news/00000"}, {"place": ""},
        {"place": "news//0"}, {"id": "../../../etc/passwd"}, {"place": "news/00000/٣"},
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_one_sentence(server: Server, asked: dict[str, str]) -> None:
    for path in ("/api/record", "/api/compare"):
        status, _, body = ask(server, f"{path}?{urlencode(asked)}")
        assert status == 400
        assert set(json.loads(body)) == {"error"}


def test_wrong_values_are_one_sentence(server: Server) -> None:
    for query in (
        "/api/rows?least=x&column=chars_in", "/api/rows?cursor=../x", "/api/rows?domain=../..", "/api/rows?outcome=no",
        "/api/sample?seed=-1", "/api/training?mix=../../etc", "/api/training?mix=mix&row=x", "/api/rows?count=1e9",
    ):  # fmt: skip
        status, _, body = ask(server, query)
        assert status == 400, query
        assert json.loads(body)["error"]


def test_the_policy_names_the_pages_own_style_and_script(server: Server) -> None:
    _, headers, body = ask(server, "/")
    found = headers["Content-Security-Policy"]
    assert found == policy(page())
    assert found.count("'sha256-") == 2
    assert "unsafe" not in found
    assert found.startswith("default-src 'none'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    for word in (b"http://", b"https://", b"innerHTML", b"insertAdjacentHTML", b"document.write", b"eval("):
        left = body.replace(b"http://www.w3.org/2000/svg", b"")
        assert word not in left, word
    assert b" style=" not in body
    assert b" onclick=" not in body


def test_answers_are_those_of_the_run(server: Server, ledger: list[dict[str, Any]], texts: dict[str, str]) -> None:
    about = json_of(server, "/api/run")
    news = next(domain for domain in about["domains"] if domain["name"] == "news")
    assert sum(news["outcomes"].values()) == sum(row["domain"] == "news" for row in ledger)
    assert [mix["name"] for mix in about["mixes"]] == ["mix"]
    rows = json_of(server, "/api/rows", domain="news", count=1000)["rows"]
    assert [row["id"] for row in rows] == [row["id"] for row in ledger if row["domain"] == "news"]
    for row in rows[:20]:
        assert row["text"] == texts[row["id"]][:4000]
        told = json_of(server, "/api/record", place=row["place"])
        assert told["text"] == texts[row["id"]]
        assert told == json_of(server, "/api/record", id=row["id"])
    compared = json_of(server, "/api/compare", id="wikipedia/en/1")
    assert compared["counts"]["changed"] >= 2
    assert compared["why"] is None


def test_training_rows_are_the_documents_in_them(server: Server, texts: dict[str, str]) -> None:
    found = json_of(server, "/api/training", mix="mix", row=3)
    assert (found["total"], [row["row"] for row in found["rows"]]) == (40, list(range(3, 11)))
    for row in found["rows"]:
        assert len(row["passages"]) == len(row["parts"])
        for part, passage in zip(row["parts"], row["passages"], strict=True):
            assert passage.strip()[:12] in texts[part["id"]]
    drawn = [json_of(server, "/api/training", mix="mix", seed=seed)["rows"] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1]
    assert [row["row"] for row in drawn[0]] != [row["row"] for row in drawn[2]]
    assert [row["row"] for row in json_of(server, "/api/training", mix="mix", row=10**9)["rows"]] == [39]


def test_a_port_that_is_taken_is_said(server: Server) -> None:
    with pytest.raises(RequestError, match=r"--port 0 takes any"):
        Server(server.views, server.server_port)
    assert server.server_address[0] == "127.0.0.1"
