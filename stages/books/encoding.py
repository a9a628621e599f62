"""From the bytes of a book to its text: the encoding is told from the bytes, and from what the file says of itself."""

from __future__ import annotations

import codecs
import re

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"character set encoding: *([A-Za-z0-9_ .-]{3,30})", re.I)
_HEAD = 20_000
_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_C1 = re.compile(rb"[\x80-\x9f]")


def decode(data: bytes) -> tuple[str, str]:
    """The text with newlines ``\\n``, and the name of the encoding that was used.

    A byte-order mark decides; then strict UTF-8; then the file's own declaration; then UTF-8 with stray bytes of
    Windows-1252, when most of the high bytes are UTF-8; then Windows-1252 when it has its quotes, else Latin-1.
    Raises RecordError: the bytes are no text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data[:_HEAD]:
        raise RecordError(Reason.invalid_encoding, f"a NUL at byte {data.index(0)}: not a text file")
    try:
        return _newlines(data.decode("utf-8")), "utf-8"
    except UnicodeDecodeError:
        pass
    declared = _declared(data)
    if declared and declared != "utf-8":
        try:
            return _newlines(data.decode(declared)), declared
        except UnicodeDecodeError:
            pass
    sequences = sum(len(match) for match in _SEQUENCE.findall(data))
    if sequences > len(_HIGH.findall(data)) / 2:
        return _newlines(data.decode("utf-8", "llama-data-cp1252")), "utf-8+cp1252"
    if _C1.search(data):
        return _newlines(data.decode("cp1252", "llama-data-cp1252")), "cp1252"
    return _newlines(data.decode("latin-1")), "latin-1"


def _strict(data: bytes, encoding: str) -> tuple[str, str]:
    try:
        return _newlines(data.decode(encoding).removeprefix("\ufeff")), encoding
    except UnicodeDecodeError as error:
        if encoding == "utf-8-sig":
            text = data[len(codecs.BOM_UTF8) :].decode("utf-8", "llama-data-cp1252")
            return _newlines(text), "utf-8+cp1252"
        raise RecordError(Reason.invalid_encoding, f"{encoding}: byte {error.start}: {error.reason}") from None


def _declared(data: bytes) -> str | None:
    """The encoding that a Gutenberg header names, when it is one that we know."""
    match = _DECLARED.search(data, 0, _HEAD)
    if match is None:
        return None
    name = match.group(1).decode("ascii").strip().rstrip(".").lower().replace("iso latin", "latin").replace(" ", "-")
    name = {"iso-8859-1-(latin1)": "latin-1", "windows-codepage-1252": "cp1252", "ascii": "cp1252"}.get(name, name)
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return None
    # Windows-1252 is Latin-1 with printable characters where Latin-1 has control codes
    return "cp1252" if found == "iso8859-1" and _C1.search(data) else found


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not valid as Windows-1252; its five undefined bytes as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    text = "".join(bytes([byte]).decode("cp1252" if byte not in b"\x81\x8d\x8f\x90\x9d" else "latin-1") for byte in bad)
    return text, error.end


codecs.register_error("llama-data-cp1252", _as_cp1252)
