"""What a file of safetensors says that it holds, checked before the file is mapped or a model is made for it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from llama_data.pipeline.core.errors import InputError

# The format's own limit of a header, and bits of each kind of number that it knows.
_MAX_HEADER = 100_000_000
_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
}
_MAX_DIMENSIONS = 16
_LAYER = re.compile(r"model\.layers\.(\d{1,9})\.")


class Stated(NamedTuple):
    """A tensor as a header states it."""

    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_json(path: Path, limit: int = _MAX_HEADER) -> dict[str, Any]:
    """A JSON object of a model's folder. Raises InputError when it is none, is over ``limit`` bytes, or not there."""
    try:
        size = path.stat().st_size
        if size > limit:
            raise InputError(f"{path}: {size:,} bytes; expected a description of a model, at most {limit:,} bytes")
        return parse_object(path, path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected the folder of a Hugging Face model") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def parse_object(path: Path, data: bytes) -> dict[str, Any]:
    """A JSON object of a file. Raises InputError, also where it is nested too deeply or names a key twice."""
    try:
        found = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read: not JSON as it should be: {error}; fetch it again") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(found).__name__}")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it has a key twice")
    return found


def read_header(path: Path) -> dict[str, Stated]:
    """The tensors of a file of safetensors.

    They must fill the bytes behind the header, each byte once, each as its shape and kind of number say.

    Raises:
        InputError: the file is missing, cut short, or states what it does not hold.
    """
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise _damaged(path, f"a header of {length:,} bytes in a file of {size:,}")
            found = parse_object(path, stream.read(length))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    found.pop("__metadata__", None)
    stated = {name: _stated(path, name, one) for name, one in found.items()}
    at = 0
    for name, one in sorted(stated.items(), key=lambda item: (item[1].begin, item[1].end)):
        if one.begin != at:
            raise _damaged(path, f"{name} from byte {one.begin:,} on, where the one before ends at {at:,}")
        at = one.end
    if at != size - 8 - length:
        raise _damaged(path, f"{at:,} bytes of tensors by its header, {size - 8 - length:,} behind it")
    return stated


def _stated(path: Path, name: str, one: Any) -> Stated:
    fields = one if isinstance(one, dict) else {}
    kind, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(kind, str) or kind not in _BITS:
        raise _damaged(path, f"{name} of the kind {str(kind)[:40]!r}")
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS or not all(map(_is_count, shape)):
        raise _damaged(path, f"{name} without a shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise _damaged(path, f"{name} without a place")
    begin, end = offsets
    bits = math.prod(shape) * _BITS[kind]
    if end < begin or (end - begin) * 8 != bits:
        raise _damaged(path, f"{name} of {shape} {kind} in {end - begin:,} bytes")
    return Stated(kind, tuple(shape), begin, end)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _damaged(path: Path, found: str) -> InputError:
    return InputError(f"{path}: cut short or damaged: it has {found}; fetch it again")


def layers_of(stated: dict[str, Stated]) -> int:
    """How many layers of a LLaMA model some tensors belong to."""
    return len({found[1] for found in map(_LAYER.match, stated) if found})
