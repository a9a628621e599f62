"""How long a process waits for the others in a step: measured in single steps, on any device."""

from __future__ import annotations

import time
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule

from llama_data.train_handoff.trainer.distributed import Processes


class Waiting:
    """Seconds that this process waits in a step that is sampled.

    The processes of a sharded model go from one collective to the next together, so the time of a step is the same on
    all of them, however slow one is. In a sampled step all meet before every collective, when their devices have done
    what comes before it: who comes early waits. Communication does not overlap with computing in such a step; its
    results are the same.
    """

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.seconds = 0.0
        self.sampled = False

    def watch(self, model: nn.Module) -> None:
        """Meet before the collectives of this model."""
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.set_custom_all_gather(_Gather(self))  # type: ignore[arg-type]
                module.set_custom_reduce_scatter(_Scatter(self))  # type: ignore[arg-type]

    def begin(self) -> None:
        """The step that follows is sampled."""
        self.seconds, self.sampled = 0.0, True

    def end(self) -> float:
        """Seconds of waiting since ``begin``."""
        self.sampled = False
        return self.seconds

    def meet(self) -> None:
        """In a sampled step: wait for the others, and count how long."""
        if not self.sampled:
            return
        if self.processes.device.type == "cuda":
            torch.cuda.synchronize(self.processes.device)
        before = time.perf_counter()
        dist.all_reduce(torch.zeros(1))
        self.seconds += time.perf_counter() - before


class _Gather:
    """FSDP's own collective (``torch.distributed.fsdp``'s interface ``AllGather``), after meeting."""

    def __init__(self, waiting: Waiting) -> None:
        self.waiting = waiting

    def allocate(self, size: Any, *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        """Memory for its result."""
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(
        self, output_tensor: torch.Tensor, input_tensor: torch.Tensor, group: dist.ProcessGroup, async_op: bool = False
    ) -> Any:
        self.waiting.meet()
        return dist.all_gather_single(output_tensor, input_tensor, group=group, async_op=async_op)


class _Scatter(_Gather):
    """The interface ``ReduceScatter``."""

    def __call__(  # type: ignore[override]
        self,
        output_tensor: torch.Tensor,
        input_tensor: torch.Tensor,
        group: dist.ProcessGroup,
        op: Any,
        async_op: bool = False,
    ) -> Any:
        self.waiting.meet()
        return dist.reduce_scatter_single(output_tensor, input_tensor, group=group, op=op, async_op=async_op)
