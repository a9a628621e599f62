"""What commands do while a paper is expanded: definitions, and arguments without braces."""

from __future__ import annotations

import re
from dataclasses import replace

from llama_data.stages.arxiv import macros
from llama_data.stages.arxiv.engine import TOKEN, TOKEN_AT, Engine, Handler
from llama_data.stages.arxiv.macros import Macro
from llama_data.stages.arxiv.vocabulary import PROTECTED, TAKES_ONE, TAKES_TWO

_PREFIXED = re.compile(r"\s*\\(?=(?:long|global|protected|outer|[gex]?def|let|(?:re)?newcommand)(?![A-Za-z@]))")
_FRACTION_LIMIT = 500  # characters of an argument behind which a macro without braces is still found
_NEXT_WORD = re.compile(r"[ \t]*\\([A-Za-z]+)")


class Commands(Engine):
    """The commands that define macros, and those whose arguments need braces once a macro is expanded."""

    def _definition_handlers(self) -> dict[str, Handler]:
        """Commands that a paper cannot redefine."""
        return {
            **dict.fromkeys(macros.DEFINERS, self._define),
            **dict.fromkeys(macros.ENVIRONMENTS, self._define_environment),
            **dict.fromkeys(("long", "global", "protected", "outer"), self._prefix),
            **dict.fromkeys(("makeatletter", "makeatother"), self._at_letter),
        }

    def _argument_handlers(self) -> dict[str, Handler]:
        return {**dict.fromkeys(TAKES_ONE, self._takes_one), **dict.fromkeys(TAKES_TWO, self._takes_two)}

    def _define(self, command: str, start: int, end: int) -> bool:
        frame = self._stack[-1]
        if command == "let":
            return self._let(start, end)
        parsed = macros.parse_definition(frame.text, end, command)
        if parsed is None:
            self._count_scan(len(frame.text) - end)
            return False
        macro, after = parsed
        self._count_scan(after - end)
        if (
            macro.name not in self._reserved
            and macro.name not in PROTECTED
            and not (command in macros.PROVIDERS and macro.name in self._macros)
        ):
            if command in ("edef", "xdef") and f"\\{macro.name}" in macro.body:
                macro = self._resolved(macro)
            self._bind(macro, everywhere=command in ("gdef", "xdef"))
        self._leave(start, after)
        return True

    def _resolved(self, macro: Macro) -> Macro:
        r"""An ``\edef`` that mentions its own old meaning."""
        old = self._macros.get(macro.name)
        if old is None or old.defaults or old.opaque:
            return replace(macro, opaque=True)
        return replace(macro, pieces=(macro.body.replace(f"\\{macro.name}", old.body),))

    def _let(self, start: int, end: int) -> bool:
        parsed = macros.parse_let(self._stack[-1].text, end)
        if parsed is None:
            return False
        name, target, character, after = parsed
        if name not in PROTECTED and name not in self._reserved:
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

    def _prefix(self, name: str, start: int, end: int) -> bool:
        return _PREFIXED.match(self._stack[-1].text, end) is not None

    def _define_environment(self, name: str, start: int, end: int) -> bool:
        after = macros.parse_environment(self._stack[-1].text, end)
        if after is None:
            self._count_scan(len(self._stack[-1].text) - end)
            return False
        self._leave(start, after)
        return True

    def _takes_one(self, name: str, start: int, end: int) -> bool:
        frame = self._stack[-1]
        found = _NEXT_WORD.match(frame.text, end)
        if found is None or not self._is_plain(found[1]):
            return False
        self._write(frame.text[start:end])
        frame.pos = found.end()
        self._push(f"{{\\{found[1]}}}", "", frame)
        return True

    def _takes_two(self, name: str, start: int, end: int) -> bool:
        frame = self._stack[-1]
        text, parts, changed = frame.text, [], False
        for _ in range(2):
            end = macros.skip_space(text, end)
            if text[end : end + 1] == "{":
                stop = macros.closing_brace(text, end, limit=_FRACTION_LIMIT)
                self._count_scan(_FRACTION_LIMIT if stop < 0 else stop - end)
                if stop < 0:
                    return False
                parts.append(text[end : stop + 1])
                end = stop + 1
                continue
            token = macros.read_token(text, end)
            if token is None:
                return False
            plain = token[0][:1] == "\\" and self._is_plain(token[0][1:])
            changed = changed or plain
            parts.append(f"{{{token[0]}}}" if plain else token[0])
            end = token[1]
        if not changed:
            return False
        self._write("\\" + name)
        frame.pos = end
        self._push("".join(parts), "", frame)
        return True

    def _is_plain(self, name: str) -> bool:
        """True for a macro of the paper that takes no argument."""
        macro = self._table.get(name)
        return isinstance(macro, Macro) and not macro.defaults
