"""The characters of an HTML page, whatever it says of its encoding.

Evidence goes before what is said. In order: a byte order mark; bytes that are UTF-8, but for a few (text of any other
encoding almost never is, and servers and templates say something else of many pages); then what is said and fits: the
HTTP header, the page's ``<meta>``, its XML declaration; a guess; and if nothing fits, what was said first. Labels and
encodings are those of https://encoding.spec.whatwg.org, the scan of the page is that of https://html.spec.whatwg.org
("prescan").
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import webencodings  # type: ignore[import-untyped]
from resiliparse.parse.encoding import detect_encoding

SCAN = 16 << 10
"""Bytes in which a page says its encoding. Browsers look at 1,024 first, and begin again when it comes later."""

MIN_UTF8 = 8
"""How many characters beyond ASCII tell UTF-8 from an encoding of two bytes a character, which may look like it."""

MAX_BROKEN = 0.1
"""The share of characters beyond ASCII that may be broken in text that still fits an encoding."""

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SPACE = b"\t\n\f\r "
_TAG = re.compile(rb"</?[A-Za-z]")
_META = re.compile(rb"<meta[\t\n\f\r /]", re.IGNORECASE)
_CHARSET = re.compile(r"charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:\"([^\"]*)\"|'([^']*)'|([^\"'\s;][^\s;]*))", re.IGNORECASE)
_XML = re.compile(rb"<\?xml[^>]{0,200}?encoding[\t\n\r ]*=[\t\n\r ]*([\"'])([^\"'>\x00-\x20]+)\1")
_LABEL = re.compile(r"[a-z0-9][a-z0-9._:()+-]{0,39}")
_CODE_PAGE = re.compile(r"(?:windows|win|cp|ms)?[-_ ]?(125\d|874)")
# Names of Python's that are no encodings of text on the web.
_NO_TEXT = frozenset({"utf_7", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "mbcs", "oem", "undefined"})
# Where Python's codec of the name is not what the web means by it.
_PYTHON = {"gbk": "gb18030", "iso-2022-jp": "iso2022_jp_ext"}
# A browser refuses these; a page that has come this far is harmless and may be read.
_REFUSED = {"hz-gb-2312": "hz", "iso-2022-kr": "iso2022_kr", "csiso2022kr": "iso2022_kr"}
_WIDE = frozenset({"gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"})
_SEVEN_BITS = frozenset({"iso2022_jp_ext", "hz", "iso2022_kr"})


class Encoding(NamedTuple):
    """An encoding: the name of Python's codec, and its decoder."""

    name: str
    decode: Callable[[bytes, str], tuple[str, int]]


_UTF_16_LE = Encoding("utf-16-le", codecs.lookup("utf-16-le").decode)
_UTF_16_BE = Encoding("utf-16-be", codecs.lookup("utf-16-be").decode)
_ERRORS = "llama_data.web"
_LAST = Encoding("cp1252", codecs.lookup("cp1252").decode)


@lru_cache(maxsize=256)
def encoding_of(label: str | None) -> Encoding | None:
    """The encoding that a label names on the web, or else in Python; None when nobody knows it."""
    label = (label or "").strip("\t\n\f\r ").lower()
    if not _LABEL.fullmatch(label):
        return None
    if label in _REFUSED:
        return _python(_REFUSED[label])
    found = webencodings.lookup(label)
    if found is not None and found.name == "x-user-defined":
        return Encoding(found.name, found.codec_info.decode)
    if found is not None:
        name = _PYTHON.get(found.name) or webencodings.PYTHON_NAMES.get(found.name, found.name)
        return None if name == "replacement" else _python(name)
    page = _CODE_PAGE.fullmatch(label)
    return _python(f"cp{page[1]}" if page else label)


def _python(name: str) -> Encoding | None:
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    if not codec._is_text_encoding or codec.name.replace("-", "_") in _NO_TEXT:
        return None
    return Encoding(codec.name, codec.decode)


def declared(body: bytes) -> str | None:
    """The label that the page gives itself in its first SCAN bytes, in a ``<meta>`` or an XML declaration."""
    head = body[:SCAN]
    if head.startswith((b"<\x00?\x00x\x00", b"<\x00!\x00", b"<\x00h\x00", b"<\x00H\x00")):
        return "utf-16le"
    if head.startswith((b"\x00<\x00?\x00x", b"\x00<\x00!", b"\x00<\x00h", b"\x00<\x00H")):
        return "utf-16be"
    label = _meta_label(head)
    if label is None:
        found = _XML.match(head.lstrip(_SPACE))
        label = found[2].decode("ascii", "replace") if found else None
    if label is None:
        return None
    known = webencodings.lookup(label)
    # A page in UTF-16 could not have been read this far, and nobody means the other.
    if known is not None and known.name.startswith("utf-16"):
        return "utf-8"
    return "windows-1252" if known is not None and known.name == "x-user-defined" else label


def _meta_label(head: bytes) -> str | None:
    at = head.find(b"<")
    while at >= 0:
        if head.startswith(b"<!--", at):
            # "<!-->" is a whole comment.
            at = head.find(b"-->", at + 2)
            if at < 0:
                return None
            at += 3
        elif _META.match(head, at):
            label, at = _label_of_meta(head, at + 6)
            if label is not None:
                return label
        elif _TAG.match(head, at):
            while at < len(head) and head[at] not in b"\t\n\f\r >":
                at += 1
            while (attribute := _attribute(head, at)) is not None:
                at = attribute[2]
        elif head[at + 1 : at + 2] in (b"!", b"/", b"?"):
            at = head.find(b">", at)
            if at < 0:
                return None
        else:
            at += 1
        at = head.find(b"<", at)
    return None


def _label_of_meta(head: bytes, at: int) -> tuple[str | None, int]:
    """The known label that the ``<meta>`` whose attributes begin at ``at`` gives, and where it ends."""
    seen: set[bytes] = set()
    pragma = False
    needs_pragma: bool | None = None
    label: str | None = None
    while (attribute := _attribute(head, at)) is not None:
        name, value, at = attribute
        if name in seen:
            continue
        seen.add(name)
        text = value.decode("latin-1")
        if name == b"http-equiv":
            pragma = pragma or value == b"content-type"
        elif name == b"content" and label is None:
            found = _CHARSET.search(text)
            if found is not None:
                label, needs_pragma = found[1] or found[2] or found[3], True
        elif name == b"charset":
            label, needs_pragma = text, False
    if at >= len(head) or needs_pragma is None or (needs_pragma and not pragma) or encoding_of(label) is None:
        return None, at
    return label, at


def _attribute(head: bytes, at: int) -> tuple[bytes, bytes, int] | None:
    """The attribute at ``at`` (name, value, both in lower case) and where it ends; None at the end of the tag."""
    size = len(head)
    while at < size and head[at] in b"\t\n\f\r /":
        at += 1
    if at >= size or head[at] == 0x3E:
        return None
    start = at
    while at < size and (head[at] not in b"\t\n\f\r />=" or (at == start and head[at] == 0x3D)):
        at += 1
    name = head[start:at].lower()
    after = at
    while after < size and head[after] in _SPACE:
        after += 1
    if after >= size or head[after] != 0x3D:
        return name, b"", after if after > at else at
    at = after + 1
    while at < size and head[at] in _SPACE:
        at += 1
    if at < size and head[at] in b"\"'":
        end = head.find(head[at : at + 1], at + 1)
        return (name, head[at + 1 : end].lower(), end + 1) if end >= 0 else None
    start = at
    while at < size and head[at] not in b"\t\n\f\r >":
        at += 1
    return name, head[start:at].lower(), at


def decode_html(body: bytes, charset: str | None) -> str:
    """The characters of a page; ``charset`` is the label of the HTTP header. Always some text, never an error."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    escapes = b"\x1b" in body or b"\x0e" in body
    broken = 0
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("utf-8", "replace")
        # The mark for a broken place may also stand in a page by itself.
        broken = body.replace(b"\xef\xbf\xbd", b"").decode("utf-8", "replace").count("\ufffd")
    more = len(body) - len(text)  # a character beyond ASCII has one to three bytes more
    plain = more == 0 and b"\x00" not in body and b"~{" not in body
    if not broken and not escapes and (plain or more >= 3 * MIN_UTF8):
        return text
    wide = _beyond_ascii(text) - broken
    if 0 < broken <= MAX_BROKEN * wide:
        return text
    said = [one for label in (charset, declared(body)) if (one := encoding_of(label)) is not None]
    # Not by chance: every character is of two bytes or more that belong together.
    if broken <= wide and wide and said and said[0].name == "utf-8":
        return text
    if escapes:
        said.sort(key=lambda one: one.name not in _SEVEN_BITS)
    if not broken and not _is_other(body, wide, said):
        return text
    # Asked for names of the web, the detection says "utf-8" of what it has no name for, as of Korean.
    guess = encoding_of(detect_encoding(body, html5_compatible=False)) or _LAST
    # What a server says of all its pages is no better than what the page says and looks like.
    if len(said) == 2 and said[0].name == _LAST.name and said[1].name == guess.name:
        said.reverse()
    for encoding in (*said, guess):
        if (found := _fits(body, encoding)) is not None:
            return found
    return (*said, guess)[0].decode(body, _ERRORS)[0]


def _beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _is_other(body: bytes, wide: int, said: list[Encoding]) -> bool:
    """True when a body is what is said of it although it is also UTF-8, which tells little in a short one."""
    if not said:
        return False
    name = said[0].name
    if name.startswith("utf-16"):
        return b"\x00" in body[:SCAN]
    if name in _SEVEN_BITS:
        return True
    return name in _WIDE and 0 < wide < MIN_UTF8 and _fits(body, said[0]) is not None


def _fits(body: bytes, encoding: Encoding) -> str | None:
    """The text when the body is of the encoding, but for a few bytes."""
    if encoding.name.startswith("utf-16"):
        # The markup, which is ASCII, tells whether it is UTF-16 at all, and of which order.
        high, low = body[0:SCAN:2].count(0), body[1:SCAN:2].count(0)
        if high == low:
            return None
        encoding = _UTF_16_BE if high > low else _UTF_16_LE
    text = encoding.decode(body, _ERRORS)[0]
    broken = text.count("\ufffd")
    return text if broken <= MAX_BROKEN * _beyond_ascii(text) else None


def _as_browsers_do(error: UnicodeError) -> tuple[str, int]:
    """What a browser makes of bytes that Python's codec of the same name does not know; U+FFFD where it knows neither.

    Source: the indexes of https://encoding.spec.whatwg.org. Bytes of windows-125x without a character are C1 controls,
    0x80 of GBK is the euro sign, and EUC-JP has the characters of Shift_JIS that NEC and IBM added.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    at, data = error.start, error.object
    byte = data[at]
    if error.encoding == "charmap" and 0x80 <= byte < 0xA0:
        return chr(byte), at + 1
    if error.encoding == "gb18030" and byte == 0x80:
        return "€", at + 1
    pair = data[at : at + 2]
    if error.encoding == "euc_jp" and len(pair) == 2 and min(pair) > 0xA0 and max(pair) < 0xFF:
        row, cell = pair[0] - 0xA1, pair[1] - 0xA1
        first = row // 2 + (0x81 if row < 62 else 0xC1)
        second = cell + (0x9F if row % 2 else 0x40 if cell < 63 else 0x41)
        return bytes((first, second)).decode("cp932", "replace")[:1], at + 2
    return "\ufffd", max(error.end, at + 1)


codecs.register_error(_ERRORS, _as_browsers_do)
