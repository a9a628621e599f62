"""What a sentence of a comment is: licence, what belongs to one beside it, or text that stays."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from llama_data.stages.github.copyright import is_notice
from llama_data.stages.github.formulas import URL, is_formula
from llama_data.stages.github.known_texts import share


class Kind(Enum):
    """What a piece of a comment is.

    ``attribution`` (authors, "this file is part of X") and ``glue`` (addresses, headings, URLs) belong to a licence
    that they stand beside, ``address`` (any URL) to one right before it; ``legal`` is one where another sentence of the
    comment is.
    """

    text = 0
    licence = 1
    legal = 2
    attribution = 3
    glue = 4
    address = 5


_ATTRIBUTION = re.compile(
    r"\W*(?:(?P<tag>[@:\\])?(?:author|maintainer|contributor|creator|programmer|developer|written by|coded by"
    r"|created by|modified by"
    r"|developed by|contributed by|original author|e-?mail)s?(?:\(s\))?(?:\s*[:=]|\s+by\b|\W*$|\s+(?-i:[A-Z])"
    r"|(?<=by)\s|(?(tag)\s|(?!)))"
    r"|(?:originally |initially |first |mostly |largely |rewritten |also )*(?:written|created|coded|developed"
    r"|designed|implemented"
    r"|contributed|maintained|adapted|ported|modified|authored) by\b|(?-i:by [A-Z]\S* [A-Z]\S*\W*$)|the .{0,40}"
    r" authors\W*$"
    r"|this (?:file|module|script|code|program|class) is (?:a )?part of |part of (?:the )?\S+ ?\S*\W*$)",
    re.IGNORECASE,
)
_MAIL_WORDS = 8
_EMAIL = re.compile(r"[\w.+-]+(?:@| at |\(at\)| \[at\] )[\w-]+(?:\.| dot )\w+")
_GLUE = re.compile(
    r"\W*(?:(?:copyright|notices?|permission|disclaimer|licen[cs]es?|licensing|legal|warranty|terms|conditions"
    r"|statement|and|of|no|the|for|file|"
    r"header|information)\b\W*)+\Z|\W*(?:notice|note|disclaimer|legal|legal notice|copyright|copyrights"
    r"|licen[cs]e|licen[cs]ing|licen[cs]e information|"
    r"copyright notice|copyright and licen[cs]e|licen[cs]e and copyright|licen[cs]e and terms|licen[cs]e agreement|"
    r"licen[cs]e (?:block|header|text|terms|info)|copyright (?:information|info|header|statement|\(c\))|end of"
    r" license|warranty|"
    r"(?:begin|end|start)[ _-]*(?:of )?(?:licen[cs]e|copyright|legal|cddl header|gpl)\b.{0,20}|(?:licen[cs]e"
    r"|header) (?:end|start|"
    r"begin)s?|authors?|preserve|or|and|see|is|either|important|terms of use|software|unpublished"
    r"|version \d[\d.]*(?:,? \w+"
    r" \d{4})?|"
    r"of this software|head\d|inc|ltd|corp\w*|gmbh|llc|usa?|rights|licen[cs]ed|=head\d .{0,20}|\d+)\W*\Z",
    re.IGNORECASE,
)  # fmt: skip
# <copyright file="A.cs" company="B">, as StyleCop asks for it
_TAG = re.compile(r"\W*/?(?:copyright|licen[cs]e)\b[^<>]*>\W*\Z")
_ADDRESS = re.compile(
    rf"\W*(?:(?:url|web|website|site|link|home ?page|see|or|and|at|visit|also|from|contact|mailto"
    rf"|e-?mail)?[:\s]*{URL}\W*)+\Z",
    re.IGNORECASE,
)
_LEGAL_ADDRESS = re.compile(
    r"licen[cs]|copying|copyright|legal|gnu\.org|opensource\.org|osi\.org|creativecommons|/mpl|/epl|/gpl|/cddl"
    r"|/asl|spdx|publicdomain"
    r"|fsf\.org|apache\.org|unlicense|terms|wtfpl"
)
_LEGAL_STEMS = (
    "warrant liab redistribut sublicens hereby herein thereof thereto damages merchant infring disclaim derivative"
    " permitted consent licensor licensee notwithstanding indemnif foregoing royalt"
)
_LEGAL = tuple(_LEGAL_STEMS.split())
# Share of a sentence's words in runs that known licences have: alone, and beside another sentence of a licence.
_KNOWN, _KNOWN_BESIDE = 0.6, 0.35


def _is_mail(text: str) -> bool:
    has_at = "@" in text or " at " in text or "(at)" in text
    return has_at and _EMAIL.search(text) is not None and len(text.split()) <= _MAIL_WORDS


@lru_cache(maxsize=1 << 14)
def kind_of(text: str) -> Kind:
    """What a sentence of a comment is. Comment marks are not part of it."""
    if is_notice(text):
        return Kind.licence
    plain = " ".join(text.lower().replace("\u2019", "'").split())
    known = share(plain)
    if known >= _KNOWN or is_formula(plain):
        return Kind.licence
    if _TAG.match(plain):
        return Kind.glue
    if _ADDRESS.match(plain):
        return Kind.glue if _LEGAL_ADDRESS.search(plain) else Kind.address
    if _GLUE.match(plain):
        return Kind.glue
    if _ATTRIBUTION.match(text) or _is_mail(text):
        return Kind.attribution
    legal = known >= _KNOWN_BESIDE or sum(stem in plain for stem in _LEGAL) > 1
    return Kind.legal if legal else Kind.text
