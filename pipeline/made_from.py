"""What stands in a run's folder was made from something; it is only gone on with, or used, when that is unchanged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import orjson

from llama_data.pipeline.chain import dependents, redo, typed
from llama_data.pipeline.core import manifest
from llama_data.pipeline.core.block import Step
from llama_data.pipeline.core.errors import LlamaDataError, RequestError, StoppedError
from llama_data.pipeline.core.failures import is_no_room
from llama_data.pipeline.core.files import (
    Split,
    file_system,
    is_file,
    is_local,
    join,
    list_files,
    local_path,
    remove_tree,
    sha256_of,
)
from llama_data.pipeline.core.job import Job
from llama_data.pipeline.core.version import VERSION
from llama_data.pipeline.core.written import in_short, unlike_disk
from llama_data.pipeline.differences import differences
from llama_data.pipeline.finish import Finish, Group, notes_of, with_ends
from llama_data.pipeline.jobs import input_splits
from llama_data.pipeline.recipe import Recipe
from llama_data.pipeline.record import Record, is_of_older_version, note_failure, read_record, write_record

_THREADS = 8


def describe(
    jobs: Sequence[Job],
    settings: Any,
    *,
    inputs: Sequence[Split] = (),
    before: Mapping[str, str] | None = None,
    by_hash: bool = False,
    known: Record | None = None,
) -> Record:
    """What the jobs depend on: settings, inputs, models, results of the step before.

    ``inputs``: what they read that no manifest answers for. ``before``: the hashes of the manifests of what they read
    besides. ``by_hash``: hash the inputs. ``known``: an earlier record; what was not touched is not hashed again.
    """
    rows: list[dict[str, Any]] = [
        {"id": split.identity(), "path": split.path, "stamp": split.stamp} for split in inputs
    ]
    if by_hash:
        _add_hashes(rows, known.inputs if known else [])
    models = _model_hashes(jobs, known.models if known else {})
    named = sorted([path.rpartition("/")[2], found[-1]] for path, found in models.items())
    content = {
        "version": VERSION,
        "settings": settings,
        "jobs": [[job.name, job.tasks] for job in jobs],
        "inputs": {
            "count": len({row["id"][0] for row in rows}),
            "sha256": manifest.content_hash([row["id"] for row in rows]),
        },
        "models": named,
        "before": dict(before or {}),
    }
    return Record(orjson.loads(orjson.dumps(content, default=str)), rows, models)


def _add_hashes(rows: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]]) -> None:
    """Add the sha256 of each input's file; of one that has the stamp it had, it is that which was taken then."""
    old = {(row["path"], row["stamp"]): row["sha256"] for row in known if row["stamp"] and row.get("sha256")}
    paths = {row["path"]: row["stamp"] for row in rows}
    asked = [path for path, stamp in paths.items() if (path, stamp) not in old]
    with ThreadPoolExecutor(_THREADS) as pool:
        hashed = dict(zip(asked, pool.map(hash_of, asked), strict=True))
    for row in rows:
        row["sha256"] = hashed.get(row["path"]) or old[row["path"], row["stamp"]]


def hash_of(path: str) -> str:
    """sha256 of a file; of a folder (a git repository, of which the commit is known) none."""
    return "folder" if is_local(path) and os.path.isdir(local_path(path)) else sha256_of(path)


def hash_unless_known(path: str, known: Sequence[Any]) -> list[Any]:
    """What tells that a file was not touched, and last its hash, taken again only where that is not as ``known``."""
    touched: list[Any] = []
    if is_local(path):
        about = os.stat(local_path(path))
        # The time of the last change of the entry cannot be set by anyone, unlike that of the content.
        touched = [about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    old = list(known)
    return old if touched and old[:-1] == touched else [*touched, hash_of(path)]


def _model_hashes(jobs: Sequence[Job], known: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """For each file that a step depends on what tells that it was not touched, and last its sha256.

    A manifest stands for the result that it is of, by that result's own hash.
    """
    paths = sorted({path for job in jobs for step in job.steps if isinstance(step, Step) for path in step.files})
    found: dict[str, list[Any]] = {}
    for path in paths:
        if path.endswith(f"/{manifest.MANIFEST}"):
            found[path] = [manifest.require(path.rpartition("/")[0], "llama-data run").sha256]
        else:
            found[path] = hash_unless_known(path, known.get(path, ()))
    return found


def prepare(
    group: Group,
    jobs: Sequence[Job],
    recipe: Recipe,
    settings: Any,
    *,
    finish: type[Finish] | Callable[..., Finish] = Finish,
    reads_inputs: bool = False,
    before: Mapping[str, str] | None = None,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> list[Job]:
    """The jobs that are to be executed, with their checks and the last one that writes the manifests; none when all
    is there already and was made from the same.

    What is there and was made from something else is an error unless ``overwrite``; so are files of somebody else.
    Unfinished work that has failed is begun anew when something has changed. ``finish`` makes the last step.

    Raises:
        RequestError: see above; says what differs, and what makes it anew.
    """
    _check_output(recipe)
    root = recipe.path()
    done = [found for result in group.results if (found := manifest.find(join(root, result.folder))) is not None]
    complete = len(done) == len(group.results)
    old = _record_of(done[0]) if complete else read_record(root, group.name)
    splits = input_splits(jobs) if reads_inputs else []
    by_hash = recipe.inputs_by == "hash"
    now = describe(jobs, settings, inputs=splits, before=before, by_hash=by_hash, known=old)
    ready = with_ends(jobs, finish(run=recipe.context(), group=group, notes=notes_of(jobs)), before or {})
    if overwrite:
        return _anew(group, root, now, ready)
    if old is not None:
        differs = differences(old, now)
        if not differs:
            return _go_on(group, root, now, ready, done if complete else None)
        if complete or old.failed is None:
            raise RequestError(_refusal(group, root, differs, complete))
        say(f"  {group.name}: its last try failed, and {differs[0]} since: it is begun anew")
        return _anew(group, root, now, ready)
    if is_of_older_version(root, group.name):
        raise RequestError(older_version(root, group.name, redo(group.command, *typed.get())))
    foreign = [path for path in _outputs(group, root) if list_files(path, "") or is_file(path)]
    if foreign:
        raise RequestError(
            f"{foreign[0]}: there is something that this run did not make; "
            "give another --output, or --overwrite to remove it"
        )
    return _anew(group, root, now, ready)


def older_version(root: str, name: str, anew: str) -> str:
    """What is said of a result of a version that wrote no manifests; ``anew``: the command that makes it anew."""
    return (
        f"{root}: {name} was made by a version that wrote no {manifest.MANIFEST}; `llama-data verify {root} --adopt` "
        f"reads all of it and writes one, or {anew} makes it anew"
    )


def _record_of(found: manifest.Manifest) -> Record:
    models = dict(found.record["about"]["models"])
    return Record(found.made_from, found.inputs(), models)


def _go_on(
    group: Group, root: str, now: Record, ready: list[Job], done: Sequence[manifest.Manifest] | None
) -> list[Job]:
    """The same as before: there is nothing to do when it is complete, and nothing may be missing then."""
    if done is None:
        write_record(root, group.name, now)
        return ready
    wrong = [told for found in done for told in unlike_disk(found.root, found.files)]
    if wrong:
        raise RequestError(f"{in_short(wrong)}; put it back, or make it anew with {redo(group.command, *typed.get())}")
    remove_tree(group.work)
    return []


def _anew(group: Group, root: str, now: Record, ready: list[Job]) -> list[Job]:
    """Remove what is there. The manifests go first, then what says which tasks are complete."""
    for result in group.results:
        manifest.remove(join(root, result.folder))
    for path in (join(root, "logs", group.name), *_outputs(group, root), group.work):
        remove_tree(path)
    write_record(root, group.name, now)
    return ready


def _outputs(group: Group, root: str) -> list[str]:
    return [join(root, name) for name in group.outputs]


def _refusal(group: Group, root: str, differs: Sequence[str], complete: bool) -> str:
    """What differs, and which commands make anew what depends on it."""
    shown = "; ".join(differs[:6]) + (f"; and {len(differs) - 6} more" if len(differs) > 6 else "")
    what = "was made" if complete else "was begun"
    later = dependents(root, [result.folder for result in group.results])
    then = f", then {', '.join(redo(command, '--output', root) for command in later)}" if later else ""
    return (
        f"{root}: {group.name} {what} there from other inputs or settings: {shown}; "
        f"{redo(group.command, *typed.get())} makes it anew{then}; or give another --output"
    )


@contextmanager
def noting_failure(group: Group, root: str) -> Iterator[None]:
    """While a group's jobs run: one that fails leaves no record that forbids another try with mended settings."""
    try:
        yield
    except StoppedError:
        raise
    except LlamaDataError as error:
        note_failure(root, group.name, str(error))
        raise


def _check_output(recipe: Recipe) -> None:
    """Refuse an output that cannot be a folder of ours."""
    output = recipe.path()
    file_system(output)
    if is_local(output):
        try:
            os.makedirs(local_path(output), exist_ok=True)
        except OSError as error:
            if is_no_room(error):
                raise
            raise RequestError(f"{output}: cannot be used as the run's folder: {error.strerror}") from None
        if not os.access(local_path(output), os.R_OK | os.W_OK | os.X_OK):
            raise RequestError(f"{output}: cannot be used as the run's folder: no permission to write there")
