"""Eight bytes at a time: loads and stores of kernels at any offset of a byte array."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(view.data, [arguments[1]]), ir.IntType(64).as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def _load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array from ``index`` on, as one little-endian uint64. Nothing is checked."""
    signature = types.uint64(array, types.int64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature, arguments), align=1)

    return signature, build


@intrinsic  # type: ignore[untyped-decorator]
def _store_word(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes of a uint8 array from ``index`` on, from one little-endian uint64. Nothing is checked."""
    signature = types.void(array, types.int64, types.uint64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature, arguments), align=1)
        return context.get_dummy_value()

    return signature, build


load_word: Any = _load_word
store_word: Any = _store_word


@njit(cache=True, nogil=True, inline="always")
def copy(src, start, end, out, at):  # type: ignore[no-untyped-def]
    """Copy ``src[start:end]`` to ``out`` from ``at`` on; its end. Both must have 8 bytes more than are copied."""
    k = start
    while k < end:
        store_word(out, at, load_word(src, k))
        at += 8
        k += 8
    return at - (k - end)
