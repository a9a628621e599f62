"""Character references as MediaWiki reads them: with their semicolon, and to valid characters only."""

from __future__ import annotations

import re
from html.entities import html5

_REFERENCE = re.compile(r"&(?:#(0*[0-9]{1,7})|#[xX](0*[0-9A-Fa-f]{1,6})|([A-Za-z0-9]{1,32}|רלמ|رلم));")
_ALIASES = {"רלמ": "\u200f", "رلم": "\u200f"}
_ADDRESS = re.compile(
    r"(?:https?|ftps?|ircs?|gopher|git|svn|ssh|telnet|nntp|mms)://[^\s<>\[\]\"\x01-\x05]++", re.IGNORECASE
)
_HOST = re.compile(r"[^:/]++://[^/?#]*+")
_IGNORED_IN_HOST = re.compile(r"[\s\xad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]+")
_ADDRESS_END = re.compile(r"&(?:lt|gt|nbsp|#x0*(?:3[ce]|a0)|#0*(?:60|62|160));", re.IGNORECASE)
_UNSAFE = re.compile(r"[<>\"\x00-\x20\x7f|]")
_UNSAFE_BEFORE_FRAGMENT = re.compile(r"[\]\[<>\"\x00-\x20\x7f|]")
_MARKUP = re.compile(r"[\[\]{}<>|'=*#:;_&!-]")


def decode(text: str) -> str:
    """Text with its character references replaced; what is no reference to MediaWiki stays as it is written.

    The rule is MediaWiki's Sanitizer: a semicolon ends every reference, names are HTML's, and numbers of control
    characters (``&#128;``), surrogates and other invalid code points are left. White space becomes a space,
    as a browser shows it.
    """
    if "&" not in text:
        return text
    if "://" in text:
        text = _ADDRESS.sub(_clean_address, text)
    return _REFERENCE.sub(_character, text)


def _clean_address(found: re.Match[str]) -> str:
    """An address with its references decoded and percent signs for what is none of its characters.

    Brackets may stand in its fragment; a space or an angle bracket ends it (MediaWiki's cleanUrl and free links).
    Ampersands are written as references, for the text is decoded after this.
    """
    address = found.group()
    if "&" not in address:
        return address
    end = _ADDRESS_END.search(address)
    rest = address[end.start() :] if end else ""
    address = address[: end.start()] if end else address
    address = _REFERENCE.sub(lambda reference: _character(reference, in_address=True), address)
    main, mark, fragment = address.partition("#")
    main = _UNSAFE_BEFORE_FRAGMENT.sub(_percent, main)
    host = _HOST.match(main)
    if host:
        main = _IGNORED_IN_HOST.sub("", host.group()) + main[host.end() :]
    return (main + mark + _UNSAFE.sub(_percent, fragment)).replace("&", "&amp;") + rest


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found.group()):02X}"


def _character(found: re.Match[str], *, in_address: bool = False) -> str:
    decimal, hexadecimal, name = found.groups()
    if name:
        return html5.get(name + ";") or _ALIASES.get(name) or found.group()
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code in (0x09, 0x0A):
        return chr(code) if in_address else " "
    return chr(code) if _is_valid(code) else found.group()


def _is_valid(code: int) -> bool:
    return (
        0x20 <= code <= 0x7E or 0xA0 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    )  # fmt: skip


def encode(text: str) -> str:
    """Text whose markup characters are references, so that they pass as text through what follows."""
    return _MARKUP.sub(lambda found: f"&#{ord(found.group())};", text)
