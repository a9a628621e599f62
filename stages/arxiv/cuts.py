r"""What leaves a paper: all before its first section, and its bibliography (LLaMA, section 2.1, after Minerva B.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from llama_data.stages.arxiv.reading import closing_brace, read_group, read_option, skip_space

_SECTION = re.compile(r"\\(?:part|chapter|section)\s*\*?\s*(?=[\[{])")
# plain TeX and AMS-TeX: a heading on a line of its own that introduces, or has the first number
_PLAIN_SECTION = re.compile(
    r"^[ \t]*(?:\\(?:bigskip|medskip|smallskip|noindent|par|goodbreak)(?![A-Za-z@])[ \t]*)*"
    r"(?:\\(?:beginsection|heading|head)(?![A-Za-z@])|(?:\\(?:centerline|leftline)(?![A-Za-z@])[ \t]*)?"
    r"\{[{ \t]*\\(?:[a-z]*bf|sc|it|sl|large|Large)(?![A-Za-z@])[ \t{]*"
    r"(?:(?:\\S[ ~]*)?(?:1|I)[.):]?(?:[ \t~]|\\[ ,;]|\\quad)+(?=[A-Z\\])"
    r"|(?=introduction\b|INTRODUCTION\b|Introduction\b)))",
    re.M,
)
_FRONT_END = re.compile(
    r"\\maketitle(?![A-Za-z@])|\\end\s*\{(?:abstract|frontmatter|titlepage|keywords?|IEEEkeywords)\}"
)
_ABSTRACT = re.compile(r"\\begin\s*\{abstract\}")
_ABSTRACT_END = re.compile(r"\\end\s*\{abstract\}")
_ABSTRACT_COMMAND = re.compile(r"\\abstract\s*(?=\{)")
_BACK_MATTER = re.compile(
    r"acknowledg|references|bibliography|supplement|appendi|author contribution|data avail|funding|conflict|competing",
    re.I,
)
_LIST = re.compile(
    r"\\begin\s*\{(thebibliography|references|REFERENCES|biblist\*?|bibdiv|bibsection)\}|\\Refs(?![A-Za-z@])"
)
_COMMAND = re.compile(
    r"\\(?:bibliography|bibliographystyle|nobibliography|nocite|addbibresource|printbibliography|printbibheading"
    r"|listrefs|bibdata)(?![A-Za-z@])\*?"
)
# titles that a list of references has, in the languages of arXiv
_TITLES = (
    r"(?:list\s+of\s+)?references?(?:\s+(?:and|\\&)\s+notes)?|notes\s+(?:and|\\&)\s+references|references\s+cited"
    r"|bibliography|literature(?:\s+cited)?|cited\s+literature|works\s+cited|r(?:é|\\'e|\\'\{e\})f(?:é|\\'e|\\'\{e\})rences"
    r"|bibliographie|literatur(?:verzeichnis)?|bibliograf(?:í|i|\\'i|\\'\{\\i\})a|referencias|referências"
)
_HEADING_BEFORE = re.compile(
    rf"\\(?:chapter|section|subsection)\s*\*?\s*\{{\s*(?:\\[a-z]+\s+)?(?:{_TITLES})"
    r"[.:]?\s*\}\s*(?:\\label\s*\{[^{}]*\}\s*)?\Z",
    re.I,
)
# the heading of a list that is written by hand: LaTeX's, and plain TeX's on a line of its own
_HAND_HEADING = re.compile(
    r"\\(?:chapter|section|(?P<sub>subsection))\s*\*?\s*[{\s]+(?:\\[a-z]+[{\s]*){0,4}"
    rf"(?:{_TITLES})\s*[.:]?\s*\}}+"
    r"|^[ \t]*(?:\\(?:bigskip|medskip|smallskip|noindent|newpage|vfill|eject|clearpage|par)(?![A-Za-z@])[ \t]*)*"
    r"(?:\\(?:centerline|leftline|beginsection|heading|subheading|head)(?![A-Za-z@])\s*\{?"
    r"|\\(?:textbf|textsc)\s*\{|\{(?=\s*\\))"
    rf"[{{\s]*(?:\\[a-z]+[{{\s]*){{0,4}}(?:{_TITLES})\s*[.:]?\s*\}}*(?:\\(?:endheading|par|endsubheading))?[ \t]*$",
    re.I | re.M,
)
# what each of the titles holds: found as plain text before the heading around it is read
_TITLE_PARTS = (
    *("eference", "EFERENCE", "ibliogra", "IBLIOGRA", "iteratur", "ITERATUR", "orks cited", "orks Cited", "ORKS CITED"),
    *("férences", "\\'erences", "\\'{e}rences", "erencias", "ERENCIAS", "erências"),
)
_HAND_END = re.compile(
    r"\\(?:part|chapter|section)\s*\*?\s*[\[{]|\\appendix(?![A-Za-z@])"
    r"|\\begin\s*\{(?:appendix|appendices|figure\*?|table\*?|acknowledg\w*)\}"
    r"|^[ \t]*(?:\\(?:bigskip|medskip|vfill|eject|newpage)[ \t]*)*"
    r"\\(?:centerline|beginsection|heading|subheading)(?![A-Za-z@])",
    re.M,
)
_HAND_SUB_END = re.compile(r"\\subsection\s*\*?\s*[\[{]")
_ENTRY = re.compile(
    r"\\(?:bibitem|item|itemitem|ref|refno|reference|noindent|hangindent|par)(?![A-Za-z@])"
    r"|^[ \t]*\[[^\]\n]{1,20}\]|\b(?:19|20)\d\d\b",
    re.M,
)
_APPENDIX = re.compile(
    r"\\appendix(?![A-Za-z@])|\\begin\s*\{append(?:ix|ices)\}|\\section\s*\*?\s*\{\s*(?:supplementary|appendi(?:x|ces)\b)",
    re.I,
)
_TITLE = re.compile(
    r"\\(?:title|author|date|thanks|address|affiliation|affil|institute|email|keywords|pacs|subjclass|dedicatory"
    r"|preprint|tableofcontents|maketitle|pagestyle|thispagestyle|titlerunning|authorrunning)(?![A-Za-z@])\*?"
)
_MAX_ARGUMENT = 20_000  # characters: an author list of a large collaboration
_MAX_LOST = 50  # arguments without an end, after which a text is taken to be broken
_BLANKS = re.compile(r"\n(?:[ \t]*\n){2,}")


class Front(NamedTuple):
    """Where the body begins, and by what this was found: ``section``, ``front_matter`` or ``document``."""

    start: int
    found_by: str


def find_body(text: str) -> Front:
    """The place of the first part, chapter or section; without one, that after the title page and the abstract.

    A heading of back matter ("Acknowledgements" in a letter without sections) is no first section. In plain TeX a
    heading is a line in bold type.
    """
    for found in _SECTION.finditer(text):
        pos = found.end()
        option = read_option(text, pos, limit=_MAX_ARGUMENT)
        title = read_group(text, option[1] if option else pos)
        if title is None or not _BACK_MATTER.search(title[0][:200]):
            return Front(found.start(), "section")
    plain = _PLAIN_SECTION.search(text)
    if plain is not None:
        return Front(plain.start(), "section")
    ends = [found.end() for found in _FRONT_END.finditer(text)]
    return Front(max(ends), "front_matter") if ends else Front(0, "document")


def abstract(text: str) -> str:
    """The abstract in its environment, or the empty text."""
    found = _ABSTRACT.search(text)
    end = _ABSTRACT_END.search(text, found.end()) if found else None
    if found is not None and end is not None:
        return text[found.start() : end.end()] + "\n\n"
    command = _ABSTRACT_COMMAND.search(text)
    group = read_group(text, command.end()) if command else None
    return f"\\begin{{abstract}}{group[0]}\\end{{abstract}}\n\n" if group else ""


def remove_front_matter(text: str) -> str:
    """Leave out title, author and the like, each with its arguments, from a paper without sections."""
    return _remove_commands(text, _TITLE)


def remove_bibliography(text: str) -> str:
    """Leave out lists of references with their heading, and the commands that make one."""
    pieces: list[str] = []
    pos = 0
    while (found := _LIST.search(text, pos)) is not None:
        before = text[pos : found.start()]
        heading = _HEADING_BEFORE.search(before, max(0, len(before) - 300))
        pieces.append(before[: heading.start()] if heading else before)
        closing = "\\endRefs" if found[1] is None else f"\\end{{{found[1]}}}"
        end = text.find(closing, found.end())
        pos = len(text) if end < 0 else end + len(closing)
    pieces.append(text[pos:])
    return _remove_hand_lists(_remove_commands("".join(pieces), _COMMAND))


def _remove_hand_lists(text: str) -> str:
    """Leave out what stands under a heading such as "References", up to the next heading or float."""
    pieces: list[str] = []
    pos = 0
    for place in _title_places(text):
        if place < pos:
            continue
        line = text.rfind("\n", pos, max(pos, text.rfind("\n", pos, place)))  # a heading may begin a line before
        end = text.find("\n", place)
        found = _HAND_HEADING.search(text, max(pos, line + 1), len(text) if end < 0 else end)
        if found is None or not found.start() <= place < found.end():
            continue
        end = _hand_list_end(text, found)
        if _ENTRY.search(text, found.end(), end) is not None or not text[found.end() : end].strip():
            pieces.append(text[pos : found.start()])
            pos = end
    pieces.append(text[pos:])
    return "".join(pieces)


def _title_places(text: str) -> list[int]:
    places: list[int] = []
    for part in _TITLE_PARTS:
        place = text.find(part)
        while place >= 0:
            places.append(place)
            place = text.find(part, place + 1)
    return sorted(places)


def _hand_list_end(text: str, heading: re.Match[str]) -> int:
    found = _HAND_END.search(text, heading.end())
    end = len(text) if found is None else found.start()
    sub = _HAND_SUB_END.search(text, heading.end(), end) if heading["sub"] else None
    return end if sub is None else sub.start()


def _remove_commands(text: str, commands: re.Pattern[str]) -> str:
    pieces: list[str] = []
    pos = lost = 0
    for found in commands.finditer(text):
        if found.start() < pos:
            continue
        before = text[pos : found.start()]
        heading = _HEADING_BEFORE.search(before, max(0, len(before) - 300)) if commands is _COMMAND else None
        pieces.append(before[: heading.start()] if heading else before)
        end = _after_arguments(text, found.end()) if lost < _MAX_LOST else found.end()
        lost += text[end : end + 1] in ("{", "[")
        pos = end
    pieces.append(text[pos:])
    return "".join(pieces)


def _after_arguments(text: str, pos: int) -> int:
    """The place after an optional and a mandatory argument, if they are there."""
    option = read_option(text, pos, limit=_MAX_ARGUMENT)
    pos = option[1] if option else pos
    place = skip_space(text, pos)
    if text[place : place + 1] == "{":
        end = closing_brace(text, place, limit=_MAX_ARGUMENT)
        return end + 1 if end >= 0 else pos
    return pos


def cut_appendix(text: str) -> str:
    """Leave out everything from the appendix on."""
    found = _APPENDIX.search(text)
    return text[: found.start()] if found else text


def cut_at_bibliography(text: str) -> str:
    """Leave out everything from the bibliography on."""
    places = [
        found.start()
        for found in (
            _LIST.search(text),
            _HAND_HEADING.search(text),
            re.search(r"\\(?:bibliography|printbibliography|listrefs)(?![A-Za-z@])", text),
        )
        if found is not None
    ]
    return text[: min(places)] if places else text


def tidy(text: str) -> str:
    """No more than one blank line in a row, none at the ends."""
    return _BLANKS.sub("\n\n", text).strip()
