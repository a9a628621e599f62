r"""User definitions: reading ``\newcommand``, ``\def``, ``\let`` and their kin, and what may be expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from llama_data.stages.arxiv.latex import OPEN
from llama_data.stages.arxiv.vocabulary import LOW_LEVEL, NEWCOMMAND

DEF = frozenset(["def", "gdef", "edef", "xdef"])
DOCUMENT_COMMAND = frozenset(
    f"{verb}{kind}Command"
    for verb in ("New", "Renew", "Provide", "Declare")
    for kind in ("Document", "ExpandableDocument")
)
DEFINERS = NEWCOMMAND | DEF | DOCUMENT_COMMAND | {"let", "DeclareMathOperator", "DeclarePairedDelimiter"}
PROVIDERS = frozenset({"providecommand", "providerobustcmd", "ProvideDocumentCommand"})
ENVIRONMENTS = frozenset({"newenvironment", "renewenvironment", "provideenvironment"})


OPTION_LIMIT = 2_000  # characters in which an optional argument must end

_NOT_CONDITIONAL = frozenset({"iff", "iint", "iiint"})
_WORDS = re.compile(r"\\(?:([A-Za-z@]+)|[\s\S])")
_BRACES = re.compile(r"[{}]|\\[\s\S]")
_SPACE = re.compile(r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?")
_PARAMETER = re.compile(r"(?:\\[^#]|[^\\#])+|\\#|#[1-9]|##|[\s\S]")
_NAME = re.compile(r"\s*(?:\{\s*\\([A-Za-z@]+|[^A-Za-z\s])\s*\}|\\([A-Za-z@]+|[^A-Za-z\s]))")
_COUNT = re.compile(r"\s*\[\s*([0-9])\s*\]")
_PARAMETERS = re.compile(r"[^{}\\]*(?:\\[\s\S][^{}\\]*)*")
_LET = re.compile(r"\s*\\([A-Za-z@]+|[^A-Za-z])[ \t]*=?[ \t]?(?:\\([A-Za-z@]+|[^A-Za-z])|([^\\{}\s]))")
_STAR = re.compile(r"\s*\*")
_IFMMODE = re.compile(r"\s*\\ifmmode(?![A-Za-z@])\s*(.*?)\\else(?![A-Za-z@])(.*?)\\fi\s*\Z", re.S)
_WORD_END = re.compile(r"\\[A-Za-z@]+\Z")
_IFSTAR = re.compile(r"\s*\\@ifstar\s*(\{[^{}]*\}|\\[A-Za-z@]+)\s*(\{[^{}]*\}|\\[A-Za-z@]+)\s*\Z")
_XSPACE = re.compile(r"\\xspace\s*\Z")


@dataclass(frozen=True)
class Macro:
    """A definition. ``defaults`` has one item for each argument: None, or the default of an optional one.

    ``pieces`` is the body cut at its parameters (an int is an argument's index); ``alias`` is the command that a
    ``\\let`` froze; ``opaque`` marks one that is known but not expanded, ``paired`` one of mathtools' delimiters.
    ``starred`` is the body of the variant with a star (``pieces`` is then that without), ``internals`` are the
    commands with an ``@`` in the body: the macro is only expanded when all of them are the paper's own.
    """

    name: str
    defaults: tuple[str | None, ...] = ()
    pieces: tuple[str | int, ...] = ()
    alias: str | None = None
    opaque: bool = False
    paired: bool = False
    starred: str | None = None
    internals: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The body of a macro without arguments."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))


def skip_space(text: str, pos: int) -> int:
    """The place after spaces and at most one line end."""
    found = _SPACE.match(text, pos)
    return found.end() if found else pos


def closing_brace(text: str, pos: int, limit: int | None = None) -> int:
    """The place of the brace that closes the one at ``pos`` (within ``limit`` characters), or -1."""
    depth = 0
    for found in _BRACES.finditer(text, pos, len(text) if limit is None else pos + limit):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                return found.start()
    return -1


def read_group(text: str, pos: int) -> tuple[str, int] | None:
    """The content of the brace group at ``pos`` (spaces before it skipped) and the place after it."""
    pos = skip_space(text, pos)
    if text[pos : pos + 1] != "{":
        return None
    end = closing_brace(text, pos)
    return None if end < 0 else (text[pos + 1 : end], end + 1)


def read_token(text: str, pos: int) -> tuple[str, int] | None:
    """An undelimited argument: a brace group's content, a command, a mark, or one character."""
    pos = skip_space(text, pos)
    first = text[pos : pos + 1]
    if first == "{":
        return read_group(text, pos)
    if first in ("", "}", "\n"):
        return None
    if first == "\\":
        found = _WORDS.match(text, pos)
        return None if found is None or found[1] in ("end", "par", "item") else (found[0], found.end())
    if first == OPEN:
        end = pos + 1
        while end < len(text) and text[end].isdigit():
            end += 1
        return text[pos : end + 1], end + 1
    return first, pos + 1


def read_option(text: str, pos: int) -> tuple[str, int] | None:
    """The content of the bracket group at ``pos`` (spaces before it skipped) and the place after it."""
    pos = skip_space(text, pos)
    if text[pos : pos + 1] != "[":
        return None
    depth = 0
    for found in _BRACKETS.finditer(text, pos + 1, pos + OPTION_LIMIT):
        token = found[0]
        if token == "{":
            depth += 1
        elif token == "}":
            depth -= 1
            if depth < 0:
                return None
        elif token == "]" and depth == 0:
            content = text[pos + 1 : found.start()]
            if content.startswith("{") and closing_brace(content, 0) == len(content) - 1:
                content = content[1:-1]
            return content, found.end()
    return None


_BRACKETS = re.compile(r"[{}\]]|\\[\s\S]")


def make_macro(name: str, defaults: tuple[str | None, ...], body: str, *, opaque: bool = False) -> Macro:
    """A macro from its body, opaque when the body is low-level or names a parameter that there is not."""
    modes = _IFMMODE.match(body) if len(body) < 1000 else None
    if modes is not None and "\\if" not in modes[1] + modes[2]:
        body = f"\\ensuremath{{{modes[1]}}}"
    if name == "onedot" and "futurelet" in body:
        body = "."  # the conference styles' full stop for \eg and \ie
    body = _XSPACE.sub("", body)
    variants = _IFSTAR.match(body) if not defaults else None
    starred = None
    if variants is not None:
        starred, body = (part[1:-1] if part[0] == "{" else part for part in variants.groups())
    pieces = _pieces(body)
    used = max((piece for piece in pieces if isinstance(piece, int)), default=-1)
    whole = body if starred is None else body + starred
    opaque = opaque or used >= len(defaults) or _is_low_level(whole)
    internals = tuple(found for found in _WORDS.findall(whole) if "@" in found)
    return Macro(name, defaults, pieces, opaque=opaque, starred=starred, internals=internals)


def _pieces(body: str) -> tuple[str | int, ...]:
    if "#" not in body:
        return (body,)
    pieces: list[str | int] = []
    for found in _PARAMETER.finditer(body):
        token = found[0]
        if token[0] == "#" and token[1:].isdigit():
            pieces.append(int(token[1]) - 1)
        else:
            token = "#" if token == "##" else token
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += token
            else:
                pieces.append(token)
    return tuple(pieces)


def _is_low_level(body: str) -> bool:
    for found in _WORDS.finditer(body):
        name = found[1]
        if name and (name in LOW_LEVEL or (name[:2] == "if" and name not in _NOT_CONDITIONAL)):
            return True
    return False


def parse_definition(text: str, pos: int, command: str) -> tuple[Macro, int] | None:
    """The definition whose command ends at ``pos``, and the place after it; None when it cannot be read."""
    if command in NEWCOMMAND:
        return _parse_newcommand(text, pos)
    if command in DEF:
        return _parse_def(text, pos)
    if command in DOCUMENT_COMMAND:
        return _parse_document_command(text, pos)
    if command == "DeclareMathOperator":
        return _parse_operator(text, pos)
    if command == "DeclarePairedDelimiter":
        return _parse_delimiter(text, pos)
    return None


def _name(text: str, pos: int) -> tuple[str, int] | None:
    star = _STAR.match(text, pos)
    found = _NAME.match(text, star.end() if star else pos)
    return None if found is None else (found[1] or found[2], found.end())


def _parse_newcommand(text: str, pos: int) -> tuple[Macro, int] | None:
    named = _name(text, pos)
    if named is None:
        return None
    name, pos = named
    count = _COUNT.match(text, pos)
    defaults: tuple[str | None, ...] = ()
    if count is not None:
        pos = count.end()
        defaults = (None,) * int(count[1])
        option = read_option(text, pos)
        if option is not None and defaults:
            defaults = (option[0], *defaults[1:])
            pos = option[1]
    body = read_token(text, pos)
    return None if body is None else (make_macro(name, defaults, body[0]), body[1])


def _parse_def(text: str, pos: int) -> tuple[Macro, int] | None:
    found = _DEF_NAME.match(text, pos)
    if found is None:
        return None
    parameters = _PARAMETERS.match(text, found.end(), found.end() + 200)
    if parameters is None:
        return None
    body = read_group(text, parameters.end())
    if body is None:
        return None
    plain = parameters[0].strip()
    count = len(plain) // 2
    simple = plain == "".join(f"#{index + 1}" for index in range(count))
    return make_macro(found[1], (None,) * count, body[0], opaque=not simple), body[1]


_DEF_NAME = re.compile(r"\s*\\([A-Za-z@]+|[^A-Za-z\s])")
_SPEC = re.compile(r"\s*(?:([mo])|([Os]))")


def _parse_document_command(text: str, pos: int) -> tuple[Macro, int] | None:
    named = _name(text, pos)
    spec = read_group(text, named[1]) if named else None
    body = read_group(text, spec[1]) if spec else None
    if named is None or spec is None or body is None:
        return None
    defaults: list[str | None] = []
    place, rest, simple = 0, spec[0].strip(), True
    while place < len(rest) and simple:
        found = _SPEC.match(rest, place)
        if found is None or found[2] == "s" or found[1] == "o":
            simple = False
        elif found[2] == "O":
            default = read_group(rest, found.end())
            simple = default is not None
            if default is not None:
                defaults.append(default[0])
                place = default[1]
        else:
            defaults.append(None)
            place = found.end()
    return make_macro(named[0], tuple(defaults[:9]), body[0].strip(), opaque=not simple), body[1]


def _parse_operator(text: str, pos: int) -> tuple[Macro, int] | None:
    star = "*" if _STAR.match(text, pos) else ""
    named = _name(text, pos)
    body = read_token(text, named[1]) if named else None
    if named is None or body is None:
        return None
    return make_macro(named[0], (), f"\\operatorname{star}{{{body[0]}}}"), body[1]


def _parse_delimiter(text: str, pos: int) -> tuple[Macro, int] | None:
    named = _name(text, pos)
    left = read_token(text, named[1]) if named else None
    right = read_token(text, left[1]) if left else None
    if named is None or left is None or right is None:
        return None
    opaque = _is_low_level(left[0] + right[0])
    return Macro(named[0], (None,), (left[0], 0, right[0]), opaque=opaque, paired=True), right[1]


def parse_let(text: str, pos: int) -> tuple[str, str | None, str, int] | None:
    r"""``\let``: the new name, the command it copies (None for a character), the character, the place after."""
    found = _LET.match(text, pos)
    return None if found is None else (found[1], found[2], found[3] or "", found.end())


def parse_environment(text: str, pos: int) -> int | None:
    r"""The place after a ``\newenvironment``'s four parts, or None."""
    star = _STAR.match(text, pos)
    name = read_group(text, star.end() if star else pos)
    if name is None:
        return None
    pos = name[1]
    count = _COUNT.match(text, pos)
    if count is not None:
        pos = count.end()
        option = read_option(text, pos)
        pos = option[1] if option else pos
    begin = read_group(text, pos)
    end = read_group(text, begin[1]) if begin else None
    return end[1] if end else None


def ends_in_word(text: str) -> bool:
    """True when the text ends in a command made of letters, which a following letter would lengthen."""
    return bool(text) and text[-1:].isalpha() and _WORD_END.search(text, max(0, len(text) - 80)) is not None


def join(left: str, right: str) -> str:
    """Put two texts together so that no command swallows the letters after it."""
    return f"{left} {right}" if right[:1].isalpha() and ends_in_word(left) else left + right


def substitute(macro: Macro, arguments: list[str]) -> str:
    """The body with its arguments in place."""
    result: list[str] = []
    for piece in macro.pieces:
        part = arguments[piece] if isinstance(piece, int) else piece
        if part:
            if result and part[:1].isalpha() and ends_in_word(result[-1]):
                result.append(" ")
            result.append(part)
    return "".join(result)
