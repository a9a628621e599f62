"""A document over bytes behaves as datatrove's."""

from __future__ import annotations

import pickle

from llama_data.pipeline.core.document import Document
from llama_data.pipeline.core.utf8_document import Utf8Document, characters_of, set_utf8, utf8_of

TEXT = "größer, 日本"


def made() -> Utf8Document:
    return Utf8Document(id="d/1", utf8=TEXT.encode(), characters=len(TEXT), metadata={"a": 1})


def test_text_and_bytes_are_the_same_whichever_is_set() -> None:
    for doc in (made(), Document(text=TEXT, id="d/1", metadata={"a": 1})):
        assert (doc.text, utf8_of(doc), characters_of(doc)) == (TEXT, TEXT.encode(), len(TEXT))
        doc.text = "é"
        assert (doc.text, utf8_of(doc), characters_of(doc)) == ("é", "é".encode(), 1)
        set_utf8(doc, "où".encode())
        assert (doc.text, utf8_of(doc), characters_of(doc)) == ("où", "où".encode(), 2)
        doc.text = "\ud800"
        assert (utf8_of(doc), characters_of(doc)) == (b"\xed\xa0\x80", 1)


def test_it_travels_between_processes() -> None:
    doc = pickle.loads(pickle.dumps(made()))
    assert isinstance(doc, Document)
    assert (doc.id, doc.text, doc.utf8, doc.metadata, doc.media) == ("d/1", TEXT, TEXT.encode(), {"a": 1}, [])
