"""Formulas of an HTML page, as the TeX that the page has of them.

MathJax, KaTeX, MediaWiki and WordPress leave the source of a formula in a script, an annotation or a picture,
none of which is visible text: without it a sentence about a formula has a hole.
"""

from __future__ import annotations

import re
from html import escape, unescape

# What is never closed goes to the end of the page, so that no search begins where another has looked in vain.
_FORMULA = re.compile(
    r"<script\s[^<>]*\btype\s*=\s*[\"']?math/tex(?P<kind>[^<>]*)>(?P<script>.*?)(?:</script\s*>|\Z)"
    r"|<math(?P<about>\s[^<>]*)?>(?P<math>.*?)(?:</math\s*>|\Z)"
    r"|<img\s[^<>]*\bclass\s*=\s*[\"']?(?:[^\"'<>]*\s)?(?:mwe-math|tex|latex)[\s\"'-][^<>]*>",
    re.IGNORECASE | re.DOTALL,
)
_ANNOTATION = re.compile(r"<annotation\s[^<>]*application/x-tex[^<>]*>([^<]*)</annotation", re.IGNORECASE)
_ALT = re.compile(r"\salt\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_STYLED = re.compile(r"\{\\(?:display|text)style (.*)\}", re.DOTALL)
# One of these, as programs write it, is on every page with formulas; to look for it costs a hundredth of the pattern.
_SIGNS = ("<math", "math/tex", "mwe-math", "latex", '"tex"', "'tex'")


def with_formulas(html: str) -> str:
    """The page with each formula of which it has the TeX written as `$...$`, or `$$...$$` where it stands by itself."""
    return _FORMULA.sub(_written, html) if any(sign in html for sign in _SIGNS) else html


def _written(found: re.Match[str]) -> str:
    display = False
    if found["script"] is not None:
        source, display = found["script"], "mode=display" in found["kind"].replace(" ", "")
    elif found["math"] is not None:
        annotation = _ANNOTATION.search(found["math"])
        source = "" if annotation is None else unescape(annotation[1])
        display = re.search(r"display\s*=\s*[\"']?block", found["about"] or "") is not None
    else:
        alt = _ALT.search(found[0])
        source = "" if alt is None else unescape(alt[1] or alt[2] or "")
    source = " ".join(source.split())
    styled = _STYLED.fullmatch(source)
    source = styled[1].strip() if styled else source
    if not source:
        return found[0]
    sign = "$$" if display else "$"
    return f"<span>{sign}{escape(source, quote=False)}{sign}</span>"
