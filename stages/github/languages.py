"""Which files are taken, by path, and the name of the language they are in."""

from __future__ import annotations

_LANGUAGES = {
    "Assembly": "asm",
    "Batchfile": "bat cmd",
    "C": "c h",
    "C#": "cs",
    "C++": "cpp hpp c++ h++ cc hh C H",
    "CMake": "cmake",
    "CSS": "css",
    "Dockerfile": "dockerfile Dockerfile",
    "Fortran": "f90 f f03 f08 f77 f95 for fpp",
    "Go": "go",
    "Haskell": "hs",
    "HTML": "html",
    "Java": "java",
    "JavaScript": "js",
    "Julia": "jl",
    "Lua": "lua",
    "Makefile": "Makefile",
    "Markdown": "md markdown",
    "PHP": "php php3 php4 php5 phps phpt",
    "Perl": "pl pm pod perl",
    "PowerShell": "ps1 psd1 psm1",
    "Python": "py",
    "Ruby": "rb",
    "Rust": "rs",
    "SQL": "sql",
    "Scala": "scala",
    "Shell": "sh bash command zsh",
    "TypeScript": "ts tsx",
    "TeX": "tex",
    "Visual Basic": "vb",
    "XML": "xml",
    "reStructuredText": "rst",
    "Objective-C": "m",
    "Smali": "smali",
}
_OTHERS = {
    "Clojure": "clj cljs",
    "Common Lisp": "lisp",
    "Cython": "pyx pxd",
    "Dart": "dart",
    "Elixir": "ex exs",
    "Erlang": "erl hrl",
    "JSON": "json",
    "JavaScript": "jsx",
    "Kotlin": "kt kts",
    "OCaml": "ml mli",
    "Protocol Buffers": "proto",
    "R": "r R",
    "SCSS": "scss sass",
    "Swift": "swift",
    "Tcl": "tcl",
    "Vue": "vue",
    "YAML": "yaml yml",
}

EXTENSIONS: tuple[str, ...] = tuple(ext for names in _LANGUAGES.values() for ext in names.split())
"""RedPajama's list: the one that is published for LLaMA's recipe, which names none itself."""

_BY_EXTENSION = {
    ext: language for table in (_OTHERS, _LANGUAGES) for language, names in table.items() for ext in names.split()
}
_LICENCE_NAMES = ("license", "licence", "copying", "unlicense", "copyright")


def file_name(path: str) -> str:
    """The last part of a path."""
    return path.rsplit("/", 1)[-1]


def extension(path: str) -> str:
    """What follows the last dot of the file's name; the name itself for Makefile and Dockerfile; else nothing."""
    name = file_name(path)
    if "." in name:
        return name.rsplit(".", 1)[1]
    return name if name in ("Makefile", "Dockerfile") else ""


def language_of(path: str) -> str | None:
    """Name of the language by extension, None when it is not known."""
    return _BY_EXTENSION.get(extension(path))


def is_licence_text(path: str) -> bool:
    """True for LICENSE, COPYING and the like in any folder, with any suffix that names no language."""
    name = file_name(path).lower()
    stem = name.split(".", 1)[0].split("-", 1)[0]
    suffix = extension(name)
    return stem in _LICENCE_NAMES and (
        suffix in ("", "md", "txt", "rst", "html", "markdown", "lesser") or suffix.isdigit()
    )


def is_certificate(path: str) -> bool:
    """True for a certificate file."""
    return path.endswith(".crt")
