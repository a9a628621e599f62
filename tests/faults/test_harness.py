"""The harness can fail: each kind of broken promise is seen, in readers and in what a disturbed command leaves."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import chain as chains
import formats
import mutations
import orjson
import pytest
from chain import LEGS, OWN, Chain, Command, digests, sentence
from formats import FORMATS, Format, Read
from limited import call
from mutations import KINDS, Damage, damaged
from soak import faults_of
from soak_full import half_files, told_badly
from soak_kills import kills_of

SOUND = formats.read


def loses_the_last(format: Format, data: bytes, folder: Path) -> Read:
    """A reader that damage anywhere costs the last record, with a row."""
    found = SOUND(format, data, folder)
    return found if data == format.data else Read(found.texts[:-1], [*found.rows, ("invalid_json", "")])


def says_nothing(format: Format, data: bytes, folder: Path) -> Read:
    """A reader that drops what is damaged."""
    return Read(SOUND(format, data, folder).texts, [])


def breaks(format: Format, data: bytes, folder: Path) -> Read:
    """A reader that gives up, and says so in a row."""
    found = SOUND(format, data, folder)
    return found if data == format.data else Read(found.texts, [*found.rows, ("broken_reader", "KeyError")])


def raises(format: Format, data: bytes, folder: Path) -> Read:
    """A reader that an input ends."""
    if data != format.data:
        raise KeyError("text")
    return SOUND(format, data, folder)


@pytest.mark.parametrize(
    ("reader", "seen"),
    [(loses_the_last, "neighbour"), (says_nothing, "silent"), (breaks, "broken"), (raises, "raised")],
)
def test_a_reader_that_breaks_a_promise_is_seen(
    monkeypatch: pytest.MonkeyPatch, reader: Callable[[Format, bytes, Path], Read], seen: str
) -> None:
    monkeypatch.setattr(formats, "read", reader)
    faults = faults_of("jsonl", 0, 40)["faults"]
    assert {fault[2] for fault in faults} == {seen}
    assert all(0 <= fault[0] < 40 for fault in faults)


@pytest.mark.parametrize("name", ["text", "books-txt"])
@pytest.mark.parametrize("behind", [False, True])
def test_what_is_put_before_or_behind_a_text_that_is_a_file_is_of_it(
    monkeypatch: pytest.MonkeyPatch, name: str, behind: bool
) -> None:
    def put(data: bytes, seed: int) -> Damage:
        at = len(data) if behind else 0
        return Damage("splice", data[:at] + b" More. " + data[at:], [(at, at)])

    monkeypatch.setattr(mutations, "damaged", put)
    assert faults_of(name, 0, 1)["faults"] == []


@pytest.mark.parametrize("name", ["jsonl", "wikipedia", "arxiv"])
def test_damage_changes_what_it_says_that_it_touched_and_nothing_else(name: str) -> None:
    data, kinds = FORMATS[name].data, set()
    for seed in range(200):
        damage = damaged(data, seed)
        assert damage == damaged(data, seed)
        assert damage.data != data
        kinds.add(damage.kind)
        first, last = min(start for start, _ in damage.touched), max(end for _, end in damage.touched)
        assert damage.data[:first] == data[:first]
        assert damage.data.endswith(data[last:])
    assert len(kinds) == len(set(KINDS))


def takes(size: int) -> int:
    """So many bytes, that are held."""
    return len(bytearray(size))


def test_a_process_that_takes_more_memory_than_it_may_is_seen() -> None:
    assert call("test_harness", "takes", [1 << 20], memory=1 << 30).answer == 1 << 20
    assert call("test_harness", "takes", [2 << 30], memory=1 << 30).status == 1


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Chain, Path]:
    """A chain whose undisturbed run of one's own source has three files, and a folder that has the same."""
    monkeypatch.setattr(chains, "_build", lambda dumps: None)
    chain = Chain(tmp_path)
    run = tmp_path / "undisturbed" / f"run-{OWN}"
    for name in ("documents/mine/00000.jsonl.zst", "ledger/mine/00000.parquet", "logs/mine/documents/stats.json"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
    (run / "documents/mine/manifest.json").write_bytes(orjson.dumps({"sha256": "a", "about": {"time": 1}}))
    shutil.copytree(run, tmp_path / "run")
    (run / "done").touch()
    return chain, tmp_path / "run"


def faults(chain: Chain, run: Path) -> list[str]:
    found = chain.faults(LEGS[f"run-{OWN}"], run)
    return [fault for fault in found if not fault.startswith("verify: ")]  # it is no run that it could say anything of


def test_what_a_disturbed_command_leaves_is_compared(left: tuple[Chain, Path]) -> None:
    chain, run = left
    assert faults(chain, run) == []
    (run / "documents/mine/manifest.json").write_bytes(orjson.dumps({"sha256": "a", "about": {"time": 2}}))
    (run / "logs/mine/documents/stats.json").write_text("y")
    assert faults(chain, run) == []


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("documents/mine/00000.jsonl.zst", "y", "documents/mine/00000.jsonl.zst: other bytes"),
        ("documents/mine/00000.jsonl.zst", None, "documents/mine/00000.jsonl.zst: missing"),
        ("documents/mine/00001.jsonl.zst", "x", "documents/mine/00001.jsonl.zst: should not be there"),
        ("work/mine/00000", "x", "work/mine/00000: should not be there"),
        ("documents/mine/manifest.json", '{"sha256": "b"}', "documents/mine/manifest.json: other bytes"),
        (
            "ledger/mine/0.parquet.host.7.0123456789ab.tmp",
            "x",
            "ledger/mine/0.parquet.host.7.0123456789ab.tmp: left behind",
        ),
        ("locks/mine.lock", "x", "locks/mine.lock: left behind"),
        ("logs/mine/documents/running/00000.json", "x", "logs/mine/documents/running/00000.json: left behind"),
    ],
)
def test_what_should_not_be_left_is_seen(left: tuple[Chain, Path], name: str, content: str | None, fault: str) -> None:
    chain, run = left
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_text(content)
    assert faults(chain, run) == [fault]


def test_a_file_that_is_half_under_its_final_name_is_seen(left: tuple[Chain, Path]) -> None:
    chain, run = left
    (run / "ledger/mine/00000.parquet").unlink()
    assert half_files(chain, LEGS[f"run-{OWN}"], run) == []
    (run / "documents/mine/00000.jsonl.zst").write_text("")
    assert half_files(chain, LEGS[f"run-{OWN}"], run) == ["documents/mine/00000.jsonl.zst: half"]
    assert set(digests(run)) == {"documents/mine/00000.jsonl.zst", "documents/mine/manifest.json"}


def test_figures_of_steps_that_were_done_again_are_no_result(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in ("metrics.jsonl", "metrics-replaced.jsonl"):
        (tmp_path / "train" / name).touch()
    assert digests(tmp_path) == {"train/metrics.jsonl": ""}


def test_what_is_said_of_too_little_room_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    said = f"llama-data: {tmp_path}/recipe.yaml: the disk is full: make room and give the same command again"
    for way, faulty in (("disk", False), ("files", False), ("limit", True)):
        assert bool(told_badly(said, sentence(said), way, tmp_path)) == faulty
    nameless = "llama-data: the disk is full: make room and give the same command again"
    assert "for which file" in told_badly(nameless, sentence(nameless), "disk", tmp_path)[0]
    assert told_badly(f"Traceback\n{said}", said, "disk", tmp_path)
    assert told_badly(f"{said}\n{said}", sentence(f"{said}\n{said}"), "disk", tmp_path)


def test_one_sentence_is_one() -> None:
    assert sentence("  books/documents  1 task\nllama-data: the disk is full\n") == "llama-data: the disk is full"
    assert sentence("llama-data: a\nllama-data: b\n") is None
    assert sentence("llama-data: a\n  and more\n") is None
    assert sentence("Traceback (most recent call last):\nllama-data: a\n") is None
    assert sentence("") is None


def test_the_kills_of_seeds_are_of_all_kinds() -> None:
    drawn = [kills_of(seed) for seed in range(30)]
    assert drawn == [kills_of(seed) for seed in range(30)]
    assert {len(kills) for kills in drawn} == {1, 2}
    assert {kill.whole for kills in drawn for kill in kills} == {True, False}


_PARENT = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here to find processes in")
def test_a_process_that_outlives_its_command_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chains, "GONE", 0.5)
    (tmp_path / "leaves_one.py").write_text(_PARENT)
    command = Command(["leaves_one"], {"PYTHONPATH": str(tmp_path)})
    assert command.end() == 0
    [left] = command.left_alone()
    deadline = time.monotonic() + 600
    while (Path("/proc") / str(left)).exists() and time.monotonic() < deadline:
        time.sleep(0.05)  # it was killed, and is buried by whoever is its parent by now
    assert command.left_alone() == []
