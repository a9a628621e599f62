"""What may stand before a licence header, or among its lines, and is code: it stays, and a header may follow it.

Declarations of module, package and imports, include guards, switches such as ``set -e``; and the comments that a tool
reads: encoding lines, build tags, mode lines, directives of linters, formatters and compilers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

# Longest declaration over several lines (an export list, a DOCTYPE, front matter).
_MAX_LINES = 60

_GENERAL = r"#!|<\?xml\b|<\?\s*$|<!doctype\b"
_C = (
    r"#\s*(?:include|ifndef|ifdef|if|define|undef|pragma|import|error|elif|else|endif|line)\b|@import\b|extern \"C\"|"
    r"using namespace\b|(?:export )?module\b[^(]*;|__\w+_BEGIN_DECLS|import [\w:<\".]+.*;"
)
# The first pattern opens; a second one says where the declaration ends, when it may run over several lines.
_PRELUDES: tuple[tuple[str, str, str | None], ...] = (
    ("c h cpp hpp c++ h++ cc hh C H cxx hxx hpp inl ipp tpp ixx cppm ino m mm cu cuh cl metal glsl hlsl frag"
     " vert", _C, None),
    ("glsl frag vert comp", r"#\s*(?:version|extension)\b|precision\b", None),
    ("asm s S nasm", r"#\s*(?:include|ifndef|ifdef|if|define|pragma)\b|%\s*(?:include|ifndef|ifdef|if|define)\b"
     r"|\.(?:file|"
     r"text|section|arch|cpu|syntax|global|intel_syntax|option)\b|\[?bits\b|default rel|section\b|use(?:16|32"
     r"|64)\b", None),
    ("php php3 php4 php5 phps phpt phtml inc", r"<\?(?:php|=)?\s*$|<\?php\b|\?>|declare\s*\("
     r"|namespace\b[^{]*[;{]\s*$|use [\w\\]+"
     r"|(?:if\s*\()?\s*!?\s*defined\s*\(.*(?:die|exit|return|\{)|defined\s*\(.*\)\s*(?:or|\|\|)|error_reporting\(|"
     r"--[A-Z_]+--|(?:require|include)(?:_once)?\b.*;|ob_start\(", None),
    ("java kt kts scala sc groovy gradle ceylon", r"package\b\s+[\w.`]+\s*;?\s*$|package object\b"
     r"|import\b[^(={]*$|@file:|"
     r"#!|plugins\s*\{\s*\}|@JS\b", None),
    ("cs csx", r"using\b[^(]*;|namespace\b|\{\s*$|extern alias\b|#\s*(?:region|endregion|nullable|pragma|if|else"
     r"|elif|endif|"
     r"define|undef|warning|line|load|r)\b|\[assembly:|global using\b", None),
    ("vb vbs bas", r"imports\b|option\b|namespace\b|#\s*(?:region|end region|if|end if|const)\b|attribute\b"
     r"|version\b", None),
    ("fs fsi fsx", r"module\b[^=]*$|namespace\b|open\b|#(?:light|r|load|nowarn|if|else|endif)\b", None),
    ("go", r"package\s+\w+\s*$|import\s+(?:\w+\s+)?\"", None),
    ("go", r"import\s*\(", r"^\s*\)"),
    ("rs", r"#!\[|extern crate\b|use\b[^{]*;|(?:pub )?mod \w+;|#\[(?:macro_use|allow|cfg)", None),
    ("js jsx mjs cjs es6 ts tsx mts cts vue svelte coffee as jsm", r"[\"']use \w+[\"'];?\s*$"
     r"|import\b[^(]*(?:[\"'];?\s*)$|"
     r"export \* from\b|(?:const|let|var)\b.*\brequire\s*\(.*\)[\w.]*[,;]?\s*$|require\s*\([\"'].*\);?\s*$|"
     r"[;!]?\(?\s*\(?function\s*\([\w$, ]*\)\s*\{\s*(?:[\"']use strict[\"'];)?\s*$|[\"']use strict[\"']|declare"
     r" module\b|"
     r"define\(.*function.*\{\s*$|goog\.(?:provide|require|module)\(|<script\b[^>]*>\s*$|<template\b[^>]*>\s*$|"
     r"package\b.*\{?\s*$", None),
    ("js jsx mjs ts tsx mts", r"import\s*(?:type\s*)?(?:\w+,\s*)?\{[^}]*$", r"\}\s*from\b"),
    ("py pyw pyi pyx pxd pxi sage ipy", r"from\s+__future__\s+import\s+[^(]*$|(?:from\s+[\w.]+\s+)?c?import\s+[^(]*$|"
     r"__\w+__\s*=\s*[^(\[{]*$|%\w+|get_ipython\(", None),
    ("py pyw pyi pyx pxd", r"(?:from\s+[\w.]+\s+)c?import\s*\(", r"\)"),
    ("rb rake gemspec ru podspec", r"require(?:_relative)?\b|load\b|\$:|\$LOAD_PATH|encoding\b", None),
    ("sh bash command zsh ksh bats fish ebuild", r"set\s+[-+]|shopt\b|setopt\b|emulate\b|unset\b|umask\b|:\s*$|IFS=|"
     r"export (?:LC_ALL|LANG|PATH)\b|(?:source|\.)\s+\S+\s*$|load\s+\S+\s*$", None),
    ("bat cmd", r"@?echo\s+o(?:ff|n)\b|@?setlocal\b|@?cls\b|@?chcp\b|@?title\b|@?if\s.*@?echo\s+off|@?prompt\b"
     r"|@?color\b|"
     r"@?pushd\b|@?cd\b|@?goto\b|:\w+\s*$|@?verify\b", None),
    ("ps1 psd1 psm1", r"#requires\b|set-strictmode\b|\[cmdletbinding|using (?:module|namespace|assembly)\b|"
     r"\$(?:erroraction|progress|verbose)\w*\s*=|import-module\b|@\{\s*$", None),
    ("pl pm perl t PL cgi", r"use\b[^{(]*;|no\b[^{(]*;|package\b[^{]*[;{]|require\b.*;|BEGIN\s*\{.*\}|our\s+[$@(].*;|"
     r"eval '\(exit|eval 'exec|if 0;|& eval|\s*if \$running_under|__PACKAGE__|1;", None),
    ("raku rakumod p6", r"use\b.*;|unit\b.*;|module\b|class\b", None),
    ("hs lhs hsc elm purs idr agda lean", r"\{-#.*#-\}|\{-@.*@-\}|#\s*(?:if|include|define|ifdef|ifndef|else"
     r"|endif)\b|"
     r"module\b.*\bwhere\b|(?:port )?module\b.*exposing\s*\(.*\)|import\b|open import\b|namespace\b|universe\b"
     r"|prelude\b", None),
    ("hs lhs hsc purs", r"module\b(?!.*\bwhere\b)", r"\bwhere\b"),
    ("hs lhs hsc purs", r"\{-#(?!.*#-\})", r"#-\}"),
    ("elm", r"(?:port |effect )?module\b", r"^\s*\)|exposing\s*\(.*\)"),
    ("lua luau", r"module\s*\(|local\b[^=]*=\s*require\b|require\b|\"use strict\"|local\s+\w+\s*=\s*\.\.\.|"
     r"local\s+\w+\s*=\s*\{\s*\}\s*;?\s*$", None),
    ("tex ltx latex sty cls dtx ins lytex", r"\\(?:NeedsTeXFormat|Provides\w+|documentclass|documentstyle"
     r"|RequirePackage|"
     r"usepackage|begingroup|endinput|makeatletter|input|iffalse)\b", None),
    ("m oct", r"function\b|classdef\b|pkg load\b", None),
    ("f90 f f03 f08 f77 f95 f18 for fpp ftn F F90 F95 FOR", r"#\s*(?:include|ifndef|ifdef|if|define|endif)\b"
     r"|(?:program|module|"
     r"(?:recursive\s+|pure\s+|elemental\s+)*(?:subroutine|(?:\w+\s+)*function)|submodule)\b[^=]*$|implicit none|"
     r"use\s+\w+", None),
    ("sql psql pgsql plsql pls pks pkb", r"set\b.*|use\b.*|go\s*$|begin\s*;|start transaction|delimiter\b|\\\w+"
     r"|pragma\b.*|"
     r"alter session\b.*|prompt\b.*|whenever\b.*|connect\b.*", None),
    ("cmake", r"cmake_minimum_required\s*\(.*\)|project\s*\(.*\)|include_guard\b|cmake_policy\s*\(.*\)|"
     r"include\s*\(.*\)|if\s*\(.*\)\s*$|#\s*(?:pragma|ifndef|define|include)\b|@PACKAGE_INIT@", None),
    ("dockerfile Dockerfile Containerfile", r"arg\b|from\b", None),
    ("Makefile mk mak make am", r"-?include\b|\.PHONY\s*:|SHELL\s*[:?]?=|ifndef\b|ifeq\b|\.SUFFIXES|export\b", None),
    ("css scss sass less styl pcss", r"@charset\b|@import\b|@use\b|@forward\b|@namespace\b", None),
    ("html htm xhtml shtml jsp jspx jspf tag aspx ascx master asp cshtml razor ftl hbs handlebars ejs erb vue"
     " svelte twig j2 jinja"
     " jinja2 njk liquid tpl php phtml md mdx", r"<%@.*%>\s*$|<#ftl.*>\s*$|\{%-?\s*(?!comment).*%\}\s*$"
     r"|<html\b[^>]*>\s*$|"
     r"<head\b[^>]*>\s*$|<meta\b[^>]*>\s*$|<script\b[^>]*>\s*$|<template\b[^>]*>\s*$|@(?:page|model|using"
     r"|inherits|namespace|"
     r"inject|layout)\b.*|<%\s*$|import\b.*[\"'];?\s*$", None),
    ("html htm xhtml", r"<html\b[^>]*$", r">"),
    ("md markdown mdx qmd Rmd rmd html htm adoc css scss", r"---\s*$", r"^---\s*$"),
    ("xml xsd xsl xslt svg rss atom wsdl xaml axml csproj vbproj fsproj vcxproj props targets config resx plist"
     " pom ui qrc dtd"
     " rng fxml nuspec wxs launch urdf xacro storyboard xib html htm", r"<[\w:.-]+(?:\s[^<>]*)?>\s*$"
     r"|<\?[\w-]+.*\?>\s*$", None),
    ("xml xsd xsl xslt svg wsdl xaml axml csproj vbproj fsproj vcxproj props targets config resx plist pom ui rng"
     " fxml nuspec wxs",
     r"<[\w:.-]+(?:\s[^<>]*)?$", r"^[^<]*>\s*$"),
    ("html htm xhtml xml xsd xsl svg dtd plist", r"<!doctype\b(?!.*>\s*$)", r"(?:\]|^[^\[<]*|\")\s*>\s*$"),
    ("yaml yml", r"---\s*$|%YAML\b|%TAG\b", None),
    ("rst rest", r"\.\. (?:_|\||(?:[\w-]+::))|:[\w -]+:(?:\s|$)", None),
    ("erl hrl escript", r"-(?:module|behaviou?r|ifndef|ifdef|define|include|include_lib|compile|author|vsn)\b", None),
    ("lisp lsp el clj cljs cljc scm ss sld sls rkt cl asd edn", r"#lang\b|#!|\(in-package\b.*\)\s*$|\((?:module"
     r"|declare|require"
     r"|provide|use-modules)\b[^()]*\)?\)\s*$", None),
    ("clj cljs cljc", r"\(ns\s+[\w.-]+\)?\s*$", None),
    ("jl", r"(?:bare)?module\b|using\b|import\b|__precompile__", None),
    ("r R", r"library\(|require\(|#!|context\(", None),
    ("pas pp dpr lpr", r"(?:unit|program|library|package)\b[^;]*;|\{\$|interface\s*$|uses\b.*;", None),
    ("adb ads ada", r"with\b.*;|use\b.*;|pragma\b.*;", None),
    ("vhd vhdl", r"library\b.*;|use\b.*;", None),
    ("v sv svh vh", r"`(?:timescale|include|default_nettype|define|ifndef|ifdef)\b.*|Require\b|From\b", None),
    ("ml mli mll mly sml sig", r"open\b|#\s*\d+|\[@@@", None),
    ("dart", r"library\b.*;?|import\b.*;|part\b.*;|@TestOn\b.*|@JS\(", None),
    ("swift", r"import\b|#if\b|@testable\b", None),
    ("proto thrift fbs capnp", r"syntax\s*=|edition\s*=|package\b|option\b|import\b|namespace\b|include\b", None),
    ("sol", r"pragma\b.*;|import\b.*;", None),
    ("d di", r"module\b.*;|import\b.*;", None),
    ("nim nims", r"import\b|\{\.", None), ("zig", r"const\b.*@import\(.*;", None), ("cr", r"require\b", None),
    ("ex exs", r"import Config|use Mix\.Config|import\b", None), ("hx", r"package\b.*;|import\b.*;|#if\b"
     r"|using\b", None),
    ("vala", r"using\b.*;|namespace\b", None), ("prolog P", r":-\s*.*", None), ("pl pro", r":-\s*.*", None),
    ("tcl tk exp", r"package\s+(?:require|provide)\b.*|namespace\b|exec\b.*|# ?\\", None),
    ("vim", r"scriptencoding\b|vim9script\b|if exists\(.*|finish\b|endif\b", None),
    ("m4 ac", r"m4_|AC_PREREQ|AC_INIT|divert\b|changequote", None),
    ("1 2 3 4 5 6 7 8 man roff mdoc", r"\.(?:TH|Dd|Dt|Os|so|mso)\b", None),
    ("smali", r"\.(?:class|super|source|implements)\b", None),
    ("puml plantuml iuml", r"@start\w+", None), ("coq v", r"Require\b|From\b|Set\b", None),
    ("lua luau", r"--!\w+", None),
    ("bzl bazel star", r"load\(.*\)|package\(.*\)", None), ("applescript", r"use\b.*", None),
)  # fmt: skip
# Comments that a tool reads: what they begin with behind their mark, or as a whole line with it.
_RAW_DIRECTIVE = re.compile(
    r"#!|//go:|//\s*\+|//export\b|//line\b|//#(?!\s*(?:end)?region)|///\s*<(?:reference|amd)|///?\s*///|//>\s"
    r"|//!?\$|#cloud-config"
    r"|#(?:compdef|autoload|lang|requires|nullable)\b|#\s*///|#(?:SBATCH|PBS|BSUB|SGE|MSUB|COBALT|PJM|OAR)\b|#\$"
    r" -|#%%|#\s%%|"
    r"%\s*!|%&|%!PS|--!\w|--\s*#|---@(?:diagnostic|meta|module|cast)|!(?:\$|dir\$|dec\$|gcc\$)\w*|[cC*](?:\$omp"
    r"|DIR\$|DEC\$)|"
    r"\{-[#@]|\(\*[#$@]|\{\$|/\*@cc_on|//@cc_on|//\s*@(?:dart|flow|ts-|noflow|jsx|format|babel|jest|vitest)"
    r"|<!--\[if|<!--#|"
    r"<!\[endif|.{0,6}-\*-.*-\*-|.*\b(?:vim?|ex):\s*(?:set?\b|\w+=)|.{0,6}\bkate:\s|.{0,5}:mode="
    r"|#.{0,20}\bcoding[:=]\s*[\w.-]|"
    r"#\s*(?:region|endregion)\b(?!.*(?:licen|copyright|header))|//\s*@formatter:|//\s*<editor-fold|//\s*language=|"
    r"//\s*swift-tools-version|//\s*\{ ?dg-|/\*\s*\{ ?dg-|;;;?\s*@|#\s*@(?:package|summary|api)\b(?=\s*$)"
    r"|%%?\s*@\w+\{",
    re.IGNORECASE,
)  # fmt: skip
_TOOL = (
    r"encoding|coding|frozen_string_literal|warn_indent|shareable_constant_value|typed|syntax|escape|check|cython"
    r"|distutils|"
    r"type|noqa|flake8|mypy|pyright|ruff|isort|fmt|yapf|black|pylint|pytype|pyre|pragma|nosec|bandit|pycodestyle"
    r"|autopep8|"
    r"pydocstyle|shellcheck|yamllint|yaml-language-server|hadolint|rubocop|steep|reek|standard|eslint|jshint"
    r"|jslint|tslint|"
    r"stylelint|prettier|globals?|exported|istanbul|c8|v8|node|biome|deno-lint-ignore|deno-fmt-ignore|oxlint|xo"
    r"|flowlint|"
    r"clang-format|clang-tidy|nolint|nolintbegin|nolintend|cppcheck|cpplint|iwyu|coverity|lint|lcov_excl|gcov"
    r"|doxygen|astyle|"
    r"uncrustify|swiftlint|swiftformat|sourcery|ktlint|detekt|noinspection|scalastyle|scalafmt|scalafix"
    r"|checkstyle|pmd|spotless|"
    r"spotbugs|nopmd|rustfmt|clippy|run|check|requires|xfail|unsupported|compile-flags|aux-build|edition|run-pass"
    r"|build-pass|"
    r"check-pass|compile-fail|ignore|expected|phpcs|phpstan|psalm|phan|php-cs-fixer|codingstandardsignorefile"
    r"|luacheck|stylua|"
    r"selene|lintr|nolint start|styler|jupytext|databricks notebook source|magic|command|cspell|spell-checker"
    r"|spellchecker|"
    r"codespell|codespell:|markdownlint|vale|textlint|livebook|dialyzer|elvis|credo|sobelow|hlint|stack|brittany"
    r"|ormolu|"
    r"fourmolu|liquidhaskell|arara|chktex|perlcritic|perltidy|tflint|tfsec|checkov|terraform-docs|buf|protolint"
    r"|api-linter|"
    r"nixfmt|statix|deadnix|verilator|verilog_lint|synopsys|synthesis|local variables|end|mode|slither|solhint"
    r"|solium|"
    r"psscriptanalyzer|helm-docs|kics|trivy|renovate|dependabot|gitleaks|semgrep|sonar|nosonar|sphinx|doctest"
    r"|testharness|meta|"
    r"warn_past_scope|sqlfluff|sqlfmt|dialect|liquibase formatted sql|changeset|migrate|goose|name|vcr|karma"
    r"|wallaby|jsx|flow"
)
_DIRECTIVE = re.compile(
    rf"\W{{0,3}}(?:(?:{_TOOL})\s*[:=]\s*[\w\[\-\"'<]|(?:eslint|jshint|jslint|tslint|stylelint|prettier|istanbul"
    rf"|markdownlint|biome|"
    r"swiftlint|ktlint|phpcs|codingStandards|NOLINT|shellcheck|hadolint|clang-format|rubocop|luacheck"
    r"|deno)[-:]?\w*[ -](?:env|"
    r"disable|enable|ignore|on|off|globals?|start|end|shell)|(?:globals?|exported)\s+[\w$]+(?:\s*[:,]|\s*\*/|\s*$)|"
    r"(?:NOLINT|noqa|nosec|IWYU pragma|nolint|pragma\b|pylint|flake8|pyright|noinspection|language=)\b|"
    r"@(?:ts-\w+|flow|noflow|jsx\w*|format|jest-\w+|vitest-\w+|vue/\w+|formatter|dart\b|cc_on)|use strict"
    r"|sourceMappingURL|"
    r"(?:ruff|isort|fmt|yapf|black|mypy|type|pyre)[-:]\s*\w+|liquibase formatted sql|Databricks notebook source"
    r"|COMMAND -----|MAGIC\b|"
    r"(?:[\w.-]+)(?:[:=]|: | )\s*(?:disable|enable|ignore|off|skip-file|skip_file)(?:[-_ ](?:all|file|line|next"
    r"|next-line))?\s*$|"
    r"!TEX|[\w-]+: *(?:true|false|on|off|utf-?8|latin-?1|nil)\s*$)",
    re.IGNORECASE,
)  # fmt: skip


@cache
def _prelude(name: str) -> tuple[re.Pattern[str], tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]]:
    """What a line of a language may be, and what opens and ends a declaration over several lines."""
    lines = [_GENERAL]
    spans = []
    for names, begin, end in _PRELUDES:
        if name in names.split():
            if end is None:
                lines.append(begin)
            else:
                spans.append((re.compile(begin, re.IGNORECASE), re.compile(end, re.IGNORECASE)))
    return re.compile("|".join(lines), re.IGNORECASE), tuple(spans)


def prelude_end(lines: Sequence[str], at: int, name: str) -> int:
    """Where the code that may stand before a header, and begins at a line, ends; ``at`` itself when there is none."""
    single, spans = _prelude(name)
    line = lines[at].strip()
    for begin, end in spans:
        if begin.match(line):
            for here in range(at + 1, min(len(lines), at + _MAX_LINES)):
                if end.search(lines[here].rstrip()):
                    return here + 1
    return at + 1 if single.match(line) else at


def is_directive(line: str, content: str) -> bool:
    """True for a comment line that a tool reads. ``content``: the line without its marks."""
    return _RAW_DIRECTIVE.match(line) is not None or _DIRECTIVE.match(content) is not None
