"""The folder of this machine in which a run that is kept in a store works. Imports no torch.

A checkpoint is in the store when its record is, which is put last and removed first. What the store has is what counts:
before the processes start the folder gets the newest checkpoint that is whole there, and the metrics. Only what this
machine wrote after the store's newest, while nobody else did, is kept and sent first.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path

from llama_data.pipeline.core.errors import InputError, RequestError, RunError
from llama_data.pipeline.core.files import is_local
from llama_data.pipeline.core.lock import refuse_if_held, sentence
from llama_data.pipeline.core.store_lock import is_alive
from llama_data.train_handoff.trainer.handover import tokenizer_files
from llama_data.train_handoff.trainer.record import AT_WORK, CHECKPOINTS, LOCK, RECORD, checkpoints, rows_of
from llama_data.train_handoff.trainer.remote.copies import (
    LINES,
    SMALL,
    address_of,
    alone,
    copy_file,
    fetch_newest,
    make_place,
    runs_folder,
    stored,
    view_of,
    whole,
)
from llama_data.train_handoff.trainer.remote.store import Store, say

SENT = "sent.json"
REWOUND = "record-rewound.json"
_OWNED = re.compile(r"__(\d+)_")  # files of process N, as torch names them


def store_of(folder: Path) -> Store | None:
    """The store that the run in a folder is kept in, None for a run that is kept where it is."""
    address = address_of(folder)
    return None if is_local(address) else Store(address)


def refuse_if_at_work(store: Store) -> None:
    """Raise RequestError when a run that is alive holds the lock in the store."""
    try:
        owner = json.loads(store.read(LOCK) or b"null")
    except ValueError:
        return  # what stands there is no lock
    if isinstance(owner, dict) and is_alive(owner):
        raise RequestError(sentence(store.address(LOCK), AT_WORK, owner))


def prepare(
    output: str, cache_dir: str | None, rewind: int | None = None, node_rank: int = 0
) -> tuple[Path, list[str]]:
    """The folder that the run at an address works in, ready to go on, and what was set aside to go back to a row.

    Raises RequestError when a run is at work there or has no checkpoint up to the row, and as ``bring`` does.
    """
    folder, store = make_place(output, runs_folder(cache_dir)), Store(output)
    refuse_if_held(folder / LOCK, AT_WORK)
    refuse_if_at_work(store)
    aside = set_aside(store, rewind) if rewind is not None and node_rank == 0 else []
    bring(store, folder, rewind)
    return folder, aside


def working_folder(
    kept: str | None, cache_dir: str | None, rewind: int | None, node_rank: int, dry_run: bool
) -> tuple[str | None, list[str]]:
    """Where the run works that is kept in ``kept``, and what was set aside there, where that is in a store.

    A dry run fetches what is said of the tensors alone. Raises as ``prepare`` does.
    """
    if kept is None or is_local(kept):
        return kept, []
    if dry_run:
        return str(view_of(kept, cache_dir)), []
    folder, aside = prepare(kept, cache_dir, rewind, node_rank)
    return str(folder), aside


def bring(store: Store, folder: Path, rewind: int | None = None) -> None:
    """Make the folder what the run in the store is, up to the row ``rewind``, for the processes to go on from.

    Raises:
        InputError: none of its checkpoints is whole, or the store cannot be read.
        RunError: what this machine had not sent yet cannot be.
    """
    with alone(folder):
        mine = _last_sent(folder) == state_of(store)
        _keep_unsent(store, folder, mine)
        names = [name for name in stored(store) if rewind is None or rows_of(Path(name)) <= rewind]
        chosen = fetch_newest(store, names, folder)
        if names and chosen is None:
            raise InputError(
                f"{store.address(CHECKPOINTS)}: none of its checkpoints is whole; put one back from a copy, or train "
                "with another --output"
            )
        remove_others(folder, chosen)
        _bring_lines(store, folder, mine)
        note_sent(store, folder)


def saved_row(store: Store) -> int | None:
    """The rows that are behind the newest checkpoint in the store, None when there is none."""
    return max((rows_of(Path(name)) for name in stored(store)), default=None)


def _keep_unsent(store: Store, folder: Path, mine: bool) -> None:
    """Send the newest whole checkpoint that the store lacks; set it aside where the run went on without it."""
    names = stored(store)
    unsent = [path for path in checkpoints(folder) if path.name not in names and whole(path)]
    if not unsent:
        return
    path = unsent[-1]
    if mine:
        say(f"{path}: not in the store yet; it is sent")
        send_files(store, path, None)
        send_record(store, path)
        return
    aside = folder / f"aside-{path.name}"
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    say(f"{store.url}: the run went on from elsewhere; what was not sent from here is set aside in {aside}")


def _bring_lines(store: Store, folder: Path, mine: bool) -> None:
    """Take the store's metrics, unless this machine's are those and more."""
    if mine and all(_bytes(folder / name).startswith(store.read(name) or b"") for name in LINES):
        return
    for name in SMALL:
        copy_file(store, name, folder / name)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def state_of(store: Store) -> str:
    """A hash of what checkpoints are in the store."""
    digest = sha256()
    for name in stored(store):
        digest.update(f"{name} {sha256(store.read(f'{CHECKPOINTS}/{name}/{RECORD}') or b'').hexdigest()}\n".encode())
    return digest.hexdigest()


def note_sent(store: Store, folder: Path) -> None:
    """Remember what is in the store now, to know later whether somebody else has changed it."""
    (folder / SENT).write_text(json.dumps({"checkpoints": state_of(store)}))


def _last_sent(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / SENT).read_text())["checkpoints"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_others(folder: Path, name: str | None) -> None:
    """Remove all checkpoints of a folder but one: the store has them."""
    for path in (folder / CHECKPOINTS).glob("*"):
        if path.name != name:
            shutil.rmtree(path, ignore_errors=True)


def set_aside(store: Store, row: int) -> list[str]:
    """Give the records of the run's checkpoints after ``row`` a name that no verb takes; returns their addresses.

    Raises RequestError when the run has no checkpoint up to that row.
    """
    names = stored(store)
    later = [name for name in names if rows_of(Path(name)) > row]
    if len(later) == len(names):
        has = ", ".join(f"{rows_of(Path(name)):,}" for name in names) or "none"
        raise RequestError(f"{store.address(CHECKPOINTS)}: no checkpoint at or before row {row:,}; it has: {has}")
    for name in later:
        inside = f"{CHECKPOINTS}/{name}"
        store.put(f"{inside}/{REWOUND}", store.read(f"{inside}/{RECORD}") or b"")
        store.remove(f"{inside}/{RECORD}")
    return [store.address(f"{CHECKPOINTS}/{name}") for name in later]


def clear(store: Store, name: str) -> None:
    """Remove a checkpoint from the store, its record first."""
    inside = f"{CHECKPOINTS}/{name}"
    for file in sorted(store.files(inside), key=lambda file: file != RECORD):
        store.remove(f"{inside}/{file}")


def send_files(store: Store, path: Path, process: int | None) -> None:
    """Put the files of a checkpoint that a process wrote, but not the record; None: those of all processes.

    What no process's name is on is the first one's.
    """
    for file in sorted(path.iterdir()):
        owner = _OWNED.match(file.name)
        if file.name != RECORD and process in (None, int(owner[1]) if owner else 0):
            store.send(file, f"{CHECKPOINTS}/{path.name.removesuffix('.partial')}/{file.name}")


def send_record(store: Store, path: Path) -> None:
    """Put a checkpoint's record, which makes it one."""
    store.put(f"{CHECKPOINTS}/{path.name}/{RECORD}", (path / RECORD).read_bytes())


def send_tokenizer(output: str, folder: Path) -> None:
    """Put a tokenizer's files into the run, for verbs that read its address. Raises RunError."""
    store = Store(output)
    for path in tokenizer_files(folder):
        store.send(path, f"tokenizer/{path.name}")


def send_small(store: Store, folder: Path) -> None:
    """Put the metrics (whole lines of them), the summary and the settings, as they are now."""
    for name in SMALL:
        content = _bytes(folder / name)
        if name in LINES:
            content = content[: content.rfind(b"\n") + 1]
        if content:
            store.put(name, content)


def prune(store: Store, newest: str, keep: int | None) -> None:
    """Remove what killed processes left of checkpoints, and all but ``keep`` of them, fewest rows first.

    Never the newest. An error ends nothing: it is said, and the next time tries again.
    """

    def attempt(action: Callable[[], None]) -> None:
        try:
            action()
        except (InputError, RunError) as error:
            say(f"{error}; training goes on")

    def find_and_remove() -> None:
        names = stored(store)
        files: dict[str, set[str]] = {}
        for path in store.files(CHECKPOINTS):
            name, _, file = path.partition("/")
            files.setdefault(name, set()).add(file)
        drop = [name for name, found in files.items() if name != newest and not found & {RECORD, REWOUND}]
        others = [name for name in names if name != newest]
        if keep is not None:
            drop += others[: max(0, len(others) - (keep - 1))]
        for name in drop:
            attempt(partial(clear, store, name))

    attempt(find_and_remove)
