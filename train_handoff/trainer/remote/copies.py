"""Checkpoints of a store on this machine, and which address a folder of this machine stands for. Imports no torch."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from llama_data.pipeline.core.errors import InputError
from llama_data.pipeline.core.files import is_local
from llama_data.train_handoff.shards.cache import default_folder
from llama_data.train_handoff.trainer.record import (
    CHECKPOINTS,
    NAME,
    RECORD,
    FileEntry,
    changed_file,
    file_entry,
    read_record,
    rows_of,
)
from llama_data.train_handoff.trainer.remote.store import Store, say

ADDRESS = "address.json"
LINES = ("metrics.jsonl", "metrics-replaced.jsonl")
SMALL = (*LINES, "summary.json", "train.json")
FETCHES = 2  # of a file that arrives with another sha256


def runs_folder(cache_dir: str | None) -> Path:
    """Where runs that are kept in a store work: below ``cache_dir``, else in the user's cache folder."""
    return (Path(cache_dir) if cache_dir is not None else Path(default_folder()).parent) / "runs"


def copies_folder(cache_dir: str | None) -> Path:
    """Where checkpoints are copied to that somebody reads."""
    return runs_folder(cache_dir).with_name("copies")


def place_of(address: str, below: Path) -> Path:
    """The folder below ``below`` that stands for an address: of a run, of one of its checkpoints, or of another.

    It has the address's last name, so that what lies beside it there has its place beside it here.
    """
    parent, _, name = address.rstrip("/").rpartition("/")
    run, _, folder = parent.rpartition("/")
    if folder == CHECKPOINTS and NAME.fullmatch(name):
        return place_of(run, below) / CHECKPOINTS / name
    return below / sha256(parent.encode()).hexdigest()[:16] / name


def make_place(address: str, below: Path) -> Path:
    """The folder that stands for an address, made, with a note of what it stands for."""
    place = place_of(address, below)
    place.mkdir(parents=True, exist_ok=True)
    note = place.parent / ADDRESS
    if not note.exists():
        note.write_text(json.dumps({"url": address.rstrip("/").rpartition("/")[0]}))
    return place


def address_of(path: Path) -> str:
    """The address that a folder of this machine stands for; its own path when it stands for itself."""
    for folder in list(path.parents)[:3]:
        try:
            url = json.loads((folder / ADDRESS).read_text())["url"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        return f"{url}/{path.relative_to(folder).as_posix()}"
    return str(path)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the only process of this machine that fetches into a folder; waits for another."""
    with (folder.parent / f"{folder.name}.fetch").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def stored(store: Store) -> list[str]:
    """Names of the checkpoints of a run in a store that have a record, by rows, fewest first."""
    found = (path.partition("/") for path in store.files(CHECKPOINTS))
    names = (name for name, _, rest in found if rest == RECORD and NAME.fullmatch(name))
    return sorted(names, key=lambda name: rows_of(Path(name)))


def fetch_checkpoint(store: Store, inside: str, target: Path) -> str | None:
    """Make ``target`` the checkpoint that lies at ``inside`` in the store; returns what is wrong with it, if anything.

    What of it is here already, by its sha256, is not fetched. Raises InputError when the store does not answer.
    """
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        problem = _fetch_files(store, inside, target, partial)
        if problem is None:
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        return problem
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch_files(store: Store, inside: str, target: Path, partial: Path) -> str | None:
    sizes, content = store.files(inside), store.read(f"{inside}/{RECORD}" if inside else RECORD)
    if content is None:
        return f"it has no {RECORD}"
    (partial / RECORD).write_bytes(content)
    try:
        record = read_record(partial)
    except InputError:
        return f"{RECORD} is damaged"
    if not record.files or any("/" in name or name in (".", "..", RECORD) for name in record.files):
        return f"{RECORD} does not list its files with their checksums"
    for name, entry in record.files.items():
        found = sizes.get(name)
        if found != entry["bytes"]:
            has = "is missing" if found is None else f"has {found:,} bytes instead of {entry['bytes']:,}"
            return f"{name} {has}"
    for name, entry in record.files.items():
        here = target / name
        if here.is_file() and file_entry(here) == entry:
            here.rename(partial / name)
        elif not any(
            _arrives(store, f"{inside}/{name}" if inside else name, partial / name, entry) for _ in range(FETCHES)
        ):
            return f"{name} is not what was written (sha256)"
    return None


def _arrives(store: Store, name: str, target: Path, entry: FileEntry) -> bool:
    store.fetch(name, target, entry["bytes"])
    return file_entry(target) == entry


def fetch_newest(store: Store, names: list[str], folder: Path) -> str | None:
    """Fetch the newest of the checkpoints that is whole into a run's folder; returns its name, None for none.

    One that is not is stepped over, with a line.
    """
    for name in reversed(names):
        inside = f"{CHECKPOINTS}/{name}"
        problem = fetch_checkpoint(store, inside, folder / CHECKPOINTS / name)
        if problem is None:
            return name
        say(f"{store.address(inside)}: {problem}; it is stepped over")
    return None


def opened(run: str, cache_dir: str | None = None, *, tensors: bool = True) -> Path:
    """A run or checkpoint as a folder of this machine: itself, or a copy of what an address holds.

    Of a run the newest checkpoint that is whole is fetched, with its metrics and its tokenizer. Without ``tensors``
    only what is said about them: the checkpoints then name no files. Raises InputError.
    """
    if is_local(run):
        return Path(run.removeprefix("file://"))
    url, below = run.rstrip("/"), copies_folder(cache_dir)
    if not tensors:
        below = below.with_name("records")
    place = place_of(url, below)
    single = place.parent.name == CHECKPOINTS
    address = url.rpartition(f"/{CHECKPOINTS}/")[0] if single else url
    store, folder = Store(address), make_place(address, below)
    with alone(folder):
        if not single and store.read(RECORD) is not None:
            problem = fetch_checkpoint(store, "", folder)
            if problem is not None:
                raise InputError(f"{url}: {problem}")
            return folder
        names = stored(store)
        if not names:
            raise InputError(f"{address}: neither a checkpoint nor a training run with one in {CHECKPOINTS}/")
        wanted = [place.name] if single else names
        _drop(folder, names)
        if not tensors:
            for name in wanted:
                _copy_record(store, name, folder / CHECKPOINTS / name)
        elif single:
            problem = fetch_checkpoint(store, f"{CHECKPOINTS}/{place.name}", place)
            if problem is not None:
                raise InputError(f"{url}: {problem}")
        elif fetch_newest(store, wanted, folder) is None:
            raise InputError(f"{url}: none of its checkpoints is whole")
        for name in SMALL:
            copy_file(store, name, folder / name)
        if tensors:
            _fetch_tokenizer(store, folder, wanted)
    return place


def view_of(url: str, cache_dir: str | None) -> Path:
    """The folder of what a run in a store, which may still have to begin, says of itself without its tensors."""
    if stored(Store(url)):
        return opened(url, cache_dir, tensors=False)
    return make_place(url, copies_folder(cache_dir).with_name("records"))


def _drop(folder: Path, names: list[str]) -> None:
    """Remove copies of checkpoints that the store no longer has."""
    for path in (folder / CHECKPOINTS).glob("*"):
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def _copy_record(store: Store, name: str, target: Path) -> None:
    content = store.read(f"{CHECKPOINTS}/{name}/{RECORD}")
    if content is None:
        raise InputError(f"{store.address(f'{CHECKPOINTS}/{name}')}: not a checkpoint: it has no {RECORD}")
    target.mkdir(parents=True, exist_ok=True)
    (target / RECORD).write_bytes(content)
    read_record(target)
    (target / RECORD).write_text(json.dumps({**json.loads(content), "files": {}}))


def copy_file(store: Store, name: str, target: Path) -> None:
    """Make a file what the store has; remove it where the store has none."""
    content = store.read(name)
    if content is None:
        target.unlink(missing_ok=True)
        return
    partial = target.with_name(f"{target.name}.partial")
    partial.write_bytes(content)
    partial.replace(target)


def _fetch_tokenizer(store: Store, folder: Path, names: list[str]) -> None:
    """Put the run's tokenizer beside the copy, where it is looked for: beside the mix, in the run, or beside it."""
    target = folder.parent / "tokenizer"
    path = next(path for path in (folder / CHECKPOINTS / name for name in reversed(names)) if path.exists())
    known = read_record(path).tokenizer_sha256
    model = target / "tokenizer.model"
    if model.is_file() and sha256(model.read_bytes()).hexdigest() == known:
        return
    places = [store.url, store.url.rpartition("/")[0]]
    try:
        data = str(json.loads((folder / "train.json").read_text())["data"])
        places.insert(0, data.rstrip("/").rpartition("/")[0])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a run without it; there is another place
    for place in [place for place in places if not is_local(place)]:
        beside = Store(f"{place}/tokenizer")
        content = beside.read("tokenizer.model")
        if content is not None and sha256(content).hexdigest() == known:
            target.mkdir(exist_ok=True)
            for name in beside.files():
                if "/" not in name:
                    copy_file(beside, name, target / name)
            return


def whole(path: Path) -> bool:
    """Whether every file of a checkpoint on this machine is what was written."""
    record = read_record(path)
    return bool(record.files) and changed_file(path, record) is None
