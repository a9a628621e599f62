"""A licence goes in every language, in each of its kinds of comment and behind what may stand before it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.github.headers import strip_header

NOTICES = {
    "mit": """\
Copyright (c) 2019-2021 Jane Roe <jane@roe.example>

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.""",
    "apache": """\
Copyright 2016 The Tides Authors. All rights reserved.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.""",
    "bsd": """\
(C) 2004 Roe & Co. Ltd.
All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions
are met:
1. Redistributions of source code must retain the above copyright
   notice, this list of conditions and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright
   notice, this list of conditions and the following disclaimer in the
   documentation and/or other materials provided with the distribution.

THIS SOFTWARE IS PROVIDED BY THE AUTHOR ``AS IS'' AND ANY EXPRESS OR
IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES
OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED.
IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY DIRECT, INDIRECT,
INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES.""",
    "gpl": """\
This file is part of Tides.

Tides is free software: you can redistribute it and/or modify
it under the terms of the GNU General Public License as published by
the Free Software Foundation, either version 3 of the License, or
(at your option) any later version.

Tides is distributed in the hope that it will be useful,
but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
GNU General Public License for more details.

You should have received a copy of the GNU General Public License
along with Tides.  If not, see <https://www.gnu.org/licenses/>.""",
    "short": """\
Copyright © Roe GmbH and contributors
Use of this source code is governed by a BSD-style license that can be
found in the LICENSE file.""",
    "spdx": "SPDX-FileCopyrightText: 2022 Jane Roe\nSPDX-License-Identifier: GPL-2.0-or-later WITH"
    " Classpath-exception-2.0",
    "mpl": """\
This Source Code Form is subject to the terms of the Mozilla Public
License, v. 2.0. If a copy of the MPL was not distributed with this
file, You can obtain one at http://mozilla.org/MPL/2.0/.""",
    "zlib": """\
Copyright 2001 by J. R. Roe

This software is provided 'as-is', without any express or implied
warranty.  In no event will the authors be held liable for any damages
arising from the use of this software.

Permission is granted to anyone to use this software for any purpose,
including commercial applications, and to alter it and redistribute it
freely, subject to the following restrictions:

1. The origin of this software must not be misrepresented; you must not
   claim that you wrote the original software.
2. Altered source versions must be plainly marked as such.
3. This notice may not be removed or altered from any source distribution.""",
    "epl": """\
Copyright (c) 2000, 2018 IBM Corporation and others.

This program and the accompanying materials
are made available under the terms of the Eclipse Public License 2.0
which accompanies this distribution, and is available at
https://www.eclipse.org/legal/epl-2.0/""",
    "cc0": """\
To the extent possible under law, the author(s) have dedicated all copyright
and related and neighboring rights to this software to the public domain
worldwide. This software is distributed without any warranty.""",
    "boost": "Distributed under the Boost Software License, Version 1.0.\n(See http://www.boost.org/LICENSE_1_0.txt)",
    "see": "This file is licensed to you under the MIT license.\nSee the LICENSE file in the project root for"
    " more information.",
}  # fmt: skip
NOTE = ["Computes tides of the moon.", "Rises and falls twice a day."]
# extension, what stands before, how a line of a comment is written or how a block is, the code
LINES = [
    ("py", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n", "# ", "import os\n"),
    ("py", "from __future__ import annotations\n\n", "# ", "import os\n"),
    ("pyx", "# cython: boundscheck=False\n# distutils: language = c++\n", "# ", "cdef int a\n"),
    ("rb", "# frozen_string_literal: true\n\n", "# ", "class A\nend\n"),
    ("sh", "#!/bin/sh\nset -eu\n\n", "# ", "ls\n"),
    ("bat", "@echo off\nsetlocal\n", "rem ", "dir\n"),
    ("cmd", "@ECHO OFF\n", "REM ", "dir\n"),
    ("bat", "", ":: ", "dir\n"),
    ("bat", "", "@rem ", "@dir\n"),
    ("ps1", "#requires -Version 5.1\n", "# ", "Get-Item .\n"),
    ("go", "//go:build linux\n// +build linux\n\n", "// ", "package a\n"),
    ("go", "package a\n\n", "// ", "func f() {}\n"),
    ("rs", "#![no_std]\n", "// ", "fn main() {}\n"),
    ("js", "'use strict';\n", "// ", "let a = 1;\n"),
    ("ts", '/// <reference path="a.d.ts" />\n', "// ", "let a = 1;\n"),
    ("swift", "// swift-tools-version:5.5\n", "// ", "let a = 1\n"),
    ("h", "#ifndef A_H\n#define A_H\n\n#include <a.h>\n\n", "// ", "int a;\n"),
    ("cs", "using System;\n\n", "// ", "class A {}\n"),
    ("hs", "{-# LANGUAGE CPP #-}\nmodule A (b) where\n\n", "-- ", "b = 1\n"),
    ("hs", "{-# LANGUAGE CPP\n  , GADTs #-}\n", "-- ", "b = 1\n"),
    ("sql", "SET NAMES utf8;\n", "-- ", "SELECT 1;\n"),
    ("lua", "", "-- ", "return 1\n"),
    ("adb", "", "--  ", "procedure A is\n"),
    ("vhd", "", "-- ", "entity a is\n"),
    ("tex", "% !TEX root = main.tex\n", "% ", "\\section{A}\n"),
    ("erl", "%% -*- erlang -*-\n-module(a).\n", "%% ", "b() -> 1.\n"),
    ("m", "function a\n", "% ", "x = 1;\n"),
    ("f90", "module a\n", "! ", "integer :: b\n"),
    ("f", "", "C ", "      x = 1\n"),
    ("vb", "Option Strict On\n", "' ", "Class A\n"),
    ("asm", "", "; ", "mov eax, 1\n"),
    ("S", "#include <a.h>\n", "// ", "mov r0, r1\n"),
    ("el", "", ";; ", "(defun a ())\n"),
    ("clj", "", ";; ", "(ns a)\n"),
    ("rkt", "#lang racket\n", ";; ", "(define a 1)\n"),
    ("vim", "", '" ', "let a = 1\n"),
    ("m4", "", "dnl ", "AC_INIT\n"),
    ("1", "", '.\\" ', ".TH A 1\n"),
    ("ini", "", "; ", "[a]\n"),
    ("yaml", "---\n", "# ", "a: 1\n"),
    ("Dockerfile", "# syntax=docker/dockerfile:1\n", "# ", "FROM a\n"),
    ("cmake", "cmake_minimum_required(VERSION 3.5)\n", "# ", "add_library(a)\n"),
    ("Makefile", "", "# ", "all:\n\ttrue\n"),
    ("smali", "", "# ", ".class La;\n"),
    ("proto", 'syntax = "proto3";\n\n', "// ", "message A {}\n"),
    ("sol", "pragma solidity ^0.8.0;\n", "// ", "contract A {}\n"),
    ("r", "", "#' ", "f <- 1\n"),
    ("pl", "#!/usr/bin/perl\nuse strict;\nuse warnings;\n", "# ", "print 1;\n"),
    ("rst", "", ".. ", "Title\n=====\n"),
    ("zig", "", "// ", "const a = 1;\n"),
]
BLOCKS = [
    ("c", "", "/*", " * ", " */", "int a;\n"),
    ("c", "/* -*- mode: c -*- */\n", "/**", " * ", " **/", "int a;\n"),
    ("h", "#pragma once\n", "/*", "", "*/", "int a;\n"),
    ("cpp", "", "/***********", " * ", " ***********/", "int a;\n"),
    ("java", "package a.b;\n\n", "/*", " * ", " */", "class A {}\n"),
    ("kt", '@file:JvmName("A")\n\npackage a\n\n', "/*", " * ", " */", "class A\n"),
    ("php", "<?php\n\ndeclare(strict_types=1);\n\n", "/**", " * ", " */", "namespace A;\n"),
    ("php", "<?php\nnamespace A;\n\n", "/*", " * ", " */", "class B {}\n"),
    ("css", '@charset "utf-8";\n', "/*!", " * ", " */", "a { color: red }\n"),
    ("js", "#!/usr/bin/env node\n/* eslint-env node */\n", "/*", " * ", " */", "var a;\n"),
    ("html", "<!DOCTYPE html>\n", "<!--", "  ", "-->", "<p>\n"),
    ("xml", '<?xml version="1.0"?>\n', "<!--", "  ~ ", "  -->", "<a/>\n"),
    ("xml", '<?xml version="1.0"?>\n<project xmlns="a"\n    b="c">\n', "<!--", "    ", "-->", "<a>1</a>\n"),
    ("md", "---\ntitle: A\n---\n\n", "<!--", "", "-->", "# Title\n"),
    ("jsp", '<%@ page language="java" %>\n', "<%--", "  ", "--%>", "<p>\n"),
    ("html", "", "{#", "  ", "#}", "<p>\n"),
    ("hbs", "", "{{!--", "  ", "--}}", "<p>\n"),
    ("html", "", "{% comment %}", "", "{% endcomment %}", "<p>\n"),
    ("jl", "", "#=", "", "=#", "x = 1\n"),
    ("cmake", "", "#[[", "", "]]", "add_library(a)\n"),
    ("cmake", "", "#[=[", "", "]=]", "add_library(a)\n"),
    ("lua", "", "--[[", "", "--]]", "return 1\n"),
    ("hs", "module A where\n", "{-", "", "-}", "b = 1\n"),
    ("elm", "module A exposing (b)\n", "{-", "", "-}", "b = 1\n"),
    ("ml", "", "(*", " * ", " *)", "let a = 1\n"),
    ("ml", "", "(**********", "(*  ", "**********)", "let a = 1\n"),
    ("pas", "unit A;\n", "{", "  ", "}", "interface\n"),
    ("pas", "", "(*", "  ", "*)", "program a;\n"),
    ("py", "", '"""', "", '"""', "import os\n"),
    ("py", "# coding: utf-8\n", "r'''", "", "'''", "import os\n"),
    ("rb", "", "=begin", "", "=end", "class A\nend\n"),
    ("pl", "", "=head1 COPYRIGHT AND LICENSE\n", "", "\n=cut", "print 1;\n"),
    ("ps1", "", "<#", "  ", "#>", "Get-Item .\n"),
    ("lisp", "", "#|", "", "|#", "(print 1)\n"),
    ("m", "", "%{", "", "%}", "x = 1;\n"),
    ("d", "module a;\n", "/+", " + ", " +/", "int b;\n"),
    ("lean", "", "/-", "", "-/", "def a := 1\n"),
    ("nim", "", "#[", "", "]#", "echo 1\n"),
    ("cs", "#region License\n", "/*", " * ", " */\n#endregion", "class A {}\n"),
    ("ftl", "", "<#--", "  ", "-->", "<p>\n"),
    ("cshtml", "", "@*", "  ", "*@", "<p>\n"),
]


def line_comment(mark: str, said: list[str]) -> str:
    return "".join(f"{mark}{line}".rstrip() + "\n" for line in said)


def block(begin: str, inner: str, end: str, said: list[str]) -> str:
    return "".join(f"{line}\n" for line in [begin, *(f"{inner}{line}".rstrip() for line in said), end])


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize(("extension", "before", "mark", "code"), LINES, ids=lambda value: repr(value)[:24])
def test_a_run_of_comment_lines(extension: str, before: str, mark: str, code: str, notice: str) -> None:
    text = before + line_comment(mark, NOTICES[notice].split("\n")) + code
    assert strip_header(text, extension).text == before + code
    said = [*NOTICES[notice].split("\n"), "", *NOTE]
    assert strip_header(before + line_comment(mark, said) + code, extension).text == (
        before + line_comment(mark, NOTE) + code
    )


@pytest.mark.parametrize("notice", NOTICES)
@pytest.mark.parametrize(
    ("extension", "before", "begin", "inner", "end", "code"), BLOCKS, ids=lambda value: repr(value)[:24]
)
def test_a_block(extension: str, before: str, begin: str, inner: str, end: str, code: str, notice: str) -> None:
    text = before + block(begin, inner, end, NOTICES[notice].split("\n")) + code
    assert strip_header(text, extension).text == before.removesuffix("#region License\n") + code
    said = [*NOTE, "", *NOTICES[notice].split("\n")]
    begin, end = begin.split("\n")[0].replace("=head1 COPYRIGHT AND LICENSE", "=pod\n"), end.lstrip("\n")
    kept = strip_header(before + block(begin, inner, "\n" * (end == "=cut") + end, said) + code, extension).text
    end = end.replace("--]]", "--]]")
    assert kept.replace("\n\n", "\n") == (before + block(begin, inner, end, NOTE) + code).replace("\n\n", "\n")


MARKED = sorted({(extension, mark) for extension, _, mark, _ in LINES})
DOCUMENTATION = st.sampled_from([
    "Reads licence plates.", "Parses SPDX expressions.", "Copyright detection for images.", "A licence server in C.",
    "License manager: checks licence keys", "Checks whether a file has a copyright notice.", "Scans for (c) signs.",
    "Finds the copyright year of a book", "Lists the packages under the GPL.", "Computes tides.", "See notes.txt.",
    "Free memory is kept in a list", "Rights of users, by role", "Warranty claims of customers", "Permission checks",
    "Adds license headers to files", "The licence field of package.json", "Copyright notices are found by a pattern",
    "Terms of a polynomial", "You can use this to sort", "If not, it is rounded.", "Subject to the formula below",
    "Unless otherwise noted, lengths are in metres.", "In no particular order", "(c) the third case", "encoding:"
    " utf-8",
    "This module reads the license file of a package", "Handles the redistribution of shards", "Author index",
])  # fmt: skip


@given(st.sampled_from(MARKED), st.lists(DOCUMENTATION, min_size=1, max_size=4))
@settings(max_examples=500, deadline=None)
def test_a_comment_about_licences_stays(kind: tuple[str, str], said: list[str]) -> None:
    extension, mark = kind
    text = line_comment(mark, said) + "\n1\n"
    assert strip_header(text, extension).text == text


@given(st.sampled_from(MARKED), DOCUMENTATION, st.sampled_from(["Copyright 2020 A", "SPDX-License-Identifier: MIT"]))
@settings(max_examples=500, deadline=None)
def test_it_stays_in_the_lines_under_a_notice(kind: tuple[str, str], said: str, notice: str) -> None:
    extension, mark = kind
    assert strip_header(line_comment(mark, [notice, said]) + "\n1\n", extension).text == (
        line_comment(mark, [said]) + "\n1\n"
    )
