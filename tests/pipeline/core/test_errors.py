"""Errors and the exit codes that they end a program with."""

from __future__ import annotations

import errno
import pickle

import pytest

from llama_data.pipeline.core import errors
from llama_data.pipeline.core.errors import InputError, LlamaDataError, ModelError, RecipeError, RecordError, RunError
from llama_data.pipeline.core.reasons import Reason
from llama_data.pipeline.core.screen import one_line


@pytest.mark.parametrize(
    ("error", "code"), [(LlamaDataError, 1), (RunError, 1), (RecipeError, 2), (InputError, 2), (ModelError, 2)]
)
def test_an_error_of_ours_ends_the_program_with_one_sentence_and_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[LlamaDataError], code: int
) -> None:
    def app(arguments: list[str]) -> None:
        assert arguments == ["run", "-c", "x"]
        raise error("this went wrong")

    monkeypatch.setattr("sys.argv", ["program", "run", "-c", "x"])
    with pytest.raises(SystemExit) as caught:
        errors.run_command_line(app, "program")
    assert caught.value.code == code
    assert capsys.readouterr() == ("", "program: this went wrong\n")
    monkeypatch.setattr("sys.argv", ["program", "run", "--debug", "-c", "x"])
    with pytest.raises(SystemExit) as caught:
        errors.run_command_line(app, "program")
    assert caught.value.code == code
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("program: this went wrong\n")


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (
            OSError(errno.ENOSPC, "x", "/r/out"),
            "/r/out: the disk is full: make room and give the same command again",
            1,
        ),
        (OSError(errno.EROFS, "x", "/r/out"), "/r/out: the file system is read-only: write to another folder", 1),
        (PermissionError(errno.EACCES, "x", "/r"), "/r: permission is denied", 1),
        (OSError(errno.EMFILE, "x", "/r"), "/r: too many files are open: raise the limit (ulimit -n)", 1),
        (OSError("slow\ndown"), "slow down; give the same command again", 1),
        (ValueError("one\ntwo"), "ValueError: one two; give", 1),
        (OverflowError("in C"), "a number is too large: in C; check the numbers of the recipe", 1),
        (EOFError("at 3"), "a file: at 3; it is cut short; --debug", 1),
        (ZeroDivisionError(), "ZeroDivisionError: no more is known; give", 1),
        (MemoryError(), "there is not enough memory: use fewer workers", 1),
        (RecursionError(), "something is nested too deeply to be read", 1),
        (KeyboardInterrupt(), "interrupted; give the same command again to go on", 130),
        (RunError("a\x1b[2Jb\u202ec"), "abc", 1),
    ],
)
def test_any_error_is_one_sentence_and_its_traceback_is_for_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, said: str, code: int
) -> None:
    def app(arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["program"])
    with pytest.raises(SystemExit) as caught:
        errors.run_command_line(app, "program")
    assert caught.value.code == code
    out, shown = capsys.readouterr()
    assert (out, shown.count("\n")) == ("", 1)
    assert shown.startswith(f"program: {said}")
    monkeypatch.setattr("sys.argv", ["program", "--debug"])
    with pytest.raises(SystemExit) as caught:
        errors.run_command_line(app, "program")
    assert caught.value.code == code
    assert "Traceback" in capsys.readouterr().err


def test_an_id_cannot_make_a_line_or_move_the_cursor() -> None:
    assert one_line("a\nkept: 5\r\x1b]0;title\x07b\u2066c\x9b31m") == "a kept: 5 bc"


def test_a_damaged_record_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RecordError(Reason.too_complex, "byte 3")))
    assert (error.reason, error.detail, str(error)) == (Reason.too_complex, "byte 3", "too_complex: byte 3")
    assert str(RecordError(Reason.too_complex)) == "too_complex"
