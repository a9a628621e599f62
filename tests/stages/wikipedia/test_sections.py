"""Headings, sections of end matter, lists."""

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.languages import LANGUAGES, is_end_matter
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, language=language).text


def test_headings_stay_only_with_text_under_them() -> None:
    page = "Lead.\n\n== Empty ==\n\n== Outer ==\n=== Inner ===\nBody.\n=== Bare ===\n{{navbox}}"
    assert text(page + "\n== Last ==\n[[Category:x]]") == "Lead.\n\nOuter\n\nInner\nBody."


def test_end_matter_goes_with_all_below_it_and_what_follows_stays() -> None:
    page = "Lead.\n== References ==\n{{reflist}}\n=== Books ===\n* A book\n== Legacy ==\nStays.\n==See also==\n* [[X]]"
    assert text(page) == "Lead.\n\nLegacy\nStays."


@pytest.mark.parametrize(
    ("language", "heading"),
    [
        ("bg", "Външни препратки"), ("ca", "Vegeu també"), ("cs", "Externí odkazy"), ("da", "Eksterne henvisninger"),
        ("de", "Einzelnachweise"), ("en", "External links"), ("es", "Véase también"), ("fr", "Notes et références"),
        ("hr", "Vanjske poveznice"), ("hu", "Külső hivatkozások"), ("it", "Collegamenti esterni"), ("nl", "Zie ook"),
        ("pl", "Linki zewnętrzne"), ("pt", "Ligações externas"), ("ro", "Legături externe"), ("ru", "Примечания"),
        ("sl", "Zunanje povezave"), ("sr", "Спољашње везе"), ("sv", "Externa länkar"), ("uk", "Примітки"),
    ],
)  # fmt: skip
def test_every_language_knows_its_end_matter(language: str, heading: str) -> None:
    assert language in LANGUAGES
    assert text(f"Lead.\n== {heading} ==\n* x", language) == "Lead."


def test_end_matter_is_told_by_the_whole_heading() -> None:
    assert is_end_matter("See also:", "en")
    assert is_end_matter("  REFERENCES ", "de")
    assert not is_end_matter("References in culture", "en")
    assert not is_end_matter("Literatur", "en")
    assert not is_end_matter("Works", "en")


def test_list_numbers_start_again_with_every_list() -> None:
    assert text("# a\n## b\n## c\n# d\n\ntext\n# e") == "1. a\n  1. b\n  2. c\n2. d\n\ntext\n\n1. e"


def test_lines_that_only_point_to_other_articles_go() -> None:
    page = "Lead.\n== B ==\n''Main article:'' [[Biology]]\n* one\n* See also: [[X]]\n\nSee also the river.\n== C ==\n"
    assert text(page + ":''See also: [[Y]] for more.''") == "Lead.\n\nB\n- one\n\nSee also the river."
    assert text("Eins.\n\n:''Siehe auch: [[Zwei]]''", "de") == "Eins."
    assert text("Eins.\n\nsiehe auch: Zwei", "fr") == "Eins.\n\nsiehe auch: Zwei"


@pytest.mark.parametrize(
    ("language", "line", "goes"),
    [
        ("en", "See also [[X]].", True),
        ("en", ":''See also [[X|y]], [[Z]] and [[:Category:C]]''", True),
        ("en", "* See also [[X]]", True),
        ("de", "Siehe auch [[X]] und [[Y]].", True),
        ("de", "See also [[X]]", True),
        ("fr", "Siehe auch [[X]]", False),
        ("en", "See also [[X]] for an explanation.", False),
        ("en", "See also the [[River]].", False),
        ("en", "[[X]]: see also [[Y]].", False),
        ("en", "See also X.", False),
    ],
)
def test_a_line_of_nothing_but_a_pointer_and_links_goes_without_a_colon(language: str, line: str, goes: bool) -> None:
    found = text(f"Lead.\n\n{line}\n\nEnd.", language)
    assert (found == "Lead.\n\nEnd.") is goes


def test_long_lines_of_links_cost_no_time() -> None:
    line = "See also " + "[[x]], " * 20_000 + "and more"
    assert text(line).startswith("See also x, x")
