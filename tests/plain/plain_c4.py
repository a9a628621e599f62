"""C4's line rules in plain Python, written from the rules and not from the kernel, which is held to it."""

from __future__ import annotations

import re

from llama_data.stages.steps.kernels.c4_constants import LineRules

MARKS = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def plain_clean(text: str, rules: LineRules) -> tuple[int, list[int], list[str]]:
    """Return (code that condemns the page or 0, codes of the lines, kept lines)."""
    if rules.everywhere:
        lower = text.lower()
        if "lorem ipsum" in lower:
            return 6, [], []
        if rules.javascript == "page" and "javascript" in lower:
            return 8, [], []
        if "{" in text:
            return 7, [], []
    codes: list[int] = []
    kept: list[str] = []
    for raw in text.splitlines():
        code, line = plain_line(raw.strip(), rules)
        codes.append(code)
        if code >= 6:
            return code, codes, kept
        if code == 0:
            kept.append(line)
    return 0, codes, kept


def plain_line(line: str, rules: LineRules) -> tuple[int, str]:
    """Return (code, the line without citations)."""
    before = line.split()
    if rules.max_word is not None and any(len(word) > rules.max_word for word in before):
        return 1, line
    if rules.remove_citations:
        line = MARKS.sub("", line)
    if not line.endswith(tuple(rules.end_marks)) or (rules.drop_ellipsis and line.endswith("...")):
        return 2, line
    words = before if rules.count_words_first else line.split()
    if len(words) < rules.min_words:
        return 3, line
    lower = line.lower()
    if "lorem ipsum" in lower:
        return 6, line
    if "javascript" in lower:
        return (8 if rules.javascript == "page" else 4), line
    if "{" in line:
        return 7, line
    if rules.drop_policy and any(phrase in lower for phrase in POLICY):
        return 5, line
    return 0, line
