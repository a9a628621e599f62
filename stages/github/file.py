"""A file of a repository, as GitHub's readers make it and its rules judge it."""

from __future__ import annotations

from llama_data.pipeline.core.document import Document


class SourceFile(Document):
    """A file of a repository. ``has_content``: False where its bytes are not at hand (binary, or too large)."""

    __slots__ = ("has_content",)
    has_content: bool
