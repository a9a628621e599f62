"""Formulas of an HTML page, as the TeX that the page has of them.

MathJax, KaTeX, MediaWiki and WordPress leave the source of a formula in a script, an annotation or a picture,
none of which is visible text: without it a sentence about a formula has a hole.
"""

from __future__ import annotations

import re
from html import escape, unescape

# What is never closed goes to the end of the page, and no part of a tag can be read in two ways, so that no search
# begins where another has looked in vain.
_FORMULA = re.compile(
    r"<script(?P<script>\s[^<>]*)>(?P<code>.*?)(?:</script\s*>|\Z)"
    r"|<math(?P<math>\s[^<>]*)?>(?P<inner>.*?)(?:</math\s*>|\Z)"
    r"|<img(?P<img>\s[^<>]*)>",
    re.IGNORECASE | re.DOTALL,
)
_ANNOTATION = re.compile(r"<annotation(\s[^<>]*)>([^<]*)</annotation", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z-]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"']++)))?+""", re.IGNORECASE)
_STYLED = re.compile(r"\{\\(?:display|text)style (.*)\}", re.DOTALL)
_PICTURES = ("mwe-math", "tex", "latex")  # how the class of a formula's picture is named, or begins
# One of these, as programs write it, is on every page with formulas; to look for it costs a hundredth of the pattern.
_SIGNS = ("<math", "math/tex", "mwe-math", "latex", '"tex"', "'tex'")


def with_formulas(html: str) -> str:
    """The page with each formula of which it has the TeX written as `$...$`, or `$$...$$` where it stands by itself."""
    return _FORMULA.sub(_written, html) if any(sign in html for sign in _SIGNS) else html


def _written(found: re.Match[str]) -> str:
    source, display = "", False
    if found["script"] is not None:
        kind = _attributes(found["script"]).get("type", "").lower().replace(" ", "")
        if kind.startswith("math/tex"):
            source, display = found["code"], "mode=display" in kind
    elif found["inner"] is not None:
        tags = _ANNOTATION.finditer(found["inner"])
        texts = (tag[2] for tag in tags if _attributes(tag[1]).get("encoding", "").lower() == "application/x-tex")
        source = unescape(next(texts, ""))
        display = _attributes(found["math"] or "").get("display") == "block"
    else:
        about = _attributes(found["img"])
        if any(name.startswith(_PICTURES) for name in about.get("class", "").lower().split()):
            source = unescape(about.get("alt", ""))
    source = " ".join(source.split())
    styled = _STYLED.fullmatch(source)
    source = styled[1].strip() if styled else source
    if not source:
        return found[0]
    sign = "$$" if display else "$"
    return f"<span>{sign}{escape(source, quote=False)}{sign}</span>"


def _attributes(tag: str) -> dict[str, str]:
    """The attributes of a tag; of one that is given twice the first."""
    pairs = ((each[1].lower(), each[2] or each[3] or each[4] or "") for each in _ATTRIBUTE.finditer(tag))
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
