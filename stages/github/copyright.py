"""The grammar of copyright notices: the word or the sign, with a year, a holder or both.

The word alone is none: it may be what a program is about.
"""

from __future__ import annotations

import re

_YEAR = r"(?:19[5-9]|20[0-9])[0-9x]"
_SIGN = r"(?:\(\s*c\s*\)|\\u00a9|&#169;|©|&copy;|\\\(co|\\copyright|\(©\)|\[c\]|\{c\})"
_WORD_FOR_IT = (
    r"(?:copy-?rights?|copy rights?(?=\W{0,3}(?:\(c\)|©|\d))|copyrighted|copyleft|copyright\(c\)|copr\.|copyrigth"
    r"|copyrigh|copywrite|copyriht)"
)
# A notice at its beginning: "Portions copyright", "This file is copyright", "All code (c) 2001".
_BEFORE = (
    r"(?:[^\w©(&\\\[{]*(?:(?:all|some|this|these|the|its?|most|other|additional|new|original|initial|remaining"
    r"|java|c|"
    r"c\+\+|code|codes|source|sources|file|files|script|program|software|library|module|package|work|works|portions?|"
    r"parts?|changes|modifications?|additions?|improvements|port|ported|conversion|translation|contributions?|design|"
    r"derived|based|from|is|are|was|also|originally|partly|partially|mostly|of|in|to|and|version|documentation"
    r"|text|material|content|contents|project|"
    r"implementation|copyright|licen[cs]e|header|api|author|authors|by|for|with|above|following)\b[\s:,]*){0,7})"
)
# What "copyright" without year or sign is about when one of these follows.
_SUBJECT = (
    r"detect|check|scan|pars|notice|header|holder|owner|info|law|text|statement|infring|year|line|comment|string"
    r"|field|"
    r"file|util|helper|tool|manag|handl|generat|protect|filter|extract|match|test|valid|updat|regex|pattern|page"
    r"|plugin|"
    r"module|class|function|licen[cs]|and\b|or\b|is\b|are\b|in\b|on\b|for\b|from\b|to\b|with\b|that\b|which\b"
    r"|may\b|can\b|"
    r"problem|issue|polic|status|date|data|symbol|sign|footer|banner|bot\b|script|express|find|remov|add|insert"
    r"|replac|"
    r"view|model|form\b|table|column|list|record|message|term|claim|dialog|button|widget|component|metadata|match"
    r"|act\b|"
    r"assign|agree|clear|own|recog|identif|look|search|format|print|show|display|style|template|config|setting"
)
_NOTICE = re.compile(
    rf"{_BEFORE}(?:{_WORD_FOR_IT}\W{{0,8}}{_SIGN}"  # Copyright (c)
    rf"|{_WORD_FOR_IT}(?![\w-])(?!\W*(?:{_SUBJECT}))[^.;:!?\"`]{{0,100}}?(?<!\w){_YEAR}(?!\w)"  # Copyright by X, 2001
    rf"|{_WORD_FOR_IT}\W{{1,4}}(?:by |in |of )?{_YEAR}"
    rf"|{_WORD_FOR_IT}\W{{1,4}}(?!\W*(?:{_SUBJECT}))[^.;:!?\"`]{{1,80}}\b(?:contributors|authors|developers|team"
    rf"|inc|ltd|llc|gmbh|"
    r"corp|corporation|foundation|university|limited|company|group|association|holders?)\b(?:\W*\Z|[;,] )"
    rf"|{_SIGN}\W{{0,3}}[A-Za-z][^.;:!?\"`]{{1,80}}\b(?:contributors|authors|developers|inc|ltd|llc|gmbh"
    rf"|foundation)\b\W*\Z"
    rf"|{_WORD_FOR_IT}\W{{0,3}}\((?:holders?|owners?)\)\W"
    rf"|{_WORD_FOR_IT}\W{{1,3}}(?:is |are )?(?:held by|owned by|belongs to|by|of|remains with|assigned to|®"
    rf"|\(r\))\s+\S"
    rf"|{_SIGN}\W{{0,3}}(?:copyright|copr|by\b)"
    rf"|{_SIGN}\s*[^\w]?\s*(?:[a-z]{{3,9}}\.?,? ?(?:[0-9]{{1,2}},? )?)?{_YEAR}"  # (c) March 2001
    rf"|{_SIGN}[^.;:!?\"`]{{0,80}}\b{_YEAR}\b"
    r"|(?:©|&copy;)\s*\w)",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"\W{0,4}(?:[@\\:.]\s?copyright\b(?!\w)|copyright\s*(?:holders?|owners?)?\s*[:=]|spdx-filecopyrighttext\s*:)"
    r"[:\s]*(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
_NAMED = re.compile(
    rf"{_BEFORE}(?:copyrights?|COPYRIGHTS?|Copyrights?)\W{{0,4}}(?:(?:by|of|the"
    rf"|The)\s+)?(?P<value>[A-Z<0-9].*)",
    re.DOTALL,
)
_SIGNED = re.compile(r"[\s*]*(?:\([cC]\)|©)\W{0,3}(?:by\s+)?(?P<value>[A-Z][^.;:!?]*)\.?\s*\Z", re.DOTALL)
_SUBJECT_AT = re.compile(_SUBJECT, re.IGNORECASE)
# The same within a line that says something else first.
INNER_NOTICE = re.compile(
    rf"(?:(?<=[\s|;,.:(\[\u2013\u2014-])|(?<=\s\W))"
    rf"(?:(?:portions?|parts?)\s+)?"
    rf"(?:copyrights?\W{{0,6}}(?:{_SIGN}\W{{0,6}})?(?:by\s+)?(?:{_YEAR}\b|(?<=\)).{{0,60}}{_YEAR})"
    rf"|copyrights?\W{{0,6}}{_SIGN}"
    rf"|{_SIGN}\s*(?:copyright\W*)?{_YEAR}\b"
    r"|spdx-license-identifier:)",
    re.IGNORECASE,
)


def is_notice(text: str) -> bool:
    """True for a copyright notice: the word or sign with a year, a holder or both, at the beginning of the text."""
    if "opy" not in text and "©" not in text and "(" not in text and "OPY" not in text and "SPDX" not in text:
        return False
    if _NOTICE.match(text):
        return True
    if (found := _LABELLED.match(text)) is not None:
        return not _SUBJECT_AT.match(found["value"]) or not found["value"]
    if (found := _NAMED.match(text)) is not None:
        return not _SUBJECT_AT.match(found["value"]) and len(text.split()) <= 16
    found = _SIGNED.match(text)
    return found is not None and _is_name(found["value"])


def _is_name(text: str) -> bool:
    words = text.replace(",", " ").split()
    return len(words) <= 8 and all(word[0].isupper() or not word[0].isalpha() or len(word) < 4 for word in words)
