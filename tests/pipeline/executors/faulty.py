"""Steps for the tests of clusters: something goes wrong until there is the file that ``$LLAMA_DATA_GATE`` names."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from llama_data.pipeline.core.block import Rule
from llama_data.pipeline.core.document import Document


class Slow(Rule):
    """Takes a while at the last file, so that what does not wait for it is too early."""

    name = "slow"

    def judge(self, doc: Document) -> None:
        """Wait."""
        if "2.jsonl" in doc.id:
            time.sleep(1.0)


class AllKinds(Rule):
    """The first task is killed, the second fails, the third does not end."""

    name = "all_kinds"

    def judge(self, doc: Document) -> None:
        """Go wrong."""
        if Path(os.environ["LLAMA_DATA_GATE"]).exists():
            return
        if "0.jsonl" in doc.id:
            os.kill(os.getpid(), signal.SIGKILL)
        if "1.jsonl" in doc.id:
            raise OSError(5, "Input/output error")
        time.sleep(3600)


class Full(Rule):
    """The task of one file fails."""

    name = "full"

    def judge(self, doc: Document) -> None:
        """Go wrong."""
        if "1.jsonl" in doc.id and not Path(os.environ["LLAMA_DATA_GATE"]).exists():
            raise OSError(5, "Input/output error")
