"""Reads torch's distributed checkpoints without running what is in them.

A checkpoint's ``.metadata`` is a pickle, and so are its values that are no tensors: whoever can write a checkpoint
could run code in every program that loads it. Here only the names are resolved that torch itself writes.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import torch
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem

_TORCH_METADATA = "torch.distributed.checkpoint.metadata"
_ALLOWED = {
    _TORCH_METADATA: {
        "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties",
        "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    },
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch.serialization": {"_get_layout"},
    "torch": {"Size", "device"},
    "collections": {"OrderedDict"},
    "pathlib": {"Path", "PosixPath", "PurePosixPath"},
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """A name that torch writes into its metadata. Raises UnpicklingError for any other."""
        if name in _ALLOWED.get(module, ()):
            return super().find_class(module, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which no checkpoint holds")


class SafeReader(FileSystemReader):
    """``FileSystemReader`` whose metadata may hold nothing but descriptions of tensors and places in its own folder."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        """The checkpoint's metadata. Raises UnpicklingError or ValueError when it holds something else."""
        path = self._get_metadata_path(kwargs.get("rank"))
        with self.fs.create_stream(path, "rb") as stream:
            metadata = _Unpickler(stream).load()
        if not isinstance(metadata, Metadata):
            raise ValueError("its metadata describes no checkpoint")
        for place in (metadata.storage_data or {}).values():
            if "/" in place.relative_path or "\\" in place.relative_path:
                raise ValueError(f"it points to {place.relative_path}, outside its folder")
        metadata.storage_meta = metadata.storage_meta or StorageMeta()
        metadata.storage_meta.load_id = self.load_id
        return metadata


class SafePlanner(DefaultLoadPlanner):
    """``DefaultLoadPlanner`` that reads values which are no tensors as ``torch.load`` does with ``weights_only``."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        """Put a value in its place. Raises UnpicklingError when it is more than numbers and texts."""
        checked = torch.load(value, weights_only=True)
        clean = io.BytesIO()
        torch.save(checked, clean)
        clean.seek(0)
        super().load_bytes(read_item, clean)
