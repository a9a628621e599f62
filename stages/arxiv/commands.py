"""What commands do while a paper is expanded: definitions, and tokens that are read without being expanded."""

from __future__ import annotations

import re
from dataclasses import replace

from llama_data.stages.arxiv import definitions, kernel, reading
from llama_data.stages.arxiv.engine import TOKEN, TOKEN_AT, Engine, Handler
from llama_data.stages.arxiv.macros import Macro, make_macro
from llama_data.stages.arxiv.vocabulary import (
    DEFINERS,
    DOCUMENT_ENVIRONMENTS,
    ENVIRONMENTS,
    PROTECTED,
    PROVIDERS,
    UNEXPANDED,
)

_PREFIXED = re.compile(r"\s*\\(?=(?:long|global|protected|outer|[gex]?def|let|(?:re)?newcommand)(?![A-Za-z@]))")
_AT_CATCODE = re.compile(r"\s*`\\?@\s*=?\s*(\d+)[ ]?")
_BUILT = re.compile(
    r"\s*\\(?P<command>[A-Za-z]+)\*?\s*(?:\\expandafter(?![A-Za-z@])\s*)?(?P<brace>\{\s*)?\\csname(?![A-Za-z@])"
    r"(?P<name>.{0,200}?)\\endcsname(?![A-Za-z@])",
    re.S,
)
_CSNAME = re.compile(r"(.{0,200}?)\\endcsname(?![A-Za-z@])", re.S)
_NAME_MACRO = re.compile(r"\\([A-Za-z@]+)\s*")
_NEWIF = re.compile(r"\s*\\if([A-Za-z@]+)")
_EDEF_TOKEN = re.compile(r"\\(?:(?:noexpand|protect)\s*\\?([A-Za-z@]+|.)|([A-Za-z@]+))[ \t]*", re.S)
_EDEF_LIMIT = 20_000  # characters that a body may have once its macros are expanded


class Commands(Engine):
    """The commands that define macros, and those that read tokens as they are."""

    def _definition_handlers(self) -> dict[str, Handler]:
        """Commands that a paper cannot redefine."""
        return {
            **dict.fromkeys(DEFINERS, self._define),
            **dict.fromkeys(ENVIRONMENTS, self._define_environment),
            **dict.fromkeys(DOCUMENT_ENVIRONMENTS, self._define_environment),
            **dict.fromkeys(("long", "global", "protected", "outer"), self._prefix),
            **dict.fromkeys(("makeatletter", "makeatother"), self._at_letter),
            "catcode": self._catcode,
            "expandafter": self._expandafter,
            "csname": self._csname,
            "@namedef": self._named,
            "@nameuse": self._named,
            "newif": self._newif,
        }

    def _token_handlers(self) -> dict[str, Handler]:
        """Commands that a paper may redefine."""
        return {
            **dict.fromkeys(UNEXPANDED, self._keep_tokens),
            "@ifstar": self._if_next,
            "@ifnextchar": self._if_next,
        }

    def _define(self, command: str, start: int, end: int, *, name: str = "") -> bool:
        frame = self._stack[-1]
        if command == "let":
            return self._let(start, end, name)
        parsed = definitions.parse_definition(frame.text, end, command, self._masks, name)
        if parsed is None:
            self._count_scan(len(frame.text) - end)
            return False
        macro, after = parsed
        self._count_scan(after - end)
        if not self._is_fixed(macro.name) and not (command in PROVIDERS and self._is_defined(macro.name)):
            if command in ("edef", "xdef"):
                macro = self._frozen(macro)
            self._bind(macro, everywhere=command in ("gdef", "xdef"))
        self._leave(start, after)
        return True

    def _is_fixed(self, name: str) -> bool:
        return name in PROTECTED or name in self._reserved or " " in name

    def _is_defined(self, name: str) -> bool:
        return name in self._macros or kernel.is_defined(name, self._packages)

    def _frozen(self, macro: Macro) -> Macro:
        r"""An ``\edef``: what its body says at this time."""
        if not macro.takes_nothing:
            return macro
        body = self._expand_now(macro.body, 0)
        if body is None or f"\\{macro.name}" in body:
            return replace(macro, opaque=True)
        return make_macro(macro.name, (), body, masks=self._masks)

    def _expand_now(self, body: str, depth: int) -> str | None:
        parts: list[str] = []
        pos = size = 0
        for found in _EDEF_TOKEN.finditer(body):
            name = found[2]
            macro = self._macros.get(name) if name else None
            parts.append(body[pos : found.start()])
            pos = found.end()
            piece: str | None = found[0]
            if name is None:
                piece = found[0].replace("\\noexpand", "", 1).lstrip() if "noexpand" in found[0] else found[0]
            elif macro is not None and macro.takes_nothing and not macro.opaque and macro.alias is None:
                piece = None if depth > 20 else self._expand_now(macro.body, depth + 1)
            if piece is None:
                return None
            parts.append(piece)
            size += len(piece)
            if size > _EDEF_LIMIT:
                return None
        parts.append(body[pos:])
        text = ""
        for part in parts:
            text = reading.join(text, part)
        return text

    def _let(self, start: int, end: int, name: str) -> bool:
        text = self._stack[-1].text
        parsed = definitions.parse_let(f"\\x{text[end : end + 200]}" if name else text, 0 if name else end)
        if parsed is None:
            return False
        written, target, character, after = parsed
        after = end + after - 2 if name else after
        name = name or written
        if name and not self._is_fixed(name):
            if target is None:
                macro = Macro(name=name, pieces=(character,))
            elif target in self._macros:
                macro = replace(self._macros[target], name=name)
            else:
                macro = Macro(name=name, alias=target, opaque="@" in target or target == name)
            self._bind(macro)
        self._leave(start, after)
        return True

    def _at_letter(self, name: str, start: int, end: int) -> bool:
        self._token = TOKEN_AT if name == "makeatletter" else TOKEN
        self._leave(start, end)
        return True

    def _catcode(self, name: str, start: int, end: int) -> bool:
        r"""``\catcode`\@=11`` makes ``@`` a letter."""
        found = _AT_CATCODE.match(self._stack[-1].text, end)
        if found is None:
            return False
        self._token = TOKEN_AT if found[1] == "11" else TOKEN
        self._leave(start, found.end())
        return True

    def _prefix(self, name: str, start: int, end: int) -> bool:
        return _PREFIXED.match(self._stack[-1].text, end) is not None

    def _define_environment(self, name: str, start: int, end: int) -> bool:
        parse = definitions.parse_document_environment if "Document" in name else definitions.parse_environment
        after = parse(self._stack[-1].text, end)
        self._count_scan((after or len(self._stack[-1].text)) - end)
        if after is None:
            return False
        self._leave(start, after)
        return True

    def _newif(self, name: str, start: int, end: int) -> bool:
        r"""``\newif`` is a definition; its switches stay only where a test of the flag stays."""
        found = _NEWIF.match(self._stack[-1].text, end)
        if found is None:
            return False
        self._leave(start, found.end())
        return True

    def _expandafter(self, name: str, start: int, end: int) -> bool:
        r"""A definition of a name that ``\csname`` builds; another ``\expandafter`` keeps its two tokens."""
        text = self._stack[-1].text
        found = _BUILT.match(text, end)
        if found is not None and found["command"] in DEFINERS:
            built = self._built_name(found["name"])
            after = found.end()
            if found["brace"]:
                after = reading.skip_space(text, after)
                after += text[after : after + 1] == "}"
            return built is not None and self._define(found["command"], start, after, name=built)
        return self._keep_tokens(name, start, end)

    def _built_name(self, name: str) -> str | None:
        """The name that stands between ``\\csname`` and ``\\endcsname``; None when it is not known."""
        for _ in range(5):
            if "\\" not in name:
                break
            name = _NAME_MACRO.sub(self._name_part, name)
        return None if "\\" in name or "#" in name else name.strip()

    def _name_part(self, found: re.Match[str]) -> str:
        macro = self._macros.get(found[1])
        return macro.body if macro is not None and macro.takes_nothing and macro.alias is None else found[0]

    def _csname(self, name: str, start: int, end: int) -> bool:
        """A macro of the paper that is called by a name that is put together."""
        found = _CSNAME.match(self._stack[-1].text, end)
        built = self._built_name(found[1]) if found else None
        return found is not None and self._call_named(built, start, found.end())

    def _named(self, name: str, start: int, end: int) -> bool:
        group = self._read_group(self._stack[-1], end)
        built = self._built_name(group[0]) if group else None
        if group is None or built is None:
            return False
        if name == "@namedef":
            return self._define("def", start, group[1], name=built)
        return self._call_named(built, start, group[1])

    def _call_named(self, name: str | None, start: int, end: int) -> bool:
        macro = self._macros.get(name or "")
        if macro is None or macro.opaque or macro.name in self._inert:
            return False
        return self._call(self._stack[-1], macro, start, start, end)

    def _keep_tokens(self, name: str, start: int, end: int) -> bool:
        """Copy a command with the tokens that it reads as they are."""
        text, place = self._stack[-1].text, end
        for _ in range(UNEXPANDED[name]):
            token = self._read_token(self._stack[-1], place)
            if token is None:
                break
            place = token[1]
        self._write(text[start:place])
        self._stack[-1].pos = place
        return True

    def _if_next(self, name: str, start: int, end: int) -> bool:
        r"""``\@ifstar`` and ``\@ifnextchar``: one of two branches, by what follows."""
        wanted, place = "*", end
        parts: list[str] = []
        for _ in range(2 if name == "@ifstar" else 3):
            token = self._read_token(self._stack[-1], place)
            if token is None:
                return False
            parts.append(token[0])
            place = token[1]
        if name != "@ifstar":
            wanted = parts.pop(0)
        depth = len(self._stack) - 1
        while depth > 0 and place >= len(self._stack[depth].text) and self._stack[depth].path is None:
            depth -= 1
            place = self._stack[depth].pos
        text = self._stack[depth].text
        after = reading.skip_space(text, place)
        there = text.startswith(wanted, after)
        del self._stack[depth + 1 :]
        self._stack[depth].pos = after + 1 if there and name == "@ifstar" else place
        self._push(parts[0] if there else parts[1], "")
        return True
