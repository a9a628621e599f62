"""Too little room: one sentence that says what to do, nothing half taken for whole, and the same command goes on.

The long form, over every command, is ``python tests/faults/soak_full.py``.
"""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from chain import LEGS, OWN, Chain
from limited import call
from soak_full import can_mount, fill_one, small_disk

from llama_data.pipeline.core.files import atomic_write, remove_file
from llama_data.pipeline.core.lock import Lock
from llama_data.pipeline.executors.holding import hold
from llama_data.pipeline.recipe import Recipe, load_recipe

needs_mount = pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here: it needs root")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte without a byte of room."""
    with small_disk(tmp_path, 1 << 20):
        with contextlib.suppress(OSError), (tmp_path / "ballast").open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        yield tmp_path


def recipe(folder: Path) -> Recipe:
    return load_recipe("llama", {"domains": {"books": {}}, "input": str(folder), "output": str(folder / "run")})


@needs_mount
def test_the_error_names_the_file_that_there_was_no_room_for(full_disk: Path) -> None:
    path = full_disk / "documents.jsonl"
    with pytest.raises(OSError, match="No space left") as caught, atomic_write(str(path)) as stream:
        stream.write(b"x" * 100_000)
    assert caught.value.filename == str(path)
    assert [path.name for path in full_disk.iterdir()] == ["ballast"]


def test_an_error_of_what_is_read_is_not_laid_to_the_file_that_is_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output") as caught, atomic_write(str(tmp_path / "documents.jsonl")):
        raise OSError(errno.EIO, "Input/output error")
    assert caught.value.filename is None


@needs_mount
def test_a_lock_that_there_is_no_room_for_leaves_nothing_and_is_no_wrong_request(full_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        Lock(full_disk / "locks" / "books.lock", "books is being worked on").__enter__()
    assert list((full_disk / "locks").iterdir()) == []
    with pytest.raises(OSError, match="No space left"), hold(recipe(full_disk), ["books"]):
        pass


def do_a_task(folder: str) -> dict[str, int]:
    """Do a job of one task where files may have few bytes, then some more, and so on; of how many errors it is said
    what was not written."""
    from llama_data.pipeline.executors.local import LocalExecutor
    from llama_data.pipeline.executors.tally import Limits

    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    found = {"named": 0, "not": 0, "whole": 0}
    for most in range(20, 3000, 60):
        logs = f"{folder}/{most}"
        job = LocalExecutor(pipeline=[[]], tasks=1, logging_dir=logs, limits=Limits())
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            job._run_for_rank(0)
            job.attempt = lambda tally, watch: tally.completed(0, None)
            job.skip_completed = False
            remove_file(f"{logs}/completions/00000")
            job.run()
            found["whole"] += 1
        except OSError as error:
            found["named" if str(error.filename).startswith(logs) else "not"] += 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    return found


def test_what_a_job_notes_of_itself_is_named_where_there_is_no_room_for_it(tmp_path: Path) -> None:
    done = call("test_full_disk", "do_a_task", [str(tmp_path)])
    assert done.status == 0, done.said
    assert done.answer["not"] == 0
    assert done.answer["named"] > 3
    assert done.answer["whole"] > 3


def train_a_model(folder: str, most: int, calibrated: bool) -> str:
    """Train a model where no file may have more bytes; what is said."""
    from llama_data.pipeline.core.failures import sentence_of_error
    from llama_data.pipeline.models.fasttext_train import Calibration, FastTextSettings, train_fasttext

    examples = [("en", f"the ferry left at {n}") for n in range(200)] + [
        ("de", f"die Fähre um {n}") for n in range(200)
    ]
    settings = FastTextSettings(dim=8, epoch=1, bucket=2000, minn=2, maxn=3)
    calibration = Calibration(label="en", texts=[text for _, text in examples], share=0.25) if calibrated else None
    if most:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        train_fasttext(examples, f"{folder}/language.bin", settings, calibration)
    except OSError as error:
        return sentence_of_error(error)
    return ""


@pytest.mark.skipif(find_spec("fasttext") is None, reason="fastText is not installed, which trains models")
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_model_that_is_cut_short_by_a_full_disk_is_not_taken_for_whole(tmp_path: Path, calibrated: bool) -> None:
    whole = call("test_full_disk", "train_a_model", [str(tmp_path), 0, calibrated])
    assert (whole.status, whole.answer) == (0, "")
    size = (tmp_path / "language.bin").stat().st_size
    (tmp_path / "language.bin").unlink()
    for most in (size - 1, 20_000):  # the examples have some 10,000 bytes
        done = call("test_full_disk", "train_a_model", [str(tmp_path), most, calibrated])
        assert done.status == 0, done.said
        assert "language.bin: the file is larger than may be written here: raise the limit" in done.answer
        assert list(tmp_path.iterdir()) == []


@needs_mount
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [3])
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(chain: Chain, seed: int) -> None:
    done = fill_one(chain, LEGS[f"run-{OWN}"], seed, "disk")
    assert done.faults == []
    assert done.met
