"""What the tests of disturbed commands share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chain import Chain
from s3_server import Store, environment

from llama_data.pipeline.core import stores


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An S3 that can fail, whose requests are tried without pauses."""
    monkeypatch.setattr(stores, "LIMITS", stores.Limits(pause=0.001, longest=0.01))
    monkeypatch.setattr("llama_data.pipeline.core.s3.Pace", lambda: stores.Pace(most=1e6, least=1e5))
    with Store().serving() as server:
        for name, value in environment(server).items():
            monkeypatch.setenv(name, value)
        stores.forget()
        yield server
    stores.forget()


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A small corpus, and what commands leave undisturbed, each made once."""
    return Chain(tmp_path_factory.mktemp("chain"))
