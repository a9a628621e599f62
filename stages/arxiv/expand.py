r"""Inlines files and expands user macros in one pass over a paper, as TeX reads it.

The input is a stack of texts. What is written out is final; an expansion goes on top of the stack and is read
again, so definitions act from where they stand, in the order of the document.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import macros
from llama_data.stages.arxiv.macros import PROTECTED, Macro
from llama_data.stages.arxiv.project import Project
from llama_data.stages.arxiv.scopes import Scopes

MAX_LEVEL = 100
MAX_FILES = 5_000
MAX_INLINED = 64 << 20
MAX_RESTARTS = 20

_TOKEN = re.compile(r"\\(begin\s*\{document\}|end\s*\{document\}|[A-Za-z]+|[\s\S])")
_TOKEN_AT = re.compile(r"\\(begin\s*\{document\}|end\s*\{document\}|[A-Za-z@]+|[\s\S])")
_PLAIN_INPUT = re.compile(r"[ \t]*([^\s{}\\\[\]]+) ?")
_PREFIXED = re.compile(r"\s*\\(?=(?:long|global|protected|outer|[gex]?def|let|(?:re)?newcommand)(?![A-Za-z@]))")
_PACKAGE = re.compile(r"\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_LINE_REST = re.compile(r"[ \t]*\n")
_NEXT_WORD = re.compile(r"[ \t]*\\([A-Za-z]+)")
_DOCUMENT = re.compile(r"\\begin\s*\{document\}")
_EXPL = re.compile(r"\\ExplSyntaxOn(?![A-Za-z]).*?(?:\\ExplSyntaxOff(?![A-Za-z])|\Z)", re.S)

# commands that take one or two arguments: a macro that stands there without braces gets them when it is expanded
_TAKES_ONE = frozenset(
    ["sqrt", "hat", "bar", "vec", "tilde", "dot", "ddot", "widehat", "widetilde", "overline", "underline", "mathbf", "mathrm", "mathcal", "mathbb", "mathfrak", "mathsf", "mathit", "mathscr", "bm", "boldsymbol", "text", "textbf", "textit", "emph", "acute", "grave", "check", "breve", "mathring", "mbox", "textrm", "overrightarrow", "overleftarrow", "underbrace", "overbrace", "operatorname"]
)
_TAKES_TWO = frozenset(["frac", "dfrac", "tfrac", "cfrac", "binom", "dbinom", "tbinom", "stackrel", "overset", "underset"])


Handler = Callable[[str, int, int], bool]


class LimitReached(Exception):
    """Expansion would go past a limit; ``problem`` is its code for the ledger."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Recursion(Exception):
    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names


@dataclass
class Expanded:
    """The body of a paper in one text. ``problem`` says why macros were left (None: they were not)."""

    text: str
    expanded: int
    missing: list[str]
    read: list[str]
    problem: str | None = None


class _Frame:
    """One text of the input stack. ``level`` counts expansions, ``name`` is the macro or file it came from."""

    __slots__ = ("braces", "level", "name", "parent", "path", "pos", "restores", "scopes", "text")

    def __init__(self, text: str, name: str, parent: _Frame | None, path: tuple[str, ...] | None = None) -> None:
        self.text = text
        self.pos = 0
        self.name = name
        self.parent = parent
        self.path = path  # folders in which a file's own inputs are looked for; None for a macro
        self.level = 0 if parent is None or path is not None else parent.level + 1
        self.scopes: Scopes | None = None
        self.restores: list[tuple[int, str, Macro | None]] = []


def expand(project: Project, main: str, *, macros_too: bool = True, growth: float = 4.0) -> Expanded:
    """Inline the files that the main file reads and expand what the paper defines.

    Recursive macros are left as they are. When the text would grow by more than ``growth`` or expansion takes
    too long, files are inlined and every macro is left; ``problem`` says so.

    Raises:
        RecordError: the files that are read, counted as often as they are read, go past the limits.
    """
    if not macros_too:
        return _run(project, main, False, frozenset(), growth)
    inert: frozenset[str] = frozenset()
    problem = "recursion"
    for _ in range(MAX_RESTARTS):
        try:
            result = _run(project, main, True, inert, growth)
        except _Recursion as found:
            if not found.names - inert:
                break
            inert |= found.names
        except LimitReached as reached:
            problem = reached.problem
            break
        else:
            return replace(result, problem="recursive_macro" if inert else None)
    return replace(_run(project, main, False, frozenset(), growth), problem=problem)


def _run(project: Project, main: str, active: bool, inert: frozenset[str], growth: float) -> Expanded:
    has_preamble = "\\documentclass" in project.clean(main) or "\\documentstyle" in project.clean(main)
    has_preamble = has_preamble or _DOCUMENT.search(project.clean(main)) is not None
    reader = _Reader(project, main, active=active, inert=inert, growth=growth, body=not has_preamble)
    result = reader.run()
    if has_preamble and not reader.in_body:
        result = _Reader(project, main, active=active, inert=inert, growth=growth, body=True).run()
    return result


class _Reader:
    def __init__(
        self, project: Project, main: str, *, active: bool, inert: frozenset[str], growth: float, body: bool
    ) -> None:
        self.in_body = body
        self._project = project
        self._active = active
        self._inert = inert
        self._growth = growth
        self._macros: dict[str, Macro] = {}
        self._flat: dict[str, tuple[int, str | None]] = {}
        self._version = 0
        self._out: list[str] = []
        self._written = self._expanded = self._steps = self._pushed = self._scanned = self._source = 0
        self._missing: list[str] = []
        self._files: list[str] = []
        self._packages: set[str] = set()
        self._done = False
        self._token = _TOKEN
        self._stack: list[_Frame] = []
        self._handlers, self._reserved = self._make_handlers()
        self._table: dict[str, Handler | Macro] = dict(self._handlers)
        self._open_file(main)

    def run(self) -> Expanded:
        """Read until the document ends."""
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
        return Expanded("".join(self._out), self._expanded, self._missing, self._files)

    def _scan(self, frame: _Frame) -> bool:
        """Copy the frame's text up to the next command that means something and act on it; False at its end."""
        text, pos, table = frame.text, frame.pos, self._table
        stop = frame.restores[-1][0] if frame.restores else len(text)
        for found in self._token.finditer(text, pos, stop):
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
        self._out.append(piece)
        self._written += len(piece)
        if self._written > self._growth * self._source + 20_000:
            raise LimitReached("growth_limit")

    def _close(self, frame: _Frame) -> None:
        """End a frame; a command at its end must not swallow the letters that follow it."""
        while frame.restores:
            _, name, old = frame.restores.pop()
            self._assign(name, old)
        if self._stack and self._out and frame.path is None and macros.ends_in_word(self._out[-1][-80:]):
            below = self._stack[-1]
            if below.text[below.pos : below.pos + 1].isalpha():
                self._write(" ")

    # macros

    def _call(self, frame: _Frame, macro: Macro, pos: int, start: int, end: int) -> bool:
        """Expand a macro whose name stands at ``start``; False when it cannot be (then nothing has changed)."""
        self._steps += 1
        if self._steps > self._source + 50_000:
            raise LimitReached("step_limit")
        flat = self._flat_body(macro)
        if flat is not None:
            frame.pos = end
            body = flat
        else:
            arguments = self._arguments(macro, end)
            if arguments is None:
                return False
            body = macros.substitute(macro, arguments)
        if start > pos:
            self._write(frame.text[pos:start])
        self._expanded += 1
        if body[:1].isalpha() and self._out and macros.ends_in_word(self._out[-1][-80:]):
            self._write(" ")
        if flat is not None:
            self._write(body)
        else:
            self._push(body, macro.name, frame)
        return True

    def _flat_body(self, macro: Macro) -> str | None:
        """The body of a macro that takes nothing and holds nothing to expand, else None."""
        if macro.alias is not None:
            return "\\" + macro.alias
        if macro.defaults:
            return None
        known = self._flat.get(macro.name)
        if known is not None and known[0] == self._version:
            return known[1]
        body = macro.body
        names = (found[1] for found in _TOKEN.finditer(body))
        flat = None if any(name in self._table for name in names) else body
        self._flat[macro.name] = (self._version, flat)
        return flat

    def _push(self, body: str, name: str, parent: _Frame) -> None:
        self._pushed += len(body)
        if self._pushed > 4 * self._growth * self._source + 200_000:
            raise LimitReached("growth_limit")
        frame = _Frame(body, name, parent)
        if frame.level > MAX_LEVEL:
            raise _Recursion(_repeated(frame))
        self._stack.append(frame)

    def _arguments(self, macro: Macro, end: int) -> list[str] | None:
        """Read a macro's arguments, also past the end of the top text, and move on; None when one is missing."""
        places = [(len(self._stack) - 1, end)]

        def here() -> tuple[str, int]:
            depth, pos = places[-1]
            text = self._stack[depth].text
            while depth > 0 and pos >= len(text) and self._stack[depth].path is None:
                depth -= 1
                text, pos = self._stack[depth].text, self._stack[depth].pos
                places.append((depth, pos))
            return text, pos

        def advance(pos: int) -> None:
            places[-1] = (places[-1][0], pos)

        arguments: list[str] = []
        if macro.paired:
            text, pos = here()
            if text[pos : pos + 1] == "*":
                advance(pos + 1)
            option = macros.read_option(*here())
            if option is not None:
                advance(option[1])
        for default in macro.defaults:
            text, pos = here()
            if default is not None:
                option = macros.read_option(text, pos)
                arguments.append(default if option is None else option[0])
                if option is not None:
                    advance(option[1])
                continue
            token = self._read_token(text, pos)
            if token is None:
                return None
            arguments.append(token[0])
            advance(token[1])
        depth, pos = places[-1]
        del self._stack[depth + 1 :]
        self._stack[depth].pos = pos
        return arguments

    def _read_token(self, text: str, pos: int) -> tuple[str, int] | None:
        token = macros.read_token(text, pos)
        self._count_scan((len(text) if token is None else token[1]) - pos)
        return token

    def _count_scan(self, characters: int) -> None:
        self._scanned += characters
        if self._scanned > 30 * self._source + 1_000_000:
            raise LimitReached("step_limit")

    # definitions

    def _assign(self, name: str, macro: Macro | None) -> None:
        self._version += 1
        if macro is None:
            self._macros.pop(name, None)
        else:
            self._macros[name] = macro
        if self.in_body:
            self._activate(name)

    def _activate(self, name: str) -> None:
        macro = self._macros.get(name)
        if macro is not None and not macro.opaque and name not in self._inert:
            self._table[name] = macro
        elif name in self._handlers:
            self._table[name] = self._handlers[name]
        else:
            self._table.pop(name, None)

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
        if macro.name not in self._reserved and macro.name not in PROTECTED and not (command in macros.PROVIDERS and macro.name in self._macros):
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

    def _bind(self, macro: Macro, *, everywhere: bool = False) -> None:
        """Define a macro up to the end of the group in which the definition stands."""
        base = next(frame for frame in reversed(self._stack) if frame.path is not None)
        if self.in_body and not everywhere:
            if base.scopes is None:
                base.scopes = Scopes(base.text)
            stop = base.scopes.end_of_group(base.pos)
            if stop is not None and stop >= base.pos:
                base.restores.append((stop, macro.name, self._macros.get(macro.name)))
                base.restores.sort(key=lambda restore: -restore[0])
        self._assign(macro.name, macro)

    def _leave(self, start: int, after: int) -> None:
        """Take a definition out of the text, with its line when nothing else stands there."""
        frame = self._stack[-1]
        line = frame.text.rfind("\n", 0, start) + 1
        rest = _LINE_REST.match(frame.text, after)
        if rest is not None and not frame.text[line:start].strip():
            after = rest.end()
        frame.pos = after

    # what commands do; a handler returns False to leave the command as it is

    def _make_handlers(self) -> tuple[dict[str, Handler], frozenset[str]]:
        """The commands that are acted on, and those of them that a paper cannot redefine."""
        fixed: dict[str, Handler] = {
            "begin{document}": self._begin_document,
            "end{document}": self._end_document,
            "endinput": self._end_input,
            **dict.fromkeys(("input", "include", "subfile", "subfileinclude"), self._input),
            **dict.fromkeys(
                ("import", "subimport", "includefrom", "inputfrom", "subincludefrom", "subinputfrom"), self._import
            ),
        }
        loose: dict[str, Handler] = {}
        if self._active:
            fixed |= dict.fromkeys(macros.DEFINERS, self._define)
            fixed |= dict.fromkeys(macros.ENVIRONMENTS, self._define_environment)
            fixed |= dict.fromkeys(("long", "global", "protected", "outer"), self._prefix)
            fixed |= dict.fromkeys(("usepackage", "RequirePackage", "documentclass", "LoadClass"), self._package)
            fixed |= {"makeatletter": self._at_letter, "makeatother": self._at_letter}
            loose |= dict.fromkeys(_TAKES_ONE, self._takes_one)
            loose |= dict.fromkeys(_TAKES_TWO, self._takes_two)
        return fixed | loose, frozenset(fixed)

    def _begin_document(self, name: str, start: int, end: int) -> bool:
        if not self.in_body:
            self.in_body = True
            for macro in self._macros:
                self._activate(macro)
        self._out.clear()
        self._written = 0
        return True

    def _end_document(self, name: str, start: int, end: int) -> bool:
        self._done = True
        return True

    def _end_input(self, name: str, start: int, end: int) -> bool:
        while self._stack:
            frame = self._stack.pop()
            self._close(frame)
            if frame.path is not None:
                break
        return True

    def _at_letter(self, name: str, start: int, end: int) -> bool:
        self._token = _TOKEN_AT if name == "makeatletter" else _TOKEN
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
                stop = macros.closing_brace(text, end, limit=2_000)
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

    # files

    def _folders(self) -> tuple[str, ...]:
        path = next((frame.path for frame in reversed(self._stack) if frame.path is not None), None)
        return path or ("",)

    def _open_file(self, name: str, folders: tuple[str, ...] = ()) -> None:
        """Put a file on top of the stack. Raises RecordError past the limits."""
        text = self._project.clean(name)
        if self.in_body and self._files and (begin := _DOCUMENT.search(text)) is not None:
            end = text.rfind("\\end{document}")
            text = text[begin.end() : end if end >= begin.end() else len(text)]
        self._files.append(name)
        self._source += len(text)
        if len(self._files) > MAX_FILES or self._source > MAX_INLINED:
            raise RecordError(Reason.too_complex, f"more than {MAX_FILES} files or {MAX_INLINED} characters inlined")
        own = posixpath.dirname(name)
        path = tuple(dict.fromkeys((*folders, "", own)))
        if text and not text.endswith("\n"):
            text += "\n"
        self._stack.append(_Frame(text, name, self._stack[-1] if self._stack else None, path))

    def _input(self, name: str, start: int, end: int) -> bool:
        frame = self._stack[-1]
        group = macros.read_group(frame.text, end)
        if group is None:
            plain = _PLAIN_INPUT.match(frame.text, end)
            if plain is None or name != "input":
                return False
            group = plain[1], plain.end()
        self._read_file(group[0], self._folders(), group[1], start)
        return True

    def _import(self, name: str, start: int, end: int) -> bool:
        text = self._stack[-1].text
        folder = macros.read_group(text, end)
        file = macros.read_group(text, folder[1]) if folder else None
        if folder is None or file is None:
            return False
        below = tuple(posixpath.join(base, folder[0].strip()) for base in self._folders())
        self._read_file(file[0], tuple(dict.fromkeys((*below, folder[0].strip()))), file[1], start, keep=True)
        return True

    def _read_file(
        self, name: str, folders: tuple[str, ...], after: int, start: int, *, keep: bool = False
    ) -> None:
        """Read a file in place of its command; one that is not there, or is being read, leaves nothing."""
        name = self._plain_name(name)
        found = self._project.find(name, folders)
        frame: _Frame | None = self._stack[-1]
        while frame is not None and found is not None:
            if frame.path is not None and frame.name == found:
                found = None
            frame = frame.parent
        if found is None:
            self._missing.append(name)
            self._leave(start, after)
            return
        self._stack[-1].pos = after
        self._open_file(found, folders if keep else self._folders())

    def _plain_name(self, name: str) -> str:
        """A file name in which the paper's own macros stand for parts of the path."""
        for _ in range(5):
            if "\\" not in name:
                break
            name = _MACRO.sub(lambda found: self._name_part(found[1], found[0]), name)
        return name.strip()

    def _name_part(self, name: str, whole: str) -> str:
        macro = self._macros.get(name)
        if name == "jobname":
            return posixpath.splitext(posixpath.basename(self._files[0]))[0]
        return macro.body if macro is not None and not macro.defaults else whole

    def _package(self, name: str, start: int, end: int) -> bool:
        """Collect the definitions of a style or class file that the paper brings."""
        found = _PACKAGE.match(self._stack[-1].text, end)
        if found is None or self.in_body:
            return False
        suffix = ".cls" if name in ("documentclass", "LoadClass") else ".sty"
        for package in found[1].split(","):
            self._collect(package.strip() + suffix, 0)
        return False

    def _collect(self, package: str, depth: int) -> None:
        file = self._project.find(package, self._folders(), ("",))
        if file is None or file in self._packages or depth > 10:
            return
        self._packages.add(file)
        text = _EXPL.sub("", self._project.clean(file))
        pos = 0
        while (found := _STYLE_COMMAND.search(text, pos)) is not None:
            pos, command = found.end(), found[1]
            if command in ("RequirePackage", "usepackage", "LoadClass"):
                listed = _PACKAGE.match(text, pos)
                for other in listed[1].split(",") if listed else ():
                    self._collect(other.strip() + (".cls" if command == "LoadClass" else ".sty"), depth + 1)
            elif command == "input":
                group = macros.read_group(text, pos)
                self._collect(group[0].strip() if group else "", depth + 1)
            else:
                pos = self._collect_definition(text, command, pos)

    def _collect_definition(self, text: str, command: str, pos: int) -> int:
        if command == "let":
            return pos
        parsed = macros.parse_definition(text, pos, command)
        self._count_scan((parsed[1] if parsed else len(text)) - pos)
        if parsed is None or parsed[0] is None:
            return pos
        macro = parsed[0]
        known = command in macros.PROVIDERS and macro.name in self._macros
        if not (known or "@" in macro.name or macro.name in PROTECTED or macro.name in self._reserved):
            self._assign(macro.name, macro)
        return parsed[1]


def _repeated(frame: _Frame) -> set[str]:
    """Names of the macros that an expansion has gone through more than once."""
    seen: dict[str, int] = {}
    place: _Frame | None = frame
    while place is not None:
        if place.path is None and place.name:
            seen[place.name] = seen.get(place.name, 0) + 1
        place = place.parent
    return {name for name, count in seen.items() if count > 1}


_MACRO = re.compile(r"\\([A-Za-z@]+)\s*(?:\{\})?")
_STYLE_COMMAND = re.compile(
    rf"\\({'|'.join(sorted(macros.DEFINERS))}|RequirePackage|usepackage|LoadClass|input)(?![A-Za-z@])"
)
