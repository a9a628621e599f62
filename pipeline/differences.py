"""What has changed between what a result was made from and what it would be made from now, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from llama_data.pipeline.record import Record

_SHOWN = 80


def differences(old: Record, now: Record) -> list[str]:
    """A sentence for each setting, input, model or result before that differs; none: they are the same.

    The version comes first, then settings, with their names as a recipe writes them; then models, results, inputs
    and tasks.
    """
    told: list[str] = []
    if old.content["version"] != now.content["version"]:
        told.append(f"llama-data {old.content['version']} → {now.content['version']}")
    told += _settings(old.content["settings"], now.content["settings"], "")
    told += _models(old.content["models"], now.content["models"])
    told += _before(old.content["before"], now.content["before"])
    inputs = list(_inputs(old, now))
    told += inputs
    if not told and old.content["inputs"] != now.content["inputs"]:
        told.append("the inputs are cut into other pieces")
    if not told and old.content["jobs"] != now.content["jobs"]:
        told.append(f"jobs {_tasks(old.content['jobs'])} → {_tasks(now.content['jobs'])}")
    return told


def _settings(old: Any, now: Any, name: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(now, Mapping):
        for key in sorted({*old, *now}):
            yield from _settings(old.get(key), now.get(key), f"{name}.{key}" if name else str(key))
    elif old != now:
        yield f"{name} {_value(old)} → {_value(now)}"


def _value(value: Any) -> str:
    told = "null" if value is None else str(value)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}…"


def _models(old: list[list[str]], now: list[list[str]]) -> Iterator[str]:
    if sorted(old) == sorted(now):
        return
    left, right = ({name: digest for name, digest in pairs} for pairs in (old, now))
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            yield f"file {name}: sha256 {_short(left.get(name))} → {_short(right.get(name))}"


def _before(old: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for folder in sorted({*old, *now}):
        if folder not in now or folder not in old:
            yield f"{folder}: {'read' if folder in old else 'not read'} → {'read' if folder in now else 'not read'}"
        elif old[folder] != now[folder]:
            yield f"{folder} was made anew: manifest {_short(old[folder])} → {_short(now[folder])}"


def _short(digest: str | None) -> str:
    return "none" if digest is None else digest[:12]


def _by_name(record: Record) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in record.inputs:
        found.setdefault(row["id"][0], []).append(row)
    return found


def _inputs(old: Record, now: Record) -> Iterator[str]:
    left, right = _by_name(old), _by_name(now)
    for name in sorted({*left, *right}):
        told = _input(left.get(name), right.get(name))
        if told is not None:
            yield f"input {name}: {told}"


def _input(old: list[dict[str, Any]] | None, now: list[dict[str, Any]] | None) -> str | None:
    """What differs of one file; each of its pieces is a row."""
    if old is None or now is None:
        return "new" if old is None else "gone"
    sizes = [sum(row["id"][1] for row in rows) for rows in (old, now)]
    if sizes[0] != sizes[1]:
        return f"{sizes[0]:,} → {sizes[1]:,} bytes"
    return changed_stamp(old[0], now[0])


def changed_stamp(old: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """How the content of a file of the same size is known to be another; by its hash where both were taken."""
    if old.get("sha256") and now.get("sha256"):
        same = old["sha256"] == now["sha256"]
        return None if same else f"sha256 {_short(old['sha256'])} → {_short(now['sha256'])}"
    # A store or reader that gives no stamp has nothing to compare.
    if old["stamp"] == now["stamp"] or not (old["stamp"] and now["stamp"]):
        return None if old["id"] == now["id"] else "another revision"
    return f"changed at the same size: {_time(old['stamp'])} → {_time(now['stamp'])}"


def _time(stamp: str) -> str:
    """A time in nanoseconds as people write it; an etag as it is."""
    if not stamp.isdigit() or len(stamp) < 18:
        return stamp
    return datetime.fromtimestamp(int(stamp) / 1e9, UTC).isoformat(sep=" ", timespec="milliseconds")


def _tasks(jobs: list[list[Any]]) -> str:
    return ", ".join(f"{name} ({tasks})" for name, tasks in jobs)
