"""``<sup>`` and ``<sub>``: raised and lowered text, written so that its digits are not those of what it stands at."""

from __future__ import annotations

import re

from llama_data.stages.shared.scripts import lowered, raised
from llama_data.stages.wikipedia.entities import decode, encode
from llama_data.stages.wikipedia.opaque import GAP

MAX_SCRIPT = 200  # characters; a longer one is small print
_BASE = 60  # characters before a script in which its base is looked for
_NESTED = 4

# Possessive quantifiers: what follows cannot be found by giving characters back, and trying would take quadratic time.
_SCRIPT = re.compile(r"<(su[pb])\b[^<>]*+>((?:[^<]|<(?!/?su[pb]\b))*+)</\1\s*+>", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]*+>|'{2,}")


def without_scripts(text: str, language: str) -> str:
    """Text with its superscripts and subscripts as ``shared.scripts`` writes them, from the innermost outwards."""
    if "<su" not in text and "<SU" not in text and "<Su" not in text:
        return text
    for _ in range(_NESTED):
        written = _SCRIPT.sub(lambda found: _written(found, language), text)
        if written == text:
            break
        text = written
    return text


def _written(found: re.Match[str], language: str) -> str:
    inner = decode(_MARKUP.sub("", found[2])).replace(GAP, "")
    if len(inner) > MAX_SCRIPT:
        return found[2]
    start = found.start()
    before = decode(_MARKUP.sub("", found.string[max(0, start - _BASE) : start]))
    script = raised(inner, before, language=language) if found[1].lower() == "sup" else lowered(inner, before)
    return encode(script) + inner[len(inner.rstrip()) :]
