"""Eight bytes at a time: loads and stores of kernels at any offset of a byte array."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic


def _place(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(view.data, [arguments[1]]), ir.IntType(64).as_pointer())


@intrinsic
def _load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array from ``index`` on, as one little-endian uint64. Nothing is checked."""
    signature = types.uint64(array, types.int64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature, arguments), align=1)

    return signature, build


@intrinsic
def _store_word(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write eight bytes of a uint8 array from ``index`` on, from one little-endian uint64. Nothing is checked."""
    signature = types.void(array, types.int64, types.uint64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature, arguments), align=1)
        return context.get_dummy_value()

    return signature, build


@intrinsic
def _trailing_zeros(typingctx: Any, word: Any) -> Any:
    """How many of the lowest bits of a uint64 are 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), build


@intrinsic
def _bit_count(typingctx: Any, word: Any) -> Any:
    """How many bits of a uint64 are 1."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), build


@intrinsic
def _swap_bytes(typingctx: Any, word: Any) -> Any:
    """The bytes of a uint64 in the other order."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), build


@intrinsic
def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the memory of an array's element, some dozens of steps before it is needed."""
    signature = types.void(array, types.int64)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        place = builder.bitcast(builder.gep(view.data, [arguments[1]]), pointer)
        builder.call(function, [place, *(ir.Constant(flag, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return signature, build


trailing_zeros: Any = _trailing_zeros
bit_count: Any = _bit_count
swap_bytes: Any = _swap_bytes
prefetch: Any = _prefetch
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
