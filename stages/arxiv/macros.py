r"""A paper's macros: what they take, what they say, and whether they may be expanded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from llama_data.stages.arxiv.conditionals import DECIDABLE
from llama_data.stages.arxiv.masks import MARK, OPEN, Masks
from llama_data.stages.arxiv.reading import ends_in_word
from llama_data.stages.arxiv.vocabulary import DEFINERS, LOW_LEVEL, NOT_CONDITIONAL

NO_VALUE, TRUE, FALSE = "-NoValue-", r"\BooleanTrue", r"\BooleanFalse"

_WORDS = re.compile(r"\\(?:([A-Za-z@]+)|[\s\S])")
_PARAMETER = re.compile(r"(?:\\[^#]|[^\\#])+|\\#|#[1-9]|##|[\s\S]")
_IFMMODE = re.compile(r"\s*\\ifmmode(?![A-Za-z@])\s*(.*?)\\else(?![A-Za-z@])(.*?)\\fi\s*\Z", re.S)
_BRANCH_END = re.compile(r"\\expandafter\s*(\\[A-Za-z@]+)\s*(\\(?:fi|else)(?![A-Za-z@]))")
_ARGUMENT = re.compile(r"#([1-9])")
_XSPACE = re.compile(r"\\xspace(?![A-Za-z@])")
_SUPPORTED = frozenset(["@ifstar", "@ifnextchar", "@testopt", "@empty", "@firstofone", "@namedef", "@nameuse"])
_BUILDS_NAMES = frozenset(["csname", "endcsname", "expandafter"])


class Parameter(NamedTuple):
    """What a macro reads for one of its parameters.

    ``kind``: ``m`` one token or group; ``o`` an optional argument between ``marks`` (``default`` when it is not
    there); ``r`` a required one between ``marks``; ``g`` an optional group; ``t`` a mark that is there or not (a
    star); ``u`` everything up to the text ``marks[0]``.
    """

    kind: str = "m"
    default: str = NO_VALUE
    marks: tuple[str, str] = ("[", "]")


MANDATORY = Parameter()


@dataclass(frozen=True)
class Macro:
    """A definition. ``prefix`` is the text that must stand before the first parameter.

    ``pieces`` is the body cut at its parameters (an int is an argument's index); ``alias`` is the command that a
    ``\\let`` froze; ``opaque`` marks one that is known but not expanded, ``paired`` one of mathtools' delimiters.
    ``conditional``: the body has branches, one of which is taken when it is expanded. ``defines``: the body defines
    something. ``calls`` are the commands in the body, ``internals`` those with an ``@``: the macro is only expanded
    when all of them are the paper's own.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    pieces: tuple[str | int, ...] = ()
    alias: str | None = None
    opaque: bool = False
    paired: bool = False
    prefix: str = ""
    conditional: bool = False
    defines: bool = False
    calls: frozenset[str] = frozenset()
    internals: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The body of a macro without arguments."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str))

    @property
    def takes_nothing(self) -> bool:
        """True for a macro that reads nothing behind its name."""
        return not self.parameters and not self.prefix


def make_macro(
    name: str, parameters: tuple[Parameter, ...], body: str, *, opaque: bool = False, prefix: str = "", masks: Masks
) -> Macro:
    """A macro from its body, opaque when the body is low-level or names a parameter that there is not."""
    body = _unmasked_parameters(body, masks)
    modes = _IFMMODE.match(body) if len(body) < 1000 and "\\ifmmode" in body else None
    if modes is not None and "\\if" not in modes[1] + modes[2]:
        body = f"\\ensuremath{{{modes[1]}}}"
    if name == "onedot" and "futurelet" in body:
        body = "."  # the conference styles' full stop for \eg and \ie
    if "\\xspace" in body:
        body = _XSPACE.sub("", body)
    pieces = _pieces(body)
    used = max((piece for piece in pieces if isinstance(piece, int)), default=-1)
    # \expandafter before a command that ends a branch only takes the \fi away, as taking the branch does
    code = _BRANCH_END.sub(r"\1\2", body) if "\\expandafter" in body else body
    words = frozenset(_WORDS.findall(code)) - {""} if "\\" in code else frozenset()
    defines = not words.isdisjoint(DEFINERS) or "@namedef" in words
    allowed = DECIDABLE | _BUILDS_NAMES if defines else DECIDABLE
    low = any(word not in allowed and (word in LOW_LEVEL or _is_conditional(word)) for word in words)
    return Macro(
        name,
        parameters,
        pieces,
        opaque=opaque or used >= len(parameters) or low,
        prefix=prefix,
        conditional=not words.isdisjoint(DECIDABLE),
        defines=defines,
        calls=words,
        internals=tuple(
            word for word in _WORDS.findall(body) if "@" in word and word != "@" and word not in _SUPPORTED
        ),
    )


def _unmasked_parameters(body: str, masks: Masks) -> str:
    r"""Give a body its verbatim pieces back that hold a parameter: ``\verb|#1|`` in a macro is no verbatim text."""
    if OPEN not in body:
        return body
    return MARK.sub(lambda found: piece if "#" in (piece := masks.pieces[int(found[1])]) else found[0], body)


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


def _is_conditional(word: str) -> bool:
    return word[:2] == "if" and word not in NOT_CONDITIONAL


def is_low_level(body: str) -> bool:
    """True when a command of the body depends on TeX's state."""
    return any(word and (word in LOW_LEVEL or _is_conditional(word)) for word in _WORDS.findall(body))


def with_defaults(macro: Macro, arguments: list[str]) -> list[str]:
    """The arguments, those in place of which a default stands that names other arguments with these in it."""
    for index, parameter in enumerate(macro.parameters):
        if "#" in parameter.default and arguments[index] == parameter.default:
            arguments[index] = _ARGUMENT.sub(
                lambda found: arguments[int(found[1]) - 1] if int(found[1]) <= len(arguments) else found[0],
                parameter.default,
            )
    return arguments


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
