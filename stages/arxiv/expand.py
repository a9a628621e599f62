r"""Inlines files and expands user macros in one pass over a paper, in the order in which TeX reads it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, replace

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import macros
from llama_data.stages.arxiv.commands import Commands
from llama_data.stages.arxiv.engine import Frame, Handler, LimitReached, Recursion
from llama_data.stages.arxiv.project import Project
from llama_data.stages.arxiv.vocabulary import PROTECTED

MAX_FILES = 5_000
MAX_INLINED = 64 << 20
MAX_RESTARTS = 20

_PLAIN_INPUT = re.compile(r"[ \t]*([^\s{}\\\[\]]+) ?")
_PACKAGE = re.compile(r"\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_DOCUMENT = re.compile(r"\\begin\s*\{document\}")
_EXPL = re.compile(r"\\ExplSyntaxOn(?![A-Za-z]).*?(?:\\ExplSyntaxOff(?![A-Za-z])|\Z)", re.S)
_MACRO = re.compile(r"\\([A-Za-z@]+)\s*(?:\{\})?")
_STYLE_COMMAND = re.compile(
    rf"\\({'|'.join(sorted(macros.DEFINERS))}|RequirePackage|usepackage|LoadClass|input)(?![A-Za-z@])"
)


@dataclass
class Expanded:
    """The body of a paper in one text. ``problem`` says why macros were left (None: they were not)."""

    text: str
    expanded: int
    missing: list[str]
    read: list[str]
    problem: str | None = None


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
        except Recursion as found:
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


class _Reader(Commands):
    """Reads a paper from its main file on; ``active`` False inlines files and leaves macros alone."""

    def __init__(
        self, project: Project, main: str, *, active: bool, inert: frozenset[str], growth: float, body: bool
    ) -> None:
        super().__init__(inert=inert, growth=growth, in_body=body)
        self._project = project
        self._missing: list[str] = []
        self._files: list[str] = []
        self._packages: set[str] = set()
        fixed = self._file_handlers()
        if active:
            packages = ("usepackage", "RequirePackage", "documentclass", "LoadClass")
            fixed |= {**self._definition_handlers(), **dict.fromkeys(packages, self._package)}
            self._handlers = {**self._argument_handlers(), **fixed}
        else:
            self._handlers = fixed
        self._reserved = frozenset(fixed)
        self._table.update(self._handlers)
        self._open_file(main)

    def run(self) -> Expanded:
        """Read until the document ends."""
        return Expanded(self._read_all(), self._expanded, self._missing, self._files)

    def _file_handlers(self) -> dict[str, Handler]:
        reads = ("input", "include", "subfile", "subfileinclude")
        imports = ("import", "subimport", "includefrom", "inputfrom", "subincludefrom", "subinputfrom")
        return {
            "begin{document}": self._begin_document,
            "end{document}": self._end_document,
            "endinput": self._end_input,
            **dict.fromkeys(reads, self._input),
            **dict.fromkeys(imports, self._import),
        }

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
        self._stack.append(Frame(text, name, self._stack[-1] if self._stack else None, path))

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

    def _read_file(self, name: str, folders: tuple[str, ...], after: int, start: int, *, keep: bool = False) -> None:
        """Read a file in place of its command; one that is not there, or is being read, leaves nothing."""
        name = self._plain_name(name)
        found = self._project.find(name, folders)
        frame: Frame | None = self._stack[-1]
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
        if parsed is None:
            return pos
        macro = parsed[0]
        known = command in macros.PROVIDERS and macro.name in self._macros
        if not (known or macro.name in PROTECTED or macro.name in self._reserved):
            self._assign(macro.name, macro)
        return parsed[1]
