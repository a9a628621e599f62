"""Steps for the tests of signals: they wait for the file that ``$LLAMA_DATA_GATE`` names."""

from __future__ import annotations

import os
import time
from pathlib import Path

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document


class Gate(Rule):
    """Waits until the file is there."""

    name = "gate"

    def judge(self, doc: Document) -> None:
        """Wait at the last record of a file."""
        if doc.id.endswith("#3"):
            while not Path(os.environ["LLAMA_DATA_GATE"]).exists():
                self.nap()

    def nap(self) -> None:
        """Wait a little."""
        time.sleep(0.05)


class Deaf(Gate):
    """Waits as well, and does not listen to what asks it to end."""

    name = "deaf"

    def nap(self) -> None:
        """Wait a little, whatever comes."""
        try:
            time.sleep(0.05)
        except BaseException:
            Path(os.environ["LLAMA_DATA_GATE"] + ".asked").touch()
