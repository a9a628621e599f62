"""Words, quotations, keys, notes and names of languages and countries that the built-in tables show."""
# ruff: noqa: E501, RUF001 - one case a line; the signs that templates stand for

from __future__ import annotations

import pytest

from llama_data.stages.wikipedia.languages import LANGUAGES
from llama_data.stages.wikipedia.templates.aliases import aliases_of
from llama_data.stages.wikipedia.templates.countries import COUNTRIES
from llama_data.stages.wikipedia.wikitext import clean


def text(wikitext: str, language: str = "en") -> str:
    return clean(wikitext, title="Title", language=language).text


@pytest.mark.parametrize(
    ("language", "wikitext", "expected"),
    [
        ("en", "Vienna ({{langx|de|Wien}}) and {{langx|grc|λόγος|logos|word}}", "Vienna (German: Wien) and Ancient Greek: λόγος, logos, lit. 'word'"),
        ("en", "{{langx|fr|mot|label=none}}, {{lang-de|Wort|lit=word}}", "mot, German: Wort, lit. 'word'"),
        ("ru", "Вена ({{lang-de|Wien}})", "Вена (нем. Wien)"),
        ("uk", "Відень ({{lang-de|Wien}})", "Відень (нім. Wien)"),
        ("sr", "Беч ({{јез-нем|Wien}}, {{јез-енг|Vienna}})", "Беч (нем. Wien, енгл. Vienna)"),
        ("bg", "Виена ({{lang-de|Wien}})", "Виена (на немски: Wien)"),
        ("pt", "Viena ({{langx|de|Wien}})", "Viena (em alemão: Wien)"),
        ("fr", "Vienne ({{lang-de|Wien}}), {{en langue|de|Wien}}", "Vienne (en allemand : Wien), en allemand : Wien"),
        ("cs", "Vídeň ({{vjazyce2|de|Wien}})", "Vídeň (německy Wien)"),
        ("sv", "Wien ({{lang-en|Vienna}})", "Wien (engelska: Vienna)"),
        ("it", "Vienna ({{lang-de|Wien}})", "Vienna (Wien)"),
        ("fr", "XIX{{e}} et 2{{e}}, XI{{ème}}", "XIXe et 2e, XIe"),
        ("fr", "le {{35e}}, la {{1re}}, le {{21e}}", "le 35e, la 1re, le 21e"),
        ("fr", "Napoléon {{Ier}}, {{1er}} mai", "Napoléon Ier, 1er mai"),
        ("fr", "1{{er}} et {{re}}, {{ier}}, {{IVème}}, {{1ère}} {{ER}}", "1er et re, Ier, IVe, 1re"),
        ("ro", "{{flag|GER}}", "GER"),
        ("fr", "au {{XVIIIe siècle}}, au {{-s|V|e}}, sous la {{IIIe République}}", "au XVIIIe siècle, au Ve siècle av. J.-C., sous la IIIe République"),
        ("fr", "{{Mme|Curie}}, {{Mgr|X}}, {{Dr}} Y, {{p.|12}}", "Mme Curie, Mgr X, Dr Y, p. 12"),
        ("fr", "jumelée avec {{Jumelage|Osaka|Japon|année=1985}}", "jumelée avec Osaka (Japon), 1985"),
        ("it", "i {{nihongo|kami|神}}, {{nihongo||神|kami}}", "i kami (神), 神, kami"),
        ("it", "con {{Gemellaggio|Francia|Lione|2000}}", "con Lione (Francia), 2000"),
        ("es", "en el año 44 {{a. C.}} {{esd|10 km}}", "en el año 44 a. C. 10 km"),
        ("de", "mit {{Taste|Strg|C}} und {{Abkürzung|z. B.|zum Beispiel}}", "mit Strg+C und z. B."),
        ("en", "press {{key press|Ctrl|Alt|Del}} or {{key|F1}}", "press Ctrl+Alt+Del or F1"),
        ("en", "B{{music|flat}}, F{{music|#}}, {{music|time|6|8}}, {{music|Natural}}, {{music|C dim}}", "B♭, F♯, 6/8, ♮, C dim"),
        ("en", "{{resize|120%|big}} {{resize|word}} {{font|size=2em|text=t}} {{no break|a b}} {{nobold|x}}", "big word t a b x"),
        ("en", "a key {{legend|#f00|Label}} here", "a key Label here"),
        ("en", "{{legend|#f00|Label}}\nText", "Text"),
        ("en", "{{nee|Kasner}} {{né|Smith}} {{lit|a|b}} {{gloss|x}}", "née Kasner né Smith lit. 'a' or 'b' 'x'"),
        ("en", "{{sic}} {{sic|wrnog}} {{sic|te|h|hide=y}} {{not a typo|a|b}}", "[sic] wrnog [sic] teh ab"),
        ("en", "{{GER}} and {{flag|FRA}}, {{flag|Spain}}; {{per|x}}", "Germany and France, Spain; x"),
        ("it", "a 400 {{m s.l.m.}}, {{colore|red|9}}, {{Citazione necessaria|forse}}, {{en}} x", "a 400 m s.l.m., 9, forse, x"),
        ("ru", "{{Нихонго|Мессер|メッサー|мэсса}}, {{капитель|Имя}}, {{дробь|1|2}}", "Мессер (メッサー, мэсса), Имя, 1⁄2"),
        ("pt", "{{Japonês|Gundam|機動|Kidō}} {{sqrt|2}}, {{pequeno|a}}", "Gundam (機動, Kidō) √2, a"),
        ("fr", "{{smcp|Hugo}} {{info|mot|note}} {{monsieur|X}}", "Hugo mot M. X"),
        ("ru", "({{ДР|1|2|1931}} — {{ДС|23|4|2007}}) в {{год в кино|2003}} году{{сколько?}}", "(1 февраля 1931 — 23 апреля 2007) в 2003 году"),
        ("en", "may {{clarify|text=delay|date=May 2010}} it{{clarify|date=May 2010}}, {{citation needed span|so}}", "may delay it, so"),
        ("bg", "{{флагче|Белгия}} Брюксел", "Брюксел"),
        ("en", "{{enum|a|b|c}}; {{or list|a|b}}; {{cslist|a|b}}", "a, b, and c; a or b; a, b"),
        ("en", "{{ordered list|a|b}}", "1. a\n2. b"),
        ("en", "one{{break}}two{{pb}}three", "one\ntwo\n\nthree"),
        ("en", "{{font color|red|yellow|word}} {{color|red|word}} {{hover title|hint|shown}} {{native name|de|Wien}}", "word word shown Wien"),
        ("fr", "le {{date|14|7|1789}} et le {{date|1|janvier|1950}}", "le 14 juillet 1789 et le 1er janvier 1950"),
        ("fr", "son fils {{souverain-|Joseph II (empereur)}}, {{nobr romains|Louis XIV}}", "son fils Joseph II, Louis XIV"),
        ("en", "in {{TeX}} and {{LaTeX}}", "in TeX and LaTeX"),
        ("en", "{{korean|hangul=한국|rr=hanguk}}", "Korean: 한국; RR: hanguk"),
    ],
)  # fmt: skip
def test_words_of_the_wikis(language: str, wikitext: str, expected: str) -> None:
    assert text(wikitext, language) == expected


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("{{cquote|Words.|20px|20px|A. Writer|Book}}", "Words.\n— A. Writer, Book"),
        ("{{cquote|Words.||||}}", "Words."),
        ("{{rquote|right|Words.|A. Writer}}", "Words.\n— A. Writer"),
        ("{{quote|Words.|A. Writer|Book}}", "Words.\n— A. Writer, Book"),
        ("{{quote|text=Words.|sign=A. Writer|source=Book}}", "Words.\n— A. Writer, Book"),
        ("{{quote box|quote=Words.|author=A. Writer|width=30%}}", "Words.\n— A. Writer"),
        ("{{poemquote|One\nTwo|A. Writer}}", "One\nTwo\n— A. Writer"),
        ("{{verse translation|Eins\nZwei|One\nTwo}}", "Eins\nZwei\n\nOne\nTwo"),
        ("{{quote|Words.|A. Writer|Book|en|Wörter}}", "Words.\n— A. Writer, Book"),
        ("{{quote|}}", ""),
    ],
)
def test_quotations_know_their_own_order(wikitext: str, expected: str) -> None:
    assert text(wikitext) == expected


def test_aliases_name_what_the_tables_know() -> None:
    for language in LANGUAGES:
        for alias, name in aliases_of(language).items():
            assert alias == alias.casefold(), (language, alias)
            assert name not in aliases_of(language), (language, name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_wiki_shows_a_word_of_another_language(language: str) -> None:
    assert "Wien" in text("X ({{lang-de|Wien}}) y", language)
    assert "Wien" in text("X {{lang|de|Wien}} y", language)
    assert text("X {{nowrap|10 km}} y", language) == "X 10 km y"


def test_country_codes_are_three_letters_with_names() -> None:
    assert all(len(code) in (2, 3) and code == code.lower() and name[0].isupper() for code, name in COUNTRIES.items())
    assert len(COUNTRIES) > 250
