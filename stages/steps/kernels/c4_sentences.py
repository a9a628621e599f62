"""Counts the sentences of a line, for pages so short that the count decides.

C4 used NLTK's trained Punkt model. A page with as many lines as it needs sentences has enough of them whatever
the splitter says, so this one is only asked about the few others. It follows Punkt's decisions with fixed lists
in place of trained ones: `?` and `!` end a sentence; a period does unless it belongs to an abbreviation, an
initial, or an ellipsis; after an abbreviation that may end one it does when a frequent sentence starter follows.
"""

from __future__ import annotations

import re

# Abbreviations that a sentence goes on after.
_TITLES = """
    adj adm approx asst assoc ave bldg blvd brig bros capt cmdr col comdr cpl def dept dist dr drs ed eds esp est et al
    fig figs ft gen gov hon hwy insp lt maj mdm messrs mlle mme mr mrs ms msgr mt no nos op pp prof pvt ref refs rep
    reps rev rt sec sen sens sgt sr st supt univ vol vols vs viz cf e.g i.e jan feb mar apr jun jul aug sep sept oct
    nov dec mon tue wed thu fri sat sun
"""
# Abbreviations that may end one.
_TAILS = "a.m p.m inc ltd corp co jr etc u.s u.k u.n e.u d.c ph.d m.d b.a m.a b.c a.d oz lb lbs min hr"
_STARTERS = """
    a an and as at but by for from he her his however if in it its on or our she so that the their there these they
    this those to we what when where while who with you your
"""
_NEVER, _PERHAPS, _FREQUENT = frozenset(_TITLES.split()), frozenset(_TAILS.split()), frozenset(_STARTERS.split())
_END = re.compile(r"([.?!]+)([\"'\u2019\u201d)\]}]*)(?=\s+(\S+))")


def count_sentences(line: str) -> int:
    """Sentences in a line: 0 when it is blank, otherwise one more than there are ends inside it."""
    line = line.strip()
    if not line:
        return 0
    return 1 + sum(_is_end(line, found) for found in _END.finditer(line))


def _is_end(line: str, found: re.Match[str]) -> bool:
    marks = found[1]
    if "?" in marks or "!" in marks:
        return True
    following = found[3].lstrip("\"'\u2018\u201c([{")
    if len(marks) > 1:
        return following[:1].isupper()
    word = line[line.rfind(" ", 0, found.start()) + 1 : found.start()].lstrip("\"'\u2018\u201c([{")
    lower = word.lower()
    if lower in _NEVER or (len(word) == 1 and word.isupper() and word != "I"):
        return False
    if lower in _PERHAPS or "." in word.strip("."):
        return following[:1].isupper() and following.lower().rstrip(".,;:!?\"'") in _FREQUENT
    return True
