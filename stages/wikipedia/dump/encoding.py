"""The encoding of a dump: what it is, and its bytes as UTF-8, which is what Wikipedia's own dumps are in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from llama_data.stages.wikipedia.dump.stream import Block, Damage

UTF8 = "utf-8"

# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"), (b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"),
)  # fmt: skip
_DECLARATION = re.compile(rb"\s*<\?xml[^<>]*?\sencoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]{0,40})[\"']")
_BROKEN = "llama_data.broken"


def detect(head: bytes) -> str:
    """Python's name of the encoding of a file that begins so (XML 1.0, appendix F): by its byte order mark, by
    the form of its first ``<``, or by its declaration. A name that nothing here knows is returned as it is declared.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    declared = _DECLARATION.match(head)
    if not declared:
        return UTF8
    name = declared.group(1).decode("ascii").lower()
    # What was read in single bytes is in no wider encoding, whatever it says.
    return UTF8 if re.match(r"utf-?(?:8|16|32)|ucs-?[24]|us-ascii|ascii|iso-10646", name) else name


def is_known(encoding: str) -> bool:
    """True when bytes of this encoding can be read."""
    try:
        return "<page>".encode(encoding).decode(encoding) == "<page>"
    except (LookupError, UnicodeError):
        return False


def _mark_broken(error: UnicodeError) -> tuple[str, int]:
    """A lone surrogate in the place of bytes that are no text: the page that has it is no well-formed XML."""
    return "\ud800", error.end if isinstance(error, UnicodeDecodeError) else 0


codecs.register_error(_BROKEN, _mark_broken)


def to_utf8(blocks: Iterator[Block | Damage], encoding: str) -> Iterator[Block | Damage]:
    """The blocks in UTF-8. Their places stay those of the file; bytes that are no text break the page they are in."""
    if encoding == UTF8:
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_BROKEN)
    for block in blocks:
        if isinstance(block, Damage):
            decoder.reset()
            yield block
            continue
        waiting = len(decoder.getstate()[0])
        text = decoder.decode(block.data)
        if text:
            data = text.encode(UTF8, "surrogatepass")
            yield block._replace(data=data, position=max(0, block.position - waiting), encoding=encoding)
