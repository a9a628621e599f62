"""What the tests of disturbed commands share."""

from __future__ import annotations

import pytest
from chain import Chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A small corpus, and what commands leave undisturbed, each made once."""
    return Chain(tmp_path_factory.mktemp("chain"))
