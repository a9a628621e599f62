"""Small articles in languages of which no test corpus has many pages, with the text that a reader of the wiki sees."""
# ruff: noqa: RUF001 - Cyrillic words and dashes are the subject

from __future__ import annotations

from pathlib import Path

import pytest

from llama_data.stages.wikipedia.languages import REDIRECT, is_disambiguation
from llama_data.stages.wikipedia.wikitext import clean

PAGES = Path(__file__).parent / "languages"
CODES = sorted(path.stem for path in PAGES.glob("*.wikitext"))
_PLAIN_SPACES = str.maketrans("\u00a0\u2009\u202f", "   ")


def _text(wikitext: str, language: str) -> str:
    return clean(wikitext, language=language, title="Page").text.translate(_PLAIN_SPACES)


def test_each_language_has_a_page_and_its_text() -> None:
    assert CODES == ["bg", "da", "es", "fr", "hu", "it", "nl", "ro", "sl", "sr", "sv"]
    assert sorted(path.stem for path in PAGES.glob("*.txt")) == CODES


@pytest.mark.parametrize("language", CODES)
def test_an_article_reads_as_on_its_wiki(language: str) -> None:
    wikitext = (PAGES / f"{language}.wikitext").read_text(encoding="utf-8")
    expected = (PAGES / f"{language}.txt").read_text(encoding="utf-8")
    assert _text(wikitext, language) == expected.strip()


@pytest.mark.parametrize("language", CODES)
def test_all_templates_of_the_article_are_known(language: str) -> None:
    """So that nothing of the text above rests on a guess."""
    wikitext = (PAGES / f"{language}.wikitext").read_text(encoding="utf-8")
    assert clean(wikitext, language=language, title="Page").unknown_names == {}


@pytest.mark.parametrize(
    "wikitext",
    [
        "#виж [[Речица]]", "#пренасочване [[Речица]]", "#OMDIRIGERING [[Åby]]", "#REDIRECCIÓN [[Riera]]",
        "#REDIRECTION [[Rive]]", "#ÁTIRÁNYÍTÁS [[Folyód]]", "#RINVIA [[Riva]]", "#DOORVERWIJZING [[Rivieren]]",
        "#REDIRECTEAZA [[Râu]]", "#PREUSMERITEV [[Rečica]]", "#ПРЕУСМЕРИ [[Речица]]", "#redirect: [[Åby]]",
    ],
)  # fmt: skip
def test_redirects_in_the_words_of_the_wikis(wikitext: str) -> None:
    assert REDIRECT.match(wikitext)


@pytest.mark.parametrize(
    "wikitext",
    [
        "{{пояснение}}", "{{Flertydig}}", "{{desambiguación}}", "{{Homonymie}}", "{{egyért}}", "{{disambigua}}",
        "{{dp}}", "{{dezambiguizare}}", "{{razločitev}}", "{{вишезначна одредница}}", "{{förgrening}}",
    ],
)  # fmt: skip
def test_disambiguation_pages_in_the_words_of_the_wikis(wikitext: str) -> None:
    assert is_disambiguation(f"Text.\n{wikitext}\n")


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("bg", "7 май 2001|май 2001|2001"), ("da", "7. maj 2001|maj 2001|2001"), ("en", "May 7, 2001|May 2001|2001"),
        ("es", "7 de mayo de 2001|mayo de 2001|2001"), ("fr", "7 mai 2001|mai 2001|2001"),
        ("hr", "7. svibnja 2001.|svibanj 2001.|2001"), ("hu", "2001. május 7.|2001. május|2001"),
        ("it", "7 maggio 2001|maggio 2001|2001"), ("nl", "7 mei 2001|mei 2001|2001"),
        ("pl", "7 maja 2001|maj 2001|2001"), ("pt", "7 de maio de 2001|maio de 2001|2001"),
        ("ro", "7 mai 2001|mai 2001|2001"), ("ru", "7 мая 2001|май 2001|2001"), ("sl", "7. maj 2001|maj 2001|2001"),
        ("sr", "7. мај 2001.|мај 2001.|2001"), ("sv", "7 maj 2001|maj 2001|2001"),
        ("ca", "7 de maig de 2001|maig de 2001|2001"),
        ("cs", "7. května 2001|květen 2001|2001"), ("de", "7. Mai 2001|Mai 2001|2001"),
        ("uk", "7 травня 2001|травень 2001|2001"),
    ],
)  # fmt: skip
def test_a_date_is_in_the_language_of_the_wiki(language: str, shown: str) -> None:
    whole, month, year = shown.split("|")
    assert _text("({{start date|2001|5|7}})", language) == f"({whole})"
    assert _text("({{start date|2001|5}})", language) == f"({month})"
    assert _text("({{start date|2001}})", language) == f"({year})"


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("fr", "{{date|29 9 2019}}, {{date|29|9|2019}}, {{date|2019-09-29}}", ", ".join(["29 septembre 2019"] * 3)),
        (
            "fr",
            "{{date-|1 janvier 1995}}, {{date|1er|mai|900}}, {{date|mai 1990}}",
            "1er janvier 1995, 1er mai 900, mai 1990",
        ),
        ("fr", "{{date|0|13|1990}}, {{date|vers 1990}}", "13 1990, vers 1990"),
        (
            "ca",
            "{{data|1|4|1990}}; {{data|1|maig|1990}}; {{data|2|octubre}}",
            "1 d’abril de 1990; 1 de maig de 1990; 2 d'octubre",
        ),
        ("fr", "{{date|lundi|5|mai|1990}}, {{date|jour=5|mois=5|année=1990}}", "lundi 5 mai 1990, 5 mai 1990"),
        ("fr", "{{date|15|mars|-44}}, {{date|15|mars|jadis}}", "15 mars 44 av. J.-C., 15 mars jadis"),
        ("ru", "{{дата|1|2|1931}} года", "1 февраля 1931 года"),
        ("es", "{{fecha|5|3|44}} y {{fecha|5|marzo}}", "5 de marzo de 44 y 5 de marzo"),
    ],
)
def test_dates_in_one_argument_or_three_with_words_or_numbers(language: str, wikitext: str, expected: str) -> None:
    assert _text(wikitext, language) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{s|XIX}}, {{s|I}}, {{s|Ier}}, {{s-|XX|e}}", "XIXe siècle, Ier siècle, Ier siècle, XXe siècle"),
        ("{{s2|XVI|XVII}}, {{s2|XVI|e|XVII|e}}", "XVIe et XVIIe siècles, XVIe et XVIIe siècles"),
        ("{{sp|II|e|-|III|e}}, {{sp|II|au|III}}", "IIe-IIIe siècle, IIe au IIIe siècle"),
        (
            "{{-s|V}}, {{millénaire|II}}, {{s|III|e|av. J.-C.}}",
            "Ve siècle av. J.-C., IIe millénaire, IIIe siècle av. J.-C.",
        ),
        ("le {{84e|congrès}}, {{IIIe|République}}, {{Ve}}, {{de}} ici", "le 84e congrès, IIIe République, Ve, ici"),
    ],
)
def test_french_centuries_and_ordinals(wikitext: str, expected: str) -> None:
    assert _text(wikitext, "fr") == expected


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("fr", "un, deux{{etc.}} Fin, trois, {{etc.}}", "un, deux, etc. Fin, trois, etc."),
        ("fr", "Paris, 2001, {{ISBN|1}}.", "Paris, 2001."),
        ("fr", "Paris, 2001, {{ISBN|1}}", "Paris, 2001"),
        ("fr", "Paris, 2001,{{ISBN|1}}\nAutre", "Paris, 2001, Autre"),
        ("en", "{{audio|A.ogg|Alabama}} or {{audio|A.ogg|listen}} or {{audio|A.ogg}} x", "Alabama or or x"),
        ("nl", "{{wikt|woord}}\nHet {{wikt|woord}} staat.", "Het woord staat."),
        ("it", "L{{'}}''opera'' e l{{'}}'''arte'''", "L'opera e l'arte"),
        ("da", "{{enum|a|b|c}} {{zh|c=北京|p=Běijīng}}", "a, b og c kinesisk: 北京; pinyin: Běijīng"),
        ("hu", "{{wd|Q42|Név}} és {{ill-wd|Q42}}x", "Név és x"),
    ],
)
def test_words_around_templates(language: str, wikitext: str, expected: str) -> None:
    assert _text(wikitext, language) == expected


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("bg", "основна"), ("ca", "Vegeu també"), ("cs", "podrobně"), ("da", "Uddybende"),
        ("de", "Begriffsklärungshinweis"),
        ("es", "AP"), ("fr", "Article détaillé"), ("hr", "Glavni članak"), ("hu", "bővebben"),
        ("it", "Vedi anche"),
        ("nl", "Zie hoofdartikel"), ("pl", "Inne znaczenia"), ("pt", "Ver também"), ("ro", "Articol principal"),
        ("ru", "См. также"), ("sl", "Glavni članek"), ("sr", "Посебан чланак"), ("sv", "Olika betydelser"),
        ("uk", "Докладніше"),
    ],
)  # fmt: skip
def test_a_pointer_shows_nothing_even_in_a_line(language: str, name: str) -> None:
    shown = clean(
        f"[[File:A.jpg|thumb]]{{{{{name}|History of Xylo}}}}\nWords {{{{{name}|History of Xylo}}}}end.",
        language=language,
    )
    assert shown.text == "Words end."
    assert shown.unknown_names == {}


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("it", "* {{ROU}} 1.940\n* {{GER}} 15\n* {{DEU}} 3", "- Romania 1.940\n- Germania 15\n- Germania 3"),
        ("es", "{{ESP}} y {{SUI}}", "España y Suiza"),
        ("pt", "{{BRA}}, {{USA}}", "Brasil, Estados Unidos"),
        ("en", "{{GER}} 15", "Germany 15"),
        ("it", "un {{nihongo|autore|原作者,|''gensakusha''}}", "un autore (原作者, gensakusha)"),
        ("it", "({{russo|битва|bitva}})", "(битва, bitva)"),
        ("it", "* {{bandiera|Francia|nome}}: Guadalupa\n* {{bandiera|ITA}} Roma", "- Francia: Guadalupa\n- Roma"),
        ("it", "* {{gemellaggio|FRA|Cléguer}}", "- Cléguer (Francia)"),
        ("it", "Il sistema {{cn|non è noto}}.", "Il sistema non è noto."),
        ("it", "di {{numero|188520}} abitanti", "di 188 520 abitanti"),
        ("it", "{{M|1|c|m}}, {{M|20||°C}}, {{M|3|m}}, {{M|5|-|7|km}}", "1 cm, 20 °C, 3 m, 5–7 km"),
        ("it", "{{exp|1,9|19}} anni e 2{{exp|3}}", "1,9×10¹⁹ anni e 2×10³"),
        ("en", "{{No.}}5, {{No.|5}}", "No. 5, No. 5"),
        ("en", "{{circa|1800|1820}}, {{€|1,234}}", "c. 1800 – c. 1820, €1,234"),
        ("hu", "{{circa|1800}}, {{€|1234.5}}", "kb. 1800, 1 234,5 €"),
        ("nl", "{{ca.|1800|1820}}, {{euro|1234567}}", "ca. 1800 – ca. 1820, € 1.234.567"),
        ("bg", "{{circa}} 1800", "ок. 1800"),
    ],
)  # fmt: skip
def test_countries_by_their_codes_and_words_with_their_scripts(language: str, wikitext: str, expected: str) -> None:
    assert _text(wikitext, language) == expected
