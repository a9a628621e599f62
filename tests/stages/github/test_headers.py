"""Licence headers go; shebangs, includes, pragmas, headings, guards and other comments stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_data.stages.github.headers import strip_header, strip_header_redpajama

APACHE = [
    "Licensed to the Apache Software Foundation (ASF) under one",
    "or more contributor license agreements.",
    "",
    "  http://www.apache.org/licenses/LICENSE-2.0",
    "",
    "Unless required by applicable law or agreed to in writing,",
    "software is distributed WITHOUT WARRANTIES OR CONDITIONS OF ANY",
    "KIND.",
]


def comment(marker: str) -> str:
    return "".join(f"{marker} {line}".rstrip() + "\n" for line in APACHE)


BLOCK = "/*\n" + comment(" *") + " */\n"


@pytest.mark.parametrize(
    ("extension", "text", "left"),
    [
        ("py", "#!/usr/bin/env python\n" + comment("#") + "\nimport os\n", "#!/usr/bin/env python\n\nimport os\n"),
        ("py", "# -*- coding: utf-8 -*-\n" + comment("#") + "import os\n", "# -*- coding: utf-8 -*-\nimport os\n"),
        ("py", comment("#") + "\n# What this is about.\nimport os\n", "# What this is about.\nimport os\n"),
        ("h", "#pragma once\n\n" + comment("//") + "\n#include <a>\n", "#pragma once\n\n#include <a>\n"),
        ("h", BLOCK + "#ifndef A\n#define A\n", "#ifndef A\n#define A\n"),
        ("h", "#ifndef A\n#define A\n\n" + BLOCK + "int a;\n", "#ifndef A\n#define A\n\nint a;\n"),
        ("c", BLOCK + "\n\n/* Sorts things. */\nint a;\n", "/* Sorts things. */\nint a;\n"),
        ("c", "/* Copyright 2001 A. B. */\nint a;\n", "int a;\n"),
        ("c", "/* foo.c\n *\n * Copyright 2001 A. B.\n */\nint a;\n", "/* foo.c\n */\nint a;\n"),
        (
            "c",
            "/*\n * Copyright 2001 A. B.\n *\n * Sorts things.\n */\nint a;\n",
            "/*\n * Sorts things.\n */\nint a;\n",
        ),
        ("php", "<?php\n\n/*\n * (c) 2011 Some One\n */\n\nnamespace A;\n", "<?php\n\nnamespace A;\n"),
        (
            "php",
            "<?php\n/*\n * This file is part of A.\n *\n * (c) Some One\n *\n * For the licence, see X.\n */\nb();\n",
            "<?php\nb();\n",
        ),
        ("md", "<!--\nLicensed under the Apache License.\n-->\n\n# Title\n\nText.\n", "# Title\n\nText.\n"),
        ("md", "# License\n\nMIT, copyright me.\n", "# License\n\nMIT, copyright me.\n"),
        ("html", "<!DOCTYPE html>\n<!-- Copyright A -->\n<p>\n", "<!DOCTYPE html>\n<p>\n"),
        ("rst", ".. Licensed to the ASF\n.. under the Apache License.\n\nTitle\n=====\n", "Title\n=====\n"),
        ("sql", "-- Copyright A\nSELECT 1;\n", "SELECT 1;\n"),
        ("tex", "% Copyright A\n\\section{B}\n", "\\section{B}\n"),
        ("css", "#id { color: red } /* Copyright */\n", "#id { color: red } /* Copyright */\n"),
        ("f90", "! Copyright A\nprogram b\n", "program b\n"),
        ("bat", "@echo off\nrem Copyright A\n", "@echo off\n"),
        ("c", "#include <copyright.h>\nint a;\n", "#include <copyright.h>\nint a;\n"),
        ("c", "int a;\n" + BLOCK, "int a;\n" + BLOCK),
        ("c", "/* Copyright A */ int a;\n", "/* Copyright A */ int a;\n"),
        ("c", "/* Copyright without an end\nint a;\n", "/* Copyright without an end\nint a;\n"),
        ("js", "// Just a comment.\nvar a;\n", "// Just a comment.\nvar a;\n"),
        ("py", "", ""),
        ("c", "/*\n" + " * Copyright A\n" * 200 + " */\nint a;\n", "int a;\n"),
        ("py", "# Copyright A\n" * 200 + "import os\n", "import os\n"),
        ("py", "\n" * 100 + "# Copyright A\nimport os\n", "import os\n"),
    ],
)
def test_what_is_left_of_a_file(extension: str, text: str, left: str) -> None:
    stripped = strip_header(text, extension)
    assert stripped.text == left
    assert stripped.removed == text.count("\n") - left.count("\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_one_and_stays(end: str) -> None:
    text = "/* foo.c\n *\n * Copyright A\n */\n#include <a>\nint a;\n".replace("\n", end)
    assert strip_header(text, "c").text == "/* foo.c\n */\n#include <a>\nint a;\n".replace("\n", end)
    text = "// Copyright A\n// B\n\nint a;\n".replace("\n", end)
    assert strip_header(text, "c").text == "int a;\n".replace("\n", end)


lines = st.sampled_from(
    [
        "#!/bin/sh",
        "# Copyright A",
        "#",
        "# words",
        "// License",
        "/*",
        " * Copyright",
        " */",
        "int a;",
        "",
        "/* (c) 2020 */",
        "<!--",
        "-->",
        "\ufeff// Copyright",
        ".. license",
        "   more",
    ]
)


@given(st.lists(lines, max_size=12).map("\n".join), st.sampled_from(["c", "py", "md", "rst", "php", "x"]))
@settings(max_examples=500, deadline=None)
def test_only_lines_that_were_there_are_left_and_twice_is_once(text: str, extension: str) -> None:
    stripped = strip_header(text, extension)
    assert stripped.removed >= 0
    rest = iter(text.split("\n"))
    closing = {"/*", " */", " -->", "<!--"}
    assert (
        all(
            line in closing or any(line.lstrip("\ufeff") == other.lstrip("\ufeff") for other in rest)
            for line in stripped.text.split("\n")
        )
        or stripped.text == ""
    )
    if stripped.removed == 0:
        assert stripped.text == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("#!/usr/bin/env python\n# a\n\nimport os\n", "import os\n"),
        ("# Title\n\nText.\n", "Text.\n"),
        ("#include <a>\nint a;\n", "int a;\n"),
        ("int a; /* Copyright\n me */ int b;\n", "int a;  int b;\n"),
        ("// Copyright\n/* about */\nint a;\n", "// Copyright\n/* about */\nint a;\n"),
        (" # indented\n", " # indented\n"),
    ],
)
def test_redpajamas_rule_with_what_it_loses(text: str, left: str) -> None:
    assert strip_header_redpajama(text).text == left


@pytest.mark.parametrize(
    ("extension", "code"),
    [("f", "call start()\n"), ("for", "Common /a/ b\n"), ("f77", "c1 = 2\n"), ("f", "      x = 1\n")],
)
def test_a_line_of_fortran_that_begins_with_c_is_code_when_a_word_goes_on(extension: str, code: str) -> None:
    for mark in ("c ", "C ", "* ", "c*"):
        header = f"{mark} Copyright 1987 A. B.\n{mark} All rights reserved.\n"
        assert strip_header(header + code, extension).text == code
