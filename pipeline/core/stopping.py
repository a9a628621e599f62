"""Signals that ask a command to end: the first ends it in good order, the next at once."""

from __future__ import annotations

import os
import signal
import time
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME = 0.2  # seconds within which a second signal is the first one again, sent to a group and to its leader


class Stopped(BaseException):
    """Raised in the main thread when a signal asks the command to end; no ``except Exception`` holds it up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.says = ""  # what is complete and how to go on, where that is known

    @property
    def name(self) -> str:
        """The signal's name, like SIGTERM."""
        return signal.Signals(self.number).name

    @property
    def exit_code(self) -> int:
        """The shell's for a process that this signal ended: 143 for SIGTERM, 130 for SIGINT."""
        return 128 + self.number


_first: list[float] = []


def stop_on_signals() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into ``Stopped``; one that is ignored (as after ``nohup``) stays ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    if not _first:
        _first.append(time.monotonic())
        raise Stopped(number)
    if time.monotonic() - _first[0] > SAME:
        os._exit(128 + number)  # the workers notice that this process is gone
