"""A document that holds its text as UTF-8 and makes a string of it only when somebody asks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llama_data.pipeline.core.document import Document


class LineBlock(NamedTuple):
    """The lines of several texts in one buffer, which has eight bytes more than the last line.

    Line n is ``data[starts[n]:ends[n]]``; text t is the lines from ``offsets[t]`` to ``offsets[t + 1]`` with newlines
    between them, and has at least one line.
    """

    data: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def utf8(self, text: int) -> bytes:
        """A text as UTF-8."""
        lines = slice(self.offsets[text], self.offsets[text + 1])
        bounds = zip(self.starts[lines].tolist(), self.ends[lines].tolist(), strict=True)
        return b"\n".join([self.data[start:end] for start, end in bounds])


class Utf8Document(Document):
    """A document over bytes: kernels take ``utf8``, everybody else ``text``; setting one sets the other.

    Until its text is set, a document may be a text of a ``LineBlock`` that it shares with its neighbours, so that
    a step which only wants some of the lines need not copy the others.
    """

    __slots__ = ("_characters", "_text", "_utf8", "lines")

    def __init__(
        self,
        *,
        id: str,
        characters: int,
        metadata: dict[str, Any],
        utf8: bytes | None = None,
        lines: tuple[LineBlock, int] | None = None,
    ) -> None:
        super().__init__(id=id, metadata=metadata)
        self._utf8 = utf8
        self._text: str | None = None
        self._characters: int | None = characters
        self.lines = lines

    @property
    def text(self) -> str:
        """The text, decoded when it is first asked for."""
        if self._text is None:
            self._text = self.utf8.decode("utf-8", "surrogatepass")
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text, self._utf8, self._characters, self.lines = text, None, None, None

    @property
    def utf8(self) -> bytes:
        """The text as UTF-8."""
        if self._utf8 is None:
            if self._text is None and self.lines is not None:
                block, number = self.lines
                self._utf8 = block.utf8(number)
            else:
                self._utf8 = (self._text or "").encode("utf-8", "surrogatepass")
        return self._utf8

    @utf8.setter
    def utf8(self, data: bytes) -> None:
        self._utf8, self._text, self._characters, self.lines = data, None, None, None

    @property
    def characters(self) -> int:
        """Length of the text in characters."""
        if self._characters is None:
            self._characters = len(self.text)
        return self._characters


def utf8_of(doc: Document) -> bytes:
    """The document's text as UTF-8."""
    if isinstance(doc, Utf8Document):
        return doc.utf8
    data: bytes = doc.text.encode("utf-8", "surrogatepass")
    return data


def set_utf8(doc: Document, data: bytes) -> None:
    """Give the document another text, as UTF-8."""
    if isinstance(doc, Utf8Document):
        doc.utf8 = data
    else:
        doc.text = data.decode("utf-8", "surrogatepass")


def characters_of(doc: Document) -> int:
    """Length of the document's text in characters."""
    return doc.characters if isinstance(doc, Utf8Document) else len(doc.text)
