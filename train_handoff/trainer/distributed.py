"""Processes, devices and sharding: gloo on CPU, nccl on CUDA, FSDP over a (replicate, shard) mesh."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard, register_fsdp_forward_method

from llama_data.pipeline.core.errors import LlamaDataError, RequestError, StoppedError
from llama_data.pipeline.core.failures import sentence_of_error
from llama_data.train_handoff.trainer.config import TrainConfig
from llama_data.train_handoff.trainer.model import Llama
from llama_data.train_handoff.trainer.record import FAILURE, RESULT


@dataclass(frozen=True)
class Processes:
    """This process among all: ``rank`` of ``world``, on ``device``, with the mesh that FSDP uses."""

    rank: int
    world: int
    device: torch.device
    mesh: DeviceMesh

    @property
    def main(self) -> bool:
        """True on the process that writes logs."""
        return self.rank == 0


def start(config: TrainConfig) -> Processes:
    """Join the process group that torchrun set up (or a group of one).

    Raises:
        RequestError: CUDA was asked for and is not there, or the copies do not divide the processes.
    """
    cuda = torch.cuda.is_available()
    if config.device == "cuda" and not cuda:
        raise RequestError("device cuda: no CUDA device is visible; use --device cpu or auto")
    kind = "cuda" if cuda and config.device != "cpu" else "cpu"
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device(kind, local) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo"
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timedelta(minutes=10))
    else:
        store = dist.TCPStore("127.0.0.1", 0, 1, True)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=0, world_size=1)
    world = dist.get_world_size()
    if world % config.replicate:
        raise RequestError(f"replicate {config.replicate}: must divide the {world} processes")
    mesh = init_device_mesh(kind, (config.replicate, world // config.replicate), mesh_dim_names=("replicate", "shard"))
    return Processes(dist.get_rank(), world, device, mesh)


def shard(model: Llama, config: TrainConfig, processes: Processes) -> None:
    """Shard the model layer by layer, in place.

    Gradients are summed, not averaged: the loss is already divided by the tokens of the whole step, so a step is
    the same for any number of processes. (gloo's averaging of FSDP gradients has been wrong without notice:
    pytorch issue 162338.)

    Inputs of a layer are not cast: the stream has the parameters' type from the embedding on, and the rotary tables
    have to stay float32 (in bfloat16 neighbouring positions of a long row have the same angle).
    """
    mesh = processes.mesh if config.replicate > 1 else processes.mesh["shard"]
    computed = getattr(torch, config.dtype)
    policy = MixedPrecisionPolicy(param_dtype=computed, reduce_dtype=torch.float32, cast_forward_inputs=False)
    for layer in model.layers:
        if model.compute.backend is not None:
            layer.compile(backend=model.compute.backend)
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    register_fsdp_forward_method(model, "losses")
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def synchronise_copies(model: nn.Module, wanted: bool) -> None:
    """Sum gradients over the copies of the model in the next backward pass only when ``wanted`` (a step's last one).

    Over the shards of a copy they are summed in every pass: else each process would hold the whole gradient in float32
    until the last, 4 bytes a parameter.
    """
    if isinstance(model, FSDPModule):
        model.set_requires_all_reduce(wanted)


def sum_over_processes(values: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over all processes."""
    dist.all_reduce(values, op=dist.ReduceOp.SUM)
    return values


def highest_of_processes(values: torch.Tensor) -> torch.Tensor:
    """The highest of all processes of each value of a tensor."""
    dist.all_reduce(values, op=dist.ReduceOp.MAX)
    return values


def stop() -> None:
    """Leave the process group."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def worker() -> Iterator[None]:
    """The life of one process, which ends here: an error of ours is one line and its exit code.

    The interpreter is not taken down. A thread of gloo's may still hold the tensor of the last collective; letting it
    go asks for the interpreter, and once that is being taken down the thread is unwound through C++, which aborts a
    process that has done all its work (SIGABRT in one of ten runs on a busy machine).
    """
    code = 1
    try:
        yield
        code = 0
    except StoppedError as stopped:  # the launcher says so
        code = stopped.exit_code
    except LlamaDataError as error:
        print(f"llama-train: {error}", file=sys.stderr, flush=True)
        code = error.exit_code
    except OSError as error:
        print(f"llama-train: {sentence_of_error(error)}", file=sys.stderr, flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def answer(request: str, find: Callable[[], dict[str, Any]]) -> None:
    """One process that ``launch.ask`` has started: finds the answer together with the others, and ends.

    The first process of every node writes it beside the request, and one that fails writes why.
    """
    with worker():
        try:
            found = find()
        except LlamaDataError as error:
            Path(request).with_name(FAILURE).write_text(str(error))
            raise
        if os.environ.get("LOCAL_RANK", "0") == "0":
            Path(request).with_name(RESULT).write_text(json.dumps(found))
