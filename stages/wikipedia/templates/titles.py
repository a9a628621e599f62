"""Magic words about titles: ``{{PAGENAME}}``, ``{{TALKPAGENAME:Help:Links}}``, ``{{ns:10}}``; English namespaces."""

from __future__ import annotations

import re
from collections.abc import Callable

_NAMESPACES = ("", "User", "Project", "File", "MediaWiki", "Template", "Help", "Category")
_KNOWN = {
    name.lower(): name
    for name in (
        *_NAMESPACES[1:],
        *(f"{name} talk" for name in _NAMESPACES[1:]),
        "Talk",
        "Special",
        "Media",
        "Wikipedia",
    )
}


def namespace_name(key: str) -> str:
    """The English name of a namespace by its number or name; what is none comes back as it is."""
    if re.fullmatch(r"\d{1,2}", key) and int(key) < 2 * len(_NAMESPACES):
        name = _NAMESPACES[int(key) // 2]
        return f"{name} talk".strip().capitalize() if int(key) == 1 else f"{name} talk" if int(key) % 2 else name
    return {"-1": "Special", "-2": "Media"}.get(key) or _KNOWN.get(key.replace("_", " ").lower(), key)


def _split(title: str) -> tuple[str, str]:
    """Namespace and name; a prefix that is no English namespace is part of the name."""
    prefix, colon, rest = title.partition(":")
    space = _KNOWN.get(prefix.strip().replace("_", " ").lower(), "") if colon else ""
    return (space, rest.strip()) if space else ("", title)


def _talk(title: str) -> str:
    space = _split(title)[0]
    if not space or space == "Talk":
        return "Talk"
    return "" if space == "Special" else f"{space.removesuffix(' talk')} talk"


def _subject(title: str) -> str:
    space = _split(title)[0]
    return "" if space == "Talk" else space.removesuffix(" talk")


def _base(title: str) -> str:
    name = _split(title)[1]
    return name.rpartition("/")[0] or name


TITLE_PARTS: dict[str, Callable[[str], str]] = {
    "pagename": lambda title: _split(title)[1],
    "fullpagename": lambda title: title,
    "basepagename": _base,
    "rootpagename": lambda title: _split(title)[1].partition("/")[0],
    "subpagename": lambda title: _split(title)[1].rpartition("/")[2],
    "subjectpagename": lambda title: title,
    "articlepagename": lambda title: title,
    "talkpagename": lambda title: f"{_talk(title)}:{_split(title)[1]}",
    "namespace": lambda title: _split(title)[0],
    "subjectspace": _subject,
    "articlespace": _subject,
    "talkspace": _talk,
}
"""What the words say of a title, that of the page or one that is given; a further ``E`` says it as in addresses."""

for _name, _part in tuple(TITLE_PARTS.items()):
    TITLE_PARTS[f"{_name}e"] = lambda title, part=_part: part(title).replace(" ", "_")  # type: ignore[misc]
