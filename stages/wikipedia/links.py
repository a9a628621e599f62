"""Links: what of them is shown, and which brackets are none."""

from __future__ import annotations

import re
from urllib.parse import unquote

from llama_data.stages.wikipedia.entities import encode
from llama_data.stages.wikipedia.opaque import GAP, NOTHING
from llama_data.stages.wikipedia.quotes import without_quotes

_PROTOCOLS = (
    r"(?:(?:https?|ftps?|git|gopher|ircs?|mms|nntp|redis|sftp|ssh|svn|telnet|wikipedia|worldwind)://"
    r"|(?:bitcoin|geo|magnet|mailto|matrix|news|sips?|sms|tel|urn|xmpp):|//)"
)
"""MediaWiki's ``$wgUrlProtocols``."""

# An address ends at a space, a bracket, a tag or two apostrophes; a gap in it was a template.
_ADDRESS = r"(?:\[[0-9a-f:.]++\])?(?:[^\]\[<>\"'\x00-\x02\x04-\x20\x7f\xa0\u2000-\u200a\u3000]|'(?!'))++"
_EXTERNAL = re.compile(rf"\[{_PROTOCOLS}{_ADDRESS}[ \t\xa0\u2000-\u200a\u3000]*+", re.IGNORECASE)
_TITLE_END = re.compile(r"[\]\n]")
_TO_ADDRESS = re.compile(_PROTOCOLS, re.IGNORECASE)
_NO_LINK = re.compile(r"[\[\]{}\n\x01\x02\x04\x05]|<[A-Za-z/]*+br\b")
_NO_TITLE = re.compile(r"[<>]|%[0-9A-Fa-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FILE = re.compile(
    r"[^:]++:.*\.(?:jpe?g|png|gif|svg|tiff?|webp|xcf|djvu|pdf|og[gavx]|opus|webm|mp[34g]|mpeg|wav|flac|midi?|stl)$",
    re.IGNORECASE | re.DOTALL,
)
_LINE_MARK = frozenset("*#:;=|!{- ")


def without_external(text: str) -> str:
    """Text with the titles of external links in the place of the links; a link without a title shows nothing.

    The title ends at the first closing bracket, as in MediaWiki, so that of ``[http://a.example Title [PDF]]`` all is
    shown.
    """
    if "[" not in text:
        return text
    out: list[str] = []
    position = end = 0
    for found in _EXTERNAL.finditer(text):
        if found.start() < position:
            continue
        if end < found.end():
            closing = _TITLE_END.search(text, found.end())
            end = closing.start() if closing else len(text)
        if not text.startswith("]", end):
            continue
        title = text[found.end() : end]
        out.append(text[position : found.start()])
        out.append(guarded(title, text[found.start() - 1 : found.start()]) if title else GAP)
        position = end + 1
    out.append(text[position:])
    return "".join(out)


def is_address(target: str) -> bool:
    """True when the target of a link is an address: MediaWiki reads its inner brackets as an external link."""
    return bool(_TO_ADDRESS.match(target))


def is_file(target: str) -> bool:
    """True when a target has a namespace and ends like a file, whatever this wiki calls its files."""
    return ":" in target and bool(_FILE.match(target))


def is_title(target: str) -> bool:
    """True when a link can lead there, else the brackets around it are text. After a ``#`` more is allowed."""
    if not target or _NO_LINK.search(target):
        return False
    return not _NO_TITLE.search(percent_decoded(target).partition("#")[0])


def shown_target(target: str) -> str:
    """What a link without a label shows: its target, to the letter."""
    plain = percent_decoded(target)
    if plain != target:
        return encode(plain)
    return target.replace("'", "&#39;") if "''" in target else target


def percent_decoded(target: str) -> str:
    """A target with its percent signs decoded; as it is where they are no text."""
    if "%" not in target:
        return target
    try:
        plain = unquote(target, errors="strict")
    except UnicodeDecodeError:
        return target
    return target if _CONTROL.search(plain) else plain


def shown_label(label: str) -> str:
    """What a label shows. Its apostrophes are markup inside the label only."""
    if "'" not in label:
        return label
    label = without_quotes(label)
    return label.replace("'", "&#39;") if "''" in label or label[0] == "'" or label[-1] == "'" else label


def guarded(shown: str, before: str) -> str:
    """Text of a link that may begin a line (``before``: the character before it) and is no list or heading there."""
    return NOTHING + shown if shown[:1] in _LINE_MARK and before in ("", "\n") else shown
