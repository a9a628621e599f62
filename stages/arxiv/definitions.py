r"""Reading definitions: ``\newcommand``, ``\def``, ``\let``, ``\NewDocumentCommand`` and their kin."""

from __future__ import annotations

import re
from dataclasses import replace

from llama_data.stages.arxiv.macros import FALSE, MANDATORY, Macro, Parameter, is_low_level, make_macro
from llama_data.stages.arxiv.masks import Masks
from llama_data.stages.arxiv.reading import read_group, read_option, read_token, skip_space
from llama_data.stages.arxiv.vocabulary import DEF, DOCUMENT_COMMAND, NEWCOMMAND

_NAME = re.compile(r"\s*(?:\{\s*\\([A-Za-z@]+|[^A-Za-z\s])\s*\}|\\([A-Za-z@]+|[^A-Za-z\s]))")
_DEF_NAME = re.compile(r"\s*(?:\\([A-Za-z@]+|[^A-Za-z\s])|([~|\"!?;:<>*^_'`@$&]))")
_COUNT = re.compile(r"\s*\[\s*([0-9])\s*\]")
_PARAMETERS = re.compile(r"[^{}\\]*(?:\\[\s\S][^{}\\]*)*")
_PARAMETER_LIMIT = 300  # characters between a name and its body
_LET = re.compile(r"\s*\\([A-Za-z@]+|[^A-Za-z])[ \t]*=?[ \t]?(?:\\([A-Za-z@]+|[^A-Za-z])|([^\\{}\s]))")
_LET_ACTIVE = re.compile(r"\s*[~|\"!?;:<>*^_'`@$&][ \t]*=?[ \t]?(?:\\(?:[A-Za-z@]+|[^A-Za-z])|[^\\{}\s])")
_STAR = re.compile(r"\s*\*")
_NUMBERED = re.compile(r"#([1-9])")
_SPEC = re.compile(r"\s*([A-Za-z+!>])")


def parse_definition(text: str, pos: int, command: str, masks: Masks, name: str = "") -> tuple[Macro, int] | None:
    """The definition whose command ends at ``pos``, and the place after it; None when it cannot be read.

    ``name``: that of the macro where it does not stand in the text. A definition of an active character has a name
    that no command can have.
    """
    if command in NEWCOMMAND:
        return _parse_newcommand(text, pos, masks, name)
    if command in DEF:
        return _parse_def(text, pos, masks, name)
    if command in DOCUMENT_COMMAND:
        return _parse_document_command(text, pos, masks)
    if command == "DeclareMathOperator":
        return _parse_operator(text, pos, masks)
    if command == "DeclarePairedDelimiter":
        return _parse_delimiter(text, pos)
    if command in ("DeclarePairedDelimiterX", "DeclarePairedDelimiterXPP"):
        return _parse_wide_delimiter(text, pos, 5 if command.endswith("XPP") else 3, masks)
    return None


def _name(text: str, pos: int) -> tuple[str, int] | None:
    star = _STAR.match(text, pos)
    found = _NAME.match(text, star.end() if star else pos)
    return None if found is None else (found[1] or found[2], found.end())


def _parse_newcommand(text: str, pos: int, masks: Masks, name: str) -> tuple[Macro, int] | None:
    named = (name, pos) if name else _name(text, pos)
    if named is None:
        return None
    name, pos = named
    count = _COUNT.match(text, pos)
    parameters: tuple[Parameter, ...] = ()
    if count is not None:
        pos = count.end()
        parameters = (MANDATORY,) * int(count[1])
        option = read_option(text, pos)
        if option is not None and parameters:
            parameters = (Parameter("o", option[0]), *parameters[1:])
            pos = option[1]
    body = read_token(text, pos)
    return None if body is None else (make_macro(name, parameters, body[0], masks=masks), body[1])


def _parse_def(text: str, pos: int, masks: Masks, name: str) -> tuple[Macro, int] | None:
    if not name:
        found = _DEF_NAME.match(text, pos)
        if found is None:
            return None
        name, pos = found[1] or f"active {found[2]}", found.end()
    written = _PARAMETERS.match(text, pos, pos + _PARAMETER_LIMIT)
    if written is None:
        return None
    body = read_group(text, written.end())
    if body is None:
        return None
    prefix, *parts = _NUMBERED.split(written[0])
    parameters: list[Parameter] = []
    opaque = False
    for index, (number, after) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        opaque = opaque or int(number) != index + 1 or "#" in after
        parameters.append(Parameter("u", marks=(after, "")) if after else MANDATORY)
    opaque = opaque or "#" in prefix
    macro = make_macro(name, tuple(parameters), body[0], opaque=opaque, prefix=prefix.lstrip(), masks=masks)
    return macro, body[1]


def _parse_document_command(text: str, pos: int, masks: Masks) -> tuple[Macro, int] | None:
    named = _name(text, pos)
    spec = read_group(text, named[1]) if named else None
    body = read_group(text, spec[1]) if spec else None
    if named is None or spec is None or body is None:
        return None
    parameters = _document_parameters(spec[0])
    known = parameters is not None and len(parameters) <= 9
    return make_macro(named[0], tuple(parameters or ()), body[0].strip(), opaque=not known, masks=masks), body[1]


def _document_parameters(spec: str) -> list[Parameter] | None:
    """The parameters that an argument specification of xparse names; None with one that is not known."""
    parameters: list[Parameter] = []
    place = 0
    while (found := _SPEC.match(spec, place)) is not None:
        kind, place = found[1], found.end()
        marks = ("[", "]")
        default = None
        if kind in "+!":
            continue
        if kind == ">":
            return None
        if kind in "dDrR":
            pair = [
                token for token in (read_token(spec, place), read_token(spec, skip_space(spec, place) + 1)) if token
            ]
            if len(pair) < 2 or len(pair[0][0]) != 1 or len(pair[1][0]) != 1:
                return None
            marks, place = (pair[0][0], pair[1][0]), pair[1][1]
        elif kind == "t":
            token = read_token(spec, place)
            if token is None:
                return None
            marks, place = (token[0], ""), token[1]
        if kind in "ODRG":
            default = read_token(spec, place)
            if default is None:
                return None
            place = default[1]
        made = _parameter(kind, default[0] if default else None, marks)
        if made is None:
            return None
        parameters.append(made)
    return parameters if not spec[place:].strip() else None


def _parameter(kind: str, default: str | None, marks: tuple[str, str]) -> Parameter | None:
    if kind in "mv":
        return MANDATORY
    if kind == "s":
        return Parameter("t", FALSE, ("*", ""))
    if kind == "t":
        return Parameter("t", FALSE, marks)
    known = {"o": "o", "O": "o", "d": "o", "D": "o", "r": "r", "R": "r", "g": "g", "G": "g"}.get(kind)
    if known is None:
        return None
    return Parameter(known, marks=marks) if default is None else Parameter(known, default, marks)


def _parse_operator(text: str, pos: int, masks: Masks) -> tuple[Macro, int] | None:
    star = "*" if _STAR.match(text, pos) else ""
    named = _name(text, pos)
    body = read_token(text, named[1]) if named else None
    if named is None or body is None:
        return None
    return make_macro(named[0], (), f"\\operatorname{star}{{{body[0]}}}", masks=masks), body[1]


def _parse_delimiter(text: str, pos: int) -> tuple[Macro, int] | None:
    named = _name(text, pos)
    left = read_token(text, named[1]) if named else None
    right = read_token(text, left[1]) if left else None
    if named is None or left is None or right is None:
        return None
    opaque = is_low_level(left[0] + right[0])
    return Macro(named[0], (MANDATORY,), (left[0], 0, right[0]), opaque=opaque, paired=True), right[1]


def _parse_wide_delimiter(text: str, pos: int, parts: int, masks: Masks) -> tuple[Macro, int] | None:
    r"""``\DeclarePairedDelimiterX``: its delimiters and its body, with what stands around them for ``XPP``."""
    named = _name(text, pos)
    count = _COUNT.match(text, named[1]) if named else None
    if named is None or count is None:
        return None
    pos = count.end()
    found: list[str] = []
    for _ in range(parts):
        part = read_token(text, pos)
        if part is None:
            return None
        found.append(part[0])
        pos = part[1]
    *around, body = found
    written = "".join([*around[: (parts - 1) // 2], body, *around[(parts - 1) // 2 :]])
    written = re.sub(r"\\delimsize(?![A-Za-z@])[ \t]*", "", written)
    macro = make_macro(named[0], (MANDATORY,) * int(count[1]), written, masks=masks)
    return replace(macro, paired=True, defines=False), pos


def parse_let(text: str, pos: int) -> tuple[str, str | None, str, int] | None:
    r"""``\let``: the new name, the command it copies (None for a character), the character, the place after."""
    found = _LET.match(text, pos)
    if found is not None:
        return found[1], found[2], found[3] or "", found.end()
    active = _LET_ACTIVE.match(text, pos)
    return None if active is None else ("", None, "", active.end())


def parse_environment(text: str, pos: int) -> int | None:
    r"""The place after a ``\newenvironment``'s parts, or None."""
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


def parse_document_environment(text: str, pos: int) -> int | None:
    r"""The place after a ``\NewDocumentEnvironment``'s four parts, or None."""
    for _ in range(4):
        group = read_group(text, pos)
        if group is None:
            return None
        pos = group[1]
    return pos
