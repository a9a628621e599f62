"""A killed worker does not end a command, and a killed command is gone on with: the same bytes, and nothing left over.

The long form, over every command and on Ray too, is ``python tests/faults/soak_kills.py``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from chain import LEGS, OWN, Chain
from soak_kills import kill_one, kills_of

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here to find processes in"),
    pytest.mark.timeout(1800),
]


@pytest.mark.parametrize("seed", [17])
def test_what_is_killed_is_gone_on_with(chain: Chain, seed: int) -> None:
    assert {kill.whole for kill in kills_of(seed)} == {True, False}
    done = kill_one(chain, LEGS[f"run-{OWN}"], seed)
    assert done.faults == []
