"""Raw memory: loads, stores and prefetches of kernels, in arrays and at addresses. Nothing here is checked.

**Names.** ``load_word(array, index)`` takes an array; a name that ends in ``_at`` takes an address, which is an int64
that ``address(array)`` gave, plus an offset in bytes. Arrays are the rule. Addresses are for loops that make calls: a
compiled function that is given an array counts a reference to its owner, up and down, with two atomic additions, which
is several times what a look-up costs; an address is a number and costs nothing.

**Who guarantees what.** A word is eight bytes, and a loop that reads words reads past the last byte that it wants:

- Whoever makes an array for a kernel that says so gives it ``PADDING`` bytes more than the text. A load may begin at
  the text's end (then it is all padding), never after it. What stands in the padding must not matter to the result; it
  is zeros where a kernel says that no continuation byte may follow.
- Whoever calls ``address`` keeps the array alive until the last load; numba does not know that the address needs it.
  A kernel's own arguments live as long as its call. An array that a kernel makes lives to its last use by name, so its
  address must not outlast that. The same holds for what ``borrowed`` gives.
- Whoever stores words leaves eight bytes of room after the last byte that it means to write.

If one of these does not hold the kernel reads bytes of another object, or of no page at all: a wrong result at best, a
segmentation fault at worst, and never an exception. So every kernel is tested on texts that end where their array does.

**Machines.** Words are little-endian: byte k of the text is bits 8k to 8k + 7. numba runs on little-endian machines
only. Loads and stores need no alignment (``align=1``), which costs nothing on x86-64 and ARMv8.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

PADDING = 8
"""Bytes that a text has more than it says, so that the word at any of its bytes can be read."""


def padded(data: bytes) -> NDArray[np.uint8]:
    """A text as kernels take it: with its PADDING, of zeros."""
    return np.frombuffer(data + bytes(PADDING), np.uint8)


if sys.byteorder != "little":
    raise ImportError("kernels read words of memory as little-endian numbers; this machine is big-endian")

_BYTE, _INT, _WORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _element(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Pointer to the element ``arguments[1]`` of the array ``arguments[0]``."""
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(view.data, [arguments[1]])


def _ask_for(builder: Any, pointer: Any) -> None:
    """LLVM's prefetch of a cache line: for reading, to be kept in all caches, data."""
    kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
    name = "llvm.prefetch.p0"
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    flags = [ir.Constant(_INT, value) for value in (0, 3, 1)]
    builder.call(function, [builder.bitcast(pointer, _BYTE.as_pointer()), *flags])


def _load_word(typingctx: Any, array: Any, index: Any) -> Any:
    """Eight bytes of a uint8 array from ``index`` on, as one uint64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _element(context, builder, signature, arguments)
        return builder.load(builder.bitcast(place, _WORD.as_pointer()), align=1)

    return types.uint64(array, types.int64), build


def _store_word(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a uint64 to eight bytes of a uint8 array from ``index`` on."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _element(context, builder, signature, arguments)
        builder.store(arguments[2], builder.bitcast(place, _WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), build


def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask for the memory of an array's element, some dozens of steps before it is needed."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _ask_for(builder, _element(context, builder, signature, arguments))
        return context.get_dummy_value()

    return types.void(array, types.int64), build


def _address(typingctx: Any, array: Any) -> Any:
    """Where the array's first element lies in memory, as int64. The caller keeps the array alive."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(view.data, _WORD)

    return types.int64(array), build


def _load_word_at(typingctx: Any, place: Any) -> Any:
    """The eight bytes at an address, as one uint64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _WORD.as_pointer()), align=1)

    return types.uint64(types.int64), build


def _load_byte_at(typingctx: Any, place: Any) -> Any:
    """The byte at an address, as int64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.zext(builder.load(builder.inttoptr(arguments[0], _BYTE.as_pointer())), _WORD)

    return types.int64(types.int64), build


def _load_int_at(typingctx: Any, place: Any) -> Any:
    """The int32 at an address, as int64."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.sext(builder.load(builder.inttoptr(arguments[0], _INT.as_pointer()), align=1), _WORD)

    return types.int64(types.int64), build


def _load_float_at(typingctx: Any, place: Any) -> Any:
    """The float32 at an address."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], ir.FloatType().as_pointer()), align=1)

    return types.float32(types.int64), build


def _store_word_at(typingctx: Any, place: Any, value: Any) -> Any:
    """Write a uint64 to the eight bytes at an address."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), build


def _prefetch_at(typingctx: Any, place: Any) -> Any:
    """Ask for the memory at an address, some dozens of steps before it is needed."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _ask_for(builder, builder.inttoptr(arguments[0], _BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64), build


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    kinds: tuple[Any, ...] | None = getattr(kind, "types", None)  # of a tuple's items
    if kinds is not None:
        items = [(inner, builder.extract_value(value, place)) for place, inner in enumerate(kinds)]
        return context.make_tuple(builder, kind, [_without_owner(context, builder, *item) for item in items])
    if isinstance(kind, types.Array):
        view = context.make_array(kind)(context, builder, value)
        view.meminfo = ir.Constant(view.meminfo.type, None)
        return view._getvalue()
    return value


def _borrowed(typingctx: Any, arrays: Any) -> Any:
    """The same arrays, alone or in (named) tuples, without their owners: calls that are given them count nothing.

    For kernels whose callees need arrays and not addresses. The owners must live until the kernel returns, as its own
    arguments do.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owner(context, builder, signature.args[0], arguments[0])

    return arrays(arrays), build


# Any: numba calls these with its typing context in front, which a type checker cannot know.
load_word: Any = intrinsic(_load_word)
store_word: Any = intrinsic(_store_word)
prefetch: Any = intrinsic(_prefetch)
address: Any = intrinsic(_address)
load_word_at: Any = intrinsic(_load_word_at)
load_byte_at: Any = intrinsic(_load_byte_at)
load_int_at: Any = intrinsic(_load_int_at)
load_float_at: Any = intrinsic(_load_float_at)
store_word_at: Any = intrinsic(_store_word_at)
prefetch_at: Any = intrinsic(_prefetch_at)
borrowed: Any = intrinsic(_borrowed)


# Inlined in numba's own form, as all that takes arrays in a hot loop: see the module on what a call costs.
@njit(cache=True, nogil=True, inline="always")
def copy(src, start, end, out, at):  # type: ignore[no-untyped-def]
    """Copy ``src[start:end]`` to ``out`` from ``at`` on; its end. Both must have 8 bytes more than are copied."""
    k = start
    while k < end:
        store_word(out, at, load_word(src, k))
        at += 8
        k += 8
    return at - (k - end)
