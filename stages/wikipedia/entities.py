"""Character references as MediaWiki reads them: with their semicolon, and to valid characters only."""

from __future__ import annotations

import re
from html.entities import html5

_REFERENCE = re.compile(r"&(?:#([0-9]{1,8})|#[xX]([0-9A-Fa-f]{1,7})|([A-Za-z0-9]{1,32}|רלמ|رلم));")
_ALIASES = {"רלמ": "\u200f", "رلم": "\u200f"}
_MARKUP = re.compile(r"[\[\]{}<>|'=*#:;_&!-]")


def decode(text: str) -> str:
    """Text with its character references replaced; what is no reference to MediaWiki stays as it is written.

    The rule is MediaWiki's Sanitizer: a semicolon ends every reference, names are HTML's, and numbers of control
    characters (``&#128;``), surrogates and other invalid code points are left. White space becomes a space,
    as a browser shows it.
    """
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return html5.get(name + ";") or _ALIASES.get(name) or found.group()
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code in (0x09, 0x0A):
        return " "
    return chr(code) if _is_valid(code) else found.group()


def _is_valid(code: int) -> bool:
    return (
        0x20 <= code <= 0x7E or 0xA0 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    )  # fmt: skip


def encode(text: str) -> str:
    """Text whose markup characters are references, so that they pass as text through what follows."""
    return _MARKUP.sub(lambda found: f"&#{ord(found.group())};", text)
