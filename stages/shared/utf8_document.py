"""A document that holds its text as UTF-8 and makes a string of it only when somebody asks."""

from __future__ import annotations

from typing import Any

from llama_data.pipeline.core.document import Document


class Utf8Document(Document):  # type: ignore[misc]
    """datatrove's Document over bytes: kernels take ``utf8``, everybody else ``text``; setting one sets the other."""

    __slots__ = ("_characters", "_text", "_utf8")

    def __init__(self, *, id: str, utf8: bytes, characters: int, metadata: dict[str, Any]) -> None:
        super().__init__("", id, [], metadata)
        self._utf8: bytes | None = utf8
        self._text: str | None = None
        self._characters: int | None = characters

    @property
    def text(self) -> str:
        """The text, decoded when it is first asked for."""
        if self._text is None:
            self._text = (self._utf8 or b"").decode("utf-8", "surrogatepass")
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text, self._utf8, self._characters = text, None, None

    @property
    def utf8(self) -> bytes:
        """The text as UTF-8."""
        if self._utf8 is None:
            self._utf8 = (self._text or "").encode("utf-8", "surrogatepass")
        return self._utf8

    @utf8.setter
    def utf8(self, data: bytes) -> None:
        self._utf8, self._text, self._characters = data, None, None

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
