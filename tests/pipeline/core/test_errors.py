"""Errors and the exit codes that they end a program with."""

from __future__ import annotations

import pickle

import pytest

from llama_data.pipeline.core import errors
from llama_data.pipeline.core.errors import InputError, LlamaDataError, ModelError, RecipeError, RecordError, RunError
from llama_data.pipeline.core.reasons import Reason


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
    with pytest.raises(error):
        errors.run_command_line(app, "program")


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(arguments: list[str]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sys.argv", ["program"])
    with pytest.raises(ZeroDivisionError):
        errors.run_command_line(app, "program")


def test_a_damaged_record_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(RecordError(Reason.too_complex, "byte 3")))
    assert (error.reason, error.detail, str(error)) == (Reason.too_complex, "byte 3", "too_complex: byte 3")
    assert str(RecordError(Reason.too_complex)) == "too_complex"
