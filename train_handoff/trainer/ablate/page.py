"""The page of an ablation. Imports no torch."""

from __future__ import annotations

from typing import Any

from llama_data.pipeline.core.files import atomic_write
from llama_data.pipeline.report.ablation import render_ablation
from llama_data.pipeline.report.render import encode


def write_page(found: dict[str, Any], path: str) -> None:
    """Write what ablate.json says as one HTML file."""
    with atomic_write(path) as stream:
        stream.write(encode(render_ablation(found)))
