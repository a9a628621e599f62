"""Errors that a person sees, with the exit code each one means.

    LlamaDataError                something went wrong that we can explain          exit 1
    ├── RequestError              what was asked for cannot be done as asked        exit 2
    │   ├── RecipeError           a recipe, a preset or a weights file is wrong
    │   ├── InputError            an input is missing, or is not what it claims
    │   └── ModelError            a model file is missing or does not fit
    └── RunError                  the run started and failed                        exit 1
        └── StoppedError          a signal has stopped it                           exit 128 + signal

    RecordError                   one damaged record: costs that record, never the run

A message says what happened, where (file, field or line), what was expected and what to do.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from llama_data.pipeline.core.failures import help_of, sentence_of_error, wrong_usage
from llama_data.pipeline.core.screen import clean_streams
from llama_data.pipeline.core.stopping import Stopped

if TYPE_CHECKING:
    from llama_data.pipeline.core.reasons import Reason


class LlamaDataError(Exception):
    """Base of every error that is shown to a person as one sentence."""

    exit_code = 1


class RequestError(LlamaDataError):
    """The request was wrong: nothing was started."""

    exit_code = 2


class RecipeError(RequestError):
    """A recipe, preset or weights file does not say something that can be run."""


class InputError(RequestError):
    """An input is missing, or is not in the format it claims."""


class ModelError(RequestError):
    """A model file is missing, damaged, or does not fit its use."""


class RunError(LlamaDataError):
    """The run was started and failed."""


class StoppedError(RunError):
    """A signal has stopped the run in good order; the exit code is the shell's for that signal."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number
        self.exit_code = 128 + number


def run_command_line(app: Callable[[list[str]], object], name: str) -> None:
    """Run a command line with the arguments of this process; any error ends it with one sentence.

    ``app`` raises what goes wrong (click's ``standalone_mode`` is off), and may return an exit code. A traceback is
    shown only with ``--debug``, which may stand anywhere among the arguments. Exit codes: an error's own, 1 for one
    that is not ours, 130 after an interrupt, 141 (as the shell has it) where nobody reads on.
    """
    with clean_streams():
        sys.exit(_run(app, name))


def _run(app: Callable[[list[str]], object], name: str) -> int:
    """The exit code."""
    debug = "--debug" in sys.argv[1:]
    try:
        code = app([argument for argument in sys.argv[1:] if argument != "--debug"])
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt, Stopped) as error:
        if debug:
            traceback.print_exc()
        return _said(error, name)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # what click makes a failure of
            return _said(end.__context__, name)
        raise
    return code if isinstance(code, int) else 0  # a number is that of typer.Exit


def _said(error: BaseException, name: str) -> int:
    """Say what went wrong on one line; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        # What is still to be written goes nowhere: else the interpreter fails at it once more, aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    if isinstance(error, Stopped):
        print(f"{name}: stopped by {error.name}{f'; {error.says}' if error.says else ''}", file=sys.stderr)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        print(f"{name}: interrupted; give the same command again to go on", file=sys.stderr)
        return 128 + signal.SIGINT
    usage = wrong_usage(error)
    if usage is not None:
        print(help_of(error) or f"{name}: {usage}", file=sys.stderr)
        return RequestError.exit_code
    sentence = str(error) if isinstance(error, LlamaDataError) else sentence_of_error(error)
    print(f"{name}: {sentence}", file=sys.stderr)
    return error.exit_code if isinstance(error, LlamaDataError) else 1


class RecordError(Exception):
    """One record cannot be read; it becomes a ``failed`` row of the ledger and the reader goes on.

    ``reason`` is the ledger's code, ``detail`` what was found (an offset, the parser's message).
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[RecordError], tuple[Reason, str]]:
        return type(self), (self.reason, self.detail)
