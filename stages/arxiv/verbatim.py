r"""Which environments and commands of a paper hold text that is not TeX: those that LaTeX and its packages have, and
those that the paper declares (documentation of fancyvrb, fvextra, listings, minted, moreverb, shortvrb, comment)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from llama_data.stages.arxiv.vocabulary import EXCLUDED, HALF_VERBATIM, PACKAGE_VERBATIM, VERBATIM, WRITTEN

# inline commands: what may stand between the name and the delimiter
INLINE_OPEN = {
    "verb": r"\*?",
    "Verb": r"\*?(?:\[[^\]\n]*\])?",
    "spverb": r"\*?",
    "lstinline": r"\s*(?:\[[^\]\n]*\])?",
    "mintinline": r"\s*(?:\[[^\]\n]*\])?\s*\{\w*\}",
    "mint": r"\s*(?:\[[^\]\n]*\])?\s*\{\w*\}",
    "SaveVerb": r"(?:\[[^\]\n]*\])?\{[^{}\n]*\}",
    "url": r"(?=[|!+])",
    "path": r"(?=[|!+])",
}
_OPTIONAL = r"(?:\[[^\]\n]*\])?"
_NAMED = r"\s*\{\s*([A-Za-z@]+\*?)\s*\}"

_NEW = re.compile(
    r"\\(?:lstnewenvironment|newtcblisting|(?:New|Renew|Provide|Declare)TCBListing|newverbatim|provideverbatim)\*?\s*"
    + _OPTIONAL
    + _NAMED
)
_FANCY = re.compile(
    r"\\(?:DefineVerbatimEnvironment|(?:Rec|C)ustomVerbatimEnvironment)" + _NAMED + r"\s*\{[^{}]*\}\s*\{([^\n]*)"
)
_MINTED = re.compile(r"\\newminted\s*(?:\[([A-Za-z@]+)\])?\s*\{([\w+-]+)\}|\\newmintedenvironment" + _NAMED)
_MINT = re.compile(r"\\newmint(inline)?\s*(?:\[([A-Za-z@]+)\])?\s*\{([A-Za-z]+)\}")
_WRAPPED = re.compile(
    r"\\(?:re)?newenvironment\*?"
    + _NAMED
    + r"\s*(?:\[\d\]\s*)?"
    + _OPTIONAL
    + r"\s*\{([^\n]{0,300}?)\\(?:begin\s*\{)?(verbatim|Verbatim|VerbatimEnvironment|lstlisting|minted|alltt|comment)"
    r"(?![A-Za-z@])"
)
_EXCLUDE = re.compile(r"\\exclude(?:comment|version)\s*\{\s*([A-Za-z@]+)\s*\}")
_SHORT = re.compile(
    r"\\(?:Make|lstMake|Define)Short(?:Verb|Inline)\*?\s*" + _OPTIONAL + r"\s*(?:\{\s*\\?(.)\s*\}|\\?(.))"
)
_PACKAGES = re.compile(r"\\(?:usepackage|RequirePackage|documentclass)\s*(?:\[[^\]]{0,4000}\])?\s*\{([^{}]*)\}")
_WORDS_BEFORE = re.compile(r"^[^%\n]*", re.M)


@dataclass
class Verbatim:
    """Names by what their content is: ``whole`` no TeX at all; ``half`` but for backslash and braces; ``excluded``
    not printed; ``written`` a file's. ``inline`` commands with the pattern of what stands before their delimiter;
    ``short`` characters that are such a command themselves."""

    whole: set[str] = field(default_factory=lambda: set(VERBATIM))
    half: set[str] = field(default_factory=lambda: set(HALF_VERBATIM))
    excluded: set[str] = field(default_factory=lambda: set(EXCLUDED))
    written: frozenset[str] = WRITTEN
    inline: dict[str, str] = field(default_factory=lambda: dict(INLINE_OPEN))
    short: set[str] = field(default_factory=set)

    def names(self) -> set[str]:
        """All environments that are not read as TeX."""
        return self.whole | self.half | self.excluded | self.written


def declared(sources: Iterable[str]) -> Verbatim:
    """What is verbatim in a paper with these files."""
    found = Verbatim()
    for text in sources:
        if "erb" in text or "lst" in text or "mint" in text or "TCB" in text or "tcb" in text:
            _add_declared(found, text)
        if "\\exclude" in text:
            found.excluded.update(_EXCLUDE.findall(text))
        for package, environments in PACKAGE_VERBATIM.items():
            if package in text and any(package in map(str.strip, part.split(",")) for part in _PACKAGES.findall(text)):
                found.whole |= environments
        if "newenvironment" in text:
            for name, _, kind in _WRAPPED.findall(text):
                into = {"alltt": found.half, "comment": found.excluded}.get(kind, found.whole)
                into.add(name)
    return found


def _add_declared(found: Verbatim, text: str) -> None:
    found.whole.update(_NEW.findall(text))
    for name, options in _FANCY.findall(text):
        (found.half if "commandchars" in options else found.whole).add(name)
        (found.whole if "commandchars" in options else found.half).discard(name)
    for own, language, environment in _MINTED.findall(text):
        name = own or environment or f"{language}code"
        found.whole.update((name, f"{name}*"))
    for inline, own, language in _MINT.findall(text):
        found.inline[own or (f"{language}inline" if inline else language)] = r"\s*(?:\[[^\]\n]*\])?"
    if "Short" in text:
        for line in _WORDS_BEFORE.findall(text):
            found.short.update(one or other for one, other in _SHORT.findall(line))
