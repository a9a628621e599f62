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
_DECLARED = re.compile(rb"character set encoding: *([^\r\n]{2,40})", re.I)
_NUMBERED = re.compile(r"(iso|cp|windows|code ?page|windows ?code ?page)(?: ?8859)? ?(\d{1,4})\b")
_LATIN = re.compile(r"(?:iso )?latin ?(\d{1,2})\b")
_HEAD = 20_000
_SEQUENCE = re.compile(rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_C1 = re.compile(rb"[\x80-\x9f]")
# What high bytes are in real texts: letters of their neighbours' case, quotes outside of words, dashes, ...
_SOUND = re.compile(
    r"[\xdf-\xf6\xf8-\xff\u0153](?![A-Z])|(?<![a-z])[\xc0-\xd6\xd8-\xde\u0152](?!\W)"
    r"|(?<!\w)[\u201c\u2018\xab]|[\u201d\xbb](?!\w)|(?<=\w)\u2019|\u2019(?!\w)|[\u2013\u2014\u2026\xa3\xa7\xa0\xad]"
    r"|(?<=\d)[\xb0\xbc-\xbe]|(?<![a-z])[\xbf\xa1]"
)
_GUESSED = ("mac_roman", "cp850")
_LEAST, _SAMPLES = 5, 500
_FEW, _NEARLY_ALL = 0.8, 0.9
_SOFT_HYPHEN = re.compile(r"(?<![^\W\d_])\xad|\xad(?![^\W\d_])")
_END_OF_FILE = "\x1a\0"  # what DOS and its programs leave behind the last line


def decode(data: bytes) -> tuple[str, str]:
    """The text with newlines ``\\n``, and the name of the encoding that was used.

    A byte-order mark decides, or the NULs that UTF-16 without one has; then strict UTF-8; then the file's own
    declaration; then UTF-8 with stray bytes of Windows-1252, when most of the high bytes are UTF-8; then the encoding
    of old Macs or of DOS, when in it the high bytes are letters in their places and in Windows-1252 they are not; then
    Windows-1252 when it has its quotes, else Latin-1. What DOS leaves behind the last line goes; a soft hyphen that
    does not stand between two letters was typed for a hyphen, and becomes one. Raises RecordError: the bytes are no
    text.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data[:_HEAD].rstrip(b"\0\x1a"):
        unmarked = _without_mark(data)
        if unmarked is None:
            raise RecordError(Reason.wrong_format, f"binary data, no text: a NUL at byte {data.index(0)}")
        return _strict(data, unmarked)
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
    encoding = _likeliest(data, "cp1252" if _C1.search(data) else "latin-1")
    return _newlines(data.decode(encoding, "llama-data-cp1252")), encoding


def _without_mark(data: bytes) -> str | None:
    """UTF-16 that has no byte-order mark: every other byte is a NUL, nearly, and the others are not."""
    head = data[:2_000]
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if len(data) % 2 == 0 and min(even, odd) == 0 and max(even, odd) > half * 0.6:
        return "utf-16-le" if odd else "utf-16-be"
    return None


def _likeliest(data: bytes, usual: str) -> str:
    """The usual encoding, or an older one when nearly all high bytes make sense in that and too few in the usual."""
    places = [match.start() for match, _ in zip(_HIGH.finditer(data), range(_SAMPLES), strict=False)]
    around = b"\n".join(data[max(0, place - 1) : place + 2] for place in places)

    def sound(encoding: str) -> float:
        return len(_SOUND.findall(around.decode(encoding, "replace"))) / len(places)

    if len(places) >= _LEAST and sound(usual) < _FEW:
        best = max(_GUESSED, key=sound)
        if sound(best) > _NEARLY_ALL:
            return best
    return usual


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
    name = re.sub(r"[-_\s]+", " ", match.group(1).decode("latin-1")).strip(" .").lower()
    numbered = _NUMBERED.match(name)
    if numbered:
        name = f"iso8859-{numbered.group(2)}" if numbered.group(1) == "iso" else f"cp{numbered.group(2)}"
    elif latin := _LATIN.match(name):
        name = f"latin{latin.group(1)}"
    elif name.startswith("mac"):
        name = "mac_roman"
    try:
        found = codecs.lookup(name.replace(" ", "-")).name
    except LookupError:
        return None
    # ASCII says nothing about bytes that are not; Windows-1252 is Latin-1 with printable characters for control codes
    if found == "ascii":
        return None
    return "cp1252" if found == "iso8859-1" and _C1.search(data) else found


def _newlines(text: str) -> str:
    bare = text.rstrip()
    if bare.endswith(tuple(_END_OF_FILE)):
        text = bare.rstrip(_END_OF_FILE + " \t\r\n") + "\n"
    if "\xad" in text:
        text = _SOFT_HYPHEN.sub("-", text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode the bytes that are not valid as Windows-1252; its five undefined bytes as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    text = "".join(bytes([byte]).decode("cp1252" if byte not in b"\x81\x8d\x8f\x90\x9d" else "latin-1") for byte in bad)
    return text, error.end


codecs.register_error("llama-data-cp1252", _as_cp1252)
