"""What a sentence is: a licence's, something that belongs to one beside it, or text that stays."""

from __future__ import annotations

import pytest

from llama_data.stages.github.headers import strip_header
from llama_data.stages.github.sentences import Kind, kind_of


@pytest.mark.parametrize(
    "text",
    [
        "Copyright 2020 Roe", "Copyright (c) 2001-2003, 2005 by J. R. Roe <j@roe.example>", "© Roe"
        " GmbH", "(c) March 2004 Roe",
        "Portions Copyright (C) 1999 Roe", "This file is copyright 2011 Roe", "@copyright Roe", "Copyright: 2020 Roe",
        "copyright the tides authors", "COPYRIGHT (C) ROE INC.", "All rights reserved.", "Licensed under the Foo"
        " License",
        "SPDX-License-Identifier: FSFAP", "License: MIT", "@license see LICENSE", "MIT License", "The MIT License"
        " (MIT)",
        "Released into the public domain.", "See the LICENSE file for details.", "See COPYING.", "GPL-2.0+",
        "This module may be used under the terms of the Artistic License.", "It is provided \"as is\".",
        "Use of this source code is governed by a BSD-style license.", "You may obtain a copy of the License at",
        "Distributed under the Boost Software License, Version 1.0.", "DO NOT ALTER OR REMOVE COPYRIGHT NOTICES.",
        "Unauthorized copying of this file is strictly prohibited.", "This product is confidential and proprietary.",
        "Permission to use, copy and modify this is hereby granted.", "In no event shall Roe be liable for any"
        " damages.",
        "For the full copyright and license information, please view the LICENSE", "Alle Rechte vorbehalten.",
        "Tous droits réservés.", "Todos os direitos reservados.",
        "Dieses Programm ist freie Software.", "Este programa es"
        " software libre", "Ce fichier est sous licence MIT.", "Lizenz: GPL v2", "selon les termes de la licence GNU",
        "This document is released under the GFDL.", "Use this under the terms of the WTFPL.",
        "Permission is granted to anyone to make copies.", "Permission is granted.", "It is provided as is.",
        "Provided as is, without support", "This is confidential information of Roe.", "This file is the property of"
        " Roe.", "Licensed Materials - Property of Roe", "Unpublished - rights reserved under the copyright laws",
        "Use, duplication or disclosure restricted by Roe.", "Reproduction of this file is prohibited.",
    ],
)  # fmt: skip
def test_licences(text: str) -> None:
    assert kind_of(text) is Kind.licence


@pytest.mark.parametrize(
    "text",
    [
        "Reads licence plates.", "Parses SPDX expressions", "Copyright detection for images", "License manager"
        " for Tides",
        "Checks that a module is distributed under the GPL.", "Copyright checker", "The license server protocol.",
        "Unless otherwise noted, lengths are in metres.", "If not, it is rounded to the next integer.",
        "Subject to the following formula", "You can use this to trigger file system failures.", "Warranty"
        " claims, by year",
        "A previous version of this file used a faster algorithm.", "Handles the redistribution of shards among"
        " nodes",
        "Functions for downloading license files from a list", "Computes tides.", "Permission checks for users",
        "The pointer is provided as is to the base class.", "Paths are distributed as is over the nodes.",
        "Permission is granted to a group by calling grant().", "Confidential information is masked in logs.",
        "The name is a property of the node.",
        "Rights reserved for a group are listed.", "The mill is a property of Roe.",
        "You can obtain an object implementing this interface.", "The packed redistribution and overlap are"
        " informed by it",
    ],
)  # fmt: skip
def test_text_about_anything_else(text: str) -> None:
    assert kind_of(text) is Kind.text


@pytest.mark.parametrize(
    ("extension", "text", "left"),
    [
        ("c", "/* tides.c -- computes tides. Copyright (C) 2020 Roe */\nint a;\n", "/* tides.c -- computes tides."
         " */\nint a;\n"),
        ("js", "/*! Tides v1.2 | (c) Roe Foundation | roe.example.org/license */\n!f()\n", "/*! Tides v1.2"
         " */\n!f()\n"),
        ("py", '"""Copyright 2020 Roe. Computes tides."""\nimport a\n', '"""Computes tides."""\nimport a\n'),
        ("py", "###\n# Copyright 2020 Roe\n#\n# Tides.\n###\nimport a\n", "###\n# Tides.\n###\nimport a\n"),
        ("py", "###\n# Copyright 2020 Roe\n###\n\nimport a\n", "import a\n"),
        ("c", "/*\n * Copyright 2020 Roe\n */ int a;\n", "int a;\n"),
        ("c", "/* Copyright 2020 Roe */\n/* All rights reserved. */\nint a;\n", "int a;\n"),
        ("php", "<?php // Copyright 2020 Roe\nfoo();\n", "<?php\nfoo();\n"),
        ("php", "<?php /* Copyright 2020 Roe */ ?>\n<p>\n", "<p>\n"),
        ("cs", '// <copyright file="A.cs">\n// Copyright (c) Roe.\n// </copyright>\nusing A;\n', "using A;\n"),
        ("rs", "//! Copyright 2020 Roe\n//! Computes tides.\nuse a;\n", "//! Computes tides.\nuse a;\n"),
        ("py", "# Copyright 2020\n#   Roe and Sons\n# Tides of the sea.\nimport a\n", "# Tides of the"
         " sea.\nimport a\n"),
        ("py", "# Copyright 2020 Roe\n# Author: Jane\n\n# Author: Joe\nimport a\n", "# Author: Joe\nimport a\n"),
        ("py", "# Copyright 2020 Roe\n# noqa\n# type: ignore\nimport a\n", "# noqa\n# type: ignore\nimport a\n"),
        ("js", "/* eslint-env node */\n/* Copyright 2020 Roe */\n/* global a */\nb();\n", "/* eslint-env node"
         " */\n/* global a */\nb();\n"),
        ("html", "<!--[if IE]> Copyright 2020 Roe <![endif]-->\n<p>\n", "<!--[if IE]> Copyright 2020 Roe"
         " <![endif]-->\n<p>\n"),
        ("pas", "{$mode objfpc}\n{ Copyright 2020 Roe }\nunit a;\n", "{$mode objfpc}\nunit a;\n"),
        ("py", '"""\nTides\n\nLicense\n-------\n\nMIT License\n\nUsage\n-----\n"""\nimport a\n',
         '"""\nTides\n\nUsage\n-----\n"""\nimport a\n'),
    ],
)  # fmt: skip
def test_only_the_licence_goes(extension: str, text: str, left: str) -> None:
    assert strip_header(text, extension).text == left
    assert strip_header(left, extension).text == left


@pytest.mark.parametrize("line", ["Tous droits réservés.", "版权所有", "Reproduction is prohibited.", "Lizenz: GPL v2"])
def test_a_comment_of_one_sentence_without_english_is_looked_at(line: str) -> None:
    assert strip_header(f"# {line}\nimport tides\n", "py").text == "import tides\n"
