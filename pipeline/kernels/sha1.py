"""SHA-1 of many short messages, sixteen side by side in vector registers (FIPS 180-4).

The compression function is written once in LLVM's vector instructions, which the compiler maps to what the machine
has (one register of AVX-512, two of AVX2, four of SSE or NEON).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

LANES = 16
_VECTOR = ir.VectorType(ir.IntType(32), LANES)
_CONSTANTS = (0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6)


def _all(value: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [ir.Constant(ir.IntType(32), value)] * LANES)


def _turn(builder: Any, x: Any, bits: int) -> Any:
    return builder.or_(builder.shl(x, _all(bits)), builder.lshr(x, _all(32 - bits)))


def _swap(builder: Any, x: Any) -> Any:
    inner = builder.or_(
        builder.and_(builder.lshr(x, _all(8)), _all(0x00FF00FF)),
        builder.shl(builder.and_(x, _all(0x00FF00FF)), _all(8)),
    )
    return _turn(builder, inner, 16)


def _mixed(builder: Any, t: int, b: Any, c: Any, d: Any) -> Any:
    if t < 20:
        return builder.xor(d, builder.and_(b, builder.xor(c, d)))
    if 40 <= t < 60:
        return builder.or_(builder.and_(b, c), builder.and_(d, builder.or_(b, c)))
    return builder.xor(b, builder.xor(c, d))


@intrinsic
def _compress(typingctx: Any, state: Any, block: Any) -> Any:
    """One block in each lane: ``state`` is uint32 (5, 16), ``block`` (16, 16) as the bytes stand (word, lane)."""
    signature = types.void(state, block)

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def rows(number: int, count: int) -> list[Any]:
            data = context.make_array(signature.args[number])(context, builder, arguments[number]).data
            first = builder.bitcast(data, _VECTOR.as_pointer())
            return [builder.gep(first, [ir.Constant(ir.IntType(64), row)]) for row in range(count)]

        places = rows(0, 5)
        before = [builder.load(place, align=4) for place in places]
        words = [_swap(builder, builder.load(place, align=4)) for place in rows(1, 16)]
        a, b, c, d, e = before
        for t in range(80):
            if t >= 16:
                x = builder.xor(builder.xor(words[t - 3], words[t - 8]), builder.xor(words[t - 14], words[t - 16]))
                words.append(_turn(builder, x, 1))
            f = _mixed(builder, t, b, c, d)
            step = builder.add(builder.add(_turn(builder, a, 5), f), builder.add(e, _all(_CONSTANTS[t // 20])))
            a, b, c, d, e = builder.add(step, words[t]), a, _turn(builder, b, 30), c, d
        for place, old, new in zip(places, before, (a, b, c, d, e), strict=True):
            builder.store(builder.add(old, new), place, align=4)
        return context.get_dummy_value()

    return signature, build


compress: Any = _compress


@njit(cache=True, nogil=True)
def _swapped(word):  # type: ignore[no-untyped-def]
    word = ((word & np.uint32(0x00FF00FF)) << np.uint32(8)) | ((word >> np.uint32(8)) & np.uint32(0x00FF00FF))
    return np.uint32((word << np.uint32(16)) | (word >> np.uint32(16)))


@njit(cache=True, nogil=True)
def _by_length(count):  # type: ignore[no-untyped-def]
    """The messages that have blocks, those with fewer first."""
    longest = np.int64(0)
    for blocks in count:
        longest = max(longest, blocks)
    places = np.zeros(longest + 1, np.int64)
    for blocks in count:
        places[blocks] += 1
    place = np.int64(0)
    for blocks in range(1, longest + 1):
        place, places[blocks] = place + places[blocks], place
    order = np.empty(place, np.int64)
    for message in range(count.size):
        blocks = count[message]
        if blocks > 0:
            order[places[blocks]] = message
            places[blocks] += 1
    return order


@njit(cache=True, nogil=True)
def digest_messages(words, first, count, hashes):  # type: ignore[no-untyped-def]
    """Set ``hashes`` to the first eight digest bytes, little-endian, of every message that has blocks.

    ``words`` are padded messages in blocks of sixteen uint32; message n is ``count[n]`` blocks from block ``first[n]``
    on. Sixteen messages run side by side until the longest is done, those of one length together.
    """
    order = _by_length(count)
    state = np.empty((5, 16), np.uint32)
    block = np.zeros((16, 16), np.uint32)
    for begin in range(0, order.size, 16):
        lanes = min(16, order.size - begin)
        state[0, :] = np.uint32(0x67452301)
        state[1, :] = np.uint32(0xEFCDAB89)
        state[2, :] = np.uint32(0x98BADCFE)
        state[3, :] = np.uint32(0x10325476)
        state[4, :] = np.uint32(0xC3D2E1F0)
        for number in range(count[order[begin + lanes - 1]]):
            for lane in range(lanes):
                message = order[begin + lane]
                if number < count[message]:
                    base = (first[message] + number) * 16
                    for k in range(16):
                        block[k, lane] = words[base + k]
            compress(state, block)
            for lane in range(lanes):
                message = order[begin + lane]
                if number + 1 == count[message]:
                    low = np.uint64(_swapped(state[0, lane]))
                    high = np.uint64(_swapped(state[1, lane]))
                    hashes[message] = low | (high << np.uint64(32))
