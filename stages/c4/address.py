"""What identifies a page of C4 (tensorflow_datasets/text/c4_utils.py)."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"\Ahttps?://(?:www\.)?")
_TAIL = re.compile(r"\?(?:utm_|ref|feed).*", re.DOTALL)


def url_key(url: str) -> str:
    """What identifies a page: its address without scheme, ``www.``, tracking tail and final slashes."""
    return _TAIL.sub("", _SCHEME.sub("", url)).rstrip("/")
