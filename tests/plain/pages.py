"""The commands that stand in README and docs: found on the page, split as a shell would, parsed by the real program."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.main import get_command

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("llama-data", "llama-train")
CHECKED = (*PROGRAMS, "make", "pip", "pytest", "python")
OTHERS = ("curl", "docker", "jq", "mkdocs", "ray", "rsync", "scancel", "ssh", "tests/clusters/slurm-here")
_PROMPT = re.compile(r"^(?:\w+@\w+)?\$ +")
_VARIABLES = re.compile(r"^(?:[A-Z][A-Z0-9_]*=\S* )+")


class Command(NamedTuple):
    """A command of a page; ``text`` is what a shell would be given, without prompt, variables and redirections."""

    page: str
    line: int
    text: str

    @property
    def words(self) -> list[str]:
        """The program and its arguments. What a page leaves out (``...``) is left out."""
        return [word for word in shlex.split(self.text) if word != "..."]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def pages() -> list[Path]:
    """README and every page of docs."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(page: Path) -> list[Command]:
    """The commands in the indented and fenced blocks of a page, in its order."""
    return commands_in(page.read_text(), page.relative_to(ROOT).as_posix())


def commands_in(text: str, name: str) -> list[Command]:
    """The commands in the blocks of a page's text. Raises ValueError: a prompt before a program that is not known."""
    found = []
    for number, line in _code_lines(text):
        prompt = _PROMPT.match(line)
        bare = _VARIABLES.sub("", line[prompt.end() :] if prompt else line)
        program = bare.split(" ", 1)[0]
        if program not in CHECKED:
            if prompt and program not in OTHERS:
                raise ValueError(f"{name}:{number}: {program} is not a program that this test knows")
            continue
        bare = re.sub(r"\s+#(\s.*)?$", "", bare)
        for part in re.split(r" && |; ", bare):
            part = re.split(r" (?:[<>|]|2>) ?", _VARIABLES.sub("", part))[0].strip()
            if part.split(" ", 1)[0] in CHECKED:
                found.append(Command(name, number, _usage(part)))
    return found


def _code_lines(text: str) -> list[tuple[int, str]]:
    """Lines of code with their numbers: stripped, a line that ends in a backslash with the next one."""
    lines: list[tuple[int, str]] = []
    fence, joins = "", False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        mark = re.match(r"(```+|~~~+)", stripped)
        if mark and (not fence or stripped == fence):
            fence, joins = "" if fence else mark[1], False
        elif fence or line.startswith("    "):
            if joins:
                lines[-1] = (lines[-1][0], f"{lines[-1][1]} {stripped.rstrip(chr(92)).strip()}")
            else:
                lines.append((number, stripped.rstrip("\\").strip()))
            joins = stripped.endswith("\\")
        else:
            joins = False
    return lines


def _usage(text: str) -> str:
    """A line that shows what may be given, as a command that gives all of it: ``[--port N]``, the first of ``A|B``."""
    return re.sub(r"([^\s|'\"]+)(?:\|[^\s|'\"]+)+", r"\1", re.sub(r"(?<!\w)\[([^\]]*)\]", r"\1", text))


def parse(command: Command) -> None:
    """Let the program's own parser take a command. Raises ValueError: what it does not take, and why."""
    program, *words = command.words
    if program in PROGRAMS:
        try:
            _parse(program, words)
        except Exception as error:  # of the parser, which is typer's own copy of click or click
            raise ValueError(error.format_message() if hasattr(error, "format_message") else str(error)) from error
    elif program == "make":
        _parse_make(words)
    elif program == "pip":
        check_extras(command.text)
    else:
        for word in words:
            path = ROOT / word.split("::")[0]
            if (word.endswith((".py", "/")) or word.startswith("tests/")) and not path.exists():
                raise ValueError(f"{word}: no such file")


def app_of(program: str) -> typer.Typer:
    """The command line of a program."""
    if program == "llama-data":
        from llama_data.pipeline.cli import app
    else:
        from llama_data.train_handoff.trainer.cli import app
    return app


def _parse(program: str, words: list[str]) -> None:
    command: Any = get_command(app_of(program))
    if words in (["--version"], ["--help"], ["--install-completion"]):
        return
    while hasattr(command, "commands"):
        verb, *words = [word for word in words if word != "--debug"]
        if verb not in command.commands:
            raise ValueError(f"no such verb: {verb}")
        command = command.commands[verb]
    command.make_context(program, words)


def _parse_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        name, equals, _ = word.partition("=")
        pattern = rf"^{re.escape(name)} [?:]?= " if equals else rf"^{re.escape(name)}:"
        if not re.search(pattern, makefile, re.MULTILINE):
            raise ValueError(f"the Makefile has no {name}")


def check_extras(text: str) -> None:
    """Raises ValueError: an extra in ``llama-data[...]`` that the package does not have."""
    have = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for names in re.findall(r"llama[-_]data\[([^\]]+)\]", text):
        for name in names.split(","):
            if name.strip() not in have:
                raise ValueError(f"there is no extra {name.strip()}; there are {', '.join(have)}")
