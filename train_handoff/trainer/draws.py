"""Random numbers that are a function of a place: the same for any number of processes, and on any device.

SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) gives its i-th number without the
others, so a shard draws its own elements and no others. Integers of 64 bits wrap, so bits are the same everywhere;
normal values are computed in float64 and rounded once, so those of two devices differ in the last place of a float32
about once in 100 million.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Shard

SLICE = 1 << 16  # elements that are worked on at a time: intermediate values stay in a CPU's cache
_CUDA_SLICE = 1 << 22  # and here small beside the model
_GAMMA, _FIRST, _SECOND = (value - (1 << 64) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def key_of(*numbers: int) -> int:
    """The key of what is drawn under these numbers: 64 bits, with a sign."""
    key = torch.zeros((), dtype=torch.int64)
    for number in numbers:
        key = _mix((key + number) * _GAMMA + 1)
    return int(key)


def bits(key: int, index: Tensor) -> Tensor:
    """64 random bits, as int64, for each index under a key."""
    return _mix(index * _GAMMA + key)


def normal(key: int, begin: int, count: int, device: torch.device) -> Tensor:
    """``count`` standard normal values from index ``begin`` on, float32 (Box-Muller: two from 64 bits, up to 6.6)."""
    first = begin // 2
    pair = bits(key, torch.arange(first, (begin + count + 1) // 2, device=device))
    radius = ((pair >> 32 & 0xFFFFFFFF) + 1).double().mul_(2.0**-32).log_().mul_(-2).sqrt_()
    angle = (pair & 0xFFFFFFFF).double().mul_(2 * math.pi * 2.0**-32)
    both = torch.stack((radius * angle.cos(), radius * angle.sin()), dim=1).flatten().float()
    return both[begin - 2 * first :][:count]


def local_slices(parameter: Tensor) -> Iterator[tuple[Tensor, int]]:
    """This process's elements of a parameter, flat, some at a time, and the index of the first of them in the whole."""
    local, begin = parameter, 0
    if isinstance(parameter, DTensor):
        local, begin = parameter.to_local(), first_row(parameter) * math.prod(parameter.shape[1:])
    flat = local.detach().view(-1)
    size = _CUDA_SLICE if flat.is_cuda else SLICE
    for start in range(0, flat.numel(), size):
        yield flat[start : start + size], begin + start


def first_row(parameter: DTensor) -> int:
    """The first row that this process has: FSDP gives each ceil(rows / processes) of them, the last ones fewer."""
    first, rows = 0, parameter.shape[0]
    for mesh_dim, placement in enumerate(parameter.placements):
        if isinstance(placement, Shard):
            assert placement.dim == 0
            each = -(-rows // parameter.device_mesh.size(mesh_dim))
            skipped = min(rows, each * parameter.device_mesh.get_local_rank(mesh_dim))
            first, rows = first + skipped, min(each, rows - skipped)
    return first


def _mix(x: Tensor) -> Tensor:
    """The finaliser: every bit of the input changes half of the bits of the output."""
    x = (x ^ (x >> 30 & (1 << 34) - 1)) * _FIRST
    x = (x ^ (x >> 27 & (1 << 37) - 1)) * _SECOND
    return x ^ (x >> 31 & (1 << 33) - 1)
