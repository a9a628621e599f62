"""Which file is the main one, and which encoding the bytes are in."""

from __future__ import annotations

import pytest

from llama_data.stages.arxiv.encoding import declared, decode
from llama_data.stages.arxiv.project import Project

FULL = "\\documentclass{article}\\begin{document}\\section{A}text\\end{document}"


def main(files: dict[str, str]) -> str | None:
    return Project(files={name: text.encode() for name, text in files.items()}).main()


def test_main_file() -> None:
    assert main({"a.tex": "no class", "b.tex": FULL}) == "b.tex"
    assert main({"supplement.tex": FULL + "long" * 99, "paper.tex": FULL}) == "paper.tex"
    assert main({"z.tex": FULL + "\\input{y}", "y.tex": "x"}) == "z.tex"
    assert main({"s/a.tex": FULL.replace("article", "subfiles"), "b.tex": FULL + "\\subfile{s/a}"}) == "b.tex"
    assert main({"A.TEX": FULL}) == "A.TEX"
    assert main({"plain.tex": "\\magnification 1200 text \\bye", "macros.tex": "\\def\\a{b}"}) == "plain.tex"
    assert main({"paper": FULL, "notes": "nothing"}) == "paper"
    assert main({"x.sty": "\\def\\a{b}"}) is None


def test_main_file_that_the_readme_names() -> None:
    files = {"main.tex": FULL, "other.tex": FULL}
    assert main({**files, "00README.XXX": "fig.eps ignore\nother.tex toplevelfile\n"}) == "other.tex"
    told = '{"sources": [{"filename": "other.tex", "usage": "toplevel"}]}'
    assert main({**files, "00README.json": told}) == "other.tex"
    assert main({**files, "00README.json": "{broken"}) == "main.tex"


def test_a_commented_class_does_not_make_a_main_file() -> None:
    assert main({"a.tex": "%" + FULL, "b.tex": FULL}) == "b.tex"


@pytest.mark.parametrize(
    ("data", "text", "used"),
    [
        ("Poincaré".encode(), "Poincaré", "utf-8"),
        ("\ufeffé".encode(), "é", "utf-8"),
        ("Poincaré".encode("latin-1"), "Poincaré", "cp1252"),
        ("“quoted”".encode("cp1252"), "“quoted”", "cp1252"),
        (b"a\x81b", "a\x81b", "latin-1"),
        ("é ü ö".encode() + b" \xe9", "é ü ö é", "utf-8+cp1252"),
        (b"a\r\nb\rc", "a\nb\nc", "utf-8"),
        ("é".encode("utf-16"), "é", "utf-16"),
        ("a\ufdd0b".encode(), "a\ufffdb", "utf-8"),
    ],
)
def test_decoding(data: bytes, text: str, used: str) -> None:
    assert decode(data, None) == (text, used)


def test_the_declared_encoding_is_used() -> None:
    source = "\\usepackage[koi8-r]{inputenc} Привет".encode("koi8-r")
    assert declared([b"x", source]) == "koi8-r"
    assert decode(source, "koi8-r") == ("\\usepackage[koi8-r]{inputenc} Привет", "koi8-r")
    assert declared([b"\\usepackage[T1]{fontenc}"]) is None


def test_verbatim_marks_of_two_files_do_not_meet() -> None:
    project = Project(files={"a.tex": b"\\verb|1|", "b.tex": b"\\verb|2|"})
    both = project.clean("a.tex") + project.clean("b.tex")
    assert project.masks.restore(both) == "\\verb|1|\\verb|2|"
