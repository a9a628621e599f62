"""The input stack that expansion works on: texts, macros called and bound, what is written, and the limits.

The input is a stack of texts. What is written out is final; an expansion goes on top of the stack and is read
again, so definitions act from where they stand, in the order of the document.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from llama_data.stages.arxiv import arguments, kernel, macros, reading
from llama_data.stages.arxiv.conditionals import resolve
from llama_data.stages.arxiv.macros import Macro, Parameter
from llama_data.stages.arxiv.masks import Masks
from llama_data.stages.arxiv.scopes import Scopes

MAX_LEVEL = 100

_NEAR = 2_000  # characters in which a group is expected to end

TOKEN = re.compile(r"\\(begin\s*\{document\}|end\s*\{document\}|[A-Za-z]+|[\s\S])")
TOKEN_AT = re.compile(r"\\(begin\s*\{document\}|end\s*\{document\}|[A-Za-z@]+|[\s\S])")
_LINE_REST = re.compile(r"[ \t]*\n")

# takes a command's name and where it starts and ends; returns False to leave the command as it is
Handler = Callable[[str, int, int], bool]


class LimitReached(Exception):
    """Expansion would go past a limit; ``problem`` is its code for the ledger."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Recursion(Exception):
    """Macros that expand to themselves; ``names`` are theirs."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names


class Frame:
    """One text of the input stack. ``level`` counts expansions, ``name`` is the macro or file it came from."""

    __slots__ = (
        "at_letter",
        "closings",
        "level",
        "name",
        "package",
        "parent",
        "path",
        "pos",
        "restored",
        "restores",
        "scopes",
        "text",
    )

    def __init__(
        self, text: str, name: str, parent: Frame | None, path: tuple[str, ...] | None = None, *, package: bool = False
    ) -> None:
        self.text = text
        self.pos = 0
        self.name = name
        self.parent = parent
        self.path = path  # folders in which a file's own inputs are looked for; None for a macro
        self.level: int = 0 if parent is None or path is not None else parent.level + 1
        self.package = package
        self.at_letter = package or (path is None and "@" in text)
        self.closings: dict[int, int] | None = None
        self.scopes: Scopes | None = None
        self.restores: list[tuple[int, str, Macro | None]] = []
        self.restored: set[tuple[int, str]] = set()

    def closing(self, pos: int) -> int:
        """The place of the brace that closes the one at ``pos``, or -1; all are matched once when it is far away."""
        if self.closings is None:
            near = reading.closing_brace(self.text, pos, limit=_NEAR)
            if near >= 0 or len(self.text) <= pos + _NEAR:
                return near
            self.closings = reading.matched_braces(self.text)
        return self.closings.get(pos, -1)


class Engine:
    """Copies text to the output and acts on the commands in its table: handlers, and the paper's macros.

    ``active``: macros are expanded, within limits; what only inlines files is linear in them and has none.
    ``inert`` are macros that stay as they are; ``growth`` bounds the output in units of the source's length.
    """

    def __init__(self, *, active: bool, inert: frozenset[str], growth: float, in_body: bool, masks: Masks) -> None:
        self._active = active
        self.in_body = in_body
        self._masks = masks
        self._inert = inert
        self._growth = growth
        self._macros: dict[str, Macro] = {}
        self._packages: frozenset[str] = frozenset()
        self._callers: dict[str, set[str]] = {}
        self._flat: dict[str, tuple[int, str | None]] = {}
        self._version = 0
        self._out: list[str] = []
        self._written = self._expanded = self._steps = self._pushed = self._scanned = self._source = 0
        self._done = False
        self._token = TOKEN
        self._stack: list[Frame] = []
        self._handlers: dict[str, Handler] = {}
        self._reserved: frozenset[str] = frozenset()
        self._table: dict[str, Handler | Macro] = {}

    def _read_all(self) -> str:
        """Read until the document ends; returns what was written."""
        stack = self._stack
        while stack and not self._done:
            frame = stack[-1]
            if self._scan(frame):
                continue
            if frame.restores and frame.pos >= frame.restores[-1][0]:
                _, name, old = frame.restores.pop()
                self._assign(name, old)
                continue
            self._close(stack.pop())
        return "".join(self._out)

    def _scan(self, frame: Frame) -> bool:
        """Copy the frame's text up to the next command that means something and act on it; False at its end."""
        text, pos, table = frame.text, frame.pos, self._table
        stop = frame.restores[-1][0] if frame.restores else len(text)
        token = TOKEN_AT if frame.at_letter else self._token
        for found in token.finditer(text, pos, stop):
            action = table.get(found[1])
            if action is None:
                if found[1][-1] != "}" or len(found[1]) == 1:
                    continue
                action = table.get("".join(found[1].split()))
                if action is None:
                    continue
            start, end = found.span()
            if isinstance(action, Macro):
                if self._call(frame, action, pos, start, end):
                    return True
                continue
            if start > pos:
                self._write(text[pos:start])
            frame.pos = end
            if not action(found[1], start, end):
                self._write(text[start:end])
            return True
        if stop > pos:
            self._write(text[pos:stop])
        frame.pos = max(pos, stop)
        return False

    def _write(self, piece: str) -> None:
        if not self.in_body or not piece:
            return  # a preamble prints nothing
        self._out.append(piece)
        self._written += len(piece)
        if self._active and self._written > self._growth * self._source + 20_000:
            raise LimitReached("growth_limit")

    def _close(self, frame: Frame) -> None:
        """End a frame; a command at its end must not swallow the letters that follow it."""
        while frame.restores:
            _, name, old = frame.restores.pop()
            self._assign(name, old)
        if self._stack and self._out and frame.path is None and reading.ends_in_word(self._out[-1][-80:]):
            below = self._stack[-1]
            if below.text[below.pos : below.pos + 1].isalpha():
                self._write(" ")

    def _call(self, frame: Frame, macro: Macro, pos: int, start: int, end: int) -> bool:
        """Expand a macro whose name stands at ``start``; False when it cannot be (then nothing has changed)."""
        self._steps += 1
        if self._steps > self._source + 50_000:
            raise LimitReached("step_limit")
        if macro.internals and not all(self._is_known(name) for name in macro.internals):
            return False
        flat = self._flat_body(macro)
        if flat is not None:
            body, places = flat, None
        else:
            read = self._arguments(macro, end)
            if read is None:
                return False
            body, places = macros.substitute(macro, read[0]), read[1]
            resolved = resolve(body, self._meaning) if macro.conditional else body
            if resolved is None:
                return False
            body = resolved
        body = self._as_argument(body, frame.text[pos:start])
        if start > pos:
            self._write(frame.text[pos:start])
        self._expanded += 1
        if body[:1].isalpha() and self._out and reading.ends_in_word(self._out[-1][-80:]):
            self._write(" ")
        if places is None:
            frame.pos = end
            self._write(body)
            # A control symbol may stand before a letter: `\*x` with `\*` for `\times`.
            if frame.text[end : end + 1].isalpha() and reading.ends_in_word(body[-80:]):
                self._write(" ")
            return True
        depth, after = places
        del self._stack[depth + 1 :]
        self._stack[depth].pos = after
        self._push(body, macro.name)
        return True

    def _as_argument(self, body: str, pending: str) -> str:
        """The body in braces when it stands where a command reads an argument, after what is not yet written."""
        if not self.in_body or arguments.is_single(body):
            return body
        near = self._before(pending, arguments.NEAR)
        if not arguments.may_be_argument(near):
            return body
        before = self._before(pending, arguments.LOOK_BEHIND) if near.rstrip()[-1:] in ("}", "]") else near
        return f"{{{body}}}" if arguments.needs_braces(body, before, self._arity) else body

    def _before(self, pending: str, characters: int) -> str:
        """The last characters that were written, and those that are about to be."""
        before = pending[-characters:]
        for piece in reversed(self._out):
            if len(before) >= characters:
                break
            before = piece[-characters:] + before
        return before

    def _arity(self, name: str) -> int:
        macro = self._macros.get(name)
        if macro is None or macro.alias is not None:
            return kernel.arity(name if macro is None or macro.alias is None else macro.alias)
        return sum(parameter.kind == "m" for parameter in macro.parameters)

    def _meaning(self, name: str) -> tuple[str, str]:
        macro = self._macros.get(name)
        if macro is not None and macro.alias is None:
            return "macro", macro.body if macro.takes_nothing else f"#{macro.parameters}{macro.pieces}"
        name = name if macro is None or macro.alias is None else macro.alias
        return ("kernel" if kernel.arity(name) != kernel.UNKNOWN else ""), ""

    def _is_known(self, name: str) -> bool:
        macro = self._macros.get(name)
        return macro is not None and not macro.opaque and all(inner != name for inner in macro.internals)

    def _flat_body(self, macro: Macro) -> str | None:
        """The body of a macro that takes nothing and holds nothing to expand, else None."""
        if macro.alias is not None:
            return "\\" + macro.alias
        if not macro.takes_nothing or macro.conditional:
            return None
        known = self._flat.get(macro.name)
        if known is not None and known[0] == self._version:
            return known[1]
        body = macro.body
        names = (found[1] for found in TOKEN_AT.finditer(body))
        flat = None if any(name in self._table for name in names) else body
        self._flat[macro.name] = (self._version, flat)
        return flat

    def _push(self, body: str, name: str) -> None:
        """Put an expansion on top."""
        self._pushed += len(body)
        if self._active and self._pushed > 4 * self._growth * self._source + 200_000:
            raise LimitReached("growth_limit")
        frame = Frame(body, name, self._stack[-1])
        if self._active and frame.level > MAX_LEVEL:
            raise Recursion(repeated(frame))
        self._stack.append(frame)

    def _arguments(self, macro: Macro, end: int) -> tuple[list[str], tuple[int, int]] | None:
        """Read a macro's arguments, also past the end of the top text; None when one is missing.

        Returns them, and the text (by its depth in the stack) and the place in it where reading goes on.
        """
        depth, pos = len(self._stack) - 1, end
        found: list[str] = []
        parameters = macro.parameters
        if macro.prefix:
            parameters = (Parameter("p", marks=(macro.prefix, "")), *parameters)
        elif macro.paired:
            parameters = (Parameter("t", "", ("*", "")), Parameter("o", ""), *parameters)
        if parameters and parameters[0].kind in "pu":
            pos = reading.skip_space(self._stack[depth].text, pos)
        for parameter in parameters:
            while depth > 0 and pos >= len(self._stack[depth].text) and self._stack[depth].path is None:
                depth -= 1
                pos = self._stack[depth].pos
            read = self._read_parameter(parameter, self._stack[depth], pos)
            if read is None:
                return None
            found.append(read[0])
            pos = read[1]
        found = found[len(parameters) - len(macro.parameters) :]
        return macros.with_defaults(macro, found), (depth, pos)

    def _read_parameter(self, parameter: Parameter, frame: Frame, pos: int) -> tuple[str, int] | None:
        kind, marks, text = parameter.kind, parameter.marks, frame.text
        if kind == "m":
            return self._read_token(frame, pos)
        if kind == "t":
            place = reading.skip_space(text, pos)
            return (
                (macros.TRUE, place + len(marks[0])) if text.startswith(marks[0], place) else (parameter.default, pos)
            )
        if kind == "p":
            found = reading.delimiter_pattern(marks[0]).match(text, pos)
            return None if found is None or found["delimiter"] is None else ("", found.end())
        if kind == "u":
            delimited = reading.read_delimited(text, pos, marks[0])
            self._count_scan((len(text) if delimited is None else delimited[1]) - pos)
            return delimited
        place = reading.skip_space(text, pos)
        if text[place : place + 1] != (marks[0] if kind != "g" else "{"):
            return None if kind == "r" else (parameter.default, pos)
        option = reading.read_option(text, place, marks=marks) if kind != "g" else self._read_group(frame, place)
        self._count_scan((len(text) if option is None else option[1]) - pos)
        return option if option is not None or kind == "r" else (parameter.default, pos)

    def _read_token(self, frame: Frame, pos: int) -> tuple[str, int] | None:
        group = self._read_group(frame, pos)
        return group if group is not None else reading.read_single(frame.text, pos)

    def _read_group(self, frame: Frame, pos: int) -> tuple[str, int] | None:
        pos = reading.skip_space(frame.text, pos)
        if frame.text[pos : pos + 1] != "{":
            return None
        end = frame.closing(pos)
        self._count_scan(end - pos)
        return None if end < 0 else (frame.text[pos + 1 : end], end + 1)

    def _count_scan(self, characters: int) -> None:
        self._scanned += characters
        if self._active and self._scanned > 30 * self._source + 1_000_000:
            raise LimitReached("step_limit")

    def _assign(self, name: str, macro: Macro | None) -> None:
        self._version += 1
        if macro is None:
            self._macros.pop(name, None)
        else:
            self._macros[name] = macro
        if self.in_body:
            self._activate(name)
        elif macro is not None:
            for called in macro.calls:
                self._callers.setdefault(called, set()).add(name)
            if macro.defines or any(isinstance(self._table.get(called), Macro) for called in macro.calls):
                self._activate_definer(name)

    def _activate_definer(self, name: str) -> None:
        """In the preamble only those macros act that define others, themselves or by what they call."""
        waiting = [name]
        while waiting:
            name = waiting.pop()
            known = name in self._table
            self._activate(name)
            if not known and name in self._table:
                waiting += self._callers.get(name, ())

    def _activate(self, name: str) -> None:
        macro = self._macros.get(name)
        if macro is not None and not macro.opaque and name not in self._inert:
            self._table[name] = macro
        elif name in self._handlers:
            self._table[name] = self._handlers[name]
        else:
            self._table.pop(name, None)

    def _bind(self, macro: Macro, *, everywhere: bool = False) -> None:
        """Define a macro up to the end of the group in which the definition stands."""
        base = next(frame for frame in reversed(self._stack) if frame.path is not None)
        if self.in_body and not everywhere:
            if base.scopes is None:
                base.scopes = Scopes(base.text)
            stop = base.scopes.end_of_group(base.pos)
            if stop is not None and stop >= base.pos:
                self._restore_at(base, stop, macro.name)
        self._assign(macro.name, macro)

    def _restore_at(self, frame: Frame, stop: int, name: str) -> None:
        """Remember what a name means outside of the group that ends at ``stop``."""
        if (stop, name) not in frame.restored:
            frame.restored.add((stop, name))
            frame.restores.append((stop, name, self._macros.get(name)))
            if len(frame.restores) > 1 and stop > frame.restores[-2][0]:
                frame.restores.sort(key=lambda restore: -restore[0])

    def _leave(self, start: int, after: int) -> None:
        """Take a definition out of the text, with its line when nothing else stands there."""
        frame = self._stack[-1]
        line = frame.text.rfind("\n", 0, start) + 1
        rest = _LINE_REST.match(frame.text, after)
        if rest is not None and not frame.text[line:start].strip():
            after = rest.end()
        frame.pos = after


def repeated(frame: Frame) -> set[str]:
    """Names of the macros that an expansion has gone through more than once."""
    seen: dict[str, int] = {}
    place: Frame | None = frame
    while place is not None:
        if place.path is None and place.name:
            seen[place.name] = seen.get(place.name, 0) + 1
        place = place.parent
    return {name for name, count in seen.items() if count > 1}
