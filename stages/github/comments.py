"""How comments are written in each language: what begins a line of one, what opens and closes a block.

The marks are those that the languages' manuals give; extensions follow Linguist's, Pygments' and REUSE's lists.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llama_data.stages.github.languages import extension, file_name


class Style(NamedTuple):
    """Marks of whole lines (lower case), and pairs of marks around blocks (those that begin alike: longest first).

    ``firsts``: the characters (lower case) that a comment may begin with.
    """

    lines: tuple[str, ...]
    blocks: tuple[tuple[str, str], ...]
    firsts: frozenset[str]


class Comment(NamedTuple):
    """Lines ``start`` to ``end`` (exclusive) are one comment.

    ``marks``: what opens and closes it, for a block; ``each``: every line is opened and closed. ``tail``: code follows
    on the last line.
    """

    start: int
    end: int
    marks: tuple[str, str] | None = None
    each: bool = False
    tail: bool = False


NO_COMMENTS = Style((), (), frozenset())
PYTHON = frozenset(["py", "pyw", "pyi", "pyx", "pxd", "pxi"])
FIXED_FORM = frozenset(["f", "for", "f77", "ftn", "F", "FOR"])
POD = frozenset(["pl", "pm", "perl", "t", "PL"])
RST = frozenset(("rst", "rest"))
# Before others in the tables below, longer marks before those that begin alike.
_LINES = (
    ("//", "asc adoc c h cs cpp hpp c++ h++ cc hh C H cxx hxx hpp inl ipp tpp ixx cppm ino m mm cu cuh metal cl"
     " hlsl glsl"
     " frag vert comp d di dart go java js jsx mjs cjs es6 ts tsx mts cts kt kts scala sc sbt groovy gradle swift"
     " rs php"
     " php3 php4 php5 phps phpt phtml proto thrift scss sass less styl vue svelte sql v sv svh vh vala zig odin sol"
     " fs fsi fsx jsonc json5 hjson hcl tf pas pp dpr lpr inc dts dtsi qml as hx pug jade gleam typ scad y yy l"
     " ll lex"
     " asm s S cmake rc idl aidl fbs capnp st ned bicep astro razor cshtml mo ck jsm"),
    ("#", "py pyw pyi pyx pxd pxi rb rake gemspec ru podspec jbuilder sh bash command zsh ksh fish bats ebuild pl"
     " pm pod"
     " perl t PL raku rakumod p6 ps1 psd1 psm1 jl cmake dockerfile Dockerfile Containerfile Makefile mk mak make"
     " am r R"
     " tcl tk exp ex exs php php3 php4 php5 phps phpt phtml yaml yml toml conf cfg in asm s S elixir coffee cson nim"
     " nims nimble nix cr awk gawk sed smali graphql gql graphqls hcl tf tfvars properties gd bzl bazel star BUILD"
     " WORKSPACE BUCK meson mojo pyp feature robot ini desktop service po pot g gap gi gnuplot gp plt ttl n3 io janet"
     " zeek bro pro pri editorconfig gitignore gitattributes htaccess env sage snakefile smk just"
     " cwl dvc ipy ninja elv nu rq sparql spec"),
    ("--", "sql psql pgsql plsql pls pks pkb hs lhs hsc elm purs lua luau adb ads ada vhd vhdl applescript scpt"
     " idr agda"
     " lean cabal dhall pck sqlite"),
    ("%", "tex m erl hrl escript xrl yrl cls sty ltx latex bib dtx ins mat prolog P ps eps oct mata lytex"),
    (";", "asm nasm s S lisp lsp el clj cljs cljc edn bb ini scm ss sld sls rkt fnl ahk au3 iss nsi reg inf hy asd cl"
     " ll wat wast pbs jack dune"),
    ("'", "vb vbs bas frm brs puml plantuml iuml"),
    ("!", "f90 f f03 f08 f77 f95 f18 for fpp ftn F F90 F95 FOR properties inc"),
    ("@rem ", "bat cmd"), ("@rem\t", "bat cmd"), ("rem ", "bat cmd vb vbs bas"), ("rem\t", "bat cmd"),
    ("@::", "bat cmd"), ("::", "bat cmd"),
    ("dnl", "m4 ac"), ("#", "m4 ac"),
    ("|", "s68"), ("@", "s arm"),
    ("\"", "vim vimrc abap"), ("*>", "cob cbl cpy"), ("\\ ", "fth forth fs4 4th"),
    (".\\\"", "1 2 3 4 5 6 7 8 9 man roff mdoc me ms tr nroff"), ("'\\\"", "1 2 3 4 5 6 7 8 9 man roff mdoc nroff"),
    ("\\\"", "1 2 3 4 5 6 7 8 9 man roff"),
    ("##", "vm vtl"), ("-#", "haml"), ("//-", "pug jade"), ("/", "slim"),
    ("..", "rst rest"), ("[//]: #", "md markdown mdx"), ("[//]: <>", "md markdown mdx"), ("[comment]:"
     " #", "md markdown mdx"),
    ("[comment]: <>", "md markdown mdx"), ("[license]: #", "md markdown"),
)  # fmt: skip
_C_BLOCKS = (
    "c h cs cpp hpp c++ h++ cc hh C H cxx hxx inl ipp tpp ixx cppm ino m mm cu cuh metal cl hlsl glsl frag vert"
    " comp d"
    " di dart go java js jsx mjs cjs es6 ts tsx mts cts css kt kts scala sc sbt groovy gradle swift rs php php3 php4"
    " php5 phps phpt phtml proto thrift scss sass less styl vue svelte sql psql pgsql plsql pls pks pkb v sv svh"
    " vh vala"
    " odin sol jsonc json5 hjson hcl tf dts dtsi qml as hx typ scad y yy l ll lex asm s S nasm cmake rc idl aidl"
    " fbs nix"
    " ld lds pl pro prolog P gperf bicep astro razor cshtml sas do ado mo qss pcss rq"
)
_MARKED_UP = (
    "html htm xhtml shtml xml md markdown mdx vue svelte xsd xsl xslt svg rss atom wsdl xaml axml csproj vbproj"
    " fsproj"
    " vcxproj props targets config resx plist pom ui qrc dtd rng sch fxml jsp jspx jspf tag asp aspx ascx asax ashx"
    " master cshtml razor ftl hbs handlebars mustache ejs erb rhtml eex heex leex j2 jinja jinja2 twig tpl tmpl"
    " liquid"
    " njk textile wiki mediawiki Rmd rmd qmd launch xacro urdf sdf storyboard xib nuspec wxs wxi cfm cfml tmx"
)
_TEMPLATES = "html htm xhtml shtml xml php phtml tpl tmpl j2 jinja jinja2 njk twig liquid md markdown yaml yml sql"
# The marks of blocks are looked for at the first character of a line that is no space.
_BLOCKS = (
    (("<!---", "--->"), "cfm cfml"),
    (("<!--", "-->"), _MARKED_UP),
    (("<%--", "--%>"), "html htm jsp jspx jspf tag asp aspx ascx asax ashx master erb ejs eex heex"),
    (("<%#", "%>"), "erb rhtml eex heex leex ejs html"),
    (("<#--", "-->"), "ftl html fm"),
    (("{{!--", "--}}"), "html hbs handlebars mustache"),
    (("{{!", "}}"), "hbs handlebars mustache html"),
    (("{{--", "--}}"), "php html blade"),
    (("{#", "#}"), _TEMPLATES),
    (("{*", "*}"), "tpl"),
    (("{% comment %}", "{% endcomment %}"), _TEMPLATES),
    (("@*", "*@"), "cshtml razor"),
    (("////", "////"), "adoc asc asciidoc"),
    (("/*", "*/"), _C_BLOCKS),
    (("/+", "+/"), "d di"),
    (("/-", "-/"), "lean"),
    (("/'", "'/"), "puml plantuml iuml"),
    (("(*", "*)"), "ml mli mll mly sml sig fun fs fsi fsx v pas pp dpr lpr inc applescript scpt thy m nb wl wls mod"),
    (("{-", "-}"), "hs lhs hsc elm purs idr agda dhall"),
    (("--[==[", "]==]"), "lua luau"), (("--[=[", "]=]"), "lua luau"), (("--[[", "]]"), "lua luau"),
    (("#[==[", "]==]"), "cmake"), (("#[=[", "]=]"), "cmake"), (("#[[", "]]"), "cmake"),
    (("#=", "=#"), "jl"),
    (("#[", "]#"), "nim nims"),
    (("#|", "|#"), "lisp lsp scm ss sld sls rkt cl asd"),
    (("<#", "#>"), "ps1 psd1 psm1"),
    (("=begin", "=end"), "rb rake"),
    (("###", "###"), "coffee"),
    (("%{", "%}"), "m oct"),
    (("{", "}"), "pas pp dpr lpr inc"),
    (("(:", ":)"), "xq xql xqm xqy xquery"),
    (("#*", "*#"), "vm vtl"),
    (("#`(", ")"), "raku rakumod p6"),
)  # fmt: skip
_NAMES = {
    "cmakelists.txt": "cmake", "configure.ac": "ac", "configure.in": "ac", "rakefile": "rb", "gemfile": "rb",
    "vagrantfile": "rb", "podfile": "rb", "fastfile": "rb", "brewfile": "rb", "jenkinsfile": "groovy", "build": "bzl",
    "workspace": "bzl", "module": "bzl", "buck": "bzl", "sconstruct": "py", "sconscript": "py", "snakefile": "py",
    "wscript": "py", "containerfile": "Dockerfile", "makefile": "Makefile", "gnumakefile": "Makefile",
    "dockerfile": "Dockerfile", "justfile": "sh", "meson.build": "meson", "meson_options.txt": "meson",
    "meson.options": "meson", "kconfig": "conf", "kbuild": "Makefile", "go.mod": "go", ".vimrc": "vim",
    ".bashrc": "sh", ".profile": "sh", ".zshrc": "sh", "requirements.txt": "py", "doxyfile": "conf", "procfile": "sh",
    "apkbuild": "sh", "pkgbuild": "sh", "rebar.config": "erl", "cpanfile": "pl", "makefile.am": "Makefile",
}  # fmt: skip
_CODE = {
    "###": ("####",), "{": ("{$", "{%", "{{"), "{-": ("{-#", "{-@"), "(*": ("(*$",), "<!--": ("<!--[if", "<!--#"),
    "/*": ("/*@cc_on",), "{#": ("{#if", "{#each", "{#await", "{#key"), "(:": (":)",),
}  # fmt: skip
_DOCSTRING = re.compile(r"[rRuUbB]{0,2}(\"\"\"|''')")
_POD_COMMAND = re.compile(r"=[a-zA-Z]\w*(?:\s|$)")
_RST_MARKUP = re.compile(r"\.\. (?:[\w-]+::|_|\[|\|)")


def _styles() -> dict[str, Style]:
    lines: dict[str, list[str]] = {}
    blocks: dict[str, list[tuple[str, str]]] = {}
    for marker, extensions in _LINES:
        for name in extensions.split():
            lines.setdefault(name, []).append(marker)
    for pair, extensions in _BLOCKS:
        for name in extensions.split():
            blocks.setdefault(name, []).append(pair)
    return {
        name: _style(name, tuple(lines.get(name, ())), tuple(blocks.get(name, ()))) for name in lines.keys() | blocks
    }


def _style(name: str, lines: tuple[str, ...], blocks: tuple[tuple[str, str], ...]) -> Style:
    firsts = {mark[0] for mark in (*lines, *(begin for begin, _ in blocks))}
    firsts |= (
        set("rub\"'") if name in PYTHON else set("c*") if name in FIXED_FORM else set("=") if name in POD else set()
    )
    return Style(lines, blocks, frozenset(firsts))


_STYLES = _styles()


def style_name(path: str) -> str:
    """The extension under which a path's comments are known: ``cmake`` for CMakeLists.txt, ``c`` for a.c.in."""
    known = _NAMES.get(file_name(path).lower())
    if known is not None:
        return known
    found = extension(path)
    if found in _STYLES and found != "in":
        return found
    name = file_name(path)
    if name.lower().startswith(("dockerfile.", "makefile.", "containerfile.")):
        return _NAMES[name.split(".", 1)[0].lower()]
    if found in ("in", "am", "tmpl", "template", "tpl", "erb", "ejs", "j2", "dist", "sample", "example"):
        inner = extension(name[: -len(found) - 1])
        return inner if inner in _STYLES else found
    return found if found in _STYLES else found.lower()


def style_of(name: str) -> Style:
    """The comments of a language, by extension; none where they are not known."""
    return _STYLES.get(name, NO_COMMENTS)


def comment_at(lines: list[str], at: int, name: str) -> Comment | None:
    """The comment that begins at a line: None when none does, or when it has no end in these lines.

    A comment that begins and ends in one line with code behind it is that code's.
    """
    style = style_of(name)
    first = lines[at].lstrip()
    if first[:1].lower() not in style.firsts:
        return None
    if name in RST:
        return _rst_comment(lines, at)
    if name in PYTHON and (found := _DOCSTRING.match(first)):
        return _block(lines, at, found[0], found[1])
    if name in POD and _POD_COMMAND.match(lines[at]):
        return _pod(lines, at)
    for begin, end in style.blocks:
        if first.startswith(begin) and not _is_more(first, begin):
            return _block(lines, at, begin, end)
    end_at = at
    while end_at < len(lines) and is_line_comment(lines[end_at], style, name):
        end_at += 1
    return Comment(at, end_at) if end_at > at else None


def begins_block(line: str, name: str) -> bool:
    """True when a block comment begins on a line, whether it has an end or not."""
    first = line.lstrip()
    if name in PYTHON and _DOCSTRING.match(first):
        return True
    return any(first.startswith(begin) and not _is_more(first, begin) for begin, _ in style_of(name).blocks)


def _is_more(line: str, begin: str) -> bool:
    """True for what begins like a block and is code: Pascal's ``{$``, Haskell's ``{-#``, a browser's ``<!--[if``."""
    if begin == "%{":
        return line.rstrip() != begin
    return line.startswith(_CODE.get(begin, ("\0",)))


def is_line_comment(line: str, style: Style, name: str) -> bool:
    """True for a line that is a comment and nothing else."""
    if name in FIXED_FORM and line[:1] in ("c", "C", "*") and not line[1:2].isalnum():
        return True
    stripped = line.lstrip().lower()
    if not stripped.startswith(style.lines):
        # A bare "rem" has no space behind it.
        return stripped.rstrip() in ("rem", "@rem") and "rem " in style.lines
    if stripped.startswith("#"):
        return not stripped.startswith("#!") and not (name in ("s", "S", "asm", "hs") and _PREPROCESSOR.match(stripped))
    return True


_PREPROCESSOR = re.compile(r"#\s*(?:include|if|ifdef|ifndef|else|elif|endif|define|undef|pragma|import|error|line)\b")


def _block(lines: list[str], at: int, begin: str, end: str) -> Comment | None:
    first = lines[at].lstrip()
    tail = first[len(begin) :]
    if begin == "/*" and tail.startswith("/"):
        tail = tail[1:]
    here = at
    while end not in tail:
        here += 1
        if here == len(lines):
            return None
        tail = lines[here]
    rest = tail.split(end, 1)[1].strip()
    if here > at:
        return Comment(at, here + 1, (begin, end), tail=bool(rest))
    if rest == "?>":
        return Comment(at, at + 1, (begin, end), tail=True)
    if rest:
        return None
    # A box or banner made of blocks of one line each.
    while here + 1 < len(lines):
        following = lines[here + 1].strip()
        inner = following[len(begin) : -len(end)]
        if not (following.startswith(begin) and following.endswith(end)) or end in inner or len(following) < len(begin):
            break
        if len(following) < len(begin) + len(end):
            break
        here += 1
    return Comment(at, here + 1, (begin, end), each=here > at)


def _pod(lines: list[str], at: int) -> Comment | None:
    end = at
    while end < len(lines) and not lines[end].startswith("=cut"):
        end += 1
    return Comment(at, end + 1, ("", "=cut")) if end < len(lines) else None


def _rst_comment(lines: list[str], at: int) -> Comment | None:
    line = lines[at].rstrip()
    if not (line == ".." or line.startswith(".. ")) or _RST_MARKUP.match(line):
        return None
    end = at + 1
    while (
        end < len(lines)
        and (lines[end].rstrip() == ".." or lines[end].startswith(".. "))
        and not _RST_MARKUP.match(lines[end])
    ):
        end += 1
    if end > at + 1:
        return Comment(at, end)
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith((" ", "\t"))):
        end += 1
    while not lines[end - 1].strip():
        end -= 1
    return Comment(at, end, ("..", ""))
