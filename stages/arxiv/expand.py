r"""Inlines files and expands user macros in one pass over a paper, in the order in which TeX reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from llama_data.stages.arxiv.engine import Handler, LimitReached, Recursion
from llama_data.stages.arxiv.inputs import Inputs
from llama_data.stages.arxiv.project import Project

MAX_RESTARTS = 20

_DOCUMENT = re.compile(r"\\begin\s*\{document\}")


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


class _Reader(Inputs):
    """Reads a paper from its main file on; ``active`` False inlines files and leaves macros alone."""

    def __init__(
        self, project: Project, main: str, *, active: bool, inert: frozenset[str], growth: float, body: bool
    ) -> None:
        super().__init__(active=active, inert=inert, growth=growth, in_body=body, masks=project.masks)
        self._start(project, plain=body)
        fixed = self._file_handlers()
        self._handlers = fixed
        if active:
            fixed = {**fixed, **self._definition_handlers(), **self._package_handlers()}
            self._handlers = {**self._token_handlers(), **self._end_handlers(), **self._switches(), **fixed}
        else:
            self._handlers = {**self._end_handlers(), **fixed}
        self._reserved = frozenset(fixed)
        self._table.update(self._handlers)
        self._open_file(main)

    def run(self) -> Expanded:
        """Read until the document ends."""
        return Expanded(self._read_all(), self._expanded, self._missing, self._files)

    def _switches(self) -> dict[str, Handler]:
        """The switches of flags whose tests were all settled when comments left."""
        flags = self._project.settled_flags()
        return {f"{flag.removeprefix('if')}{value}": self._switch for flag in flags for value in ("true", "false")}

    def _switch(self, name: str, start: int, end: int) -> bool:
        self._leave(start, end)
        return True
