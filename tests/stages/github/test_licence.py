"""The licence of a repository, from its files and its package's metadata."""

from __future__ import annotations

import pytest
from identify.vendor.licenses import LICENSES

from llama_data.pipeline.core.document import new_document
from llama_data.stages.github.licence import is_licence_file, licence_of, recognise
from llama_data.stages.github.metadata import normalise
from llama_data.stages.github.rules import ChosenLicence

TEXTS = {key.lower(): text for key, text in LICENSES}
MIT, APACHE, BSD3 = TEXTS["mit"], TEXTS["apache-2.0"], TEXTS["bsd-3-clause"]


# PostgreSQL's names the holder inside its sentences: filled in it is not recognised, and no family takes it anyway.
@pytest.mark.parametrize("key", sorted(TEXTS.keys() - {"postgresql"}))
def test_a_text_filled_in_and_wrapped_anew_is_recognised(key: str) -> None:
    text = TEXTS[key].replace("[year]", "2001-2009").replace("[fullname]", "A. B. <a@b.c>")
    paragraphs = [" ".join(part.split()) if "opyright" not in part else part for part in text.split("\n\n")]
    assert recognise("\n\n".join(paragraphs)) == key
    assert recognise(text.replace("\n", "\r\n")) == key


def test_what_people_do_to_a_text_changes_nothing() -> None:
    body = MIT.split("\n\n", 2)[2]
    assert recognise(body) == "mit"
    assert recognise(f"(The MIT License)\n\nCopyright (c) 2009 A\nCopyright (c) 2010 B <b@c>\n\n{body}") == "mit"
    assert recognise(body.replace('"', "'")) == "mit"
    assert recognise(APACHE.split("APPENDIX")[0]) == "apache-2.0"
    assert recognise(APACHE.replace("[yyyy] [name of copyright owner]", "2020 Us, Inc.")) == "apache-2.0"
    holder = "Neither the name of the copyright holder"
    named = BSD3.replace(holder, "Neither the name of Us")
    assert named != BSD3
    assert recognise(named) == "bsd-3-clause"
    assert recognise(named.replace("THE COPYRIGHT HOLDERS AND CONTRIBUTORS", "US, INC.")) == "bsd-3-clause"


@pytest.mark.parametrize(
    "text",
    [
        MIT.replace("to deal\n", "to deal non-commercially\n"),
        MIT.replace("to deal\n", "to deal for academic purposes\n"),
        MIT + "\nThe Software shall be used for Good, not Evil.\n",
        MIT + "\nThe Software may not be used to train machine learning models.\n",
        MIT.split("THE SOFTWARE IS")[0],
        MIT + "\n" + TEXTS["gpl-2.0"],
        APACHE + "\nCommons Clause: the License does not grant to you the right to Sell the Software.\n",
        APACHE.replace("royalty-free, irrevocable", "royalty-free, non-commercial, irrevocable"),
        BSD3.replace("with or without\nmodification", "without\nmodification"),
        "All rights reserved.\n",
        "See the file COPYING.\n",
        "",
    ],
)
def test_a_text_that_says_more_or_less_is_another_licence(text: str) -> None:
    assert text not in TEXTS.values()
    assert recognise(text) is None
    assert licence_of({b"LICENSE": text.encode()}) == "other"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({}, None),
        ({"package.json": "{}"}, None),
        ({"LICENSE": MIT}, "mit"),
        ({"LICENSE": MIT, "package.json": '{"license": "GPL-3.0"}'}, "mit"),
        ({"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE}, "apache-2.0 AND mit"),
        (
            {"LICENSE-MIT": MIT, "LICENSE-APACHE": APACHE, "Cargo.toml": '[package]\nlicense = "MIT OR Apache-2.0"\n'},
            "mit OR apache-2.0",
        ),
        ({"LICENSE": MIT, "COPYING": TEXTS["gpl-3.0"], "package.json": '{"license": "MIT OR ISC"}'}, "gpl-3.0 AND mit"),
        ({"LICENSE": MIT, "LICENSE.extra": "Ask us first."}, "mit AND other"),
        ({"LICENSES/MIT.txt": MIT, "LICENSES/CC0-1.0.txt": TEXTS["cc0-1.0"]}, "cc0-1.0 AND mit"),
        ({"package.json": '{"license": "(MIT OR GPL-3.0-or-later)"}'}, "(mit OR gpl-3.0)"),
        ({"package.json": '{"licenses": [{"type": "MIT"}, {"type": "GPL-2.0"}]}'}, "mit OR gpl-2.0"),
        ({"package.json": '{"license": "SEE LICENSE IN x"}'}, None),
        ({"package.json": "[1, 2"}, None),
        ({"package.json": "[1, 2]"}, None),
        ({"Cargo.toml": '[package]\nlicense = "MIT/Apache-2.0"\n'}, "mit OR apache-2.0"),
        ({"pyproject.toml": '[project]\nlicense = {text = "MIT License"}\n'}, "mit"),
        ({"setup.cfg": "[metadata]\nlicense = BSD-3-Clause\n"}, "bsd-3-clause"),
        ({"PKG-INFO": "Name: a\nLicense-Expression: Apache-2.0\n\nLicense: GPL\n"}, "apache-2.0"),
        ({"PKG-INFO": "Name: a\nClassifier: License :: OSI Approved :: MIT License\n"}, "mit"),
    ],
)
def test_files_and_metadata_say_the_licence(files: dict[str, str], licence: str | None) -> None:
    assert licence_of({name.encode(): text.encode() for name, text in files.items()}) == licence


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "license.md", "LICENCE.txt", "COPYING", "COPYING.LESSER", "UNLICENSE", "MIT-LICENSE", "LICENSE-MIT",
     "LICENSE.APACHE2", "LICENSES/MIT.txt"],
)  # fmt: skip
def test_names_of_licence_files(name: str) -> None:
    assert is_licence_file(name)


@pytest.mark.parametrize(
    "name",
    ["license.py", "licenses.json", "THIRD-PARTY-LICENSES", "LICENSES_bundled.txt", "NOTICE", "src/LICENSE", "licensed",
     "LICENSE-header.txt", "license_test.go", "docs/LICENSES/MIT.txt", "README.md"],
)  # fmt: skip
def test_names_of_other_files(name: str) -> None:
    assert not is_licence_file(name)


@pytest.mark.parametrize(
    ("licence", "kept"),
    [
        ("mit", True),
        ("Apache-2.0", True),
        ("other", False),
        ("", False),
        ("apache-2.0 AND mit", True),
        ("gpl-3.0 AND mit", False),
        ("gpl-3.0 OR mit", True),
        ("gpl-3.0 OR isc", False),
        ("(mit OR gpl-3.0) AND bsd-3-clause", True),
        ("mit OR gpl-3.0 AND isc", True),
        ("(mit OR gpl-3.0) AND isc", False),
        ("mit AND", False),
        ("(mit OR isc", False),
        ("mit OR isc)", False),
    ],
)
def test_a_joined_licence_is_chosen_by_its_parts(licence: str, kept: bool) -> None:
    doc = new_document(domain="github", id="a", text="a", source="a", license=licence)
    assert (ChosenLicence().judge(doc) is None) is kept


def test_an_expression_with_an_unknown_part_is_none() -> None:
    assert normalise("MIT AND LicenseRef-ours") is None
    assert normalise("Apache-2.0 WITH LLVM-exception OR MIT") == "apache-2.0 OR mit"
    assert normalise("GPL-2.0+") == "gpl-2.0"
