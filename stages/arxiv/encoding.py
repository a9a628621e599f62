"""From bytes to text: UTF-8, then what the paper declares, then Windows-1252 or Latin-1. Never fails."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DECLARED = re.compile(rb"\\(?:usepackage|RequirePackage)\s*\[([A-Za-z0-9, \-]*)\]\s*\{inputenc\}")
_INPUTENC = {
    "latin1": "latin-1",
    "latin2": "iso8859-2",
    "latin3": "iso8859-3",
    "latin4": "iso8859-4",
    "latin5": "iso8859-9",
    "latin9": "iso8859-15",
    "latin10": "iso8859-16",
    "ansinew": "cp1252",
    "cp1252": "cp1252",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1257": "cp1257",
    "cp437": "cp437",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp865": "cp865",
    "cp866": "cp866",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "applemac": "mac_roman",
    "macce": "mac_latin2",
    "decmulti": "latin-1",
    "utf8": "utf-8",
    "utf8x": "utf-8",
}
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_PRIVATE = re.compile("[\ufdd0-\ufdef\0]")


def declared(files: Iterable[bytes]) -> str | None:
    """The codec that the first ``inputenc`` of the files names, or None."""
    for data in files:
        for found in _DECLARED.finditer(data):
            for option in found[1].decode("ascii").replace(" ", "").lower().split(","):
                if option in _INPUTENC:
                    return _INPUTENC[option]
    return None


def decode(data: bytes, hint: str | None) -> tuple[str, str]:
    """The text, with LF line ends, and the name of the encoding that was used."""
    text, used = _decode(data, hint)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    # these code points serve as marks while the text is worked on, so a source may not bring its own
    return _PRIVATE.sub("\ufffd", text), used


def _decode(data: bytes, hint: str | None) -> tuple[str, str]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), "utf-16"
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    if hint is not None and hint != "utf-8":
        try:
            return data.decode(hint), hint
        except UnicodeDecodeError:
            pass
    sequences = _MULTIBYTE.findall(data)
    stray = len(_HIGH.findall(data)) - sum(map(len, sequences))
    if len(sequences) > stray or (hint == "utf-8" and len(sequences) == stray):
        return _mostly_utf8(data), "utf-8+cp1252"
    return _western(data)


def _western(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _mostly_utf8(data: bytes) -> str:
    """UTF-8 in which single bytes were pasted from another encoding."""
    pieces: list[str] = []
    last = 0
    for found in _MULTIBYTE.finditer(data):
        pieces.append(_western(data[last : found.start()])[0])
        pieces.append(found[0].decode("utf-8", "replace"))
        last = found.end()
    pieces.append(_western(data[last:])[0])
    return "".join(pieces).removeprefix("\ufeff")
