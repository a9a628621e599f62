r"""The files that a paper reads: ``\input`` and its kin, packages and classes, and where reading ends."""

from __future__ import annotations

import posixpath
import re

from llama_data.pipeline.core.errors import RecordError
from llama_data.pipeline.core.reasons import Reason
from llama_data.stages.arxiv import kernel, reading
from llama_data.stages.arxiv.commands import Commands
from llama_data.stages.arxiv.engine import MAX_LEVEL, Frame, Handler
from llama_data.stages.arxiv.project import Project

MAX_FILES = 5_000
MAX_INLINED = 64 << 20

_PLAIN_INPUT = re.compile(r"[ \t]*(?:\"([^\"\n]*)\"|([^\s{}\\\[\]\"]+)) ?")
_MACRO_INPUT = re.compile(r"[ \t]*(\\[A-Za-z@]+)(?=[ \t\n%])")
_PACKAGE = re.compile(r"\s*(?:\[([^\]]{0,4000})\])?\s*\{([^{}]*)\}")
_DOCUMENT = re.compile(r"\\begin\s*\{document\}")
_EXPL = re.compile(r"\\ExplSyntaxOn(?![A-Za-z]).*?(?:\\ExplSyntaxOff(?![A-Za-z])|\Z)", re.S)
_MACRO = re.compile(r"\\([A-Za-z@]+)\s*(?:\{\})?")
_CONDITIONAL = re.compile(r"\\(if[A-Za-z@]*|fi)(?![A-Za-z@])")
_NEAR = 2_000  # characters before \endinput in which the conditional begins that may hold it


class Inputs(Commands):
    """Opens files on top of the input stack, each in place of the command that reads it."""

    _project: Project
    _plain: bool

    def _start(self, project: Project, *, plain: bool) -> None:
        self._project = project
        self._plain = plain  # plain TeX ends at \bye or \end
        self._missing: list[str] = []
        self._files: list[str] = []
        self._styles: set[str] = set()
        self._only: set[str] | None = None

    def _file_handlers(self) -> dict[str, Handler]:
        reads = ("input", "include", "subfile", "subfileinclude", "@input", "@@input")
        imports = ("import", "subimport", "includefrom", "inputfrom", "subincludefrom", "subinputfrom")
        return {
            "begin{document}": self._begin_document,
            "end{document}": self._end_document,
            "endinput": self._end_input,
            "includeonly": self._include_only,
            "InputIfFileExists": self._if_file,
            "IfFileExists": self._if_file,
            **dict.fromkeys(reads, self._input),
            **dict.fromkeys(imports, self._import),
        }

    def _end_handlers(self) -> dict[str, Handler]:
        """What ends a paper in plain TeX."""
        return dict.fromkeys(("bye", "end", "enddocument"), self._plain_end) if self._plain else {}

    def _package_handlers(self) -> dict[str, Handler]:
        packages = ("usepackage", "RequirePackage", "RequirePackageWithOptions")
        classes = ("documentclass", "LoadClass", "LoadClassWithOptions", "documentstyle")
        return dict.fromkeys((*packages, *classes), self._package)

    def _begin_document(self, name: str, start: int, end: int) -> bool:
        if self._stack[-1].package:
            return True
        if not self.in_body:
            self.in_body = True
            for macro in self._macros:
                self._activate(macro)
        self._out.clear()
        self._written = 0
        return True

    def _end_document(self, name: str, start: int, end: int) -> bool:
        self._done = not self._stack[-1].package
        return True

    def _plain_end(self, name: str, start: int, end: int) -> bool:
        text = self._stack[-1].text
        if name == "end" and text[reading.skip_space(text, end) :][:1] == "{":
            return False
        self._done = True
        return True

    def _end_input(self, name: str, start: int, end: int) -> bool:
        r"""Stop the file at the end of this line (The TeXbook, chapter 20), unless a conditional may skip this."""
        frame = next(frame for frame in reversed(self._stack) if frame.path is not None)
        before = _CONDITIONAL.findall(frame.text, max(0, frame.pos - _NEAR), frame.pos)
        depth = 0
        for word in before:
            depth = max(0, depth - 1) if word == "fi" else depth + 1
        self._count_scan(min(_NEAR, frame.pos))
        if depth == 0:
            line_end = frame.text.find("\n", frame.pos)
            frame.text = frame.text[: line_end + 1] if line_end >= 0 else frame.text
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
        self._push_file(name, text, folders)

    def _push_file(self, name: str, text: str, folders: tuple[str, ...], *, package: bool = False) -> None:
        path = tuple(dict.fromkeys((*folders, "", posixpath.dirname(name))))
        if text and not text.endswith("\n"):
            text += "\n"
        self._stack.append(Frame(text, name, self._stack[-1] if self._stack else None, path, package=package))

    def _input(self, name: str, start: int, end: int) -> bool:
        frame = self._stack[-1]
        group = self._read_group(frame, end)
        if group is None:
            plain = _PLAIN_INPUT.match(frame.text, end) or _MACRO_INPUT.match(frame.text, end)
            if plain is None or name not in ("input", "@@input"):
                return False
            group = next(part for part in plain.groups() if part is not None), plain.end()
        if name == "include" and self._only is not None and self._plain_name(group[0]) not in self._only:
            self._leave(start, group[1])
            return True
        self._read_file(group[0], self._folders(), group[1], start)
        return True

    def _import(self, name: str, start: int, end: int) -> bool:
        text = self._stack[-1].text
        star = end + text.startswith("*", end)
        folder = self._read_group(self._stack[-1], star)
        file = self._read_group(self._stack[-1], folder[1]) if folder else None
        if folder is None or file is None:
            return False
        below = tuple(posixpath.join(base, folder[0].strip()) for base in self._folders())
        self._read_file(file[0], tuple(dict.fromkeys((*below, folder[0].strip()))), file[1], start, keep=True)
        return True

    def _include_only(self, name: str, start: int, end: int) -> bool:
        group = self._read_group(self._stack[-1], end)
        if group is None:
            return False
        self._only = {self._plain_name(part) for part in group[0].split(",")}
        self._leave(start, group[1])
        return True

    def _if_file(self, name: str, start: int, end: int) -> bool:
        r"""``\IfFileExists``: one of its branches, when the paper brings the file or it is TeX that it would bring."""
        parts: list[str] = []
        if self._stack[-1].level >= MAX_LEVEL:
            return False
        for _ in range(3):
            group = self._read_group(self._stack[-1], end)
            if group is None:
                return False
            parts.append(group[0])
            end = group[1]
        file = self._plain_name(parts[0])
        found = self._project.find(file, self._folders())
        if found is None and posixpath.splitext(file)[1] not in ("", ".tex", ".bbl", ".ltx"):
            return False
        self._stack[-1].pos = end
        if found is not None and name == "InputIfFileExists" and not self._is_open(found):
            self._open_file(found, self._folders())
        self._push(parts[1] if found is not None else parts[2], "")
        return True

    def _is_open(self, file: str) -> bool:
        frame: Frame | None = self._stack[-1]
        while frame is not None:
            if frame.path is not None and frame.name == file:
                return True
            frame = frame.parent
        return False

    def _read_file(self, name: str, folders: tuple[str, ...], after: int, start: int, *, keep: bool = False) -> None:
        """Read a file in place of its command; one that is not there, or is being read, leaves nothing."""
        name = self._plain_name(name)
        found = self._project.find(name, folders)
        package = self._stack[-1].package
        if found is None or self._is_open(found):
            if not package:
                self._missing.append(name)
            self._leave(start, after)
            return
        self._stack[-1].pos = after
        if package:
            self._open_style(found)
        else:
            self._open_file(found, folders if keep else self._folders())

    def _plain_name(self, name: str) -> str:
        """A file name in which the paper's own macros stand for parts of the path."""
        for _ in range(5):
            if "\\" not in name:
                break
            name = _MACRO.sub(lambda found: self._path_part(found[1], found[0]), name)
        return name.strip()

    def _path_part(self, name: str, whole: str) -> str:
        macro = self._macros.get(name)
        if name == "jobname":
            return posixpath.splitext(posixpath.basename(self._files[0]))[0]
        return macro.body if macro is not None and macro.takes_nothing and macro.alias is None else whole

    def _package(self, name: str, start: int, end: int) -> bool:
        """Read the style or class files that the paper brings; LaTeX 2.09 names them as the class's options."""
        frame = self._stack[-1]
        found = _PACKAGE.match(frame.text, end)
        if found is None or self.in_body:
            return False
        options = [part.strip() for part in (found[1] or "").split(",")] if name == "documentstyle" else []
        listed = [part.strip() for part in found[2].split(",")]
        is_class = "package" not in name.lower()
        self._packages = kernel.loaded({*self._packages, *listed, *options})
        files = [part + (".cls" if is_class else ".sty") for part in listed]
        if name == "documentstyle":
            files = [*(part + ".sty" for part in listed + options), *files]
        frame.pos = found.end()
        folders = self._folders()
        for file in reversed(files):  # the first lies on top of the stack
            style = self._project.find(file, folders, ("",))
            if style is not None:
                self._open_style(style)
        return True

    def _open_style(self, file: str) -> None:
        if file not in self._styles:
            self._styles.add(file)
            self._push_file(file, _EXPL.sub("", self._project.clean(file)), self._folders(), package=True)
